#!/usr/bin/env python3
"""Start-up and memory beside ONNX Runtime: a plan opened and run once, each in a fresh process.

usage: bench/startup.py [--rounds N] [--json FILE] [MODEL ...]

Ours is `edgewright bench` on a .ewplan file; ONNX Runtime is a Python process that creates a
session and runs it once. Only creating (opening) and the first run are timed, not the start of the
processes. Memory is the peak of the whole process on both sides; what ONNX Runtime adds to Python
and its packages is printed too. Exit code 1 when opening and the first run take more than 1/5 of
ONNX Runtime's, when the arena is larger than 1.10 live sets, or when the peak is not below ONNX
Runtime's.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

import numpy

from zoo import PROGRAM, SHARED, SPEED, convert_flags, shapes_for_batch

TIME_SHARE, ARENA_SHARE = 1 / 5, 1.10

# Run with the model's path and the .npz of its inputs.
ONNXRUNTIME = """
import json, sys, time
import numpy, onnxruntime
def peak():
    line = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
options.log_severity_level = 4
inputs = dict(numpy.load(sys.argv[2]))
before = peak()
start = time.perf_counter()
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
session.run(None, inputs)
print(json.dumps({"start_us": (time.perf_counter() - start) * 1e6, "peak_bytes": peak() - before,
                  "process_bytes": peak()}))
"""


def output_of(command):
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError((done.stderr or done.stdout).strip())
    return json.loads(done.stdout.strip().splitlines()[-1] if "-c" in command else done.stdout)


def write_inputs(shapes, path):
    random = numpy.random.default_rng(0)
    inputs = {
        name: numpy.array(shape, numpy.int64)
        if isinstance(shape, int)
        else random.standard_normal(shape).astype(numpy.float32)
        for name, shape in shapes.items()
    }
    numpy.savez(path, **inputs)
    return path


def measure(name, rounds, folder):
    file, shapes = SPEED[name]
    shapes = shapes_for_batch(shapes, 1)
    plan, inputs = folder / "model.ewplan", write_inputs(shapes, folder / "inputs.npz")
    output_of(
        [PROGRAM, "convert", SHARED / file, "-o", plan, "--json", "-", *convert_flags(shapes)]
    )
    ours, theirs = [], []
    for _ in range(rounds):
        report = output_of(
            [PROGRAM, "bench", plan, "--runs", "1", "--warmup", "1", "--json", "-"]
        )
        report["start_us"] = report["load_us"] + report["first_inference_us"]
        ours.append(report)
        theirs.append(output_of([sys.executable, "-c", ONNXRUNTIME, SHARED / file, inputs]))

    def median(reports, key):
        return statistics.median(report[key] for report in reports)

    return {
        "start_us": median(ours, "start_us"),
        "peak_bytes": median(ours, "peak_rss_bytes"),
        "arena_bytes": ours[0]["arena_bytes"],
        "live_set_bytes": ours[0]["live_set_bytes"],
        "onnxruntime_start_us": median(theirs, "start_us"),
        "onnxruntime_peak_bytes": median(theirs, "peak_bytes"),
        "onnxruntime_process_bytes": median(theirs, "process_bytes"),
    }


def broken_rules(row):
    broken = []
    if row["start_us"] > TIME_SHARE * row["onnxruntime_start_us"]:
        broken.append("start")
    if row["arena_bytes"] > ARENA_SHARE * row["live_set_bytes"]:
        broken.append("arena")
    if row["peak_bytes"] >= row["onnxruntime_process_bytes"]:
        broken.append("memory")
    return broken


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", metavar="MODEL")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    rows, failed = {}, []
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.models or SPEED:
            if not (SHARED / SPEED[name][0]).exists():
                print(f"{name}: skipped, {SPEED[name][0]} is not there")
                continue
            row = rows[name] = measure(name, arguments.rounds, pathlib.Path(folder))
            broken = broken_rules(row)
            failed += [f"{name}: {rule}" for rule in broken]
            print(
                f"{name:13} start {row['start_us'] / 1e3:.2f} ms, "
                f"onnxruntime {row['onnxruntime_start_us'] / 1e3:.2f} ms "
                f"({row['start_us'] / row['onnxruntime_start_us']:.3f})  "
                f"peak {row['peak_bytes'] / 1e6:.1f} MB, "
                f"onnxruntime {row['onnxruntime_process_bytes'] / 1e6:.1f} MB "
                f"({row['onnxruntime_peak_bytes'] / 1e6:.1f} MB beside Python)  "
                f"arena {row['arena_bytes']} of {row['live_set_bytes']} live",
                flush=True,
            )
    print("\n".join(failed))
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")
    return 1 if failed or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
