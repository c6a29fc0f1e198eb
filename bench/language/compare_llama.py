#!/usr/bin/env python3
"""Compares the language engine with llama.cpp, both measured in turns in one run.

usage: compare_llama.py [SUBSTRING]

Each row of CASES whose name contains SUBSTRING runs ROUNDS times, ours and llama.cpp's by turns, on
the same GGUF file (ours packed by `convert`, which loses nothing); printed are the best of each,
their ratio, and the ratio that is asked for. Rates are tokens/s; "first" is the time from opening
the file to the first token of a prompt, in milliseconds, and its ratio is theirs over ours.
"requests" is the batching engine against itself with one request, "memory" the peak resident size
over weights and cache after a prompt of so many tokens against the limit, in MiB. Models are
written once into build/bench-language. Wants `tools/setup --llama` and a built bench_engine;
novel-7m and novel-31m are read from ../shared and left out without it.
"""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FILES = ROOT / "build" / "bench-language"
PYTHON = ROOT / ".deps" / "llama" / "bin" / "python"
OURS = ROOT / "build" / "bench_engine"
PROGRAM = ROOT / "build" / "edgewright"
NOVELS = ROOT.parent / "shared" / "zoo" / "novel"
ROUNDS = 3
LIMIT_MIB = 120
# shape, GGUF type (all matrices alike; in capitals as llama.cpp chooses for a file of that type:
# Q4_0 has an output matrix of Q6_K), threads, mode, ratio asked for (None: only shown)
CASES = [
    ("llama-1.1b", "q8_0", 1, "decode@16", 1.25),
    ("llama-1.1b", "q4_0", 1, "decode@16", 1.4),
    ("llama-1.1b", "q8_0", 2, "decode@16", 1.1),
    ("llama-1.1b", "q4_0", 2, "decode@16", 1.2),
    ("llama-1.1b", "q8_0", 1, "prefill512", 2.0),
    ("llama-1.1b", "q4_0", 1, "prefill512", 2.0),
    ("llama-1.1b-2-layers", "q8_0", 1, "decode@4096", 1.2),
    ("llama-1.1b", "q8_0", 1, "first16", 1.0),
    ("llama-1.1b", "q4_0", 1, "first16", 1.0),
    ("llama-1.1b", "q8_0", 1, "memory4096", 1.0),
    ("llama-1.1b", "q4_0", 1, "memory512", 1.0),
    ("llama-1.1b", "q8_0", 1, "batch8", None),
    ("llama-1.1b", "q8_0", 1, "requests8", 3.0),
    ("novel-7m", "q8_0", 1, "decode@64", 2.5),
    ("novel-7m", "q4_0", 1, "decode@64", 2.5),
    ("novel-7m", "Q4_0", 1, "decode@64", 2.5),
    ("novel-7m", "q8_0", 2, "decode@64", None),
    ("novel-7m", "q4_0", 2, "decode@64", None),
    ("novel-7m", "q8_0", 1, "prefill448", 2.0),
    ("novel-31m", "q8_0", 1, "decode@64", 1.5),
    ("novel-31m", "q4_0", 1, "decode@64", 1.5),
    ("novel-31m", "q8_0", 1, "prefill448", 2.0),
]


def model_file(shape, type_name):
    path = FILES / f"{shape}-{type_name}.gguf"
    source = NOVELS / shape if shape.startswith("novel") else shape
    if not path.exists():
        FILES.mkdir(parents=True, exist_ok=True)
        script = ROOT / "bench" / "language" / "write_gguf.py"
        subprocess.run([PYTHON, script, source, type_name, path], check=True)
    packed = path.with_suffix(".ewlm")
    if not packed.exists() or packed.stat().st_mtime < path.stat().st_mtime:
        subprocess.run([PROGRAM, "convert", path, "-o", packed], check=True, capture_output=True)
    return path


def number(command, place=1):
    words = [str(part) for part in command]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return float(done.stdout.strip().splitlines()[-1].split()[place])


def ours(shape, type_name, threads, mode):
    packed = model_file(shape, type_name).with_suffix(".ewlm")
    return number([OURS, packed, threads, mode])


def theirs(shape, type_name, threads, mode):
    if mode.startswith("requests"):
        return ours(shape, type_name, threads, "requests1")
    script = ROOT / "bench" / "language" / "llama_steps.py"
    return number([PYTHON, script, model_file(shape, type_name), threads, mode])


def compare(case):
    """The best of ours, the best of theirs, and how much better ours is."""
    shape, type_name, threads, mode = case
    if mode.startswith("memory"):
        packed = model_file(shape, type_name).with_suffix(".ewlm")
        mine = number([OURS, packed, threads, mode.replace("memory", "first")], place=3)
        return mine, LIMIT_MIB, LIMIT_MIB / max(1.0, mine)
    pairs = [(ours(*case), theirs(*case)) for _ in range(ROUNDS)]
    if mode.startswith("first"):
        mine, other = (min(column) for column in zip(*pairs))
        return mine, other, other / mine
    mine, other = (max(column) for column in zip(*pairs))
    return mine, other, mine / other


def main():
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    for *case, asked in CASES:
        shape, type_name, threads, mode = case
        name = f"{shape} {type_name} {threads} thread{'s' if threads > 1 else ''} {mode}"
        if wanted not in name:
            continue
        if shape.startswith("novel") and not NOVELS.exists():
            print(f"{name:48} left out: no ../shared")
            continue
        model_file(shape, type_name)
        mine, other, ratio = compare(case)
        goal = "" if asked is None else f"  asked {asked}{'  MISSED' if ratio < asked else ''}"
        print(f"{name:48} {mine:9.1f} {other:9.1f}  {ratio:5.2f}{goal}", flush=True)


if __name__ == "__main__":
    main()
