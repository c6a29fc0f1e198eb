"""Runs the commands that reckon, and compares with a reckoning of its own.

usage: estimates_test.py PROGRAM
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

PROGRAM = sys.argv[1]


def run(*words, code=0):
    command = [PROGRAM, *map(str, words), "--json", "-"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, f"{command}\n{done.stdout}{done.stderr}"
    return json.loads(done.stdout) if code in (0, 1) else done.stderr


class Estimates(unittest.TestCase):
    def test_transformer_over_100_mbit_s(self):
        layers, width, tokens, ffn = 20, 768, 197, 3072
        block = 4 * tokens * width**2 + 2 * tokens**2 * width + 2 * tokens * width * ffn
        total = layers * block + (tokens - 1) * 768 * width + width * 1000
        shape = f"transformer:layers={layers},width={width},tokens={tokens}"
        speeds = ["--device", "0.5TFLOP/s", "--server", "50TFLOP/s"]
        link = ["--bandwidth-mbit-s", 100, "--latency-ms", 20]
        report = run("split", "plan", shape, *speeds, *link, "--input-as", "raw")
        device_ms = 2 * total / 0.5e9
        sent_ms = (224 * 224 * 3) * 8 / 100e3
        expected_ms = sent_ms + 20 + 4 * 1000 * 8 / 100e3 + device_ms / 100
        self.assertEqual(report["cut"], "input")
        self.assertAlmostEqual(report["latency_us"] / 1e3, expected_ms, places=4)
        self.assertAlmostEqual(report["all_on_device"]["latency_us"] / 1e3, device_ms, places=4)
        # The break-even: what the server saves pays for the bytes.
        saved_ms = device_ms * 0.99 - 20
        crossing = (224 * 224 * 3 + 4000) * 8 / (saved_ms * 1e3)
        first = report["crossings"][0]
        self.assertEqual((first["from"], first["to"]), ("output", "input"))
        # Results come back at the link's own 100 Mbit/s whatever the swept rate.
        crossing = (224 * 224 * 3) * 8 / ((saved_ms - 4000 * 8 / 100e3) * 1e3)
        self.assertAlmostEqual(first["bandwidth_mbit_s"], crossing, places=4)
        self.assertGreater(len(report["assumptions"]), 3)

    def test_megabyte_over_5g(self):
        report = run("link", "show", "5g", "--bytes", 1000000)
        rate = 250 * 0.85 * 0.6 * 0.6
        wait = 0.4 / 0.6 * 1500 * 8e-3 / rate
        expected = 1e6 * 8e-3 / rate + 100 / 200 + 4 + 3 + wait
        self.assertAlmostEqual(report["uplink_mbit_s"], rate, places=9)
        self.assertAlmostEqual(report["send"]["total_ms"], expected, places=6)

    def test_privacy(self):
        self.assertAlmostEqual(run("split", "privacy")["analytic_sigma"], 3.730632, delta=6e-7)
        report = run("split", "privacy", "--sigma", 4, "--releases", 100)
        self.assertAlmostEqual(report["exact_epsilon"], 13.20671, delta=1e-5)
        self.assertAlmostEqual(report["rdp_epsilon"], 14.13055, delta=1e-5)
        self.assertAlmostEqual(report["zcdp_epsilon"], 15.12131, delta=1e-5)
        self.assertIn("epsilon", run("split", "privacy", "--epsilon", -1, code=2))

    def test_speculation(self):
        report = run("split", "speculate", "--latency-ms", 80)
        self.assertEqual(report["length"], 0)
        lengths = [row["best_length"] for row in report["lengths"]]
        self.assertEqual(lengths, sorted(lengths))
        self.assertGreater(run("split", "speculate", "--latency-ms", 0)["speedup"], 1)

    def test_tiers_and_limits(self):
        shape = "transformer:layers=12,width=384,tokens=65"
        words = ["--device", "20GFLOP/s", "--server", "20TFLOP/s", "--link", "5g"]
        report = run("split", "plan", shape, *words, "--tier", "500GFLOP/s@wifi6")
        self.assertEqual(len(report["best"]["tier_us"]), 3)
        self.assertLessEqual(report["latency_us"], report["all_on_device"]["latency_us"])
        self.assertIn("percentiles", report["best"])
        report = run("split", "plan", shape, *words, "--limit", "sent-mb=0")
        self.assertEqual(report["cut"], "output")
        report = run("split", "plan", shape, *words, "--limit", "latency-ms=0.001", code=1)
        self.assertFalse(report["passed"])

    def test_offloading_on_a_trace(self):
        with tempfile.TemporaryDirectory() as folder:
            trace = pathlib.Path(folder) / "even.up"
            trace.write_text("".join(f"{ms}\n" for ms in range(1, 1001)))
            state = pathlib.Path(folder) / "state.json"
            words = ["split", "offload", trace, "--requests", 900, "--state", state]
            report = run(*words)
            self.assertLess(report["policies"][0]["regret_share"], 0.05)
            self.assertTrue(state.exists())
            run(*words)
            state.write_text("{}")
            self.assertIn("lin-ucb", run(*words, code=3))

    def test_wrong_usage(self):
        self.assertIn("--device", run("split", "plan", "transformer:layers=2,width=8,tokens=4",
                                      "--bandwidth-mbit-s", 1, code=2))
        self.assertIn("wifi6", run("link", "show", "7g", code=2))
        self.assertIn("link", run("split", "plan", "--profile", "/nowhere.csv", code=2))
        run("split", "plan", "--profile", "/nowhere.csv", "--bandwidth-mbit-s", 1, code=3)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
