"""Changes the precision of a small convolution network of text, right and wrong.

usage: precision_test.py PROGRAM
"""

import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import unittest
import zipfile

PROGRAM = sys.argv[1]
CHANNELS, SIZE, CLASSES, SAMPLES = 4, 6, 3, 40
RANDOM = random.Random(5)


def numbers(count, scale):
    return [round(RANDOM.gauss(0, scale), 4) for _ in range(count)]


def constant(name, dims, scale):
    count = 1
    for dim in dims:
        count *= dim
    elements = ", ".join(str(x) for x in numbers(count, scale))
    return f"  %{name}: float32[{','.join(map(str, dims))}] = {{{elements}}}\n"


GRAPH = (
    f"graph %main(%x: float32[n,2,{SIZE},{SIZE}]) -> (%y) {{\n"
    + constant("w1", (CHANNELS, 2, 3, 3), 0.3)
    + constant("b1", (CHANNELS,), 0.2)
    + constant("w2", (CHANNELS, CHANNELS, 3, 3), 0.2)
    + constant("w3", (CLASSES, CHANNELS), 0.5)
    + """  %c1: ? = Conv(%x, %w1, %b1) {pads=[1, 1, 1, 1]} "first"
  %r1: ? = Relu(%c1)
  %c2: ? = Conv(%r1, %w2) {pads=[1, 1, 1, 1]} "second"
  %s: ? = Add(%c2, %r1)
  %r2: ? = Relu(%s)
  %g: ? = GlobalAveragePool(%r2)
  %f: ? = Flatten(%g)
  %y: float32[n,3] = Gemm(%f, %w3) {transB=1} "head"
}
"""
)


def npy(dims, values):
    shape = "".join(f"{dim}, " for dim in dims)
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}"
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    data = struct.pack(f"<{len(values)}f", *values)
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data


def write_npz(path, arrays):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in arrays.items():
            archive.writestr(f"{name}.npy", content)


class Precision(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)
        self.model = self.path / "model.txt"
        self.model.write_text(GRAPH)
        self.data = self.path / "data.npz"
        dims = (SAMPLES, 2, SIZE, SIZE)
        self.values = numbers(SAMPLES * 2 * SIZE * SIZE, 1)
        write_npz(self.data, {"x": npy(dims, self.values)})
        self.out = self.path / "out.onnx"

    def convert(self, *arguments, code=0):
        environment = dict(os.environ, XDG_CACHE_HOME=str(self.path / "cache"))
        words = [PROGRAM, "convert", self.model, "-o", self.out, *arguments, "--json", "-"]
        done = subprocess.run(
            list(map(str, words)), capture_output=True, text=True, check=False, env=environment,
            timeout=120,
        )
        self.assertEqual(done.returncode, code, f"{words}\n{done.stdout}{done.stderr}")
        return json.loads(done.stdout) if code in (0, 1) else done.stderr

    def int8(self, *arguments, code=0):
        # What is faster here differs from run to run for a model as small as this.
        flags = ("--precision", "int8", "--calibrate", self.data, "--quantize", "refuse=unmeasured")
        return self.convert(*flags, *arguments, code=code)

    def operators(self):
        done = subprocess.run(
            [PROGRAM, "inspect", str(self.out), "--json", "-"], capture_output=True, text=True,
            check=True,
        )
        return json.loads(done.stdout)["operators"]

    def test_integer_layers_are_compared_with_their_originals(self):
        self.int8("--quantize", "scale-migration=off")
        plan = self.path / "out.ewplan"
        words = ["convert", self.out, "-o", plan, "--shape", f"x=1x2x{SIZE}x{SIZE}", "--mode",
                 "no-tune"]  # fmt: skip
        subprocess.run([PROGRAM, *map(str, words)], check=True, capture_output=True)
        for candidate in (self.out, plan):
            words = ["verify", self.model, candidate, "--data", self.data, "--relative-l2", "0.5",
                     "--json", "-"]  # fmt: skip
            done = subprocess.run([PROGRAM, *map(str, words)], check=True, capture_output=True)
            layers = {layer["name"]: layer for layer in json.loads(done.stdout)["layers"]}
            for name in ("r1", "r2"):
                self.assertIn(name, layers)
                self.assertGreater(layers[name]["relative_l2"], 0)
                self.assertLess(layers[name]["relative_l2"], 0.05)

    def test_int8_covers_every_layer(self):
        document = self.int8()
        figures = document["quantization"]
        self.assertTrue(document["passed"])
        self.assertEqual(figures["int8_macs_share"], 1)
        self.assertEqual((figures["calibration_samples"], figures["held_back_samples"]), (30, 10))
        self.assertLess(figures["relative_l2"], 0.05)
        for name in ("first", "second", "head"):
            self.assertEqual(document["precision"][name], "int8")
        what = [choice["what"] for choice in document["choices"]]
        self.assertEqual(what.count("calibrator"), 1)
        self.assertIn("range of x", what)
        calibrator = document["choices"][what.index("calibrator")]
        self.assertTrue(calibrator["runner_up"] and calibrator["why"])
        operators = self.operators()
        # x, r1, c2, r2, g and f are rounded; three weights and three biases at most are constants.
        self.assertEqual(operators["QuantizeLinear"], 6)
        self.assertGreaterEqual(operators["DequantizeLinear"], 10)

    def test_same_input_same_bytes(self):
        self.int8()
        first = self.out.read_bytes()
        self.int8()
        self.assertEqual(self.out.read_bytes(), first)

    def test_every_calibrator_and_scheme(self):
        for calibrator in ("min-max", "moving-average", "percentile", "entropy", "mse"):
            document = self.int8("--quantize", f"calibrator={calibrator}")
            self.assertLess(document["quantization"]["relative_l2"], 0.3, calibrator)
        for scheme in ("u8s8", "s8s8", "u8s7", "s8s7"):
            flags = ("--quantize", f"scheme={scheme}", "--quantize", "weights=per-tensor")
            document = self.int8(*flags)
            self.assertLess(document["quantization"]["relative_l2"], 0.1, scheme)

    def test_excluded_layers_stay_in_float(self):
        document = self.int8("--quantize", "exclude=second")
        self.assertEqual(document["precision"]["second"], "float32")
        self.assertEqual(document["precision"]["first"], "int8")
        self.assertLess(document["quantization"]["int8_macs_share"], 0.5)

    def test_a_missed_goal_writes_nothing_without_force(self):
        document = self.int8("--quantize", "max-error=0.00001", code=1)
        self.assertFalse(document["passed"])
        self.assertFalse(self.out.exists())
        guilty = document["quantization"]["guilty_layers"]
        errors = [layer["relative_l2"] for layer in guilty]
        self.assertEqual(len(guilty), 3)
        self.assertEqual(errors, sorted(errors, reverse=True))
        self.int8("--quantize", "max-error=0.00001", "--force", code=1)
        self.assertTrue(self.out.exists())

    def test_cache_gives_the_same_result(self):
        cache = self.path / "seen.json"
        self.int8("--quantize", f"cache={cache}")
        first, written = self.out.read_bytes(), cache.read_bytes()
        document = self.int8("--quantize", f"cache={cache}")
        self.assertEqual(self.out.read_bytes(), first)
        self.assertEqual(cache.read_bytes(), written)
        self.assertIn("calibration", [choice["what"] for choice in document["choices"]])
        cache.write_text("no cache at all")
        self.assertIn("no calibration cache", self.int8("--quantize", f"cache={cache}", code=3))
        self.assertEqual(cache.read_text(), "no cache at all")

    def test_bad_data_is_refused(self):
        dims = (SAMPLES, 2, SIZE, SIZE)
        with_nan = list(self.values)
        with_nan[3 * 2 * SIZE * SIZE] = float("nan")
        few = self.values[: 2 * 2 * SIZE * SIZE]
        self.assertIn("sample 3", self.refused({"x": npy(dims, with_nan)}))
        self.assertIn("'x'", self.refused({"other": npy(dims, self.values)}))
        wrong_shape = npy((SAMPLES, 2, SIZE * SIZE), self.values)
        self.assertIn("shape", self.refused({"x": wrong_shape}))
        wrong_type = npy(dims, self.values).replace(b"<f4", b"<i4")
        self.assertIn("int32", self.refused({"x": wrong_type}))
        self.assertIn("0 samples", self.refused({"x": npy((0, 2, SIZE, SIZE), [])}))
        labels = npy((SAMPLES,), [0.0] * SAMPLES)
        self.assertIn("labels", self.refused({"x": npy(dims, self.values), "labels": labels}))
        write_npz(self.data, {"x": npy((2, 2, SIZE, SIZE), few)})
        self.assertIn("few", " ".join(self.int8()["warnings"]))
        self.out.unlink()
        self.data.write_bytes(b"")
        self.int8(code=3)
        self.data.unlink()
        self.int8(code=3)
        self.assertFalse(self.out.exists())

    def test_an_interrupted_run_leaves_the_old_file(self):
        self.out.write_bytes(b"what was there before")
        cache = self.path / "seen.json"
        words = [PROGRAM, "convert", self.model, "-o", self.out, "--precision", "int8"]
        words += ["--calibrate", self.data, "--quantize", "refuse=unmeasured"]
        words += ["--quantize", f"cache={cache}"]
        for wait_s in (0.02, 0.05, 0.1, 0.2, 0.4):
            process = subprocess.Popen(
                list(map(str, words)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            try:
                process.wait(timeout=wait_s)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if self.out.read_bytes() != b"what was there before":
                self.operators()  # else it must be a whole model
            if cache.exists():
                json.loads(cache.read_text())
        self.out.write_bytes(b"what was there before")
        self.int8("--quantize", f"cache={cache}")
        self.assertGreaterEqual(self.operators()["QuantizeLinear"], 6)

    def test_an_empty_folder_and_one_dead_channel(self):
        dims = (SAMPLES, 2, SIZE, SIZE)
        plane = SIZE * SIZE
        dead = [x if i // plane % 2 == 0 else 0.0 for i, x in enumerate(self.values)]
        write_npz(self.data, {"x": npy(dims, dead)})
        self.assertLess(self.int8()["quantization"]["relative_l2"], 0.05)
        self.out.unlink()
        empty = self.path / "empty"
        empty.mkdir()
        words = ("--precision", "int8", "--calibrate", empty)
        self.assertIn("no .npy", self.convert(*words, code=3))
        self.assertFalse(self.out.exists())

    def refused(self, arrays):
        write_npz(self.data, arrays)
        message = self.int8(code=3)
        self.assertFalse(self.out.exists())
        return message

    def test_constant_and_dead_channels(self):
        zeros = [0.0] * (SAMPLES * 2 * SIZE * SIZE)
        write_npz(self.data, {"x": npy((SAMPLES, 2, SIZE, SIZE), zeros)})
        document = self.int8()
        self.assertLess(document["quantization"]["relative_l2"], 0.05)

    def test_slower_layers_are_measured_and_named(self):
        flags = ("--precision", "int8", "--calibrate", self.data)
        for refuse in ("auto", "off"):
            document = self.convert(*flags, "--quantize", f"refuse={refuse}")
            what = {choice["what"]: choice for choice in document["choices"]}
            self.assertIn("us", what["layers together"]["chosen"])
            refused = {name for name in ("c1", "c2", "y") if name in what}
            shares = document["quantization"]["int8_macs_share"]
            if refuse == "off":
                self.assertEqual(shares, 1)
            else:
                self.assertEqual(shares == 1, not refused)

    def test_small_weights_and_16_bit_floats(self):
        for precision in ("int4", "fp16", "bf16", "int8-dynamic"):
            for calibrated in (("--calibrate", self.data), ()):
                document = self.convert("--precision", precision, *calibrated)
                self.assertTrue(document["passed"], precision)
                if calibrated:
                    self.assertLess(document["quantization"]["relative_l2"], 0.1, precision)
        document = self.convert("--precision", "int4", "--dialect", "ort")
        self.assertEqual(document["precision"]["head"], "int4 weights")
        self.assertIn("com.microsoft::MatMulNBits", self.operators())

    def test_a_mix_by_size_is_on_its_front(self):
        flags = ("--precision", "mixed", "--calibrate", self.data, "--quantize", "objective=size")
        document = self.convert(*flags)
        front = document["pareto"]
        costs = [point["cost"] for point in front]
        errors = [point["error"] for point in front]
        self.assertEqual(costs, sorted(costs))
        self.assertEqual(errors, sorted(errors, reverse=True))
        self.assertEqual(sum(point["knee"] for point in front), 1)
        self.assertLess(costs[0], costs[-1])

    def mixed(self, *quantize):
        flags = ["--precision", "mixed", "--calibrate", self.data]
        for word in quantize:
            flags += ["--quantize", word]
        document = self.convert(*flags)
        return document, {choice["what"]: choice for choice in document["choices"]}

    def test_a_mix_by_energy_counts_what_a_device_says(self):
        document, what = self.mixed("objective=energy", "device=sm8250")
        self.assertIn("sm8250", what["mix"]["why"])
        costs = [point["cost"] for point in document["pareto"]]
        self.assertLess(costs[0], costs[-1])
        # The original is the dearest point, and the one without an error.
        self.assertEqual(document["pareto"][-1]["error"], 0)
        flags = ("--precision", "mixed", "--calibrate", self.data)
        missing = self.convert(*flags, "--quantize", "objective=energy", code=2)
        self.assertIn("device=", missing)

    def test_a_mix_of_named_types(self):
        for type_name, report in (("fp16", "float16"), ("bf16", "bfloat16"), ("int8", "int8")):
            document, what = self.mixed("objective=size", f"types=fp32,{type_name}")
            self.assertIn(report, what["types of layers"]["chosen"])
            self.assertIn(report, document["precision"].values())
        flags = ("--precision", "mixed", "--calibrate", self.data)
        refused = self.convert(*flags, "--quantize", "types=fp32,int3", code=2)
        self.assertIn("int3", refused)

    def test_zeros_are_left_out_where_that_is_quicker(self):
        for sparsity in ("2:4", "0.9"):
            for precision in ("fp32", "int8"):
                flags = ("--precision", precision, "--calibrate", self.data)
                for word in (f"sparsity={sparsity}", "max-error=2"):
                    flags += ("--quantize", word)
                document = self.convert(*flags)
                what = {choice["what"]: choice for choice in document["choices"]}
                self.assertIn("weights of", what["sparsity"]["chosen"])
                self.assertIn("sparse kernels", what)

    def test_own_quantisation_is_kept(self):
        self.int8()
        first = self.operators()
        again = self.path / "again.onnx"
        words = [PROGRAM, "convert", str(self.out), "-o", str(again), "--precision", "int8"]
        subprocess.run(words, check=True, capture_output=True)
        self.out = again
        self.assertEqual(self.operators(), first)

    def test_wrong_usage(self):
        self.assertIn("--calibrate", self.convert("--precision", "int8", code=2))
        self.assertIn("calibrator", self.int8("--quantize", "unheard=1", code=2))
        self.assertIn("percentile", self.int8("--quantize", "percentile=110", code=2))
        self.assertIn("exclude", self.int8("--quantize", "exclude=nothing", code=2))
        self.assertIn("opset", self.int8("--opset", "12", code=2))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
