#!/usr/bin/env python3
"""`split run` and `link probe` against a small server: answers, and what happens when it fails.

usage: split_run_test.py EDGEWRIGHT ROOT LINK_EMULATOR
"""

import array
import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest
import urllib.request

PROGRAM, ROOT, EMULATOR = sys.argv[1:4]
MODEL = f"{ROOT}/examples/models/resnet20.onnx"
STUB = pathlib.Path(__file__).with_name("stub_server.py")


def edgewright(*arguments, code=0):
    ran = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True,
                         timeout=300)
    assert ran.returncode == code, f"exit code {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
    return ran


class Background:
    """A program that says "ready PORT" and ends when its standard input does."""

    def __init__(self, *command):
        self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline().split()
        assert line and line[0] == "ready", line
        self.port = int(line[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()

    def stop(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


class SplitRunTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.work = pathlib.Path(cls.folder.name)
        ran = edgewright("split", "plan", MODEL, "--device", "1GFLOP/s", "--server", "100GFLOP/s",
                         "--bandwidth-mbit-s", "5", "--write-halves", cls.work / "halves",
                         "--codec", "fp16", "--codec", "int8", "--codec", "int4", "--limit",
                         "agreement=0.9",
                         "--json", "-")
        cls.plan = json.loads(ran.stdout[ran.stdout.index("{"):])
        cls.repository = cls.work / "halves" / "repository"
        # One sample for all requests, which the server computes once.
        cls.data = cls.work / "data"
        cls.data.mkdir()
        header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 32, 32), }"
        header += " " * (63 - (len(header) + 10) % 64) + "\n"
        values = array.array("f", [(i * 37 % 101 - 50) / 50 for i in range(3072)])
        (cls.data / "input.npy").write_bytes(b"\x93NUMPY\x01\x00"
                                             + len(header).to_bytes(2, "little")
                                             + header.encode() + values.tobytes())
        cls.server = Background(sys.executable, STUB, cls.repository, PROGRAM)

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.folder.cleanup()

    def fault(self, name):
        request = urllib.request.Request(self.server.url + "/fault", data=name.encode(),
                                         method="POST")
        urllib.request.urlopen(request, timeout=10).read()

    def run_split(self, *arguments, url=None, code=0):
        ran = edgewright("split", "run", MODEL, "--server", url or self.server.url, "--data",
                         self.data, "--json", "-", *arguments, code=code)
        return json.loads(ran.stdout[ran.stdout.index("{"):])

    def test_the_repository_is_in_tritons_layout(self):
        models = sorted(path.name for path in self.repository.iterdir())
        self.assertIn("edgewright-echo", models)
        for model in self.repository.iterdir():
            self.assertTrue((model / "1" / "model.onnx").exists())
            config = (model / "config.pbtxt").read_text()
            self.assertIn(f'name: "{model.name}"', config)
            self.assertIn("data_type: TYPE_", config)

    def test_every_cut_gives_the_models_answer(self):
        first = self.run_split("--requests", 3, "--deadline-ms", 60000)
        self.assertTrue(first["passed"])
        self.assertEqual(first["requests"], 3)
        cuts = [row["cut"] for row in first["cuts"]]
        self.assertIn("input", cuts)
        self.assertIn("output", cuts)
        answers = {}
        for cut in cuts:
            found = self.run_split("--cut", cut, "--requests", 1, "--deadline-ms", 60000, "-o",
                                   self.work / "outputs")
            self.assertEqual(found["cut"], cut)
            self.assertEqual(found["answered_by_server"], 0 if cut == "output" else 1)
            raw = pathlib.Path(found["outputs"][0]["file"]).read_bytes()
            answers[cut] = array.array("f", raw[-40:])
        for cut, values in answers.items():
            for found, expected in zip(values, answers["output"]):
                self.assertAlmostEqual(found, expected, delta=1e-3, msg=cut)

    def test_the_plan_measures_codecs(self):
        rows = {row["codec"]: row for row in self.plan["codecs"]}
        self.assertEqual(list(rows), ["none", "fp16", "int8", "int4"])
        for name, row in rows.items():
            self.assertEqual(row["keeps_floor"], row["agreement"] >= 0.9, name)
        self.assertLess(rows["int8"]["sent_bytes"], rows["fp16"]["sent_bytes"])
        self.assertLess(rows["fp16"]["relative_l2"], rows["int8"]["relative_l2"])
        kept = [row for row in rows.values() if row["keeps_floor"]]
        quickest = min(kept, key=lambda row: row["latency_us"])
        self.assertEqual(self.plan["codec"], quickest["codec"])
        self.assertEqual(self.plan["cut"], quickest["cut"])

    def test_activations_travel_as_the_codec_says(self):
        # So slow that fewer bytes are quicker, whatever else the machine does.
        link = Background(EMULATOR, self.server.port, "up-mbit-s=3", "down-mbit-s=20")
        self.addCleanup(link.stop)
        plain = self.run_split("--cut", "output", "--requests", 1, "-o", self.work / "plain")
        expected = array.array("f", pathlib.Path(plain["outputs"][0]["file"]).read_bytes()[-40:])
        norm = sum(value * value for value in expected) ** 0.5
        for codec, share in (("fp16", 2), ("int8", 3.9), ("int4", 7.5)):
            with self.subTest(codec=codec):
                found = self.run_split("--cut", "input", "--codec", codec, "--choose", "floor=0",
                                       "--requests", 2, "--deadline-ms", 60000, "--in-flight", 1,
                                       "-o", self.work / codec, url=link.url)
                self.assertEqual((found["cut"], found["codec"]), ("input", codec))
                self.assertEqual(found["answered_by_server"], 2)
                row = next(row for row in found["cuts"] if row["codec"] == codec)
                self.assertEqual(row["server_model"].rsplit("-", 1)[1], codec)
                self.assertGreaterEqual(4 * 3072 / row["sent_bytes"], share)
                self.assertEqual(row["measured_samples"], 1)
                # The server answers what was measured here before.
                values = array.array(
                    "f", pathlib.Path(found["outputs"][0]["file"]).read_bytes()[-40:])
                error = sum((a - b) ** 2 for a, b in zip(values, expected)) ** 0.5 / norm
                self.assertAlmostEqual(error, row["output_relative_l2"], delta=1e-3)

    def test_a_codec_below_the_floor_is_not_used(self):
        found = self.run_split("--cut", "input", "--codec", "int4", "--choose", "floor=1",
                               "--requests", 1,
                               "--deadline-ms", 60000)
        kept = [row for row in found["cuts"] if row["codec"] == "int4"]
        # One sample: its top answer stays, or it does not.
        self.assertEqual(bool(kept), not found["warnings"])
        ran = edgewright("split", "run", MODEL, "--server", self.server.url, "--codec", "zip",
                         code=2)
        self.assertIn("fp16, int8, int4", ran.stderr)
        edgewright("split", "plan", MODEL, "--device", "1GFLOP/s", "--server", "1TFLOP/s",
                   "--bandwidth-mbit-s", "5", "--limit", "agreement=2", "--codec", "int8", code=2)

    def test_what_the_server_does_not_answer_the_device_does(self):
        # Setting up takes seven inferences a cut.
        for fault in ("drop", "busy", "refuse", "malformed", "no-output", "hang"):
            with self.subTest(fault=fault):
                self.fault(fault + "@12")
                found = self.run_split("--cut", "input", "--requests", 20, "--interval-ms", 100,
                                       "--deadline-ms", 60000 if fault != "hang" else 8000)
                self.assertEqual(found["failed"], 0)
                self.assertGreater(found["answered_by_device"] + found["resumed_on_device"], 0)
                self.assertEqual(found["answered_by_server"] + found["answered_by_device"]
                                 + found["resumed_on_device"], 20)
                self.assertTrue(found["failures"])
                self.fault("")

    def test_without_fallback_it_fails_clearly(self):
        self.fault("hang@12")
        found = self.run_split("--cut", "input", "--no-fallback", "--requests", 8,
                               "--deadline-ms", 1000, code=1)
        self.assertFalse(found["passed"])
        self.assertGreater(found["failed"], 0)
        self.assertIn("deadline", " ".join(found["failures"]))
        self.fault("")

    def test_another_version_of_the_model_is_refused(self):
        ran = edgewright("split", "run", f"{ROOT}/examples/models/resnet20.onnx", "--server",
                         self.server.url, "--cut", "conv_that_is_not_there", code=2)
        self.assertIn("conv_that_is_not_there", ran.stderr)
        other = self.work / "other"
        other.mkdir(exist_ok=True)
        changed = other / "resnet20.onnx"
        edgewright("convert", MODEL, "-o", changed)
        ran = edgewright("split", "run", changed, "--server", self.server.url, code=4)
        self.assertIn("split plan", ran.stderr)

    def test_a_server_that_is_not_there(self):
        ran = edgewright("split", "run", MODEL, "--server", "http://127.0.0.1:1", code=1)
        self.assertIn("127.0.0.1:1", ran.stderr)
        edgewright("split", "run", MODEL, "--server", "nonsense", code=2)

    def test_the_link_is_measured(self):
        link = Background(EMULATOR, self.server.port, "up-mbit-s=20", "down-mbit-s=40",
                          "delay-ms=10")
        self.addCleanup(link.stop)
        file = self.work / "measured.toml"
        ran = edgewright("link", "probe", link.url, "--repeats", 5, "-o", file, "--json", "-")
        found = json.loads(ran.stdout[ran.stdout.index("{"):])
        for key in ("uplink_mbit_s", "downlink_mbit_s", "round_trip_ms"):
            self.assertLessEqual(found[key]["low"], found[key]["value"])
            # On a busy machine even "no limit" may be within the interval.
            if found[key]["high"] is not None:
                self.assertLessEqual(found[key]["value"], found[key]["high"])
        # The link cannot be quicker than it is.
        self.assertGreaterEqual(found["round_trip_ms"]["value"], 20)
        shown = edgewright("link", "show", file, "--json", "-").stdout
        self.assertIn("link probe", shown)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
