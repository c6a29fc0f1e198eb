#!/usr/bin/env python3
"""Linear layers on shares, over two real server processes whose every request is recorded: answers
equal the plain model's, and what one server sees does not tell what the input was.

usage: secret_test.py EDGEWRIGHT
"""

import array
import http.client
import http.server
import json
import math
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "serve"))
import server as serving

PROGRAM = sys.argv[1]
COLUMNS, ROWS = 16, 6
REQUESTS = 1000
FRACTION = 24


def edgewright(*arguments, code=0):
    ran = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True,
                         timeout=300)
    assert ran.returncode == code, f"exit code {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
    return ran


def write_npy(path, shape, values):
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + ", ".join(
        map(str, shape)) + ",), }"
    header += " " * (63 - (len(header) + 10) % 64) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()
                     + array.array("f", values).tobytes())


def read_npy(path):
    content = pathlib.Path(path).read_bytes()
    begin = 10 + int.from_bytes(content[8:10], "little")
    return array.array("f", content[begin:])


class Recorder:
    """Stands before a server and keeps what it receives and answers: its view."""

    def __init__(self, port):
        recorder = self
        self.requests, self.answers = [], []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Headers and body go together, so that no acknowledgement is waited for.
            wbufsize = -1

            def do(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                link = getattr(self.server, "link", None)
                if link is None:
                    link = self.server.link = http.client.HTTPConnection("127.0.0.1", port,
                                                                         timeout=60)
                kept = {key: value for key, value in self.headers.items()
                        if key.lower() not in ("host", "connection")}
                link.request(self.command, self.path, body=body, headers=kept)
                answer = link.getresponse()
                content = answer.read()
                if self.path.endswith("/infer"):
                    recorder.requests.append(tensors("inputs", body, self.headers))
                    recorder.answers.append(tensors("outputs", content, answer.headers))
                self.send_response(answer.status)
                for key in ("Content-Type", "Inference-Header-Content-Length"):
                    if answer.headers.get(key):
                        self.send_header(key, answer.headers[key])
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do

            def log_message(self, *_):
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def tensors(kind, body, headers):
    """Name -> 64-bit words of a message with binary data."""
    length = int(headers["Inference-Header-Content-Length"])
    offset, found = length, {}
    for tensor in json.loads(body[:length])[kind]:
        size = tensor["parameters"]["binary_data_size"]
        found[tensor["name"]] = struct.unpack(f"<{size // 8}Q", body[offset:offset + size])
        offset += size
    assert offset == len(body)
    return found


def signed(word):
    return (word - (1 << 64) if word >> 63 else word) / (1 << 63)


def features_of_view(request, answer):
    """Everything that a server has of a request, scaled, and products that a guess may need."""
    numbers = [signed(word) for name in ("difference", "mask", "product")
               for word in request[name]]
    numbers += [signed(word) for word in answer["share"]]
    numbers += [3 * signed(d) * signed(m)
                for d, m in zip(request["difference"], request["mask"])]
    # A server may add its own share of the mask as well.
    numbers += [signed((d + m) % (1 << 64))
                for d, m in zip(request["difference"], request["mask"])]
    return numbers


def accuracy(rows, labels):
    """Of logistic regression that learns from the first half, on the second half."""
    half = len(rows) // 2
    weights = [0.0] * (len(rows[0]) + 1)
    order = list(range(half))
    chance = random.Random(1)
    for step in range(12):
        chance.shuffle(order)
        for i in order:
            row = rows[i]
            total = weights[-1] + sum(w * v for w, v in zip(weights, row))
            error = labels[i] - 1 / (1 + math.exp(-max(-30, min(30, total))))
            rate = 0.1 * error / (1 + step)
            for place, value in enumerate(row):
                weights[place] += rate * value
            weights[-1] += rate
    right = 0
    for row, label in zip(rows[half:], labels[half:]):
        total = weights[-1] + sum(w * v for w, v in zip(weights, row))
        right += (total > 0) == (label == 1)
    return right / (len(rows) - half)


class SecretTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.work = pathlib.Path(cls.folder.name)
        draw = random.Random(5)
        weights = ", ".join(f"{draw.gauss(0, 1):.6f}" for _ in range(COLUMNS * ROWS))
        kernel = ", ".join(f"{draw.gauss(0, 1):.6f}" for _ in range(2 * 9))
        cls.model = cls.work / "model.txt"
        cls.model.write_text(
            f"graph %main(%x: float32[1,{COLUMNS}]) -> (%y, %s) {{\n"
            f"  %w: float32[{COLUMNS},{ROWS}] = {{{weights}}}\n"
            f"  %b: float32[{ROWS}] = {{{', '.join(['0.5'] * ROWS)}}}\n"
            f"  %y: float32[1,{ROWS}] = Gemm(%x, %w, %b) \"dense\"\n"
            "  %shape: int64[4] = {1, 1, 4, 4}\n"
            "  %image: float32[1,1,4,4] = Reshape(%x, %shape)\n"
            f"  %k: float32[2,1,3,3] = {{{kernel}}}\n"
            "  %c: float32[1,2,4,4] = Conv(%image, %k) {pads=[1, 1, 1, 1]} \"conv\"\n"
            "  %s: float32[1,2,4,4] = Relu(%c)\n}\n")
        edgewright("split", "share", cls.model, "--layer", "dense", "--layer", "conv",
                   "--requests", REQUESTS + 20, "-o", cls.work / "shared")
        cls.recorders, cls.urls = [], []
        for name in ("first", "second"):
            # A server leaves its reports beside its repository.
            (cls.work / name).mkdir()
            (cls.work / "shared" / name).rename(cls.work / name / "repository")
            running = serving.Server(PROGRAM, cls.work / name / "repository")
            cls.addClassCleanup(running.end)
            recorder = Recorder(running.http_port)
            cls.addClassCleanup(recorder.stop)
            cls.recorders.append(recorder)
            cls.urls.append(recorder.url)

    def secret(self, *arguments, urls=None, code=0):
        first, second = urls or self.urls
        return edgewright("split", "secret", self.work / "shared" / "device", "--first", first,
                          "--second", second, *arguments, code=code)

    def test_answers_equal_the_plain_model(self):
        draw = random.Random(7)
        for _ in range(3):
            data = self.work / "one"
            write_npy(data / "x.npy", (1, COLUMNS), [draw.gauss(0, 2) for _ in range(COLUMNS)])
            self.secret("--data", data, "-o", self.work / "found")
            edgewright("run", self.model, "--input", f"x={data / 'x.npy'}", "-o",
                       self.work / "expected")
            for name in ("y", "s"):
                found = read_npy(self.work / "found" / f"{name}.npy")
                expected = read_npy(self.work / "expected" / f"{name}.npy")
                self.assertEqual(len(found), len(expected))
                for a, b in zip(found, expected):
                    self.assertLess(abs(a - b), 2 ** -12)

    def test_one_view_says_nothing_and_both_say_all(self):
        draw = random.Random(9)
        pattern = [draw.choice((-1, 1)) for _ in range(COLUMNS)]
        labels = [draw.randrange(2) for _ in range(REQUESTS)]
        inputs = [[(2 * label - 1) * 1.5 * side + draw.gauss(0, 1) for side in pattern]
                  for label in labels]
        data = self.work / "data"
        write_npy(data / "x.npy", (REQUESTS, COLUMNS), [v for row in inputs for v in row])
        begin = [len(recorder.requests) for recorder in self.recorders]
        self.secret("--data", data, "--requests", REQUESTS)
        views = []
        for recorder, start in zip(self.recorders, begin):
            pairs = list(zip(recorder.requests, recorder.answers))[start:]
            # Two layers a request; the first is the dense one.
            self.assertEqual(len(pairs), 2 * REQUESTS)
            views.append(pairs[::2])
        # Five standard deviations of guessing, once in a million runs.
        bound = 5 * math.sqrt(0.25 / (REQUESTS - REQUESTS // 2))
        for name, view in zip(("first", "second"), views):
            found = accuracy([features_of_view(*pair) for pair in view], labels)
            print(f"a predictor that learns from the {name} server's view: {100 * found:.1f} %")
            self.assertLess(abs(found - 0.5), bound)
        # The control: both views together are the input, and the same predictor reads it.
        revealed = []
        for (first, _), (second, _), row in zip(*views, inputs):
            self.assertEqual(first["difference"], second["difference"])
            numbers = [signed(sum(words) % (1 << 64)) * 2.0 ** (63 - FRACTION) for words in
                       zip(first["difference"], first["mask"], second["mask"])]
            for number, value in zip(numbers, row):
                self.assertLess(abs(number - value), 1e-6)
            revealed.append(numbers)
        both = accuracy(revealed, labels)
        print(f"a predictor that learns from both views: {100 * both:.1f} %")
        self.assertGreater(both, 0.95)
        # No mask was used twice.
        masks = {request["mask"] for request, _ in views[0]}
        self.assertEqual(len(masks), REQUESTS)

    def test_misuse_is_refused(self):
        first, second = self.urls
        self.assertIn("one server", self.secret(urls=(first, first), code=2).stderr)
        self.assertIn("repository first", self.secret(urls=(second, first), code=4).stderr)
        self.assertIn("never used twice", self.secret("--requests", 5000, code=1).stderr)
        ran = edgewright("split", "share", self.model, "--layer", "absent", "-o",
                         self.work / "none", code=2)
        self.assertIn("dense, conv", ran.stderr)
        edgewright("split", "secret", self.work, "--first", first, "--second", second, code=3)
        large = self.work / "large"
        write_npy(large / "x.npy", (1, COLUMNS), [1e9] * COLUMNS)
        self.assertIn("overflow", self.secret("--data", large, code=1).stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
