"""Runs what `convert` writes for OpenVINO and TFLite in those runtimes and prints the figures.

usage: writers_test.py PROGRAM SHARED [--only NAME,...]

Runs in an environment with LiteRT and OpenVINO (tools/setup --litert); without them, or without the
shared folder, it is skipped (exit code 77). NAME: float, half, int8.

Bounds: issue "Other runtimes", target 1: float outputs within 1e-4 relative of ours, int8 models
lose at most 0.7 points of top-1 on cifar10-dev-2000.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy
    import openvino
    from ai_edge_litert.interpreter import Interpreter
    from cifar_images import read_images
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

# Model -> what `convert` is told besides.
MODELS = {
    "cifar10/resnet20": [],
    "cifar10/mobilenetv2": [],
    "cifar10/vit20": [],
    "third-party/face-rfb-320": [],
    "third-party/squeezenet": ["--mode", "tensor-outputs", "--shape", "data=1x3x227x227"],
    "third-party/mnist": [],
}
ENDINGS = {"openvino": ".xml", "tflite": ".tflite"}
FLOAT_BOUND = 1e-4
# Weights rounded to 11 bits of mantissa, layer after layer.
HALF_BOUND = 5e-3
MOST_POINTS_LOST = 0.7


class OpenVino:
    def __init__(self, path):
        # Otherwise what stays in float runs in bfloat16 on processors that have it.
        self.model = openvino.Core().compile_model(
            str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
        )

    def __call__(self, feeds):
        results = self.model(feeds)
        return {port.get_any_name(): value for port, value in results.items()}


class LiteRt:
    def __init__(self, path):
        self.runner = Interpreter(str(path)).get_signature_runner("serving_default")

    def __call__(self, feeds):
        return self.runner(**feeds)


RUNTIMES = {"openvino": OpenVino, "tflite": LiteRt}


class Writers:
    def __init__(self, program, shared, folder):
        self.program = program
        self.zoo = shared / "zoo"
        self.folder = pathlib.Path(folder)
        self.failures = []

    def run_program(self, *arguments):
        done = subprocess.run(
            [self.program, *map(str, arguments)], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip())
        return done.stdout

    def convert(self, model, target, *arguments):
        path = self.folder / (pathlib.Path(model).name + ENDINGS[target])
        self.run_program(
            "convert", self.zoo / f"{model}.onnx", "-o", path, *MODELS[model], *arguments
        )
        return path

    def judge(self, name, value, bound):
        print(f"{name:<48} {value:.3g} (at most {bound:g})", flush=True)
        if not value <= bound:
            self.failures.append(name)

    def reference(self, model, written):
        """Inputs by name, and what our reference kernels make of them."""
        document = self.folder / "inspect.json"
        self.run_program("inspect", written, "--json", document)
        random = numpy.random.default_rng(7)
        feeds, arguments = {}, []
        for port in json.loads(document.read_text())["inputs"]:
            shape = [int(d) if str(d).isdigit() else 1 for d in port["shape"]]
            feeds[port["name"]] = random.standard_normal(shape).astype(numpy.float32)
            path = self.folder / "input.npy"
            numpy.save(path, feeds[port["name"]])
            arguments += ["--input", f"{port['name']}={path}"]
        document = self.folder / "run.json"
        source = self.zoo / f"{model}.onnx"
        if model.endswith("squeezenet"):
            # Its labels are texts; the tensors before them are compared.
            source = self.folder / "squeezenet.onnx"
            self.run_program("convert", self.zoo / f"{model}.onnx", "-o", source, *MODELS[model])
        self.run_program(
            "run",
            source,
            *arguments,
            "--backend",
            "reference",
            "-o",
            self.folder / "outputs",
            "--json",
            document,
        )
        outputs = json.loads(document.read_text())["outputs"]
        return feeds, {o["name"]: numpy.load(o["file"]) for o in outputs}

    def compare(self, model, target, bound, *arguments):
        path = self.convert(model, target, *arguments)
        feeds, expected = self.reference(model, path)
        results = RUNTIMES[target](path)(feeds)
        for name, value in expected.items():
            off = numpy.linalg.norm(results[name].astype(numpy.float64) - value)
            relative = off / max(numpy.linalg.norm(value.astype(numpy.float64)), 1e-30)
            label = f"{target} {' '.join(arguments[1:])} {model.split('/')[1]} {name}"
            self.judge(label, float(relative), bound)

    def top1(self, target, path, images, labels):
        model = RUNTIMES[target](path)
        hits = 0
        for image, label in zip(images, labels):
            logits = next(iter(model({"input": image[None]}).values()))
            hits += int(logits.argmax()) == label
        return 100 * hits / len(labels)

    def float(self):
        for model in MODELS:
            for target in RUNTIMES:
                self.compare(model, target, FLOAT_BOUND)

    def half(self):
        for target in RUNTIMES:
            self.compare("cifar10/resnet20", target, HALF_BOUND, "--precision", "fp16")

    def int8(self):
        calibration, _ = read_images(self.zoo / "cifar10" / "cifar10-calib-512.bin")
        data = self.folder / "calibration.npz"
        numpy.savez(data, input=calibration)
        images, labels = read_images(self.zoo / "cifar10" / "cifar10-dev-2000.bin")
        for name in ("resnet20", "mobilenetv2", "vit20"):
            model = f"cifar10/{name}"
            exact = self.top1("openvino", self.convert(model, "openvino"), images, labels)
            for target in RUNTIMES:
                path = self.convert(model, target, "--precision", "int8", "--calibrate", data)
                rounded = self.top1(target, path, images, labels)
                print(f"{target} int8 {name}: top-1 {rounded:.2f} %, float {exact:.2f} %")
                self.judge(f"{target} int8 {name} points lost", exact - rounded, MOST_POINTS_LOST)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("shared", type=pathlib.Path)
    parser.add_argument("--only", default="float,half,int8")
    arguments = parser.parse_args()
    if not (arguments.shared / "zoo").is_dir():
        print(f"skipped: no {arguments.shared / 'zoo'}")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        writers = Writers(arguments.program, arguments.shared, folder)
        for case in arguments.only.split(","):
            getattr(writers, case)()
    if writers.failures:
        print(f"missed: {', '.join(writers.failures)}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
