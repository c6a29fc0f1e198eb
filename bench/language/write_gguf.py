#!/usr/bin/env python3
"""Writes the models that compare_llama.py runs as GGUF files.

usage: write_gguf.py llama-1.1b|llama-1.1b-2-layers q8_0|q4_0 FILE.gguf
       write_gguf.py FOLDER q8_0|q4_0|f16|Q4_0|Q4_K_M|... FILE.gguf

The first form writes random weights of the 1.1 B shape (or its first two layers), the second a
Hugging Face folder of the Llama architecture. All matrices are quantised, embeddings too; a name in
capitals is a file type of llama.cpp, which then chooses the type of each matrix. The vocabulary is
made up, as only numbers go in and come out.
"""

import ctypes
import json
import pathlib
import sys

import gguf
import numpy
from safetensors.numpy import load_file

LLAMA = {
    "hidden_size": 2048,
    "num_hidden_layers": 22,
    "num_attention_heads": 32,
    "num_key_value_heads": 4,
    "intermediate_size": 5632,
    "vocab_size": 32000,
    "max_position_embeddings": 8192,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
}
MATRICES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
NORMS = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm"}
TYPES = {name: getattr(gguf.GGMLQuantizationType, name.upper()) for name in ("q8_0", "q4_0", "f16")}


def random_blocks(generator, rows, columns, qtype):
    """Blocks of random integers under one small scale, so that nothing needs rounding."""
    size = gguf.GGML_QUANT_SIZES[qtype][1]
    blocks = generator.integers(0, 256, (rows, columns // 32, size), dtype=numpy.uint8)
    scale = 0.02 / 64 if qtype == TYPES["q8_0"] else 0.02 / 5
    blocks[:, :, :2] = numpy.frombuffer(numpy.float16(scale).tobytes(), numpy.uint8)
    return blocks.reshape(rows, -1)


def pairs_of_halves(weights, heads):
    """GGUF keeps rotated dimensions as pairs, Hugging Face as halves."""
    rows, columns = weights.shape
    halves = weights.reshape(heads, 2, rows // heads // 2, columns)
    return halves.swapaxes(1, 2).reshape(rows, columns)


def write_metadata(writer, config):
    heads = config["num_attention_heads"]
    head_size = config.get("head_dim") or config["hidden_size"] // heads
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(head_size)
    writer.add_value_length(head_size)
    writer.add_rope_dimension_count(head_size)
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    words = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    kinds = [gguf.TokenType.UNKNOWN] + [gguf.TokenType.CONTROL] * 2 + [gguf.TokenType.BYTE] * 256
    others = config["vocab_size"] - len(words)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(words + [f"word{i}" for i in range(others)])
    writer.add_token_scores([-float(i) for i in range(config["vocab_size"])])
    writer.add_token_types(kinds + [gguf.TokenType.NORMAL] * others)


def write_random(writer, config, qtype):
    generator = numpy.random.default_rng(7)
    hidden, ffn = config["hidden_size"], config["intermediate_size"]
    cache = hidden // config["num_attention_heads"] * config["num_key_value_heads"]
    outputs = (hidden, cache, cache, hidden, ffn, ffn, hidden)
    inputs = (hidden,) * 6 + (ffn,)
    sizes = dict(zip(MATRICES, zip(outputs, inputs)))

    def matrix(name, rows, columns):
        writer.add_tensor(name, random_blocks(generator, rows, columns, qtype), raw_dtype=qtype)

    matrix("token_embd.weight", config["vocab_size"], hidden)
    matrix("output.weight", config["vocab_size"], hidden)
    writer.add_tensor("output_norm.weight", numpy.ones(hidden, numpy.float32))
    for layer in range(config["num_hidden_layers"]):
        for name, (rows, columns) in sizes.items():
            matrix(f"blk.{layer}.{name}.weight", rows, columns)
        for name in NORMS:
            writer.add_tensor(f"blk.{layer}.{name}.weight", numpy.ones(hidden, numpy.float32))


def write_folder(writer, config, folder, qtype):
    weights = {}
    for path in sorted(folder.glob("*.safetensors")):
        weights.update(load_file(path))
    weights = {name: value.astype(numpy.float32) for name, value in weights.items()}

    def matrix(name, value):
        writer.add_tensor(name, gguf.quants.quantize(value, qtype), raw_dtype=qtype)

    matrix("token_embd.weight", weights["model.embed_tokens.weight"])
    if "lm_head.weight" in weights:
        matrix("output.weight", weights["lm_head.weight"])
    writer.add_tensor("output_norm.weight", weights["model.norm.weight"])
    turned = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{layer}."
        for name, source in MATRICES.items():
            value = weights[f"{prefix}{source}.weight"]
            if name in turned:
                value = pairs_of_halves(value, turned[name])
            matrix(f"blk.{layer}.{name}.weight", value)
        for name, source in NORMS.items():
            writer.add_tensor(f"blk.{layer}.{name}.weight", weights[f"{prefix}{source}.weight"])


def quantise(source, type_name, path):
    import llama_cpp

    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{type_name}")
    names = (str(source).encode(), str(path).encode())
    if llama_cpp.llama_model_quantize(*names, ctypes.byref(parameters)) != 0:
        raise SystemExit(f"llama.cpp cannot make {type_name} of {source}")


def write(source, type_name, path):
    if type_name.isupper():
        halves = pathlib.Path(str(path) + ".f16")
        write(source, "f16", halves)
        quantise(halves, type_name, path)
        halves.unlink()
        return
    folder = pathlib.Path(source)
    if folder.is_dir():
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    else:
        config = dict(LLAMA, num_hidden_layers=2 if source.endswith("2-layers") else 22)
    partial = pathlib.Path(str(path) + ".partial")
    writer = gguf.GGUFWriter(str(partial), "llama", use_temp_file=False)
    write_metadata(writer, config)
    if folder.is_dir():
        write_folder(writer, config, folder, TYPES[type_name])
    else:
        write_random(writer, config, TYPES[type_name])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    partial.rename(path)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    write(sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3]))
