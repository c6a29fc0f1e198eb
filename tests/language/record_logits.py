#!/usr/bin/env python3
"""Makes small random models of every supported architecture and records what they compute.

usage: record_logits.py OUTPUT_FOLDER [NAME ...]

Needs torch, transformers and safetensors from PyPI; it was run once, and what it wrote lies beside
it in models/. Each NAME/ holds config.json, model.safetensors (fp16 weights) and expected.json: the
tokens of one text and the logits after each of them, by transformers on the CPU in fp32.
"""

import json
import pathlib
import sys

import torch
import transformers
from safetensors.torch import save_file

TOKENS = 40
SMALL = dict(
    hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, head_dim=16, vocab_size=48, max_position_embeddings=128,
    bos_token_id=1, eos_token_id=2, pad_token_id=0, tie_word_embeddings=False,
)
LLAMA3 = dict(rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0,
              high_freq_factor=4.0, original_max_position_embeddings=32)
YARN = dict(rope_type="yarn", rope_theta=10000.0, factor=4.0,
            original_max_position_embeddings=32)
LONG = dict(rope_type="longrope", rope_theta=10000.0, factor=4.0,
            original_max_position_embeddings=32,
            short_factor=[1.0 + 0.1 * i for i in range(8)],
            long_factor=[1.5 + 0.5 * i for i in range(8)])
PHI = dict(num_attention_heads=2, num_key_value_heads=1)
# name: (configuration class, what differs)
MODELS = {
    "llama": ("LlamaConfig", {}),
    "llama3-scaled": ("LlamaConfig", dict(rope_parameters=LLAMA3)),
    "llama-linear": ("LlamaConfig", dict(
        rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=4.0))),
    "smollm": ("LlamaConfig", dict(tie_word_embeddings=True)),
    "mistral": ("MistralConfig", dict(sliding_window=8)),
    "qwen2": ("Qwen2Config", {}),
    "qwen25-yarn": ("Qwen2Config", dict(rope_parameters=YARN)),
    "qwen3": ("Qwen3Config", dict(tie_word_embeddings=True)),
    "gemma": ("GemmaConfig", dict(tie_word_embeddings=True)),
    "gemma2": ("Gemma2Config", dict(tie_word_embeddings=True, sliding_window=8,
                                    query_pre_attn_scalar=24)),
    "gemma3": ("Gemma3TextConfig", dict(tie_word_embeddings=True, sliding_window=8,
                                        layer_types=["sliding_attention", "full_attention"],
                                        query_pre_attn_scalar=24)),
    "phi3": ("Phi3Config", dict(PHI, sliding_window=8)),
    "phi3-long": ("Phi3Config", dict(PHI, rope_parameters=LONG,
                                     original_max_position_embeddings=32)),
    "smollm3": ("SmolLM3Config", dict(tie_word_embeddings=True, no_rope_layers=[1, 0])),
}


def make(name, folder):
    class_name, other = MODELS[name]
    config = getattr(transformers, class_name)(**{**SMALL, **other})
    config._attn_implementation = "eager"
    torch.manual_seed(sum(map(ord, name)))
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    with torch.no_grad():
        for key, weight in model.named_parameters():
            spread = 0.3 if weight.dim() > 1 else 0.2
            centre = 0.0 if weight.dim() > 1 or "bias" in key or "gemma" in name else 1.0
            weight.copy_((centre + spread * torch.randn_like(weight)).half().float())
    model = model.float().eval()
    tokens = [(7 * i * i + 3 * i + 5) % config.vocab_size for i in range(TOKENS)]
    with torch.no_grad():
        logits = model(torch.tensor([tokens])).logits[0]
    folder.mkdir(parents=True, exist_ok=True)
    state = {key: weight.half().contiguous() for key, weight in model.state_dict().items()
             if not (config.tie_word_embeddings and key == "lm_head.weight")}
    save_file(state, folder / "model.safetensors")
    described = {key: value for key, value in config.to_dict().items() if value is not None}
    described["architectures"] = [type(model).__name__]
    (folder / "config.json").write_text(json.dumps(described, indent=1, sort_keys=True) + "\n")
    rows = [[round(float(value), 5) for value in row] for row in logits]
    (folder / "expected.json").write_text(
        json.dumps({"transformers": transformers.__version__, "tokens": tokens, "logits": rows},
                   separators=(",", ":")) + "\n")
    print(name, sum(weight.numel() for weight in state.values()), "weights")


def main():
    output = pathlib.Path(sys.argv[1])
    for name in sys.argv[2:] or MODELS:
        make(name, output / name)


if __name__ == "__main__":
    main()
