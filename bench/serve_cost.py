#!/usr/bin/env python3
"""What serving costs: latency over an echo, and throughput against a kserve Python server.

usage: serve_cost.py [--calls N] [--seconds S] [--connections N]

With the Python of `tools/setup --serve`; build serve_cost first (`make bench` does both). The
kserve server runs the same ONNX models in ONNX Runtime with one thread, as the engine has one.
Both get the same JSON requests on the same number of connections from the same client, in turn.
"""

import argparse
import contextlib
import json
import multiprocessing
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "serve"))
from server import Server, write_adder  # noqa: E402

PROGRAM = ROOT / "build" / "edgewright"
CLIENT = ROOT / "build" / "serve_cost"
LIMIT_US = 20
WANTED_RATIO = 3


def run_kserve(port, models):
    """A kserve server as its users write one."""
    import logging

    import kserve
    import onnxruntime

    # A line for every request would cost it half its time.
    logging.disable(logging.WARNING)

    class Model(kserve.Model):
        def __init__(self, name, path):
            super().__init__(name)
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1
            self.session = onnxruntime.InferenceSession(path, options)
            self.ready = True

        def predict(self, payload, headers=None, response_headers=None):
            given = payload.inputs[0]
            made = self.session.run(None, {given.name: given.as_numpy()})[0]
            name = self.session.get_outputs()[0].name
            output = kserve.InferOutput(name=name, shape=list(made.shape), datatype="FP32")
            output.set_data_from_numpy(made, binary_data=False)
            return kserve.InferResponse(
                response_id=payload.id, model_name=self.name, infer_outputs=[output]
            )

    server = kserve.ModelServer(
        http_port=port, enable_grpc=False, workers=1, access_log_format=None
    )
    server.start([Model(name, path) for name, path in models.items()])


def wait_for(port, process):
    until = time.monotonic() + 60
    while time.monotonic() < until and process.is_alive():
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/health/live", timeout=1).read()
            return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the kserve server did not start")


def end(process):
    """Also one that does not listen to being asked."""
    process.terminate()
    process.join(timeout=10)
    if process.is_alive():
        process.kill()
        process.join()


def load(port, model, body, options):
    words = [CLIENT, "load", "127.0.0.1", port, f"/v2/models/{model}/infer", body]
    words += [options.connections, options.seconds]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["per_s"]


def adder_onnx(path):
    """The model of write_adder as an ONNX file."""
    graph = path.with_suffix(".txt")
    subprocess.run([PROGRAM, "convert", graph, "-o", path], check=True, capture_output=True)


def measure_latency(options):
    words = [str(CLIENT), "latency", str(options.calls)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    passed = True
    for line in done.stdout.splitlines():
        row = json.loads(line)
        passed &= row["over_us"] <= LIMIT_US
        print(
            f"{row['transport']}: infer {row['infer_us']:.1f} us, echo {row['echo_us']:.1f} us, "
            f"{row['over_us']:+.1f} us over it (at most {LIMIT_US})"
        )
    return passed


def measure_throughput(options, folder):
    repository = folder / "repository"
    write_adder(repository, "adder", columns=256)
    adder_onnx(repository / "adder" / "1" / "model.onnx")
    (repository / "adder" / "1" / "model.txt").unlink()
    (repository / "resnet20" / "1").mkdir(parents=True)
    shutil.copy(
        ROOT / "examples" / "models" / "resnet20.onnx", repository / "resnet20" / "1" / "model.onnx"
    )
    inputs = {"adder": ("x", [1, 256]), "resnet20": ("input", [1, 3, 32, 32])}
    files = {name: str(repository / name / "1" / "model.onnx") for name in inputs}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    other = multiprocessing.get_context("spawn").Process(target=run_kserve, args=(port, files))
    passed = True
    with contextlib.ExitStack() as started:
        server = Server(PROGRAM, repository)
        started.callback(server.end)
        other.start()
        started.callback(end, other)
        wait_for(port, other)
        for name, (tensor, shape) in inputs.items():
            count = 1
            for size in shape:
                count *= size
            described = {"name": tensor, "datatype": "FP32", "shape": shape}
            described["data"] = [round(i % 97 / 97, 4) for i in range(count)]
            body = folder / f"{name}.json"
            body.write_text(json.dumps({"id": "1", "inputs": [described]}))
            # In turn, twice, the better of each: a pause of the machine is nobody's fault.
            ours = theirs = 0
            for _ in range(2):
                ours = max(ours, load(server.http_port, name, body, options))
                theirs = max(theirs, load(port, name, body, options))
            passed &= ours >= WANTED_RATIO * theirs
            print(
                f"{name}: {ours:.0f} answers/s, kserve {theirs:.0f}: {ours / theirs:.1f} times "
                f"(at least {WANTED_RATIO})",
                flush=True,
            )
    return passed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20000)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--only", choices=["latency", "throughput"])
    options = parser.parse_args()
    passed = True
    if options.only != "throughput":
        passed &= measure_latency(options)
    if options.only != "latency":
        with tempfile.TemporaryDirectory() as name:
            passed &= measure_throughput(options, pathlib.Path(name))
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
