"""Converts a generated model whose weights, 6 GB, lie in a file of their own.

usage: external_data_test.py (needs `tools/setup --bench`; exit code 77 without it)

All passes and the comparison with the original run as they do by default. The peak resident memory
must stay under 1 GB plus the largest tensor.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".deps" / "bench" / "bin" / "python"
PROGRAM = ROOT / "build" / "edgewright"
SKIPPED = 77
SIZE, LAYERS = 8192, 24  # 24 matrices of 256 MiB
TENSOR_BYTES = SIZE * SIZE * 4
DISK_BYTES = 3 * LAYERS * TENSOR_BYTES


def write_model(folder):
    import numpy
    import onnx
    from onnx import TensorProto, helper

    random = numpy.random.default_rng(0)
    nodes, weights = [], []
    with open(folder / "weights.bin", "wb") as data:
        data.truncate(LAYERS * TENSOR_BYTES)
        for layer in range(LAYERS):
            # The first rows only: the rest of the file is a hole and takes no room.
            data.seek(layer * TENSOR_BYTES)
            data.write(random.standard_normal((16, SIZE)).astype(numpy.float32).tobytes())
            weight = TensorProto(
                name=f"w{layer}", data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL
            )
            weight.dims.extend([SIZE, SIZE])
            entries = {
                "location": "weights.bin",
                "offset": layer * TENSOR_BYTES,
                "length": TENSOR_BYTES,
            }
            for key, value in entries.items():
                weight.external_data.add(key=key, value=str(value))
            weights.append(weight)
            nodes.append(helper.make_node("MatMul", [f"x{layer}", f"w{layer}"], [f"p{layer}"]))
            nodes.append(helper.make_node("Sigmoid", [f"p{layer}"], [f"x{layer + 1}"]))
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, SIZE])
        for name in ("x0", f"x{LAYERS}")
    ]
    graph = helper.make_graph(nodes, "large", ports[:1], ports[1:], initializer=weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    onnx.save(model, folder / "model.onnx")


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if shutil.disk_usage(folder).free < DISK_BYTES:
            print(f"skipped: less than {DISK_BYTES / 1e9:.0f} GB of disk are free")
            return SKIPPED
        write_model(folder)
        (folder / "out").mkdir()
        start = time.perf_counter()
        process = subprocess.Popen(
            [PROGRAM, "convert", folder / "model.onnx", "-o", folder / "out" / "model.onnx"]
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        peak_bytes, limit_bytes = usage.ru_maxrss * 1024, 10**9 + TENSOR_BYTES
        print(
            f"{LAYERS * TENSOR_BYTES / 1e9:.1f} GB of weights: {time.perf_counter() - start:.1f} s,"
            f" peak {peak_bytes / 1e6:.0f} MB, at most {limit_bytes / 1e6:.0f} MB"
        )
        return 1 if process.returncode != 0 or peak_bytes > limit_bytes else 0


if __name__ == "__main__":
    if not PYTHON.exists():
        print("no Python with onnx; run tools/setup --bench")
        sys.exit(SKIPPED)
    if pathlib.Path(sys.executable) != PYTHON:
        os.execv(PYTHON, [str(PYTHON), "-u", *sys.argv])
    sys.exit(main())
