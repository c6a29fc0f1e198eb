#!/usr/bin/env python3
"""Latency of 8-bit models beside ONNX Runtime and OpenVINO, in one run.

usage: bench/compare_int8.py [--threads N] [--batch N] [--rounds N] [--seconds S] [--json FILE]
                             [--work DIR] [--prepare] [MODEL ...]

Every engine runs what its own quantiser makes of the same model and the same calibration images:
ours, ONNX Runtime's quantize_static (QDQ, per channel) and NNCF (.deps/nncf, `tools/setup --nncf`).
resnet20-qat is quantised already and goes to all three as it is. Quantised models are kept in DIR
(default build/int8) and made when they are not there. Every round measures all engines one after
the other; printed are the medians over all rounds, the ratio of the better other engine to ours
(above 1: ours is faster) and the gain over our own float32.
"""

import argparse
import json
import math
import os
import pathlib
import statistics
import sys

import numpy
from compare import Edgewright, Onnxruntime, inputs_of, measure, run
from zoo import PROGRAM, ROOT, SHARED

CIFAR = SHARED / "cifar10"
MODELS = ("resnet20", "resnet20-qat", "mobilenetv2", "vit20")
SHAPES = {"input": ("B", 3, 32, 32)}
CALIBRATION_IMAGES = 256


def calibration(work):
    path = work / "calibration.npz"
    if not path.exists():
        tool = ROOT.parent / "shared" / "tools" / "cifar_npz.py"
        images = CIFAR / "cifar10-calib-512.bin"
        run([sys.executable, tool, images, path, "--count", CALIBRATION_IMAGES])
    return path


def simplified(name, work):
    path = work / f"{name}.onnx"
    if not path.exists():
        run([PROGRAM, "convert", CIFAR / f"{name}.onnx", "-o", path])
    return path


def ours(name, work):
    """The QDQ model of our quantiser, or its stand-in by ONNX Runtime's where that fails."""
    path = work / f"{name}-ours.onnx"
    if path.exists():
        return path
    command = [PROGRAM, "convert", CIFAR / f"{name}.onnx", "-o", path]
    try:
        run([*command, "--precision", "int8", "--calibrate", calibration(work)])
    except RuntimeError as error:
        print(f"{name}: our quantiser did not make it ({str(error).splitlines()[0]})")
        quantise_for_onnxruntime(name, work, path, ["Conv", "MatMul", "Gemm"])
    return path


def quantise_for_onnxruntime(name, work, path, operators=None):
    from onnxruntime import quantization

    images = numpy.load(calibration(work))["input"]

    class Reader(quantization.CalibrationDataReader):
        def __init__(self):
            self.batches = iter(numpy.split(images, len(images) // 16))

        def get_next(self):
            batch = next(self.batches, None)
            return None if batch is None else {"input": batch}

    quantization.quantize_static(
        str(simplified(name, work)),
        str(path),
        Reader(),
        quant_format=quantization.QuantFormat.QDQ,
        op_types_to_quantize=operators,
        per_channel=True,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
        calibrate_method=quantization.CalibrationMethod.MinMax,
    )


def for_onnxruntime(name, work):
    path = work / f"{name}-onnxruntime.onnx"
    if not path.exists():
        quantise_for_onnxruntime(name, work, path)
    return path


NNCF = """
import sys, numpy, nncf, openvino
source, data, target, transformer = sys.argv[1:]
images = numpy.load(data)["input"]
model = openvino.Core().read_model(source)
batches = nncf.Dataset([images[i : i + 1] for i in range(len(images))], lambda x: {"input": x})
kind = nncf.ModelType.TRANSFORMER if transformer == "yes" else None
made = nncf.quantize(model, batches, preset=nncf.QuantizationPreset.MIXED,
                     subset_size=len(images), model_type=kind)
openvino.save_model(made, target, compress_to_fp16=False)
"""


def for_openvino(name, work):
    path = work / f"{name}-nncf.xml"
    python = ROOT / ".deps" / "nncf" / "bin" / "python"
    if path.exists():
        return path
    if not python.exists():
        raise RuntimeError("no .deps/nncf; run tools/setup --nncf")
    transformer = "yes" if name.startswith("vit") else "no"
    run([python, "-c", NNCF, simplified(name, work), calibration(work), path, transformer])
    return path


class Openvino:
    name = "openvino"

    def __init__(self, path, inputs, threads):
        import openvino

        core = openvino.Core()
        model = core.read_model(str(path))
        model.reshape({name: list(value.shape) for name, value in inputs.items()})
        settings = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,
        }
        self.request = core.compile_model(model, "CPU", settings).create_infer_request()
        self.inputs = inputs

    def run(self):
        return self.request.infer(self.inputs)


def compare(name, arguments):
    work = arguments.work
    inputs = inputs_of(SHAPES, arguments.batch)
    original = CIFAR / f"{name}.onnx"
    is_quantised = name.endswith("-qat")
    paths = {
        "ours": original if is_quantised else ours(name, work),
        "onnxruntime": original if is_quantised else for_onnxruntime(name, work),
        "openvino": original if is_quantised else for_openvino(name, work),
    }
    engine = Edgewright(paths["ours"], inputs, arguments.threads, work)
    float_model = CIFAR / f"{name.removesuffix('-qat')}.onnx"
    float32 = Edgewright(float_model, inputs, arguments.threads, work)
    others = []
    for kind in (Onnxruntime, Openvino):
        others.append(kind(paths[kind.name], inputs, arguments.threads))
    medians = {engine.name: [], "edgewright-f32": [], **{other.name: [] for other in others}}
    for _ in range(arguments.rounds):
        medians[engine.name].append(engine.measure(arguments.seconds)["median"])
        for other in others:
            medians[other.name].append(statistics.median(measure(other, arguments.seconds)))
        medians["edgewright-f32"].append(float32.measure(arguments.seconds)["median"])
    median_us = {key: statistics.median(values) for key, values in medians.items()}
    best = min(median_us[other.name] for other in others)
    return {
        "model": name,
        "batch": arguments.batch,
        "median_us": median_us,
        "ratio": best / median_us[engine.name],
        "gain_over_f32": median_us["edgewright-f32"] / median_us[engine.name],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", metavar="MODEL")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.4)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build" / "int8")
    parser.add_argument("--prepare", action="store_true", help="only make the quantised models")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    if not CIFAR.exists():
        print("skipped: ../shared is not there")
        return 77
    for name in arguments.models or MODELS:
        if not name.endswith("-qat"):
            ours(name, arguments.work)
            for_onnxruntime(name, arguments.work)
            for_openvino(name, arguments.work)
    if arguments.prepare:
        return 0
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-arguments.threads :])
    rows = []
    for name in arguments.models or MODELS:
        row = compare(name, arguments)
        rows.append(row)
        cells = "  ".join(f"{key} {value:8.0f} us" for key, value in row["median_us"].items())
        print(f"{name:14} batch {row['batch']:3}  {cells}  ratio {row['ratio']:.2f}"
              f"  over f32 {row['gain_over_f32']:.2f}")
    mean = math.exp(statistics.mean(math.log(row["ratio"]) for row in rows))
    print(f"geometric mean {mean:.2f}, lowest {min(row['ratio'] for row in rows):.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"rows": rows, "geometric_mean": mean}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
