"""MLPerf's LoadGen against the server: SingleStream and Server have to come out VALID.

usage: serve_loadgen_test.py PROGRAM PROJECT_ROOT [SECONDS]

with the Python of `tools/setup --serve`
"""

import concurrent.futures
import pathlib
import re
import shutil
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "serve"))
from server import Server  # noqa: E402

try:
    import mlperf_loadgen as loadgen
    import numpy as np
    import tritonclient.grpc as triton
except ImportError as missing:
    print(f"skipped: {missing}; run tools/setup --serve")
    sys.exit(77)

PROGRAM, ROOT = sys.argv[1:3]
SECONDS = float(sys.argv[3]) if len(sys.argv) > 3 else 60
SAMPLES = 64
CONFIG = "max_batch_size: 8\ndynamic_batching { }\n"


class System:
    """What LoadGen measures: samples that go to the server over gRPC."""

    def __init__(self, address, workers):
        self.address = address
        self.local = threading.local()
        self.pool = concurrent.futures.ThreadPoolExecutor(workers)
        random = np.random.default_rng(7)
        self.images = random.normal(size=(SAMPLES, 1, 3, 32, 32)).astype(np.float32)
        self.failures = []

    def client(self):
        if not hasattr(self.local, "client"):
            self.local.client = triton.InferenceServerClient(self.address)
        return self.local.client

    def answer(self, query):
        try:
            given = triton.InferInput("input", self.images[query.index].shape, "FP32")
            given.set_data_from_numpy(self.images[query.index])
            logits = self.client().infer("resnet20", [given]).as_numpy("logits")
            if logits.shape != (1, 10) or not np.isfinite(logits).all():
                raise RuntimeError(f"an answer of shape {logits.shape}")
        except Exception as error:  # noqa: BLE001: counted, and LoadGen has to get its answer
            self.failures.append(str(error))
        loadgen.QuerySamplesComplete([loadgen.QuerySampleResponse(query.id, 0, 0)])

    def issue(self, queries):
        for query in queries:
            self.pool.submit(self.answer, query)


def measure(server, scenario, folder, per_second):
    system = System(f"127.0.0.1:{server.grpc_port}", workers=1 if per_second is None else 8)
    settings = loadgen.TestSettings()
    settings.scenario = scenario
    settings.mode = loadgen.TestMode.PerformanceOnly
    settings.min_duration_ms = int(SECONDS * 1000)
    settings.min_query_count = 100
    if per_second is None:
        settings.single_stream_expected_latency_ns = 2_000_000
    else:
        settings.server_target_qps = per_second
        settings.server_target_latency_ns = 100_000_000
        settings.server_target_latency_percentile = 0.99
    under_test = loadgen.ConstructSUT(system.issue, lambda: None)
    library = loadgen.ConstructQSL(SAMPLES, SAMPLES, lambda _: None, lambda _: None)
    output = loadgen.LogOutputSettings()
    output.outdir = str(folder)
    output.copy_summary_to_stdout = False
    log = loadgen.LogSettings()
    log.log_output = output
    loadgen.StartTestWithLogSettings(under_test, library, settings, log)
    loadgen.DestroyQSL(library)
    loadgen.DestroySUT(under_test)
    summary = (folder / "mlperf_log_summary.txt").read_text()
    result = re.search(r"Result is : (\w+)", summary)[1]
    lines = [
        line
        for line in summary.splitlines()[:24]
        if re.search(r"latency|queries|samples per second|Result", line)
    ]
    print(
        f"{scenario}: {result}, {len(system.failures)} failures\n  " + "\n  ".join(lines),
        flush=True,
    )
    return result == "VALID" and not system.failures


def main():
    with tempfile.TemporaryDirectory() as name:
        repository = pathlib.Path(name) / "repository"
        (repository / "resnet20" / "1").mkdir(parents=True)
        model = pathlib.Path(ROOT) / "examples" / "models" / "resnet20.onnx"
        shutil.copy(model, repository / "resnet20" / "1" / "model.onnx")
        (repository / "resnet20" / "config.pbtxt").write_text(CONFIG)
        server = Server(PROGRAM, repository)
        passed = []
        for scenario, per_second in (
            (loadgen.TestScenario.SingleStream, None),
            (loadgen.TestScenario.Server, 50),
        ):
            folder = pathlib.Path(name) / str(scenario).rsplit(".", 1)[-1]
            folder.mkdir()
            passed.append(measure(server, scenario, folder, per_second))
        code, report = server.end()
        print(
            f"server: exit code {code}, answered {report['answered']}, refused {report['refused']}"
        )
    return 0 if all(passed) and code == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
