#!/usr/bin/env python3
"""What `split run` does beside cutting, against real servers: activations as bytes of our own,
sealed or made noisy; a policy that chooses by what it learns; pipelines; and a site between device
and cloud.

usage: ways_test.py EDGEWRIGHT ROOT LINK_EMULATOR
"""

import array
import json
import pathlib
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "serve"))
import server as serving

PROGRAM, ROOT, EMULATOR = sys.argv[1:4]
MODEL = f"{ROOT}/examples/models/resnet20.onnx"
SAMPLES = 16
CODECS = ("sparse+int8+zstd", "delta+fp16+lz4", "pca+zstd", "fp32+zstd")


def edgewright(*arguments, code=0):
    ran = subprocess.run([PROGRAM, *map(str, arguments)], check=False, capture_output=True,
                         text=True, timeout=300)
    assert ran.returncode == code, f"exit code {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
    return ran


def document(*arguments, code=0):
    ran = edgewright(*arguments, "--json", "-", code=code)
    return json.loads(ran.stdout[ran.stdout.index("{\n"):])


def write_samples(folder):
    """Frames that change little, one after the other."""
    folder.mkdir()
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({SAMPLES}, 3, 32, 32), }}"
    header += " " * (63 - (len(header) + 10) % 64) + "\n"
    values = array.array("f", [(i % 3072 * 37 % 101 - 50) / 50 + (i // 3072) * (i % 7) / 500
                               for i in range(SAMPLES * 3072)])
    (folder / "input.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little")
                                       + header.encode() + values.tobytes())
    return folder


class Link:
    def __init__(self, port, *settings):
        self.process = subprocess.Popen([EMULATOR, str(port), *settings], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline().split()[1])}"

    def stop(self):
        self.process.stdin.close()
        self.process.wait(timeout=10)
        self.process.stdout.close()


class Tap:
    """Passes connections on to a port and keeps what the client sends."""

    def __init__(self, port):
        self.port, self.seen, self.lock = port, bytearray(), threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            peer = socket.create_connection(("127.0.0.1", self.port))
            for source, target, keep in ((client, peer, True), (peer, client, False)):
                threading.Thread(target=self.copy, args=(source, target, keep),
                                 daemon=True).start()

    def copy(self, source, target, keep):
        try:
            while data := source.recv(65536):
                if keep:
                    with self.lock:
                        self.seen += data
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            source.close()
            target.close()


class WaysTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.work = pathlib.Path(folder.name)
        cls.data = write_samples(cls.work / "data")
        chosen = [word for codec in CODECS for word in ("--codec", codec)]
        cls.plan = document("split", "plan", MODEL, "--device", "1GFLOP/s", "--server",
                            "100GFLOP/s", "--bandwidth-mbit-s", "5", "--data", cls.data, *chosen,
                            "--limit", "agreement=0", "-o", cls.work / "halves")
        cls.repository = cls.work / "halves" / "repository"
        cls.key = cls.repository / "seal.key"
        cls.key.write_text(secrets.token_hex(32) + "\n")
        cls.server = serving.Server(PROGRAM, cls.repository)
        cls.addClassCleanup(cls.server.end)
        cls.url = f"http://127.0.0.1:{cls.server.http_port}"
        free = cls.run_split(cls.url, requests=1)
        cls.middle = next(row["cut"] for row in free["cuts"]
                          if row["cut"] not in ("input", "output"))
        alone = cls.run_split(cls.url, "--cut", "output", "-o", cls.work / "alone")
        cls.expected = cls.answer(alone)

    @classmethod
    def run_split(cls, url, *arguments, requests=SAMPLES, code=0):
        return document("split", "run", MODEL, "--server", url, "--data", cls.data,
                        "--deadline-ms", 60000, "--requests", requests, *arguments, code=code)

    def run_while_it_dies(self, url, victim, *arguments):
        """The server is killed a little after the first request."""
        words = [PROGRAM, "split", "run", MODEL, "--server", url, "--data", self.data,
                 "--deadline-ms", 60000, "--requests", 60, "--interval-ms", 40, "--json", "-",
                 *arguments]
        with subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True) as ran:
            for line in ran.stderr:
                if line.strip() == "ready":
                    break
            time.sleep(0.8)
            victim.process.send_signal(signal.SIGKILL)
            victim.process.wait()
            victim.errors.close()
            text, _ = ran.communicate()
        self.assertEqual(ran.returncode, 0)
        return json.loads(text[text.index("{\n"):])

    @staticmethod
    def answer(report):
        return array.array("f", pathlib.Path(report["outputs"][0]["file"]).read_bytes()[-40:])

    def error(self, report):
        """Of the last answer, relative."""
        norm = sum(value * value for value in self.expected) ** 0.5
        return sum((a - b) ** 2 for a, b in zip(self.answer(report), self.expected)) ** 0.5 / norm

    def test_the_plan_measures_what_codes_leave(self):
        rows = {row["codec"]: row for row in self.plan["codecs"]}
        self.assertEqual(list(rows), ["none", *CODECS])
        self.assertLess(rows["delta+fp16+lz4"]["relative_l2"], 1e-3)
        for codec in CODECS:
            self.assertGreater(rows[codec]["samples"], 0)

    def test_codes_travel_to_our_server(self):
        for codec in CODECS:
            with self.subTest(codec=codec):
                link = Link(self.server.http_port, "up-mbit-s=2", "down-mbit-s=20")
                self.addCleanup(link.stop)
                found = self.run_split(link.url, "--cut", self.middle, "--codec", codec, "--choose",
                                       "floor=0", "-o", self.work / codec)
                self.assertEqual((found["codec"], found["answered_by_server"]), (codec, SAMPLES))
                rows = {row["codec"]: row for row in found["cuts"]
                        if row["cut"] == self.middle}
                self.assertTrue(rows[codec]["server_model"].endswith("-coded"))
                self.assertLess(rows[codec]["sent_bytes"], rows["none"]["sent_bytes"])
                self.assertLess(self.error(found), 1e-6 if codec == "fp32+zstd" else 0.2)

    def test_differences_survive_a_server_that_forgot(self):
        # What was acknowledged by a server that has ended is nothing to be the difference to.
        (self.work / "other").mkdir()
        (self.work / "other" / "repository").symlink_to(self.repository)
        other = serving.Server(PROGRAM, self.work / "other" / "repository")
        found = self.run_while_it_dies(f"http://127.0.0.1:{other.http_port}", other, "--cut",
                                       self.middle, "--codec", "delta+fp16+lz4", "--choose",
                                       "floor=0")
        self.assertEqual(found["failed"] + found["late"], 0)
        self.assertGreater(found["answered_by_server"], 0)

    def test_sealed_activations_are_read_by_the_server_alone(self):
        def seen_with(*privacy):
            tap = Tap(self.server.http_port)
            found = self.run_split(tap.url, "--cut", self.middle, "--codec", "fp32", *privacy, "-o",
                                   self.work / "sealed")
            self.assertEqual(found["answered_by_server"], SAMPLES)
            self.assertLess(self.error(found), 1e-6)
            tap.listener.close()
            return bytes(tap.seen)

        # "fp32" alone is no code: with a seal it is the one that leaves everything as it is.
        sealed = ("--privacy", f"key={self.key}", "--privacy", "seal=all")
        self.assertGreaterEqual(seen_with(*sealed).count(b"EWSL"), SAMPLES)
        self.assertEqual(seen_with(*sealed).count(b"EWAC"), 0)
        self.assertEqual(seen_with().count(b"EWSL"), 0)

    def test_a_seal_needs_the_servers_key(self):
        other = self.work / "other.key"
        other.write_text(secrets.token_hex(32))
        edgewright("split", "run", MODEL, "--server", self.url, "--data", self.data, "--cut",
                   self.middle, "--privacy", f"key={other}", "--privacy", "seal=all", code=1)
        edgewright("split", "run", MODEL, "--server", self.url, "--privacy", f"key={other}",
                   code=2)
        other.write_text("no key")
        edgewright("split", "run", MODEL, "--server", self.url, "--privacy", f"key={other}",
                   "--privacy", "seal=all", code=3)

    def test_noise_stops_when_the_budget_is_spent(self):
        budget = self.work / "budget.json"
        noise = ("--cut", self.middle, "--privacy", "epsilon=8", "--privacy", f"budget={budget}")
        edgewright("split", "run", MODEL, "--server", self.url, *noise, code=2)
        found = self.run_split(self.url, *noise, "--privacy", "total=20")
        privacy = found["privacy"]
        self.assertTrue(found["passed"])
        self.assertGreater(privacy["releases"], 1)
        self.assertLess(privacy["releases"], SAMPLES)
        self.assertEqual(found["answered_by_server"], privacy["releases"])
        self.assertLessEqual(privacy["spent_epsilon"], 20)
        self.assertEqual([event["what"] for event in found["events"]], ["budget"])
        self.assertGreater(found["cuts"][0]["relative_l2"], 0.1)
        # It is remembered, and without the device nothing answers any more.
        again = self.run_split(self.url, *noise)
        self.assertEqual((again["privacy"]["releases"], again["answered_by_server"]), (0, 0))
        self.assertEqual(again["privacy"]["spent_epsilon"], privacy["spent_epsilon"])
        found = self.run_split(self.url, *noise, "--no-fallback", code=1)
        self.assertIn("budget", " ".join(found["failures"]))

    def test_a_policy_learns_where_to_run(self):
        state = self.work / "state.json"
        # The device's time is dear: what a quick link can take goes to the server.
        weights = ("--choose", "per-device-ms=20", "--choose", f"state={state}", "--in-flight", 1)

        def share_here(*settings):
            link = Link(self.server.http_port, *settings)
            found = self.run_split(link.url, *weights, requests=60)
            link.stop()
            self.assertEqual(found["failed"], 0)
            self.assertGreater(found["mean_cost"], 0)
            rows = {row["cut"]: row["requests"] for row in found["cuts"]}
            return rows["output"] / 60

        self.assertLess(share_here("up-mbit-s=500", "down-mbit-s=500"), 0.5)
        learned = json.loads(state.read_text())
        self.assertEqual(learned["policy"], "lin-ucb")
        observed = sum(model["observations"] for model in learned["models"])
        # A link on which even the smallest activation takes longer than the device's time is worth.
        self.assertGreater(share_here("up-mbit-s=0.5", "down-mbit-s=1"), 0.5)
        after = sum(model["observations"] for model in json.loads(state.read_text())["models"])
        self.assertGreaterEqual(after, observed)
        state.write_text("{}")
        edgewright("split", "run", MODEL, "--server", self.url, "--choose", f"state={state}",
                   code=3)

    def test_other_policies_and_misuse(self):
        for policy in ("tabular", "dqn"):
            found = self.run_split(self.url, "--choose", f"by={policy}", requests=30)
            self.assertEqual(found["failed"], 0)
            self.assertGreater(found["mean_cost"], 0)
        for setting in ("by=guess", "speed=3", "per-energy-mj=much", "per-energy-mj=-1"):
            edgewright("split", "run", MODEL, "--server", self.url, "--choose", setting, code=2)
        edgewright("split", "run", MODEL, "--server", self.url, "--choose", "by=lin-ucb", "--cut",
                   "input", code=2)

    def test_a_pipeline_is_as_quick_as_its_slowest_step(self):
        link = Link(self.server.http_port, "up-mbit-s=200", "down-mbit-s=200", "delay-ms=20")
        self.addCleanup(link.stop)
        one = self.run_split(link.url, "--cut", self.middle, "--in-flight", 1, requests=30)
        # One by one each waits for a round trip.
        self.assertLess(one["throughput_per_s"], 1000 / 40)
        many = self.run_split(link.url, "--cut", self.middle, "--choose", "by=throughput",
                              requests=200)
        self.assertGreater(many["throughput_per_s"], 2 * one["throughput_per_s"])
        free = self.run_split(link.url, "--choose", "by=throughput", requests=50)
        best = max(free["cuts"], key=lambda row: row["planned_per_s"])
        first = free["events"][0]["from"] if free["events"] else free["cut"]
        taken = next(row for row in free["cuts"] if row["cut"] == first)
        self.assertGreaterEqual(taken["planned_per_s"], 0.8 * best["planned_per_s"])

    def test_a_site_between_device_and_cloud(self):
        # At 100 Mbit/s the cuts lie between blocks; at 50 inside of one, and what goes around it
        # passes through the site.
        for rate in (100, 50):
            with self.subTest(rate=rate):
                self.run_tiers(rate, self.work / f"tiers{rate}")

    def run_tiers(self, rate, tiers):
        words = ("split", "plan", MODEL, "--objective", "throughput", "--device", "10GFLOP/s",
                 "--tier", "30GFLOP/s@ethernet-1g", "--bandwidth-mbit-s", rate, "-o", tiers)
        planned = document(*words, "--server", "40GFLOP/s")
        self.assertTrue(all(time > 0 for time in planned["best"]["tier_us"]), planned["best"])
        # The cloud's address is known when it runs; the plan does not depend on it.
        cloud = serving.Server(PROGRAM, tiers / "tier2")
        address = f"http://127.0.0.1:{cloud.http_port}"
        document(*words, "--server", f"40GFLOP/s@{address}")
        relay = json.loads(next((tiers / "tier1").glob("*/1/relay.json")).read_text())
        self.assertEqual(relay["server"], address)
        (tiers / "site").mkdir()
        (tiers / "site" / "repository").symlink_to(tiers / "tier1")
        site = serving.Server(PROGRAM, tiers / "site" / "repository")
        url = f"http://127.0.0.1:{site.http_port}"
        found = self.run_split(url, "--cut", planned["cut"], "-o", tiers / "outputs")
        self.assertEqual(found["answered_by_server"], SAMPLES)
        self.assertLess(self.error(found), 1e-4)
        asked = cloud.ask("GET", "/v2/models/stats")[1]["model_stats"]
        self.assertGreaterEqual(sum(row["inference_count"] for row in asked), SAMPLES)
        # When the cloud ends in the middle the site says so, and the device does the rest.
        found = self.run_while_it_dies(url, cloud, "--cut", planned["cut"])
        self.assertEqual(found["failed"] + found["late"], 0)
        self.assertGreater(found["answered_by_server"], 0)
        self.assertGreater(found["resumed_on_device"] + found["answered_by_device"], 0)
        self.assertIn("next server", " ".join(found["failures"]))
        site.end()


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[4:], verbosity=2)
