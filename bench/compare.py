#!/usr/bin/env python3
"""Latency of whole models beside ONNX Runtime and OpenVINO, in one run.

usage: bench/compare.py [--threads N] [--batch N] [--rounds N] [--seconds S] [--json FILE]
                        [MODEL ...]

MODELs are names of the table in zoo.py (default: all whose file is there). Every round measures the
three engines one after the other, so that a drift of the machine's speed meets all of them; printed
are the median and the minimum over all rounds, and the ratio of the better other engine's median to
ours (above 1: ours is faster). All engines are pinned to the same CPUs and compute in float32.
"""

import argparse
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy
import onnx
import onnxruntime
import openvino
from zoo import FIXED_BATCH, PROGRAM, SHARED, SPEED, convert_flags, shapes_for_batch


def inputs_of(shapes, batch):
    random = numpy.random.default_rng(0)
    inputs = {}
    for name, shape in shapes_for_batch(shapes, batch).items():
        if isinstance(shape, int):
            inputs[name] = numpy.array(shape, numpy.int64)
        else:
            inputs[name] = random.standard_normal(shape).astype(numpy.float32)
    return inputs


class Onnxruntime:
    name = "onnxruntime"

    def __init__(self, path, inputs, threads):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4
        self.session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self.inputs = inputs

    def run(self):
        return self.session.run(None, self.inputs)


class Openvino:
    name = "openvino"

    def __init__(self, path, inputs, threads):
        core = openvino.Core()
        model = core.read_model(str(path))
        model.reshape({name: list(value.shape) for name, value in inputs.items()})
        compiled = core.compile_model(
            model,
            "CPU",
            {
                "INFERENCE_NUM_THREADS": threads,
                "INFERENCE_PRECISION_HINT": "f32",
                "NUM_STREAMS": 1,
                "ENABLE_CPU_PINNING": False,
            },
        )
        self.request = compiled.create_infer_request()
        self.inputs = inputs

    def run(self):
        return self.request.infer(self.inputs)


def measure(engine, seconds):
    for _ in range(3):
        engine.run()
    times = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter()
        engine.run()
        times.append((time.perf_counter() - start) * 1e6)
    return times


class Edgewright:
    """The plan, made once; every measurement is a process of its own (its load is not counted)."""

    name = "edgewright"

    def __init__(self, path, inputs, threads, folder):
        self.plan = pathlib.Path(folder) / (path.stem + ".ewplan")
        self.threads = threads
        command = [PROGRAM, "convert", path, "-o", self.plan, "--threads", threads]
        fixed = {name: value.shape or int(value) for name, value in inputs.items()}
        run([*command, *convert_flags(fixed)])

    def measure(self, seconds):
        command = [PROGRAM, "bench", self.plan, "--threads", self.threads, "--json", "-"]
        report = json.loads(run([*command, "--seconds", seconds]))
        return report["latency_us"]


def run(command):
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError((done.stderr or done.stdout).strip())
    return done.stdout


def compare(name, arguments, folder):
    file, shapes = SPEED[name]
    path = SHARED / file
    batch = 1 if name in FIXED_BATCH else arguments.batch
    inputs = inputs_of(shapes, batch)
    ours = Edgewright(path, inputs, arguments.threads, folder)
    others = []
    for engine in (Onnxruntime, Openvino):
        try:
            others.append(engine(path, inputs, arguments.threads))
            others[-1].run()
        except Exception as error:  # any failure of another tool is its result here
            others = [other for other in others if other.name != engine.name]
            print(f"{name}: {engine.name} cannot run it: {str(error).splitlines()[0]}")
    medians = {ours.name: [], **{other.name: [] for other in others}}
    minima = {engine: [] for engine in medians}
    for _ in range(arguments.rounds):
        latency = ours.measure(arguments.seconds)
        medians[ours.name].append(latency["median"])
        minima[ours.name].append(latency["min"])
        for other in others:
            times = measure(other, arguments.seconds)
            medians[other.name].append(statistics.median(times))
            minima[other.name].append(min(times))
    row = {
        "model": name,
        "batch": batch,
        "median_us": {engine: statistics.median(values) for engine, values in medians.items()},
        "min_us": {engine: min(values) for engine, values in minima.items()},
    }
    best = min(v for k, v in row["median_us"].items() if k != ours.name)
    row["ratio"] = best / row["median_us"][ours.name]
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", metavar="MODEL")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.4)
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-arguments.threads :])
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.models or SPEED:
            if not (SHARED / SPEED[name][0]).exists():
                print(f"{name}: skipped, {SPEED[name][0]} is not there")
                continue
            try:
                row = compare(name, arguments, folder)
            except RuntimeError as error:
                print(f"{name}: not measured: {error}")
                continue
            rows.append(row)
            cells = "  ".join(
                f"{engine} {median:9.1f} (min {row['min_us'][engine]:.1f})"
                for engine, median in row["median_us"].items()
            )
            print(f"{name:14} {cells}  ratio {row['ratio']:.2f}", flush=True)
    if rows:
        mean = math.exp(statistics.fmean(math.log(row["ratio"]) for row in rows))
        print(
            f"geometric mean of {len(rows)} models, batch {arguments.batch}, "
            f"{arguments.threads} threads: {mean:.2f}"
        )
    if arguments.json:
        versions = {
            "onnxruntime": onnxruntime.__version__,
            "openvino": openvino.__version__,
            "onnx": onnx.__version__,
        }
        arguments.json.write_text(json.dumps({"versions": versions, "rows": rows}, indent=2) + "\n")
    return 0 if rows else 1


if __name__ == "__main__":
    sys.exit(main())
