#!/usr/bin/env python3
"""Language models beside llama.cpp: it reads our GGUF files, we read its K-quants, and our rounded
models are no worse than its own.

usage: language_llama_test.py EDGEWRIGHT PROBE NOVEL_FOLDER

Run by the environment of tools/setup --llama; exit code 77 where that or ../shared/zoo/novel is
absent. Perplexities are those of the first WINDOWS windows of novels-dev.
"""

import ctypes
import math
import pathlib
import sys
import tempfile

from language_checks import WINDOW, Checks

try:
    import gguf
    import llama_cpp
    import numpy
except ImportError:
    llama_cpp = None

WINDOWS = 24
MODEL = "novel-31m"
# llama.cpp's name of a file type, and how far our perplexity of such a file may be from its own, in
# percent: inputs of products are rounded in groups of 32 here, of 256 in its K types.
K_TYPES = ("Q4_K_M", "Q5_K_M", "Q6_K", "Q5_0", "Q5_1", "Q4_1")
CLOSE = 0.5
# What is no worse than llama.cpp's at no more bits.
FORMS = (("int8", "Q8_0"), ("int4", "Q4_0"))
COMPARED = ("novel-1m-draft", "novel-7m", MODEL)


class Llama:
    """One model file in llama.cpp."""

    def __init__(self, path):
        self.model = llama_cpp.llama_model_load_from_file(
            str(path).encode(), llama_cpp.llama_model_default_params()
        )
        if not self.model:
            raise RuntimeError(f"llama.cpp cannot read {path}")
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = parameters.n_batch = parameters.n_ubatch = WINDOW
        # Its threads spin while they wait for each other, for minutes where a core has other work.
        parameters.n_threads = parameters.n_threads_batch = 1
        self.context = llama_cpp.llama_init_from_model(self.model, parameters)
        vocabulary = llama_cpp.llama_model_get_vocab(self.model)
        self.vocabulary = llama_cpp.llama_vocab_n_tokens(vocabulary)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        llama_cpp.llama_free(self.context)
        llama_cpp.llama_model_free(self.model)

    def logits(self, tokens):
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)
        batch = llama_cpp.llama_batch_init(len(tokens), 0, 1)
        batch.n_tokens = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i], batch.pos[i], batch.n_seq_id[i] = token, i, 1
            batch.seq_id[i][0], batch.logits[i] = 0, True
        if llama_cpp.llama_decode(self.context, batch) != 0:
            raise RuntimeError("llama_decode failed")
        found = numpy.ctypeslib.as_array(
            llama_cpp.llama_get_logits(self.context), (len(tokens), self.vocabulary)
        ).copy()
        llama_cpp.llama_batch_free(batch)
        return found

    def perplexity(self, tokens):
        total = 0.0
        for window in range(WINDOWS):
            part = tokens[window * WINDOW : (window + 1) * WINDOW + 1]
            logits = self.logits(part[:-1]).astype(numpy.float64)
            highest = logits.max(axis=1)
            sums = numpy.log(numpy.exp(logits - highest[:, None]).sum(axis=1)) + highest
            total += float((sums - logits[numpy.arange(WINDOW), part[1:]]).sum())
        return math.exp(total / (WINDOWS * WINDOW))


def quantise(source, target, type_name):
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = getattr(llama_cpp, f"LLAMA_FTYPE_MOSTLY_{type_name}")
    parameters.nthread = 2
    done = llama_cpp.llama_model_quantize(
        str(source).encode(), str(target).encode(), ctypes.byref(parameters)
    )
    if done != 0:
        raise RuntimeError(f"llama.cpp cannot make {type_name}")


def bits_per_weight(path):
    """Of the matrices of a GGUF file."""
    matrices = [t for t in gguf.GGUFReader(path).tensors if len(t.shape) > 1]
    return 8 * sum(int(t.n_bytes) for t in matrices) / sum(int(t.n_elements) for t in matrices)


def check_ours_read(checks, folder, tokens):
    """llama.cpp on files that we wrote."""
    for precision in ("fp16", "int8", "int4"):
        path = folder / f"ours-{precision}.gguf"
        made = checks.run("convert", checks.novel / MODEL, "-o", path, "--precision", precision)
        checks.check("failed" not in made, f"written as GGUF of {precision}")
        with Llama(path) as llama:
            theirs = llama.perplexity(tokens)
        ours = checks.perplexity(path, windows=WINDOWS)
        off = 100 * (ours / theirs - 1)
        checks.check(
            abs(off) <= CLOSE,
            f"our GGUF of {precision}: {theirs:.4f} by llama.cpp, {ours:.4f} by us ({off:+.3f} %)",
        )
    return folder / "ours-fp16.gguf"


def check_theirs_read(checks, folder, source, tokens):
    """Files that llama.cpp made of its own types, by both."""
    for type_name in K_TYPES:
        path = folder / f"{type_name}.gguf"
        quantise(source, path, type_name)
        with Llama(path) as llama:
            theirs = llama.perplexity(tokens)
        ours = checks.perplexity(path, windows=WINDOWS)
        off = 100 * (ours / theirs - 1)
        checks.check(
            abs(off) <= CLOSE,
            f"their {type_name}: {theirs:.4f} by llama.cpp, {ours:.4f} by us ({off:+.3f} %)",
        )


def check_no_worse(checks, folder, name, tokens):
    """Rounded by us against rounded by llama.cpp: no worse at no more bits."""
    source = folder / f"{name}-source.gguf"
    checks.run("convert", checks.novel / name, "-o", source)
    for precision, type_name in FORMS:
        theirs_file = folder / f"{name}-{type_name}.gguf"
        quantise(source, theirs_file, type_name)
        with Llama(theirs_file) as llama:
            theirs = llama.perplexity(tokens)
        ours_file = folder / f"{name}-{precision}.ewlm"
        made = checks.run("convert", checks.novel / name, "-o", ours_file, "--precision", precision)
        ours = checks.perplexity(ours_file, windows=WINDOWS)
        bits, most = made["bits_per_weight"], bits_per_weight(theirs_file)
        checks.check(
            ours <= theirs * 1.0002 and bits <= most + 0.005,
            f"{name}: {precision} {ours:.4f} of {bits:.2f} bits, {type_name} {theirs:.4f} "
            f"of {most:.2f}",
        )


def main():
    program, probe, novel = sys.argv[1:4]
    if llama_cpp is None or not (pathlib.Path(novel) / "reference.json").exists():
        print(f"skipped: no llama.cpp (tools/setup --llama) or no {novel}")
        return 77
    silence = llama_cpp.llama_log_callback(lambda level, text, data: None)
    llama_cpp.llama_log_set(silence, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    checks = Checks(program, probe, novel)
    tokens = checks.tokens(checks.text.read_text())
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        source = check_ours_read(checks, folder, tokens)
        check_theirs_read(checks, folder, source, tokens)
        for model in COMPARED:
            check_no_worse(checks, folder, model, tokens)
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
