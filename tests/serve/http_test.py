"""The server over HTTP: what it answers, what it refuses, how it ends.

usage: http_test.py PROGRAM PROJECT_ROOT
"""

import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import unittest.mock

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from server import Server, write_adder  # noqa: E402

PROGRAM, ROOT = sys.argv[1:3]
MODELS = pathlib.Path(ROOT) / "examples" / "models"
BATCHED = """max_batch_size: 8
dynamic_batching { max_queue_delay_microseconds: 2000 }
"""


class Http(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.repository = pathlib.Path(cls.folder.name) / "repository"
        write_adder(cls.repository, "adder")
        write_adder(cls.repository, "adder", version=2, bias=2.0)
        write_adder(cls.repository, "batched", config=BATCHED)
        (cls.repository / "broken" / "1").mkdir(parents=True)
        (cls.repository / "broken" / "1" / "model.onnx").write_bytes(b"no model")
        cls.server = Server(PROGRAM, cls.repository, "--model-control", "--max-body-mb", "1")
        cls.addClassCleanup(cls.end)

    @classmethod
    def end(cls):
        if cls.server.process.poll() is None:
            cls.server.end()

    def ask(self, method, path, document=None, status=200):
        found, content = self.server.ask(method, path, document)
        self.assertEqual(found, status, content)
        return content

    def test_health_and_metadata(self):
        self.ask("GET", "/v2/health/live")
        self.ask("GET", "/v2/health/ready")
        self.assertEqual(self.ask("GET", "/v2")["name"], "edgewright")
        model = self.ask("GET", "/v2/models/batched")
        self.assertEqual(model["inputs"], [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}])
        self.ask("GET", "/v2/models/adder/versions/2/ready")
        self.ask("GET", "/v2/models/adder/versions/3/ready", status=404)
        self.ask("GET", "/v2/models/nothing/ready", status=404)
        self.ask("GET", "/v2/models/broken/ready", status=503)
        config = self.ask("GET", "/v2/models/batched/config")
        self.assertEqual(config["max_batch_size"], 8)
        self.assertEqual(config["input"][0]["dims"], [4])
        index = {
            (row["name"], row["version"]): row for row in self.ask("POST", "/v2/repository/index")
        }
        self.assertEqual(index["adder", "2"]["state"], "READY")
        self.assertEqual(index["broken", ""]["state"], "UNAVAILABLE")

    def test_infers_in_both_forms(self):
        self.assertEqual(self.server.infer("adder", [[1, 2, 3, 4]]), ("2", [[3, 4, 5, 6]]))
        document = {
            "id": "a",
            "inputs": [
                {"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [[0.5, 1, 2, 3]]}
            ],
            "outputs": [{"name": "y"}],
        }
        answer = self.ask("POST", "/v2/models/adder/infer", document)
        self.assertEqual(answer["id"], "a")
        self.assertEqual(answer["outputs"][0]["data"], [2.5, 3, 4, 5])
        document["outputs"][0]["parameters"] = {"classification": 2}
        answer = self.ask("POST", "/v2/models/batched/infer", document)
        self.assertEqual(answer["outputs"][0]["data"], ["4.000000:3", "3.000000:2"])

    def test_refuses_with_a_reason(self):
        good = {"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}
        cases = [
            (dict(good, shape=[1, 3], data=[1, 2, 3]), 400, "shape"),
            (dict(good, datatype="INT32"), 400, "INT32"),
            (dict(good, name="z"), 400, "'z'"),
            (dict(good, parameters={"shared_memory_region": "r"}), 501, "shared memory"),
        ]
        for given, status, reason in cases:
            answer = self.ask("POST", "/v2/models/adder/infer", {"inputs": [given]}, status)
            self.assertIn(reason, answer["error"])
        self.ask("POST", "/v2/models/adder/infer", {"inputs": []}, 400)
        large = dict(good, shape=[9, 4], data=[0] * 36)
        self.assertIn(
            "batch", self.ask("POST", "/v2/models/batched/infer", {"inputs": [large]}, 400)["error"]
        )
        sequence = {"inputs": [good], "parameters": {"sequence_id": 4}}
        self.ask("POST", "/v2/models/adder/infer", sequence, 501)
        self.ask("DELETE", "/v2/models/adder", status=405)
        self.ask("GET", "/nothing", status=404)
        self.ask("POST", "/v2/systemsharedmemory/region/r/register", {}, 501)

    def test_batches_and_counts(self):
        rows = [[float(i), 0, 0, 0] for i in range(64)]
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            made = list(pool.map(lambda row: self.server.infer("batched", [row]), rows))
        self.assertEqual([result[1][0][0] for result in made], [i + 1.0 for i in range(64)])
        statistics = self.ask("GET", "/v2/models/batched/stats")["model_stats"][0]
        self.assertGreaterEqual(statistics["inference_count"], 64)
        self.assertLess(statistics["execution_count"], statistics["inference_count"])
        metrics = self.server.request("GET", "/metrics")[2].decode()
        self.assertIn('edgewright_inference_requests_total{model="batched"', metrics)

    def raw(self, data, wait=15):
        """What the server sends for these bytes before it closes."""
        with socket.create_connection(("127.0.0.1", self.server.http_port), timeout=wait) as peer:
            peer.sendall(data)
            received = b""
            while True:
                try:
                    piece = peer.recv(65536)
                except ConnectionResetError:
                    return received
                if not piece:
                    return received
                received += piece

    def test_survives_what_is_no_good_http(self):
        self.assertIn(b" 400 ", self.raw(b"nonsense\r\n\r\n"))
        self.assertIn(b" 413 ", self.raw(b"GET / HTTP/1.1\r\nA: " + b"x" * 40000 + b"\r\n\r\n"))
        length = b"POST /v2/models/adder/infer HTTP/1.1\r\nHost: h\r\nContent-Length: "
        self.assertIn(b" 413 ", self.raw(length + b"99999999\r\n\r\n"))
        self.assertIn(b" 400 ", self.raw(length + b"-1\r\n\r\n"))
        both = b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"
        self.assertIn(b" 400 ", self.raw(b"POST / HTTP/1.1\r\nHost: h\r\n" + both))
        self.assertIn(b" 501 ", self.raw(length + b"3\r\nContent-Encoding: gzip\r\n\r\nabc"))
        self.ask("GET", "/v2/health/live")

    def test_slow_senders_are_cut_off(self):
        start = time.monotonic()
        self.assertIn(b" 408 ", self.raw(b"GET /v2 HTTP/1.1\r\n", wait=30))
        self.assertLess(time.monotonic() - start, 25)

    def test_chunks_and_pipelines(self):
        body = json.dumps(
            {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}]}
        ).encode()
        chunks = b"".join(
            b"%x\r\n%s\r\n" % (len(body[i : i + 7]), body[i : i + 7])
            for i in range(0, len(body), 7)
        )
        request = (
            b"POST /v2/models/adder/infer HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        last = b"GET /v2/health/live HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        received = self.raw((request + chunks + b"0\r\n\r\n") * 2 + last)
        self.assertEqual(received.count(b"HTTP/1.1 200 OK"), 3)
        self.assertEqual(received.count(b'"data":[3,4,5,6]'), 2)

    def test_loads_and_unloads(self):
        write_adder(self.repository, "late", bias=5.0)
        self.ask("POST", "/v2/repository/models/late/load")
        self.assertEqual(self.server.infer("late", [[0, 0, 0, 0]])[1], [[5, 5, 5, 5]])
        write_adder(self.repository, "late", version=3, bias=7.0)
        self.ask("POST", "/v2/repository/models/late/load", {})
        self.assertEqual(self.server.infer("late", [[0, 0, 0, 0]]), ("3", [[7, 7, 7, 7]]))
        self.ask("POST", "/v2/repository/models/late/unload")
        self.ask("GET", "/v2/models/late/ready", status=503)
        self.ask("POST", "/v2/repository/models/..%2f..%2fetc/load", status=400)
        self.ask("POST", "/v2/repository/models/broken/load", status=400)


class Starts(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)
        self.repository = self.path / "repository"
        write_adder(self.repository, "adder", columns=1)

    def test_wrong_usage_and_bad_repositories(self):
        empty = self.path / "empty"
        empty.mkdir()
        bad = self.path / "bad"
        write_adder(bad, "adder", config="ensemble_scheduling { }")
        for arguments, code in (
            (["serve"], 2),
            (["serve", self.repository, "--http-port", "-1", "--grpc-port", "-1"], 2),
            (["serve", self.repository, "--certificate", "c.pem"], 2),
            (["serve", self.path / "nothing"], 3),
            (["serve", empty], 3),
            (["serve", bad], 3),
        ):
            done = subprocess.run(
                [PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=60
            )
            self.assertEqual(done.returncode, code, f"{arguments}: {done.stderr}")

    def test_tokens_limits_and_control(self):
        tokens = self.path / "tokens"
        tokens.write_text("alice 0123456789abcdef\nbob fedcba9876543210 # of the second floor\n")
        server = Server(PROGRAM, self.repository, "--tokens", str(tokens), "--client-rate", "5")
        try:
            self.assertEqual(server.ask("GET", "/v2/health/ready")[0], 200)
            self.assertEqual(server.ask("GET", "/v2")[0], 401)
            wrong = {"Authorization": "Bearer 0123456789abcdeg"}
            self.assertEqual(server.ask("GET", "/v2", headers=wrong)[0], 401)
            alice = {"Authorization": "Bearer 0123456789abcdef"}
            bob = {"Authorization": "Bearer fedcba9876543210"}
            self.assertEqual(server.ask("GET", "/v2", headers=alice)[0], 200)
            order = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [1]}]}
            statuses = [
                server.ask("POST", "/v2/models/adder/infer", order, alice)[0] for _ in range(30)
            ]
            self.assertEqual(statuses[0], 200)
            self.assertIn(429, statuses)
            self.assertEqual(server.ask("POST", "/v2/models/adder/infer", order, bob)[0], 200)
            status, answer = server.ask("POST", "/v2/repository/models/adder/unload", headers=alice)
            self.assertEqual(status, 403)
            self.assertIn("--model-control", answer["error"])
        finally:
            server.end()

    def test_a_models_timeout_is_a_deadline(self):
        policy = "default_queue_policy { default_timeout_microseconds: 1 %s }"
        config = "max_batch_size: 4\ndynamic_batching { " + policy + " }\n"
        write_adder(self.repository, "hasty", config=config % "")
        write_adder(self.repository, "lenient", config=config % "allow_timeout_override: true")
        described = {"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}
        order = {"inputs": [described]}
        patient = {"inputs": [described], "parameters": {"timeout": 10_000_000}}
        server = Server(PROGRAM, self.repository)
        try:
            for model, asked, expected in (
                ("hasty", order, 504),
                ("hasty", patient, 504),
                ("lenient", order, 504),
                ("lenient", patient, 200),
            ):
                path = f"/v2/models/{model}/infer"
                self.assertEqual(server.ask("POST", path, asked)[0], expected, (model, asked))
        finally:
            server.end()

    def test_idle_and_slow_connections_make_room(self):
        server = Server(PROGRAM, self.repository, "--max-connections", "2")
        try:
            for begun in (b"", b"GET /v2/health/live HT"):
                held = [socket.create_connection(("127.0.0.1", server.http_port)) for _ in range(2)]
                for connection in held:
                    connection.sendall(begun)
                for _ in range(3):
                    self.assertEqual(server.ask("GET", "/v2/health/live")[0], 200)
                for connection in held:
                    connection.close()
        finally:
            server.end()

    def test_clients_who_come_and_go_make_no_new_threads(self):
        server = Server(PROGRAM, self.repository)
        threads = pathlib.Path(f"/proc/{server.process.pid}/task")

        def threads_with_eight_clients():
            peers = [
                http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=60)
                for _ in range(8)
            ]
            for peer in peers:
                peer.request("GET", "/v2/health/live")
                self.assertEqual(json.loads(peer.getresponse().read()), {"live": True})
            seen = {thread.name for thread in threads.iterdir()}
            for peer in peers:
                peer.close()
            return seen

        try:
            before = threads_with_eight_clients()
            time.sleep(0.5)  # until the threads have seen that their clients are gone
            # Eight, if every connection had a new one.
            self.assertLess(len(threads_with_eight_clients() - before), 4)
        finally:
            server.end()

    def test_too_many_busy_connections_are_told_so(self):
        words = self.repository / "words" / "1"
        words.mkdir(parents=True)
        shutil.copy(MODELS / "novel-7m-int8.ewlm", words / "model.ewlm")
        server = Server(PROGRAM, self.repository, "--max-connections", "2")
        order = {"model": "words", "prompt": "The sea", "max_tokens": 400, "temperature": 0}
        done = threading.Event()
        statuses = []

        def keep_busy():
            peer = http.client.HTTPConnection("127.0.0.1", server.http_port, timeout=60)
            with contextlib.closing(peer):
                while not done.is_set():
                    peer.request("POST", "/v1/completions", json.dumps(order))
                    answer = peer.getresponse()
                    answer.read()
                    statuses.append(answer.status)

        busy = [threading.Thread(target=keep_busy) for _ in range(2)]
        for thread in busy:
            thread.start()
        try:
            time.sleep(0.3)
            status, answer = server.ask("GET", "/v2/health/live")
        finally:
            done.set()
            for thread in busy:
                thread.join()
        self.assertEqual(status, 503)
        self.assertIn("connections", answer["error"])
        self.assertEqual(set(statuses), {200})
        self.assertEqual(server.ask("GET", "/v2/health/live")[0], 200)
        server.end()

    def test_ends_gracefully(self):
        words = self.repository / "words" / "1"
        words.mkdir(parents=True)
        shutil.copy(MODELS / "novel-7m-int8.ewlm", words / "model.ewlm")
        server = Server(PROGRAM, self.repository)
        idle = socket.create_connection(("127.0.0.1", server.http_port))
        order = {"model": "words", "prompt": "The sea", "max_tokens": 300, "temperature": 0}
        answers = []
        running = threading.Thread(
            target=lambda: answers.append(server.ask("POST", "/v1/completions", order))
        )
        running.start()
        while (
            server.request("GET", "/metrics")[2].find(
                b'edgewright_inference_waiting{model="words",version="1"} 1'
            )
            < 0
        ):
            if not running.is_alive():
                break
            time.sleep(0.005)
        code, report = server.end()
        running.join()
        self.assertEqual(code, 0, report)
        self.assertTrue(report["passed"])
        self.assertEqual(answers[0][0], 200)
        # An end token may come before the limit.
        self.assertGreater(answers[0][1]["usage"]["completion_tokens"], 0)
        self.assertEqual(idle.recv(1), b"")
        idle.close()
        self.assertEqual(report["schema"], "edgewright.serve/1")

    def test_encrypts(self):
        if shutil.which("openssl") is None:
            self.skipTest("no openssl program to make a certificate with")
        certificate, key = self.path / "c.pem", self.path / "k.pem"
        subprocess.run(
            [
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-days",
                "2",
                "-subj",
                "/CN=localhost",
                "-addext",
                "subjectAltName=IP:127.0.0.1,DNS:localhost",
                "-keyout",
                key,
                "-out",
                certificate,
            ],
            check=True,
            capture_output=True,
        )
        import ssl
        import urllib.request

        server = Server(
            PROGRAM, self.repository, "--certificate", str(certificate), "--key", str(key)
        )
        try:
            context = ssl.create_default_context(cafile=str(certificate))
            address = f"https://localhost:{server.http_port}/v2"
            with urllib.request.urlopen(address, context=context, timeout=20) as answer:
                self.assertEqual(json.loads(answer.read())["name"], "edgewright")
            with socket.create_connection(("127.0.0.1", server.http_port), timeout=30) as plain:
                plain.sendall(b"GET /v2 HTTP/1.1\r\nHost: h\r\n\r\n")
                with contextlib.suppress(ConnectionResetError):
                    self.assertNotIn(b"edgewright", plain.recv(1000))
        finally:
            server.end()


class Energy(unittest.TestCase):
    def test_says_what_a_request_costs(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            counter = folder / "root/sys/class/powercap/intel-rapl:0/energy_uj"
            counter.parent.mkdir(parents=True)
            counter.write_text("1000000\n")
            (counter.parent / "max_energy_range_uj").write_text("262143328850\n")
            repository = folder / "models"
            write_adder(repository, "adder")
            with unittest.mock.patch.dict(os.environ, EDGEWRIGHT_POWER_ROOT=str(folder / "root")):
                server = Server(PROGRAM, repository)
            for _ in range(4):
                server.infer("adder", [[1, 2, 3, 4]])
            counter.write_text("5000000\n")
            metrics = server.request("GET", "/metrics")[2].decode()
            self.assertIn("edgewright_energy_joules_total 4", metrics)
            code, report = server.end()
            self.assertEqual(code, 0)
            self.assertTrue(report["energy"]["measured"], report["energy"])
            self.assertAlmostEqual(report["energy"]["energy_j"], 4)
            self.assertAlmostEqual(report["energy_mj_per_request"], 4000 / report["answered"])

    @contextlib.contextmanager
    def two_watts(self, folder):
        """A root whose energy counter goes up by two joules a second."""
        zone = folder / "root/sys/class/thermal/thermal_zone0"
        zone.mkdir(parents=True)
        (zone / "type").write_text("cpu-thermal\n")
        (zone / "temp").write_text("51000\n")
        counter = folder / "root/sys/class/powercap/intel-rapl:0/energy_uj"
        counter.parent.mkdir(parents=True)
        (counter.parent / "max_energy_range_uj").write_text("262143328850\n")
        start, over = time.monotonic(), threading.Event()

        def count():
            while True:
                fresh = counter.with_suffix(".new")
                fresh.write_text(f"{int(2e6 * (time.monotonic() - start))}\n")
                fresh.replace(counter)
                if over.wait(0.002):
                    return

        counting = threading.Thread(target=count)
        counting.start()
        try:
            while not counter.exists():
                time.sleep(0.001)
            with unittest.mock.patch.dict(os.environ, EDGEWRIGHT_POWER_ROOT=str(folder / "root")):
                yield
        finally:
            over.set()
            counting.join()

    def test_charges_every_text_with_its_share(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            with self.two_watts(folder):
                self.check_shares(folder)

    def test_charges_a_request_of_tensors_that_asks(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            network = folder / "models" / "resnet20" / "1"
            network.mkdir(parents=True)
            shutil.copy(MODELS / "resnet20.onnx", network / "model.onnx")
            with self.two_watts(folder):
                server = Server(PROGRAM, folder / "models")
                image = {"name": "input", "datatype": "FP32", "shape": [8, 3, 32, 32],
                         "data": [0.5] * (8 * 3 * 32 * 32)}
                address = "/v2/models/resnet20/infer"
                before = time.monotonic()
                answers = [
                    server.ask("POST", address, {"inputs": [image], "parameters": asked})[1]
                    for asked in ({"energy": True}, {"energy": True}, {})
                ]
                most_mj = 2e3 * (time.monotonic() - before) + 20
                for answer in answers[:2]:
                    cost = answer["parameters"]
                    self.assertGreater(cost["energy_mj"], 0)
                    self.assertLessEqual(cost["energy_mj"], most_mj)
                    self.assertGreater(cost["energy_window_s"], 0)
                    self.assertGreater(cost["energy_readings_per_s"], 0)
                    self.assertIn("energy counter of", cost["energy_method"])
                    self.assertEqual(cost["energy_hottest_c"], 51)
                self.assertNotIn("energy_mj", answers[2].get("parameters", {}))
                metrics = server.request("GET", "/metrics")[2].decode()
                line = next(line for line in metrics.splitlines()
                            if line.startswith("edgewright_inference_energy_joules_total{"))
                self.assertGreater(float(line.split()[-1]), 0)
                self.assertEqual(server.end()[0], 0)

    def test_says_that_nothing_measures(self):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "root").mkdir()
            write_adder(folder / "models", "adder")
            with unittest.mock.patch.dict(os.environ, EDGEWRIGHT_POWER_ROOT=str(folder / "root")):
                server = Server(PROGRAM, folder / "models")
            order = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 4],
                                 "data": [1, 2, 3, 4]}], "parameters": {"energy": True}}
            answer = server.ask("POST", "/v2/models/adder/infer", order)[1]
            self.assertIn("not measured", answer["parameters"]["energy_method"])
            self.assertEqual(server.end()[0], 0)

    def check_shares(self, folder):
        words = folder / "models" / "words" / "1"
        words.mkdir(parents=True)
        shutil.copy(MODELS / "novel-7m-int8.ewlm", words / "model.ewlm")
        server = Server(PROGRAM, folder / "models")
        order = {"model": "words", "prompt": "It was a dark night", "max_tokens": 200,
                 "temperature": 0}
        before = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            asked = pool.map(lambda _: server.ask("POST", "/v1/completions", order), range(6))
            answers = [content for _, content in asked]
        most_mj = 2e3 * (time.monotonic() - before) + 20
        shares = [answer["usage"]["energy"] for answer in answers]
        self.assertLessEqual(sum(share["energy_mj"] for share in shares), most_mj)
        for answer, share in zip(answers, shares):
            self.assertGreater(share["energy_mj"], 0)
            self.assertAlmostEqual(share["energy_mj_per_token"],
                                   share["energy_mj"] / answer["usage"]["completion_tokens"])
            self.assertGreater(share["window_s"], 0)
            self.assertGreaterEqual(share["readings"], 1)
            self.assertIn("energy counter of", share["method"])
            self.assertEqual(share["hottest_c"], 51)
        metrics = server.request("GET", "/metrics")[2].decode()
        self.assertIn("edgewright_generation_energy_joules_total", metrics)
        self.assertEqual(server.end()[0], 0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
