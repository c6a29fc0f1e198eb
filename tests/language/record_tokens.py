#!/usr/bin/env python3
"""Trains small tokenizers of every kind and records what they make of mixed and random text.

usage: record_tokens.py TEXT_FILE OUTPUT_FOLDER

Needs tokenizers and sentencepiece from PyPI; it was run once, with novels of the public domain
(../shared/zoo/novel/novels-dev.txt), and what it wrote lies beside it in tokenizers/: texts.json,
and for every tokenizer NAME.json or NAME.model, with NAME.expected.json: the tokens of each text.
"""

import io
import json
import pathlib
import random
import sys

import sentencepiece
import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
          r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
MIXED = [
    "The quick brown fox can't jump over 1234567 lazy dogs, they've said; I'LL see.",
    "\u4eca\u5929\u5929\u6c14\u5f88\u597d\uff0c\u6211\u4eec\u53bb\u516c\u56ed"
    "\u6563\u6b65\u5427\u3002 \u6df7\u5408 text\uff01",
    "def f(x):\n    return {k: v ** 2 for k, v in x.items() if k != 'a'}"
    "  # comment\n\n\tif (a<=b) {\r\n}",
    "emoji \U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467 "
    "\U0001f1e9\U0001f1ea \u2764\ufe0f fin",
    " \t  odd \u00a0white\u2003space\u3000here \u0085 \u200b end   \n\n \n",
    "cafe\u0301 caf\u00e9 \ufb01ne \u212b \u1e9b\u0323 \u2460 "
    "\uff21\uff22\uff23 \uac00 \u1100\u1161",
    "<s>not special</s> <|endoftext|> <0x0A> \u2581mark",
    "x" * 70 + " " * 17 + "\n" * 5 + "0.5e-10",
    "",
    " ",
    "\u0645\u0631\u062d\u0628\u0627 \u0428\u0438\u0440\u043e\u043a\u0430\u044f "
    "\u03b1\u03b2\u03b3 \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35",
]


def make_texts(source):
    texts = list(MIXED)
    lines = source.splitlines()
    texts += ["\n".join(lines[i:i + 12]) for i in range(0, 480, 12)]
    draw = random.Random(7)
    ranges = [(0x20, 0x7e), (0x09, 0x0d), (0xa0, 0x24f), (0x300, 0x36f), (0x4e00, 0x4eff),
              (0x1f600, 0x1f64f), (0x2000, 0x206f), (0xac00, 0xacff), (0x3040, 0x30ff)]
    for _ in range(150):
        text = "".join(chr(draw.randint(*draw.choice(ranges))) for _ in range(draw.randint(1, 60)))
        texts.append(text)
    for _ in range(100):
        texts.append(draw.randbytes(draw.randint(1, 50)).decode("utf-8", errors="replace"))
    # Long paragraphs tell nothing that short ones do not.
    return [text for text in texts if len(text) <= 2000]


def byte_level(pattern, normalizer, digits=False):
    made = tokenizers.Tokenizer(models.BPE())
    steps = [pre_tokenizers.Digits(individual_digits=True)] if digits else []
    if pattern:
        steps.append(pre_tokenizers.Split(Regex(pattern), behavior="isolated"))
    steps.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=not pattern))
    made.pre_tokenizer = pre_tokenizers.Sequence(steps)
    made.decoder = decoders.ByteLevel()
    if normalizer:
        made.normalizer = normalizer
    trainer = trainers.BpeTrainer(vocab_size=900, special_tokens=["<|endoftext|>"],
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                                  show_progress=False)
    return made, trainer


def mark_level():
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{i:02X}>" for i in range(256)]
    made = tokenizers.Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    made.normalizer = normalizers.Replace(" ", "\u2581")
    made.pre_tokenizer = pre_tokenizers.Split(" ", behavior="merged_with_previous")
    made.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(),
                                      decoders.Fuse()])
    return made, trainers.BpeTrainer(vocab_size=1000, special_tokens=special, show_progress=False)


def main():
    source = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")
    output = pathlib.Path(sys.argv[2])
    output.mkdir(parents=True, exist_ok=True)
    texts = make_texts(source)
    (output / "texts.json").write_text(json.dumps(texts) + "\n")
    corpus = source[:200000].splitlines() + MIXED
    kinds = {
        "gpt2": byte_level(None, None),
        "llama3": byte_level(LLAMA3, None),
        "qwen2": byte_level(QWEN, normalizers.NFC()),
        "smollm": byte_level(None, None, digits=True),
        "gemma": mark_level(),
    }
    for name, (made, trainer) in kinds.items():
        made.train_from_iterator(corpus, trainer)
        made.save(str(output / f"{name}.json"), pretty=False)
        made.encode_special_tokens = True
        expected = [made.encode(text, add_special_tokens=False).ids for text in texts]
        (output / f"{name}.expected.json").write_text(json.dumps(expected,
                                                                 separators=(",", ":")) + "\n")
    for name, kind, rule in (("bpe", "bpe", "identity"), ("unigram", "unigram", "nmt_nfkc")):
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(corpus), model_writer=model, vocab_size=800, model_type=kind,
            byte_fallback=True, normalization_rule_name=rule, character_coverage=0.999,
            remove_extra_whitespaces=rule != "identity", user_defined_symbols=["<user>"],
            minloglevel=2)
        (output / f"{name}.model").write_bytes(model.getvalue())
        loaded = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
        expected = [loaded.encode(text) for text in texts]
        (output / f"{name}.expected.json").write_text(json.dumps(expected,
                                                                 separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
