"""`split run` and `link probe` against a Python server of kserve, over HTTP and gRPC.

usage: serve_kserve_server_test.py PROGRAM PROJECT_ROOT, with the Python of `tools/setup --serve`
"""

import json
import logging
import multiprocessing
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request
import uuid

try:
    import kserve
    import numpy as np
    import onnxruntime
except ImportError as missing:
    print(f"skipped: {missing}; run tools/setup --serve")
    sys.exit(77)

PROGRAM, ROOT = sys.argv[1:3]
MODEL = pathlib.Path(ROOT) / "examples" / "models" / "resnet20.onnx"
DATATYPES = {"tensor(float)": "FP32", "tensor(uint8)": "UINT8", "tensor(int64)": "INT64"}
REQUESTS = 5


class Half(kserve.Model):
    """A model of the repository, as a user of kserve writes one."""

    def __init__(self, name, path):
        super().__init__(name)
        self.session = onnxruntime.InferenceSession(path)
        self.ready = True

    @staticmethod
    def described(ports):
        return [
            {
                "name": port.name,
                "datatype": DATATYPES[port.type],
                "shape": [size if isinstance(size, int) else -1 for size in port.shape],
            }
            for port in ports
        ]

    async def get_input_types(self):
        return self.described(self.session.get_inputs())

    async def get_output_types(self):
        return self.described(self.session.get_outputs())

    def predict(self, payload, headers=None, response_headers=None):
        given = {tensor.name: tensor.as_numpy() for tensor in payload.inputs}
        wanted = [output.name for output in payload.request_outputs or []]
        names = wanted or [port.name for port in self.session.get_outputs()]
        outputs = []
        for name, made in zip(names, self.session.run(names, given)):
            output = kserve.InferOutput(
                name, list(made.shape), {"f": "FP32", "i": "INT64", "u": "UINT8"}[made.dtype.kind]
            )
            output.set_data_from_numpy(made, binary_data=True)
            outputs.append(output)
        return kserve.InferResponse(payload.id or str(uuid.uuid4()), self.name, outputs)


def serve(http_port, grpc_port, models):
    logging.disable(logging.WARNING)
    server = kserve.ModelServer(
        http_port=http_port, grpc_port=grpc_port, workers=1, access_log_format=None
    )
    server.start([Half(name, path) for name, path in models.items()])


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def edgewright(*words):
    ran = subprocess.run(
        [PROGRAM, *map(str, words), "--json", "-"], capture_output=True, text=True, timeout=300,
        check=False,
    )
    if ran.returncode != 0:
        raise AssertionError(f"exit code {ran.returncode}\n{ran.stdout}\n{ran.stderr}")
    return json.loads(ran.stdout[ran.stdout.index("{\n") :])


def plan(rate, *more):
    return edgewright(
        "split", "plan", MODEL, "--device", "10GFLOP/s", "--server", "10TFLOP/s",
        "--bandwidth-mbit-s", rate, *more,
    )  # fmt: skip


class KserveServer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.work = pathlib.Path(folder.name)
        for rate, bits in (("20", "0"), ("2", "4")):
            plan(rate, "--codec", bits, "-o", cls.work / "halves")
        repository = cls.work / "halves" / "repository"
        models = {path.name: str(path / "1" / "model.onnx") for path in repository.iterdir()}
        cls.cuts = [row for row in models if row.startswith("resnet20-")]
        ports = free_port(), free_port()
        process = multiprocessing.get_context("spawn").Process(target=serve, args=(*ports, models))
        process.start()
        cls.addClassCleanup(process.join)
        cls.addClassCleanup(process.terminate)
        cls.urls = [f"http://127.0.0.1:{ports[0]}", f"grpc://127.0.0.1:{ports[1]}"]
        until = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(cls.urls[0] + "/v2/health/live", timeout=1).read()
                break
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)
        generator = np.random.default_rng(1)
        cls.data = cls.work / "data.npz"
        np.savez(cls.data, input=generator.normal(size=(1, 3, 32, 32)).astype(np.float32))
        expected = onnxruntime.InferenceSession(str(MODEL)).run(
            None, {"input": np.load(cls.data)["input"]}
        )
        cls.expected = expected[0]

    def test_the_rest_runs_at_kserve(self):
        planned = plan("20")
        for url in self.urls:
            for cut in {"input", planned["cut"]} - {"output"}:
                with self.subTest(url=url, cut=cut):
                    report = edgewright(
                        "split", "run", MODEL, "--server", url, "--cut", cut, "--data", self.data,
                        "--requests", REQUESTS, "--deadline-ms", 20000, "-o", self.work / "out",
                    )  # fmt: skip
                    self.assertEqual(report["answered_by_server"], REQUESTS)
                    self.assertEqual(report["warnings"], [])
                    made = np.load(report["outputs"][0]["file"])
                    np.testing.assert_allclose(made, self.expected, rtol=1e-4, atol=1e-4)

    def test_the_link_is_probed(self):
        for url in self.urls:
            with self.subTest(url=url):
                report = edgewright("link", "probe", url, "--repeats", 5)
                self.assertGreater(report["uplink_mbit_s"]["value"], 0)
                self.assertIn("downlink_mbit_s", report)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
