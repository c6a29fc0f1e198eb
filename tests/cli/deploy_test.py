"""`deploy`: one bundle, the same each time, checked, resumed and refused where it misses.

usage: deploy_test.py PROGRAM PROJECT_ROOT
"""

import filecmp
import json
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM, ROOT = str(pathlib.Path(sys.argv[1]).resolve()), pathlib.Path(sys.argv[2]).resolve()
MODEL = ROOT / "examples" / "models" / "resnet20.onnx"
MEASURED = {"measurements.json", "report.html"}


def files_of(folder):
    return {p.relative_to(folder) for p in folder.rglob("*") if p.is_file()}


class Deploy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # One whole bundle, which most tests begin with; what it took is what the kills are spread
        # over.
        cls.shared = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.shared.cleanup)
        cls.whole = pathlib.Path(cls.shared.name) / "a"
        start = time.monotonic()
        done = subprocess.run(cls.words(cls.whole), capture_output=True, text=True, check=False)
        cls.took_s = time.monotonic() - start
        if done.returncode != 0:
            raise RuntimeError(done.stdout + done.stderr)

    def copied(self, name):
        return pathlib.Path(shutil.copytree(self.whole, self.path / name))

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name)

    @staticmethod
    def words(bundle, *more):
        return [PROGRAM, "deploy", str(MODEL), "--device", "sdm845", "--server", "50TFLOP/s",
                "--link", "4g", "--shape", "input=1x3x32x32", "-o", str(bundle), *more,
                *([] if "--goal" in more else ["--goal", "latency-ms=20"])]

    def deploy(self, bundle, *more, code=0):
        done = subprocess.run([*self.words(bundle, *more), "--json", "-"], capture_output=True,
                              text=True, check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return json.loads(done.stdout) if done.stdout else done.stderr

    def check(self, bundle):
        done = subprocess.run([PROGRAM, "deploy", "--check", str(bundle)], capture_output=True,
                              text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def assert_same(self, a, b):
        self.assertEqual(files_of(a), files_of(b))
        for file in files_of(a):
            if file.name not in MEASURED:
                self.assertTrue(filecmp.cmp(a / file, b / file, shallow=False), file)

    def test_the_bundle_is_the_same_each_time_and_checks(self):
        first = self.path / "a"
        document = self.deploy(first)
        self.assertEqual([g["passed"] for g in document["goals"]], [True])
        self.assertFalse(any(stage["reused"] for stage in document["stages"]))
        self.assert_same(self.whole, first)
        again = self.deploy(first)
        self.assertTrue(all(stage["reused"] for stage in again["stages"]))
        self.assert_same(self.whole, first)
        self.assertEqual(self.check(first)[0], 0)
        repository = self.path / "repository"
        done = subprocess.run([PROGRAM, "deploy", "--check", str(first), "--repository",
                               str(repository)], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(sorted(map(str, files_of(repository))),
                         ["a.yaml", "a/1/model.onnx", "a/config.pbtxt"])
        config = (repository / "a" / "config.pbtxt").read_text()
        self.assertIn('name: "logits" data_type: TYPE_FP32 dims: [ 1, 10 ]', config)

    def test_a_missed_goal_is_named(self):
        document = self.deploy(self.copied("a"), "--goal", "latency-ms=0.01", code=1)
        self.assertIn("latency-ms", document["binding_constraint"])

    def test_a_changed_file_is_noticed_and_made_again(self):
        bundle = self.copied("a")
        model = bundle / "models" / "model.onnx"
        content = model.read_bytes()
        model.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        code, text = self.check(bundle)
        self.assertEqual(code, 1)
        self.assertIn("models/model.onnx", text)
        self.deploy(bundle)
        self.assertEqual(model.read_bytes(), content)

    def test_what_a_killed_run_left_is_not_taken_for_its_result(self):
        bundle = self.copied("a")
        (bundle / "manifest.json").unlink()
        shutil.rmtree(bundle / "stages")
        left = bundle / "models" / "tflite" / "model.unverified.tflite.EvnOuo"
        left.write_bytes(b"half a model")
        self.deploy(bundle)
        self.assert_same(self.whole, bundle)

    def test_killed_at_random_moments_and_run_again(self):
        whole, broken = self.whole, self.path / "a"
        moments = random.Random(20)
        killed = 0
        for _ in range(20):
            process = subprocess.Popen(self.words(broken), stdout=subprocess.DEVNULL)
            try:
                process.wait(moments.uniform(0, self.took_s))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                killed += 1
            process.wait()
            # A kill late in a run leaves a whole bundle: begin anew then.
            if (broken / "manifest.json").exists():
                self.deploy(broken)
                self.assert_same(whole, broken)
                shutil.rmtree(broken)
        self.assertGreater(killed, 0)
        self.deploy(broken)
        self.assert_same(whole, broken)

    def test_leftovers_go_and_files_of_others_stay(self):
        bundle = self.copied("a")
        self.deploy(bundle, "--to", "ncnn")
        self.assertTrue((bundle / "models" / "ncnn" / "model.param").exists())
        torn = bundle / "models" / "model.onnx.Ab3dE6"
        unverified = bundle / "models" / "model.ewplan.unverified.ewplan"
        for file in (torn, unverified, bundle / "models" / "notes.txt"):
            file.write_text("x")
        self.deploy(bundle, "--to", "tflite")
        self.assertTrue((bundle / "models" / "tflite" / "model.tflite").exists())
        self.assertFalse((bundle / "models" / "ncnn").exists())
        self.assertFalse(torn.exists() or unverified.exists())
        self.assertTrue((bundle / "models" / "notes.txt").exists())

    def test_other_runtimes_follow_the_device(self):
        document = self.deploy(self.copied("a"))
        models = {str(f) for f in files_of(self.whole) if f.parts[0] == "models"}
        self.assertIn("models/tflite/model.tflite", models)
        self.assertIn("models/ncnn/model.param", models)
        chosen = {choice["what"]: choice["chosen"] for choice in document["choices"]}
        self.assertEqual(chosen["other runtimes"], "tflite, ncnn")
        bare = self.copied("b")
        self.deploy(bare, "--to", "none")
        left = {f.parts[1] for f in files_of(bare) if f.parts[0] == "models"}
        self.assertFalse({"tflite", "ncnn"} & left)
        self.deploy(self.path / "c", "--to", "gameboy", code=2)

    def test_a_language_model(self):
        model = ROOT / "examples" / "models" / "novel-7m-int8.ewlm"
        words = [PROGRAM, "deploy", str(model), "--device", "rk3588", "-o"]
        for name in ("a", "b"):
            done = subprocess.run([*words, str(self.path / name)], capture_output=True, text=True,
                                  check=False)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assert_same(self.path / "a", self.path / "b")
        self.assertEqual(self.check(self.path / "a")[0], 0)
        done = subprocess.run([*words, str(self.path / "a"), "--goal", "latency-ms=0.001"],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"latency-ms: 0\.[0-9]+ reached, 0\.001 allowed")
        # A text that the model did not write when it was proved is another model's.
        text = self.path / "b" / "proof" / "text.txt"
        text.write_text("Nothing of this was ever said. " * 20)
        self.assertEqual(self.check(self.path / "b")[0], 1)

    def test_hostile_manifests_are_refused(self):
        bundle = self.path / "a"
        bundle.mkdir()
        self.assertNotEqual(self.check(bundle)[0], 0)
        (bundle / "manifest.json").write_text("{}")
        self.assertEqual(self.check(bundle)[0], 3)
        (bundle / "manifest.json").write_text(json.dumps({
            "schema": "edgewright.bundle/1", "main_model": "../../etc/passwd", "files": []}))
        self.assertEqual(self.check(bundle)[0], 3)

    def test_wrong_usage(self):
        self.deploy(self.path / "a", "--goal", "speed=3", code=2)
        for words in (["deploy"], ["deploy", str(MODEL), "--device", "nothing", "-o", "x"]):
            done = subprocess.run([PROGRAM, *words], capture_output=True, cwd=self.path,
                                  check=False)
            self.assertEqual(done.returncode, 2)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
