"""`deploy`: one bundle, the same each time, checked, resumed and refused where it misses.

usage: deploy_test.py PROGRAM PROJECT_ROOT
"""

import filecmp
import json
import pathlib
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
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name)

    def words(self, bundle, *more):
        return [PROGRAM, "deploy", str(MODEL), "--device", "sdm845", "--server", "50TFLOP/s",
                "--link", "4g", "--shape", "input=1x3x32x32", "-o", str(bundle), *more]

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
        first, second = self.path / "a", self.path / "b"
        document = self.deploy(first, "--goal", "latency-ms=20")
        self.assertEqual([g["passed"] for g in document["goals"]], [True])
        self.deploy(second, "--goal", "latency-ms=20")
        self.assert_same(first, second)
        again = self.deploy(first, "--goal", "latency-ms=20")
        self.assertTrue(all(stage["reused"] for stage in again["stages"]))
        self.assert_same(first, second)
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
        document = self.deploy(self.path / "a", "--goal", "latency-ms=0.01", code=1)
        self.assertIn("latency-ms", document["binding_constraint"])

    def test_a_changed_file_is_noticed_and_made_again(self):
        bundle = self.path / "a"
        self.deploy(bundle)
        model = bundle / "models" / "model.onnx"
        content = model.read_bytes()
        model.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        code, text = self.check(bundle)
        self.assertEqual(code, 1)
        self.assertIn("models/model.onnx", text)
        self.deploy(bundle)
        self.assertEqual(model.read_bytes(), content)

    def test_killed_and_run_again(self):
        whole, broken = self.path / "a", self.path / "b"
        self.deploy(whole)
        for delay_s in (0.02, 0.1, 0.3, 0.6):
            process = subprocess.Popen(self.words(broken), stdout=subprocess.DEVNULL)
            time.sleep(delay_s)
            process.send_signal(signal.SIGKILL)
            process.wait()
        self.deploy(broken)
        leftovers = {f for f in files_of(broken) if f not in files_of(whole)}
        for file in leftovers:  # temporary files of the killed runs
            (broken / file).unlink()
        self.assert_same(whole, broken)

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
