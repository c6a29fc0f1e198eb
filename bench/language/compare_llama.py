#!/usr/bin/env python3
"""Compares the decoder kernels with llama.cpp, both measured in turns in one run.

usage: compare_llama.py [SUBSTRING]

Each row of CASES whose name contains SUBSTRING runs ROUNDS times, ours and llama.cpp's by turns;
printed are the best of each in tokens/s, their ratio, and the ratio that is asked for. Models are
written once into build/bench-language. Wants `tools/setup --llama` and a built bench_decoder;
novel-7m and novel-31m are read from ../shared and left out without it.
"""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FILES = ROOT / "build" / "bench-language"
PYTHON = ROOT / ".deps" / "llama" / "bin" / "python"
OURS = ROOT / "build" / "bench_decoder"
NOVELS = ROOT.parent / "shared" / "zoo" / "novel"
ROUNDS = 3
# shape, GGUF type, threads, mode, ratio asked for (None: only shown)
CASES = [
    ("llama-1.1b", "q8_0", 1, "decode@16", 1.25),
    ("llama-1.1b", "q4_0", 1, "decode@16", 1.4),
    ("llama-1.1b", "q8_0", 2, "decode@16", 1.1),
    ("llama-1.1b", "q4_0", 2, "decode@16", 1.2),
    ("llama-1.1b", "q8_0", 1, "prefill512", 2.0),
    ("llama-1.1b", "q4_0", 1, "prefill512", 2.0),
    ("llama-1.1b-2-layers", "q8_0", 1, "decode@4096", 1.2),
    ("novel-7m", "q8_0", 1, "decode@64", 2.5),
    ("novel-7m", "q4_0", 1, "decode@64", 2.5),
    ("novel-7m", "q8_0", 1, "prefill512", 2.0),
    ("novel-31m", "q8_0", 1, "decode@64", 1.5),
    ("novel-31m", "q4_0", 1, "decode@64", 1.5),
    ("novel-31m", "q8_0", 1, "prefill512", 2.0),
    ("llama-1.1b", "q8_0", 1, "batch8", None),
]


def model_file(shape, type_name):
    path = FILES / f"{shape}-{type_name}.gguf"
    source = NOVELS / shape if shape.startswith("novel") else shape
    if not path.exists():
        FILES.mkdir(parents=True, exist_ok=True)
        script = ROOT / "bench" / "language" / "write_gguf.py"
        subprocess.run([PYTHON, script, source, type_name, path], check=True)
    return path


def last_number(command, position):
    words = [str(part) for part in command]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return float(done.stdout.strip().splitlines()[-1].split()[position])


def ours(shape, type_name, threads, mode):
    command = [OURS, shape, type_name.removesuffix("_0"), threads, mode]
    return last_number(command, 4)


def theirs(shape, type_name, threads, mode):
    script = ROOT / "bench" / "language" / "llama_steps.py"
    return last_number([PYTHON, script, model_file(shape, type_name), threads, mode], 1)


def main():
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    for shape, type_name, threads, mode, asked in CASES:
        name = f"{shape} {type_name} {threads} thread{'s' if threads > 1 else ''} {mode}"
        if wanted not in name:
            continue
        if shape.startswith("novel") and not NOVELS.exists():
            print(f"{name:48} left out: no ../shared")
            continue
        model_file(shape, type_name)
        pairs = [
            (ours(shape, type_name, threads, mode), theirs(shape, type_name, threads, mode))
            for _ in range(ROUNDS)
        ]
        mine, other = (max(column) for column in zip(*pairs))
        goal = "" if asked is None else f"  asked {asked}"
        if asked is not None and mine < asked * other:
            goal += "  MISSED"
        print(f"{name:48} {mine:9.1f} {other:9.1f} tokens/s  {mine / other:5.2f}{goal}", flush=True)


if __name__ == "__main__":
    main()
