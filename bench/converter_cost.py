#!/usr/bin/env python3
"""What a conversion costs: wall time and peak memory of whole processes, as a user waits for them.

usage: bench/converter_cost.py [--rounds N] [--json FILE] [MODEL ...]

Every model with fixed inputs is optimised by `edgewright convert` as it comes (which also compares
the result with the original), onnxsim and onnxslim, one after the other, N times. Printed are the
medians. Exit code 1 when a model takes more than 1/5 of the time or 1/2 of the memory of the better
of the other two.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

from zoo import GRAPHS, PROGRAM, SHARED, TOOLS, convert_flags, fixed_variants, shapes_for_batch

TIME_SHARE, MEMORY_SHARE = 1 / 5, 1 / 2


# A process's peak begins with the size of the one that started it, so a small one in between does.
LAUNCHER = """
import os, sys, time
start = time.perf_counter()
child = os.fork()
if child == 0:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.execv(sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(child, 0)
print(os.waitstatus_to_exitcode(status), time.perf_counter() - start, usage.ru_maxrss * 1024)
"""


def run(command):
    """Wall time in seconds and peak resident memory in bytes of a process."""
    words = [sys.executable, "-S", "-E", "-c", LAUNCHER, *map(str, command)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    code, time_s, peak_bytes = done.stdout.split()
    if code != "0":
        raise RuntimeError(f"{pathlib.Path(command[0]).name}: exit code {code}: {done.stderr}")
    return float(time_s), int(peak_bytes)


def measure(name, rounds, folder):
    file, shapes = GRAPHS[name]
    shapes = shapes_for_batch(shapes, 1)
    out = folder / "out.onnx"
    ours = [PROGRAM, "convert", SHARED / file, "-o", out, *convert_flags(shapes)]
    samples = {"edgewright": [], "onnxsim": [], "onnxslim": []}
    for _ in range(rounds):
        samples["edgewright"].append(run(ours))
        for tool in ("onnxsim", "onnxslim"):
            for variant in fixed_variants(SHARED / file, shapes, folder):
                try:
                    samples[tool].append(run([TOOLS / tool, variant, out]))
                    break
                except RuntimeError as error:
                    print(f"{name}: {variant.name} is refused by {str(error).splitlines()[0]}")
    return {
        tool: {
            "time_s": statistics.median(time for time, _ in runs),
            "peak_bytes": statistics.median(peak for _, peak in runs),
        }
        for tool, runs in samples.items()
        if runs
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", metavar="MODEL")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    rows, failed = {}, []
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.models or GRAPHS:
            if not (SHARED / GRAPHS[name][0]).exists():
                print(f"{name}: skipped, {GRAPHS[name][0]} is not there")
                continue
            row = rows[name] = measure(name, arguments.rounds, pathlib.Path(folder))
            ours = row["edgewright"]
            others = [figures for tool, figures in row.items() if tool != "edgewright"]
            time_share = ours["time_s"] / min(other["time_s"] for other in others)
            memory_share = ours["peak_bytes"] / min(other["peak_bytes"] for other in others)
            cells = "  ".join(
                f"{tool} {figures['time_s']:.3f} s {figures['peak_bytes'] / 1e6:.0f} MB"
                for tool, figures in row.items()
            )
            print(
                f"{name:15} {cells}  time {time_share:.2f} memory {memory_share:.2f} of the better",
                flush=True,
            )
            if time_share > TIME_SHARE or memory_share > MEMORY_SHARE:
                failed.append(name)
    if failed:
        print(f"more than 1/5 of the time or 1/2 of the memory: {', '.join(failed)}")
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")
    return 1 if failed or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
