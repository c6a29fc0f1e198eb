"""Runs what `convert` writes for OpenVINO and TFLite in those runtimes and prints the figures.

usage: writers_test.py PROGRAM SHARED [--only NAME,...]

Runs in an environment with LiteRT and OpenVINO (tools/setup --litert); without them, or without the
shared folder, it is skipped (exit code 77). NAME:

float    float32 in both runtimes against our reference kernels
half     weights in float16
dynamic  weights in int8, float activations: top-1 on cifar10-dev-2000
int8     everything in int8: the same
states   OpenVINO with the cache of a language model as states: a text fed token by token
read     what OpenVINO itself converts, read by us and compared with the original

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
        self.rounded("int8")

    def dynamic(self):
        self.rounded("int8-dynamic")

    def rounded(self, precision):
        calibration, _ = read_images(self.zoo / "cifar10" / "cifar10-calib-512.bin")
        data = self.folder / "calibration.npz"
        numpy.savez(data, input=calibration)
        images, labels = read_images(self.zoo / "cifar10" / "cifar10-dev-2000.bin")
        for name in ("resnet20", "mobilenetv2", "vit20"):
            model = f"cifar10/{name}"
            exact = self.top1("openvino", self.convert(model, "openvino"), images, labels)
            for target in RUNTIMES:
                path = self.convert(model, target, "--precision", precision, "--calibrate", data)
                score = self.top1(target, path, images, labels)
                print(f"{target} {precision} {name}: top-1 {score:.2f} %, float {exact:.2f} %")
                lost = exact - score
                self.judge(f"{target} {precision} {name} points lost", lost, MOST_POINTS_LOST)

    def states(self):
        tokens = numpy.array([[1, 300, 45, 2000, 17, 912]], dtype=numpy.int64)
        count = tokens.shape[1]
        places = numpy.arange(count, dtype=numpy.int64)[None]
        source, path = self.zoo / "novel" / "novel-7m.onnx", self.folder / "states.xml"
        self.run_program("convert", source, "-o", path, "--mode", "states")
        request = openvino.Core().compile_model(
            str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
        ).create_infer_request()
        # The whole text at once, then after a reset one token after the other.
        whole = self.step(request, tokens, places, count)
        request.reset_state()
        for i in range(count):
            one = self.step(request, tokens[:, i : i + 1], places[:, i : i + 1], i + 1)
            off = numpy.linalg.norm(one[0, -1] - whole[0, i]) / numpy.linalg.norm(whole[0, i])
            self.judge(f"openvino states novel-7m token {i}", float(off), FLOAT_BOUND)
        expected = self.without_states(source, tokens, places)
        off = numpy.linalg.norm(whole - expected) / numpy.linalg.norm(expected)
        self.judge("openvino states novel-7m against the original", float(off), FLOAT_BOUND)

    def step(self, request, tokens, places, seen):
        feeds = {
            "input_ids": tokens,
            "attention_mask": numpy.ones((1, seen), numpy.int64),
            "position_ids": places,
        }
        results = request.infer(feeds)
        return next(v for p, v in results.items() if "logits" in p.get_names())

    def without_states(self, source, tokens, places):
        """The same by our reference kernels, with an empty cache."""
        document = self.folder / "inspect.json"
        self.run_program("inspect", source, "--json", document)
        known = {
            "input_ids": tokens,
            "attention_mask": numpy.ones_like(tokens),
            "position_ids": places,
        }
        arguments = []
        for index, port in enumerate(json.loads(document.read_text())["inputs"]):
            name = port["name"]
            empty = [int(d) if str(d).isdigit() else 1 for d in port["shape"]]
            if name not in known:
                empty[-2] = 0  # no token has been seen
            value = known.get(name, numpy.zeros(empty, numpy.float32))
            numpy.save(self.folder / f"input-{index}.npy", value)
            arguments += ["--input", f"{name}={self.folder / f'input-{index}.npy'}"]
        document = self.folder / "run.json"
        self.run_program("run", source, *arguments, "--backend", "reference", "-o",
                         self.folder / "outputs", "--json", document)  # fmt: skip
        outputs = json.loads(document.read_text())["outputs"]
        return next(numpy.load(o["file"]) for o in outputs if o["name"] == "logits")

    def read(self):
        """Models that OpenVINO cannot convert itself (squeezenet ends in labels) are left out."""
        for model in [*MODELS, "novel/novel-7m"]:
            if model.endswith("squeezenet"):
                continue
            path = self.folder / f"{model.split('/')[1]}-by-openvino.xml"
            source = self.zoo / f"{model}.onnx"
            openvino.save_model(openvino.convert_model(source), path, compress_to_fp16=False)
            document = self.folder / "verify.json"
            self.run_program("verify", source, path, "--samples", "2", "--json", document)
            outputs = json.loads(document.read_text())["outputs"]
            worst = max(output["relative_l2"] for output in outputs)
            self.judge(f"read {model.split('/')[1]} of OpenVINO", worst, FLOAT_BOUND)
            self.run_program("profile", path, "--seconds", "0.1")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("shared", type=pathlib.Path)
    parser.add_argument("--only", default="float,half,dynamic,int8,states,read")
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
