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
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from zoo import GRAPHS, PROGRAM, SHARED, TOOLS, convert_flags, shapes_for_batch, write_fixed

TIME_SHARE, MEMORY_SHARE = 1 / 5, 1 / 2


def run(command):
    """Wall time in seconds and peak resident memory in bytes of a process."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{pathlib.Path(command[0]).name}: exit code {process.returncode}")
    return time.perf_counter() - start, usage.ru_maxrss * 1024


def measure(name, rounds, folder):
    file, shapes = GRAPHS[name]
    shapes = shapes_for_batch(shapes, 1)
    fixed = write_fixed(SHARED / file, shapes, folder / "fixed.onnx")
    out = folder / "out.onnx"
    commands = {
        "edgewright": [PROGRAM, "convert", SHARED / file, "-o", out, *convert_flags(shapes)],
        "onnxsim": [TOOLS / "onnxsim", fixed, out],
        "onnxslim": [TOOLS / "onnxslim", fixed, out],
    }
    samples = {tool: [] for tool in commands}
    for _ in range(rounds):
        for tool, command in commands.items():
            samples[tool].append(run(command))
    return {
        tool: {
            "time_s": statistics.median(time for time, _ in runs),
            "peak_bytes": statistics.median(peak for _, peak in runs),
        }
        for tool, runs in samples.items()
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
            others = [row["onnxsim"], row["onnxslim"]]
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
