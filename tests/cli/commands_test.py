"""Runs the program on a small model of text and on the example model.

usage: commands_test.py PROGRAM PROJECT_ROOT
"""

import json
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import unittest
import zipfile

PROGRAM, ROOT = sys.argv[1:3]
NOVEL = pathlib.Path(ROOT) / "examples" / "models" / "novel-7m-int8.ewlm"
RESNET = pathlib.Path(ROOT) / "examples" / "models" / "resnet20.onnx"

GRAPH = """graph %main(%x: float32[n,3]) -> (%y) {
  %w: float32[3,2] = {1.0, 0.0, 0.0, 1.0, 2.0, 2.0}
  %b: float32[2] = {-1.0, 1.0}
  %zero: float32[1] = {0.0}
  %p: ? = MatMul(%x, %w)
  %q: ? = Add(%p, %b)
  %r: ? = Identity(%q)
  %y: float32[n,2] = Relu(%r)
}
"""


def write_npy(path, dims, values):
    shape = "".join(f"{dim}, " for dim in dims)
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape}), }}"
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    data = struct.pack(f"<{len(values)}f", *values)
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data)


def read_npy(path):
    content = path.read_bytes()
    start = 10 + struct.unpack("<H", content[8:10])[0]
    return list(struct.unpack(f"<{(len(content) - start) // 4}f", content[start:]))


class Commands(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)
        self.model = self.path / "model.txt"
        self.model.write_text(GRAPH)

    def run_program(self, *arguments, code=0, more=None):
        environment = dict(os.environ, XDG_CACHE_HOME=str(self.path / "cache"), **(more or {}))
        words = [PROGRAM, *map(str, arguments)]
        done = subprocess.run(
            words, capture_output=True, text=True, check=False, env=environment, timeout=900
        )
        self.assertEqual(done.returncode, code, f"{words}\n{done.stdout}{done.stderr}")
        return done

    def document(self, *arguments, code=0):
        return json.loads(self.run_program(*arguments, "--json", "-", code=code).stdout)

    def test_generate_says_log_probabilities(self):
        words = ("--prompt", "It was", "--max-tokens", 5, "--temperature", 1, "--json", "-")
        with_them = self.run_program("generate", NOVEL, *words, "--log-probabilities")
        document = json.loads(with_them.stdout)
        values = document["log_probabilities"]
        self.assertEqual(len(values), len(document["tokens"]))
        self.assertTrue(all(value < 0 for value in values))
        plain = json.loads(self.run_program("generate", NOVEL, *words).stdout)
        self.assertEqual(plain["tokens"], document["tokens"])
        self.assertNotIn("log_probabilities", plain)

    def test_inspect_reads_plans(self):
        plan = self.path / "model.ewplan"
        self.run_program("convert", self.model, "-o", plan, "--shape", "x=4x3")
        graph = self.document("inspect", self.model, "--shape", "x=4x3")
        document = self.document("inspect", plan)
        self.assertEqual(document["inputs"], graph["inputs"])
        self.assertEqual([o["shape"] for o in document["outputs"]],
                         [o["shape"] for o in graph["outputs"]])
        self.assertEqual(document["macs"], graph["macs"])
        self.assertGreater(document["parameter_bytes"], 0)
        self.run_program("inspect", plan, "--text", code=4)
        self.run_program("inspect", plan, "--shape", "x=4x3", code=2)

    def test_mixed_execution_chooses_and_computes_the_same(self):
        model = RESNET
        shape = ("--shape", "input=1x3x32x32")
        no_openvino = {"EDGEWRIGHT_OPENVINO": str(self.path / "missing.so")}
        self.run_program("bench", model, *shape, "--backend", "openvino", code=3, more=no_openvino)
        document = self.document("bench", model, *shape, "--backend", "mixed", "--runs", "1")
        mix = document["mix"]
        self.assertIn("native", mix["alone_us"])
        self.assertGreater(mix["predicted_us"], 0)
        self.assertEqual(len(mix["segments"]), mix["transitions"] + 1)
        image = self.path / "image.npy"
        write_npy(image, (1, 3, 32, 32), [i % 7 / 7 for i in range(3072)])
        for backend in ("mixed", "reference"):
            self.run_program("run", model, "--input", f"input={image}", "--backend", backend, "-o",
                             self.path / backend)
        results = [read_npy(self.path / backend / "logits.npy") for backend in
                   ("mixed", "reference")]
        for found, wanted in zip(*results):
            self.assertAlmostEqual(found, wanted, delta=1e-3)

    def test_shapes_within_a_range_run_and_others_are_refused(self):
        for rows, code in ((1, 0), (4, 0), (5, 3)):
            given = self.path / f"x{rows}.npy"
            write_npy(given, (rows, 3), [i / 7 for i in range(3 * rows)])
            arguments = ("run", self.model, "--input", f"x={given}", "-o", self.path)
            done = self.run_program(*arguments, "--shape", "x=1:2:4x3", code=code)
            if code != 0:
                self.assertIn("x=5x3", done.stderr)
                continue
            found = read_npy(self.path / "y.npy")
            self.run_program(*arguments, "--backend", "reference")
            self.assertEqual(found, read_npy(self.path / "y.npy"))
        document = self.document("bench", self.model, "--shape", "x=1:2:4x3", "--runs", "2")
        self.assertTrue(document["passed"])
        plan = self.path / "model.ewplan"
        self.run_program("convert", self.model, "-o", plan, "--shape", "x=4x3")
        for arguments in (
            (self.model, "--shape", "x=1:2x3"),
            (self.model, "--shape", "x=4:2:1x3"),
            (self.model, "--shape", "x=1:2:4x5"),
            (self.model, "--shape", "z=1:2:4x3"),
            (self.model, "--shape", "x=1:2:4x3", "--backend", "reference"),
            (plan, "--shape", "x=1:2:4x3"),
        ):
            self.assertTrue(self.run_program("bench", *arguments, "--runs", "1", code=2).stderr)

    def test_the_program_stays_on_the_cpus_it_is_given(self):
        cpu = max(os.sched_getaffinity(0))
        shape = ("--shape", "x=4x3")
        self.run_program("bench", self.model, *shape, "--runs", "2", "--cpus", cpu)
        self.run_program("bench", self.model, *shape, "--runs", "2", "--cpus", "1023", code=2)
        self.run_program("bench", self.model, *shape, "--runs", "2", "--cpus", "4096", code=2)

    def test_inspect_counts(self):
        document = self.document("inspect", self.model, "--shape", "x=4x3")
        self.assertEqual(document["schema"], "edgewright.inspect/1")
        self.assertEqual(document["nodes"], 4)
        self.assertEqual(document["operators"]["MatMul"], 1)
        self.assertEqual(document["parameters"], 9)
        self.assertEqual(document["macs"], 4 * 3 * 2)
        expected = [{"name": "x", "dtype": "float32", "shape": [4, 3]}]
        self.assertEqual(document["inputs"], expected)

    def test_convert_run_verify_agree(self):
        onnx = self.path / "out.onnx"
        document = self.document("convert", self.model, "-o", onnx)
        self.assertTrue(document["passed"])
        self.assertLess(document["nodes_after"], document["nodes_before"])
        self.assertTrue(document["verification"]["passed"])
        plan = self.path / "out.ewplan"
        self.assertTrue(self.document("convert", onnx, "-o", plan, "--shape", "x=2x3")["passed"])
        write_npy(self.path / "x.npy", (2, 3), [1, 2, 3, -1, -2, 0.5])
        for model in (self.model, onnx, plan):
            out = self.path / f"out_{model.suffix[1:]}"
            self.document("run", model, "--input", f"x={self.path / 'x.npy'}", "-o", out)
            # Relu(x w + b), by hand.
            self.assertEqual(read_npy(out / "y.npy"), [6, 9, 0, 0])
        verified = self.document("verify", self.model, plan, "--shape", "x=2x3", "--boundary")
        self.assertTrue(verified["passed"])
        self.assertEqual([d["name"] for d in verified["outputs"]], ["y"])
        self.assertIn("zeros", verified["boundary"])

    def test_verify_names_the_first_difference(self):
        other = self.path / "other.txt"
        other.write_text(GRAPH.replace("{-1.0, 1.0}", "{-1.0, 1.5}"))
        document = self.document("verify", self.model, other, code=1)
        self.assertFalse(document["passed"])
        self.assertIn(document["first_divergence"], ("q", "r", "y"))

    def test_recordings_are_compared_with_each_other(self):
        files = {}
        for name, last in (("one", 4.0), ("other", 4.5)):
            write_npy(self.path / "y.npy", (2, 2), [1, 2, 3, last])
            files[name] = self.path / f"{name}.npz"
            with zipfile.ZipFile(files[name], "w") as archive:
                archive.write(self.path / "y.npy", "y.npy")
        self.assertTrue(self.document("verify", files["one"], files["one"])["passed"])
        document = self.document("verify", files["one"], files["other"], code=1)
        self.assertEqual((document["samples"], document["outputs"][0]["max_abs"]), (2, 0.5))

    def test_same_input_same_bytes(self):
        files = [self.path / "a.onnx", self.path / "b.onnx"]
        for file in files:
            self.run_program("convert", self.model, "-o", file)
        self.assertEqual(files[0].read_bytes(), files[1].read_bytes())

    def test_text_form_is_stable(self):
        first = self.run_program("inspect", self.model, "--text", "--weights").stdout
        again = self.path / "again.txt"
        again.write_text(first)
        second = self.run_program("inspect", again, "--text", "--weights").stdout
        self.assertEqual(first, second)

    def test_fixed_input_becomes_constant(self):
        onnx = self.path / "fixed.onnx"
        self.run_program("convert", self.model, "-o", onnx, "--shape", "x=1x3", "--fix", "x=1,2,3")
        document = self.document("inspect", onnx)
        self.assertEqual((document["inputs"], document["nodes"]), ([], 0))

    def test_exit_codes(self):
        broken = self.path / "broken.onnx"
        broken.write_bytes(RESNET.read_bytes()[:1000])
        unknown = self.path / "unknown.txt"
        unknown.write_text("graph %g(%x: float32[2]) -> (%y) {\n"
                           "  %y: float32[2] = com.example::Odd(%x)\n}\n")
        write_npy(self.path / "x2.npy", (2,), [1, 2])
        out = self.path / "nothing.onnx"
        given = f"x={self.path / 'x2.npy'}"
        for arguments, code in (
            (("convert", broken, "-o", out), 3),
            (("convert", self.path / "absent.onnx", "-o", out), 3),
            (("convert", self.model, "-o", self.path / "out.unheard"), 2),
            (("convert", self.model, "-o", out, "--shape", "x=4x5"), 2),
            (("convert", self.model, "-o", out, "--disable", "no_such_pass"), 2),
            (("run", unknown, "--input", given, "-o", self.path), 4),
            (("run", self.model, "-o", self.path), 2),
            (("frobnicate",), 2),
        ):
            done = self.run_program(*arguments, code=code)
            self.assertTrue(done.stderr.strip(), arguments)
            self.assertFalse(out.exists(), arguments)

    def test_input_is_never_overwritten(self):
        copy = self.path / "model.onnx"
        self.run_program("convert", self.model, "-o", copy)
        before = copy.read_bytes()
        self.run_program("convert", copy, "-o", copy, code=2)
        self.assertEqual(copy.read_bytes(), before)

    def test_list_passes(self):
        text = self.run_program("convert", "--list-passes").stdout
        for name in ("eliminate_identity", "fold_constants", "fuse_layer_normalization"):
            self.assertIn(name, text)

    def test_example_model(self):
        plan = self.path / "resnet20.ewplan"
        document = self.document("convert", RESNET, "-o", plan)
        self.assertTrue(document["passed"])
        report = self.document("bench", plan, "--runs", "5")
        self.assertEqual(report["runs"], 5)
        self.assertLessEqual(report["arena_bytes"], 1.1 * report["live_set_bytes"])

    def test_profile_counts_and_adds_up(self):
        trace = self.path / "trace.json"
        document = self.document("profile", RESNET, "--seconds", "0.3", "--export", trace)
        self.assertEqual(document["schema"], "edgewright.profile/1")
        operators = document["operators"]
        total = sum(row["time_us"] for row in operators)
        self.assertAlmostEqual(document["operators_us"], total, delta=1e-6 * total)
        self.assertAlmostEqual(sum(row["share"] for row in operators), 1, places=6)
        self.assertEqual(document["sources"]["wall_us"], "measured")
        imported = self.document("profile", "--import", trace)
        names = {row["name"] for row in operators}
        self.assertEqual({row["name"] for row in imported["imported_operators"]}, names)

    def test_profile_places_a_layer_on_a_stated_device(self):
        layer = self.path / "layer.txt"
        for kernel, bound in ((1, "DRAM"), (3, "compute")):
            layer.write_text(
                f"graph %g(%x: float32[1,64,56,56], %w: float32[64,64,{kernel},{kernel}]) -> (%y) "
                "{\n"
                f"  %y: float32[1,64,56,56] = Conv(%x, %w) {{pads=[{kernel // 2}"
                f"{3 * f',{kernel // 2}'}]}}\n}}\n"
            )
            document = self.document("profile", layer, "--device", "peak=1e12,bandwidth=25.6e9")
            self.assertAlmostEqual(document["ridge_flop_per_byte"], 39.0625)
            row = document["operators"][0]
            flops = 2 * 64 * 64 * kernel * kernel * 56 * 56
            bytes_moved = 4 * (2 * 64 * 56 * 56 + 64 * 64 * kernel * kernel)
            self.assertEqual(row["flops"], flops)
            self.assertAlmostEqual(row["intensity"], flops / bytes_moved)
            self.assertEqual(row["bound"], bound)

    def test_report_is_one_page_with_the_document(self):
        page = self.path / "report.html"
        words = ["inspect", self.model, "--json", self.path / "report.json", "--report", page]
        done = subprocess.run(
            [PROGRAM, *map(str, words)], capture_output=True, text=True, check=False, timeout=120
        )
        if done.returncode == 4:
            self.skipTest(done.stderr)
        self.assertEqual(done.returncode, 0, done.stderr)
        text = page.read_text(encoding="utf-8")
        data = re.search(r'id="document">(.*?)</script>', text, re.DOTALL)[1]
        shown = json.loads(data)
        self.assertIn("edgewright inspect", shown.pop("command_line"))
        self.assertEqual(shown, json.loads((self.path / "report.json").read_text()))
        # A failed check still leaves its page.
        other = self.path / "other.txt"
        other.write_text(GRAPH.replace("{-1.0, 1.0}", "{-1.0, 1.5}"))
        failed = self.path / "failed.html"
        self.run_program("verify", self.model, other, "--report", failed, code=1)
        self.assertIn("first_divergence", failed.read_text(encoding="utf-8"))
        self.run_program("inspect", self.model, "--report", self.path / "no" / "x.html", code=2)
        self.assertFalse((self.path / "no").exists())

    def test_profile_of_a_language_model_adds_up(self):
        model = pathlib.Path(ROOT) / "examples" / "models" / "novel-7m-int8.ewlm"
        words = ["--tokens", "9,3", "--seconds", "0.1"]
        document = self.document("profile", model, *words, "--threads", "2")
        self.assertEqual([row["name"] for row in document["phases"]][1:4],
                         ["prefill", "decode 1", "decode 2"])  # fmt: skip
        total = sum(row["time_us"] for row in document["operators"])
        self.assertAlmostEqual(total, document["operators_us"], delta=1e-6 * total)
        parts = {row["name"] for row in document["by_part"]}
        self.assertLessEqual({"qkv", "qk", "softmax", "av", "ffn-activation", "residual"}, parts)
        tracks = {track["name"] for track in document["tracks"]}
        # Loops do not wait for a thread without a core: on a busy machine it may miss a request.
        for _ in range(20):
            if "thread 1" in tracks:
                break
            document = self.document("profile", model, *words, "--threads", "2")
            tracks = {track["name"] for track in document["tracks"]}
        self.assertLessEqual({"phases", "layers", "parts", "thread 0", "thread 1"}, tracks)
        self.run_program("profile", model, "--apply", code=4)
        self.run_program("profile", model, "--tokens", "4000,1000", code=2)

    def test_profile_weighs_batches(self):
        words = ["--seconds", "0.1", "--batches", "1,2,4", "--lengths", "10,10,40"]
        document = self.document("profile", RESNET, *words, "--memory-limit", "1")
        self.assertEqual(document["best_batch"], 1)
        self.assertIn("no batch keeps to 1 bytes", " ".join(document["warnings"]))
        _, second, third, fourth = document["batches"]
        self.assertEqual([second["source"], third["source"]], ["measured", "modelled"])
        # Of two draws five of nine have the longest among them.
        self.assertAlmostEqual(second["padding"], 1 - 20 / (40 * 5 / 9 + 10 * 4 / 9))
        per_sample = fourth["latency_us"] / 4
        self.assertAlmostEqual(fourth["cost"] * (1 - fourth["padding"]) / per_sample, 1)
        text = self.run_program("profile", RESNET, *words).stdout
        self.assertRegex(text, r"memory +peak .* held by .*; weights ")
        self.assertRegex(text, r"opportunity .*how")
        self.assertRegex(text, r"batch .*padding")
        few = ["profile", RESNET, "--seconds", "0.1", "--batches", "1,2"]
        self.run_program(*few[:4], "--lengths", "3,4", code=2)
        for bad in (["--lengths", "0,3"], ["--memory-limit", "-1"], ["--batch-costs", "0,0"],
                    ["--batch-costs=-1,1"]):  # fmt: skip
            self.run_program(*few, *bad, code=2)

    def test_profile_compares_what_has_runs(self):
        runs, modelled = self.path / "runs.json", self.path / "modelled.json"
        self.run_program("profile", RESNET, "--seconds", "0.1", "--json", runs)
        device = "peak=1e12,bandwidth=25.6e9"
        self.run_program("profile", RESNET, "--device", device, "--json", modelled)
        same = self.document("profile", "--compare", runs, runs)
        self.assertTrue(same["total"]["judged"])
        self.assertFalse(any(row["significant"] for row in same["differences"]))
        document = self.document("profile", "--compare", runs, modelled)
        self.assertFalse(document["total"]["judged"])
        self.assertIn("nothing can be said about chance", document["warnings"][-1])

    def test_profile_refuses(self):
        self.run_program("profile", code=2)
        self.run_program("profile", RESNET, "--device", "peak=1", code=2)
        self.run_program("profile", "--import", self.model, code=3)
        self.run_program("profile", "--compare", self.model, self.model, code=3)
        self.run_program("profile", RESNET, "--seconds", "0.1", "--export", "trace.xyz", code=2)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
