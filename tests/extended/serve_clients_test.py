"""The server asked by the unmodified tritonclient, over HTTP and gRPC.

usage: serve_clients_test.py PROGRAM PROJECT_ROOT, with the Python of `tools/setup --serve`
"""

import asyncio
import pathlib
import queue
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "serve"))
from server import Server, write_adder  # noqa: E402

try:
    import numpy as np
    import tritonclient.grpc as triton_grpc
    import tritonclient.http as triton_http
    from tritonclient.utils import InferenceServerException
except ImportError as missing:
    print(f"skipped: {missing}; run tools/setup --serve")
    sys.exit(77)

PROGRAM, ROOT = sys.argv[1:3]
MODELS = pathlib.Path(ROOT) / "examples" / "models"
WORDS = """graph %main(%t: string[n]) -> (%u) {
  %u: string[n] = Identity(%t)
}
"""
HALF = """graph %main(%h: float16[n,2]) -> (%k) {
  %k: float16[n,2] = Neg(%h)
}
"""


def start(test_class):
    folder = tempfile.TemporaryDirectory()
    test_class.addClassCleanup(folder.cleanup)
    test_class.repository = pathlib.Path(folder.name) / "repository"
    write_adder(test_class.repository, "adder")
    write_adder(
        test_class.repository, "adder", version=2, bias=2.0, config="version_policy { all { } }"
    )
    for name, text in (("echo", WORDS), ("half", HALF)):
        (test_class.repository / name / "1").mkdir(parents=True)
        (test_class.repository / name / "1" / "model.txt").write_text(text)
    for name, file in (("resnet20", "resnet20.onnx"), ("novel", "novel-7m-int8.ewlm")):
        (test_class.repository / name / "1").mkdir(parents=True)
        target = "model" + pathlib.Path(file).suffix
        shutil.copy(MODELS / file, test_class.repository / name / "1" / target)
    test_class.server = Server(PROGRAM, test_class.repository, "--model-control")
    test_class.addClassCleanup(test_class.server.end)


class Triton:
    """What both of Triton's clients can do."""

    def tensor(self, name, array):
        datatypes = {"float32": "FP32", "float16": "FP16", "object": "BYTES"}
        made = self.api.InferInput(name, array.shape, datatypes[str(array.dtype)])
        made.set_data_from_numpy(array)
        return made

    def test_health_metadata_and_configuration(self):
        self.assertTrue(self.client.is_server_live())
        self.assertTrue(self.client.is_server_ready())
        self.assertTrue(self.client.is_model_ready("adder"))
        self.assertTrue(self.client.is_model_ready("adder", "1"))
        self.assertFalse(self.client.is_model_ready("nothing"))
        self.assertEqual(self.plain(self.client.get_server_metadata())["name"], "edgewright")
        metadata = self.plain(self.client.get_model_metadata("adder"))
        self.assertEqual(metadata["versions"], ["1", "2"])
        self.assertEqual(metadata["inputs"][0]["name"], "x")
        config = self.plain(self.client.get_model_config("adder"))
        config = config.get("config", config)
        self.assertEqual(config["input"][0]["data_type"], "TYPE_FP32")
        index = self.plain(self.client.get_model_repository_index())
        rows = index if isinstance(index, list) else index["models"]
        self.assertIn(
            ("adder", "2", "READY"), [(r["name"], r["version"], r["state"]) for r in rows]
        )

    def test_infers(self):
        array = np.arange(8, dtype=np.float32).reshape(2, 4)
        answer = self.client.infer("adder", [self.tensor("x", array)], request_id="r1")
        np.testing.assert_array_equal(answer.as_numpy("y"), array + 2)
        answer = self.client.infer(
            "adder",
            [self.tensor("x", array)],
            model_version="1",
            outputs=[self.api.InferRequestedOutput("y")],
        )
        np.testing.assert_array_equal(answer.as_numpy("y"), array + 1)
        half = np.array([[1.5, -2]], dtype=np.float16)
        answer = self.client.infer("half", [self.tensor("h", half)])
        np.testing.assert_array_equal(answer.as_numpy("k"), -half)

    def test_texts(self):
        texts = np.array(["one", "zw\u00f6lf", ""], dtype=np.object_)
        answer = self.client.infer("echo", [self.tensor("t", texts)])
        self.assertEqual([t.decode() for t in answer.as_numpy("u")], list(texts))

    def test_classification(self):
        array = np.array([[0, 5, 1, 3]], dtype=np.float32)
        wanted = self.api.InferRequestedOutput("y", class_count=2)
        answer = self.client.infer("adder", [self.tensor("x", array)], outputs=[wanted])
        self.assertEqual(
            [t.decode() for t in answer.as_numpy("y").ravel()], ["7.000000:1", "5.000000:3"]
        )

    def test_refuses_clearly(self):
        array = np.zeros((1, 3), dtype=np.float32)
        with self.assertRaisesRegex(InferenceServerException, "shape"):
            self.client.infer("adder", [self.tensor("x", array)])
        with self.assertRaisesRegex(InferenceServerException, "no model 'nothing'"):
            self.client.infer("nothing", [self.tensor("x", array)])
        with self.assertRaisesRegex(InferenceServerException, "shared memory is not supported"):
            self.client.register_system_shared_memory("region", "/region", 64)
        with self.assertRaisesRegex(InferenceServerException, "shared memory is not supported"):
            self.client.register_cuda_shared_memory("region", b"aGFuZGxl", 0, 64)
        with self.assertRaisesRegex(InferenceServerException, "shared memory is not supported"):
            shared = self.api.InferInput("x", [1, 4], "FP32")
            shared.set_shared_memory("region", 16)
            self.client.infer("adder", [shared])

    def test_model_control(self):
        name = f"late_{self.api.__name__.rsplit('.', 1)[-1]}"
        write_adder(self.repository, name, bias=4.0)
        self.client.load_model(name)
        self.assertTrue(self.client.is_model_ready(name))
        self.client.unload_model(name)
        self.assertFalse(self.client.is_model_ready(name))
        with self.assertRaises(InferenceServerException):
            self.client.load_model("nothing")

    def test_statistics(self):
        array = np.zeros((1, 4), dtype=np.float32)
        self.client.infer("adder", [self.tensor("x", array)])
        statistics = self.plain(self.client.get_inference_statistics("adder"))
        self.assertGreaterEqual(
            int(statistics["model_stats"][0]["inference_stats"]["success"]["count"]), 1
        )


class TritonHttp(Triton, unittest.TestCase):
    api = triton_http

    @classmethod
    def setUpClass(cls):
        start(cls)
        cls.client = triton_http.InferenceServerClient(
            f"127.0.0.1:{cls.server.http_port}", concurrency=4
        )
        cls.addClassCleanup(cls.client.close)

    @staticmethod
    def plain(answer):
        return answer

    def test_json_and_binary_agree(self):
        array = np.random.default_rng(1).normal(size=(3, 4)).astype(np.float32)
        answers = []
        for binary in (True, False):
            given = triton_http.InferInput("x", array.shape, "FP32")
            given.set_data_from_numpy(array, binary_data=binary)
            wanted = triton_http.InferRequestedOutput("y", binary_data=binary)
            answers.append(self.client.infer("adder", [given], outputs=[wanted]).as_numpy("y"))
        np.testing.assert_array_equal(*answers)

    def test_asynchronous(self):
        array = np.ones((1, 4), dtype=np.float32)
        calls = [self.client.async_infer("adder", [self.tensor("x", array * i)]) for i in range(20)]
        for i, call in enumerate(calls):
            np.testing.assert_array_equal(call.get_result().as_numpy("y"), array * i + 2)

    def test_asyncio(self):
        import tritonclient.http.aio as triton_aio

        async def ask():
            client = triton_aio.InferenceServerClient(f"127.0.0.1:{self.server.http_port}")
            array = np.ones((1, 4), dtype=np.float32)
            answers = await asyncio.gather(
                *(client.infer("adder", [self.tensor("x", array * i)]) for i in range(8))
            )
            await client.close()
            return [answer.as_numpy("y")[0, 0] for answer in answers]

        self.assertEqual(asyncio.run(ask()), [i + 2 for i in range(8)])


class TritonGrpc(Triton, unittest.TestCase):
    api = triton_grpc

    @classmethod
    def setUpClass(cls):
        start(cls)
        cls.client = triton_grpc.InferenceServerClient(f"127.0.0.1:{cls.server.grpc_port}")
        cls.addClassCleanup(cls.client.close)

    @staticmethod
    def plain(answer):
        from google.protobuf.json_format import MessageToDict

        return MessageToDict(answer, preserving_proto_field_name=True)

    def test_asynchronous(self):
        array = np.ones((1, 4), dtype=np.float32)
        done = queue.Queue()
        for i in range(20):
            self.client.async_infer(
                "adder",
                [self.tensor("x", array * i)],
                request_id=str(i),
                callback=lambda result, error: done.put((result, error)),
            )
        for _ in range(20):
            result, error = done.get(timeout=30)
            self.assertIsNone(error)
            i = int(result.get_response().id)
            np.testing.assert_array_equal(result.as_numpy("y"), array * i + 2)

    def test_streams(self):
        array = np.ones((1, 4), dtype=np.float32)
        done = queue.Queue()
        self.client.start_stream(lambda result, error: done.put((result, error)))
        for i in range(5):
            self.client.async_stream_infer(
                "adder", [self.tensor("x", array * i)], request_id=str(i)
            )
        self.client.async_stream_infer("nothing", [self.tensor("x", array)])
        for i in range(5):
            result, error = done.get(timeout=30)
            self.assertIsNone(error)
            np.testing.assert_array_equal(result.as_numpy("y"), array * i + 2)
        self.assertIn("no model", str(done.get(timeout=30)[1]))
        self.client.stop_stream()

    def test_language_models_answer_in_pieces(self):
        prompt = self.tensor("text_input", np.array(["The sea was"], dtype=np.object_))
        parameters = {"max_tokens": 12, "temperature": 0.0}
        whole = self.client.infer("novel", [prompt], parameters=parameters).as_numpy("text_output")[
            0
        ]
        done = queue.Queue()
        self.client.start_stream(lambda result, error: done.put((result, error)))
        self.client.async_stream_infer("novel", [prompt], parameters=dict(parameters, stream=True))
        pieces = b""
        while pieces != whole:
            result, error = done.get(timeout=30)
            self.assertIsNone(error)
            pieces += result.as_numpy("text_output")[0]
            self.assertTrue(whole.startswith(pieces), (whole, pieces))
        self.client.stop_stream()

    def test_deadlines(self):
        prompt = self.tensor("text_input", np.array(["The sea was"], dtype=np.object_))
        with self.assertRaisesRegex(InferenceServerException, "(?i)deadline"):
            self.client.infer(
                "novel", [prompt], parameters={"max_tokens": 400}, client_timeout=0.02
            )


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
