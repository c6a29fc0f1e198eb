"""The server asked by the unmodified inference clients of kserve, over REST and gRPC.

usage: serve_kserve_test.py PROGRAM PROJECT_ROOT, with the Python of `tools/setup --serve`
"""

import asyncio
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "serve"))
from server import Server, write_adder  # noqa: E402

# Not in one process with tritonclient: both bring descriptions of the same gRPC messages.
try:
    import kserve
    import numpy as np
except ImportError as missing:
    print(f"skipped: {missing}; run tools/setup --serve")
    sys.exit(77)

PROGRAM = sys.argv[1]


class Kserve(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        repository = pathlib.Path(folder.name) / "repository"
        write_adder(repository, "adder", bias=2.0)
        cls.server = Server(PROGRAM, repository)
        cls.addClassCleanup(cls.server.end)

    def request(self):
        given = kserve.InferInput("x", [1, 4], "FP32")
        given.set_data_from_numpy(np.array([[1, 2, 3, 4]], dtype=np.float32), binary_data=False)
        return kserve.InferRequest(model_name="adder", infer_inputs=[given])

    def test_rest(self):
        async def ask():
            client = kserve.InferenceRESTClient(kserve.RESTConfig(protocol="v2", retries=0))
            base = f"http://127.0.0.1:{self.server.http_port}"
            live = await client.is_server_live(base)
            ready = await client.is_model_ready(base, "adder")
            answer = await client.infer(base, self.request(), model_name="adder")
            await client.close()
            return live, ready, answer

        live, ready, answer = asyncio.run(ask())
        self.assertTrue(live and ready)
        self.assertEqual(answer.outputs[0].as_numpy().tolist(), [[3, 4, 5, 6]])

    def test_grpc(self):
        async def ask():
            client = kserve.InferenceGRPCClient(f"127.0.0.1:{self.server.grpc_port}")
            live = await client.is_server_live()
            ready = await client.is_model_ready("adder")
            answer = await client.infer(self.request())
            await client.close()
            return live, ready, answer

        live, ready, answer = asyncio.run(ask())
        self.assertTrue(live and ready)
        self.assertEqual(answer.outputs[0].as_numpy().tolist(), [[3, 4, 5, 6]])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
