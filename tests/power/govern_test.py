"""`power govern` on a fake tree of sys and proc, with a real process and real signals.

usage: govern_test.py PROGRAM
"""

import json
import os
import pathlib
import signal
import socket as socketlib
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = sys.argv[1]
MODEL = pathlib.Path(__file__).parents[2] / "examples/models/novel-7m-int8.ewlm"
POLICIES = {
    0: ("0 1 2 3", 300000, 1804800),
    4: ("4 5 6", 710400, 2419200),
    7: ("7", 844800, 2841600),
}


class Govern(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for first, (cpus, low, high) in POLICIES.items():
            policy = f"sys/devices/system/cpu/cpufreq/policy{first}"
            self.put(f"{policy}/related_cpus", cpus)
            for name, value in (("cpuinfo_min_freq", low), ("cpuinfo_max_freq", high),
                                ("scaling_min_freq", low), ("scaling_max_freq", high)):
                self.put(f"{policy}/{name}", value)
        self.put("sys/class/thermal/thermal_zone0/type", "cpu-0-0")
        self.put("sys/class/thermal/thermal_zone0/temp", 45000)
        self.put("sys/class/powercap/intel-rapl:0/energy_uj", 1000)
        self.put("sys/class/powercap/intel-rapl:0/max_energy_range_uj", 262143328850)
        self.before = self.limits()

    def put(self, path, value):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{value}\n")

    def limits(self):
        files = sorted(self.root.glob("sys/devices/system/cpu/cpufreq/*/scaling_*_freq"))
        return {file: file.read_text().strip() for file in files}

    def wait_until(self, condition, what):
        for _ in range(600):
            if condition():
                return
            time.sleep(0.05)
        self.fail(f"waited 30 s for {what}")

    def start(self, *words):
        process = subprocess.Popen(
            [PROGRAM, "power", "govern", "--device", "sm8250", "--root", self.root,
             "--period-ms", "20", "--json", "-", *map(str, words)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def test_holds_and_restores_at_the_end(self):
        process = self.start("--seconds", 1)
        self.wait_until(lambda: self.limits() != self.before, "the set-point")
        report = json.loads(process.communicate(timeout=60)[0])
        self.assertEqual(process.returncode, 0)
        self.assertTrue(report["reached"] and report["restored"], report)
        self.assertEqual(self.limits(), self.before)
        self.assertIn("energy counter", report["meter"])

    def test_restores_after_a_signal(self):
        process = self.start()
        self.wait_until(lambda: self.limits() != self.before, "the set-point")
        process.send_signal(signal.SIGTERM)
        self.assertTrue(json.loads(process.communicate(timeout=60)[0])["restored"])
        self.assertEqual(self.limits(), self.before)

    def test_restores_after_sigkill(self):
        process = self.start()
        self.wait_until(lambda: self.limits() != self.before, "the set-point")
        process.kill()
        process.wait(timeout=60)
        self.wait_until(lambda: self.limits() == self.before, "the helper to restore")

    def test_writes_through_a_helper_at_a_socket(self):
        socket = self.root / "helper"
        helper = subprocess.Popen([PROGRAM, "power", "govern", "--serve-helper", socket, "--root",
                                   self.root])
        self.addCleanup(helper.wait)
        self.addCleanup(helper.kill)
        self.wait_until(socket.exists, "the helper's socket")
        self.assertEqual(os.stat(socket).st_mode & 0o777, 0o600)
        process = self.start("--helper", socket)
        self.wait_until(lambda: self.limits() != self.before, "the set-point")
        process.kill()
        process.wait(timeout=60)
        self.wait_until(lambda: self.limits() == self.before, "the helper to restore")

    def test_chooses_the_cores_of_a_process(self):
        child = subprocess.Popen(["sleep", "60"])
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        before = os.sched_getaffinity(child.pid)
        process = self.start("--pid", child.pid, "--seconds", 1)
        report = json.loads(process.communicate(timeout=60)[0])
        self.assertEqual(process.returncode, 0, report)
        self.assertEqual(os.sched_getaffinity(child.pid), before)

    def serve_helper(self, *words):
        socket = self.root / "helper"
        helper = subprocess.Popen([PROGRAM, "power", "govern", "--serve-helper", socket, "--root",
                                   self.root, *words])
        self.addCleanup(helper.wait)
        self.addCleanup(helper.kill)
        self.wait_until(socket.exists, "the helper's socket")
        client = socketlib.socket(socketlib.AF_UNIX)
        self.addCleanup(client.close)
        client.connect(str(socket))
        lines = client.makefile("rw")

        def ask(line):
            lines.write(line + "\n")
            lines.flush()
            return lines.readline().split()[0]

        def end():
            # As the kernel does with a client that is killed.
            lines.close()
            client.close()

        return ask, end

    def test_gives_a_processs_cores_back_when_its_client_is_gone(self):
        before = os.sched_getaffinity(0)
        if len(before) < 2:
            self.skipTest("needs two cores to choose from")
        child = subprocess.Popen(["sleep", "60"])
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        ask, end = self.serve_helper()
        self.assertEqual(ask(f"affinity {child.pid} {min(before)}"), "ok")
        self.assertEqual(os.sched_getaffinity(child.pid), {min(before)})
        end()
        self.wait_until(lambda: os.sched_getaffinity(child.pid) == before,
                        "the helper to give the cores back")

    def test_a_helper_keeps_to_the_device_file(self):
        for policy in self.root.glob("sys/devices/system/cpu/cpufreq/policy*"):
            (policy / "cpuinfo_max_freq").write_text("9000000\n")
        ask, _ = self.serve_helper("--device", "sm8250")
        file = "sys/devices/system/cpu/cpufreq/policy4/scaling_max_freq"
        self.assertEqual(ask(f"set {file} 8000000"), "error")
        self.assertEqual(ask(f"set {file} 2419200"), "ok")
        self.assertEqual(ask("affinity 1 0-x"), "error")
        self.assertEqual(ask(f"clamps {os.getpid()} 900 100"), "error")
        self.assertEqual(ask("cpus sys/fs/cgroup/x/cpuset.cpus 0"), "error")
        self.assertEqual(ask("restore"), "ok")

    def test_follows_the_engines_hints(self):
        hint = self.root / "hint"
        hint.write_text("prefill 512\n")
        # From where the test runs, as users give it.
        process = self.start("--hint-file", os.path.relpath(hint))
        self.wait_until(lambda: self.limits() != self.before, "the set-point")
        time.sleep(0.2)
        prefill = self.limits()
        hint.write_text("idle\n")
        self.wait_until(lambda: self.limits() != prefill, "the idle set-point")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        self.assertEqual(self.limits(), self.before)

    def test_advises_the_engine_and_takes_it_back(self):
        advice = self.root / "advice"
        process = self.start("--advice-file", advice, "--seconds", 0.5)
        self.wait_until(lambda: advice.exists() and advice.read_text(), "the advice")
        said = advice.read_text().strip()
        report = json.loads(process.communicate(timeout=60)[0])
        self.assertRegex(said, r"^batch \d+ duty [01]\.\d+ threads [1-8] beside \d+ "
                               r"stages (none|[\d,]+(/[\d,]+)+)$")
        self.assertEqual(report["advice"], "batch 0 duty 1.000 threads 0")
        self.assertEqual(advice.read_text(), "batch 0 duty 1.000 threads 0\n")

    def test_an_engine_says_its_phase_and_measures_what_it_costs(self):
        hint, advice = self.root / "hint", self.root / "advice"
        advice.write_text("batch 1 duty 0.5\n")
        environment = dict(os.environ, EDGEWRIGHT_PHASE_FILE=str(hint),
                           EDGEWRIGHT_ADVICE_FILE=str(advice), EDGEWRIGHT_POWER_ROOT=str(self.root))
        command = [PROGRAM, "generate", MODEL, "--prompt", "It was", "--max-tokens", "64", "--json",
                   "-"]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        said = set()
        while process.poll() is None:
            if hint.exists() and (words := hint.read_text().split()):
                said.add(words[0])
        report = json.loads(process.stdout.read())
        self.assertEqual(process.returncode, 0)
        self.assertTrue(said <= {"idle", "prefill", "decode"}, said)
        self.assertIn("decode", said)
        self.assertEqual(hint.read_text().split(), ["idle"])
        self.assertTrue(report["energy"]["measured"], report["energy"])
        self.assertIn("samples/s", report["energy"]["method"])
        self.assertEqual(report["energy"]["hottest_c"], 45)
        self.assertIn("energy_mj_per_token", report)

    def test_says_what_a_bare_machine_lacks(self):
        empty = self.root / "empty"
        empty.mkdir()
        done = subprocess.run(
            [PROGRAM, "power", "govern", "--device", "sm8250", "--root", empty, "--seconds", "0.1",
             "--period-ms", "20", "--json", "-"], capture_output=True, text=True, check=False)
        report = json.loads(done.stdout)
        self.assertEqual(done.returncode, 0)
        text = " ".join(report["warnings"])
        for part in ("no cpufreq", "no thermal zones", "no energy counter"):
            self.assertIn(part, text)
        self.assertFalse(report["reached"])
        self.assertGreaterEqual(report["held_s"], 0.1)
        for measured in ("hottest_c", "energy_j", "mean_power_w"):
            self.assertIsNone(report[measured], measured)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
