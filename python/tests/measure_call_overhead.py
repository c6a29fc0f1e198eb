"""What a call from Python adds to the session's own time, beside ONNX Runtime's where it is there.

usage: measure_call_overhead.py [--calls N]

The model is one addition of 16 floats. `own` is the same call timed within the library (bench),
`python` is session.run() from Python; the difference is what the package adds.
"""

import argparse
import pathlib
import statistics
import sys
import tempfile
import time

import numpy

import edgewright

MODEL = """graph %main(%x: float32[16]) -> (%y) {
  %y: float32[16] = Add(%x, %x)
}
"""


def median_us(call, calls):
    """The median over 20 blocks, so that one interruption does not count."""
    times = []
    for _ in range(20):
        start = time.perf_counter()
        for _ in range(calls // 20):
            call()
        times.append((time.perf_counter() - start) / (calls // 20) * 1e6)
    return statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=40000)
    calls = parser.parse_args().calls
    x = numpy.arange(16, dtype=numpy.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.txt"
        path.write_text(MODEL, encoding="utf-8")
        own = edgewright.bench(path, runs=calls, seconds=60).latency_us.median
        session = edgewright.InferenceSession(path)
        whole = median_us(lambda: session.run(None, {"x": x}), calls)
        print(f"own {own:.2f} us, python {whole:.2f} us, added {whole - own:.2f} us")
        try:
            import onnxruntime
        except ImportError:
            print("onnxruntime is not here to compare with")
        else:
            onnx = pathlib.Path(folder) / "model.onnx"
            edgewright.convert(path, onnx, verify=False)
            other = onnxruntime.InferenceSession(str(onnx), providers=["CPUExecutionProvider"])
            time_us = median_us(lambda: other.run(None, {"x": x}), calls)
            print(f"onnxruntime {time_us:.2f} us")
    return 0 if whole - own <= 15 else 1


if __name__ == "__main__":
    sys.exit(main())
