#!/usr/bin/env python3
"""What `convert --to tensorrt` writes, as far as it can be checked without a GPU.

usage: tensorrt_test.py EDGEWRIGHT ROOT

The models are run by ONNX Runtime: float ones within 1e-4 relative of the original, quantised ones
within 1e-3 of the same quantisation in the standard's form, whose numbers the other form must
keep. Quantisation keeps TensorRT's rules: int8, zero points 0, weights in float32 behind both
nodes, no integer biases.
"""

import pathlib
import subprocess
import sys
import tempfile

try:
    import onnx
    import onnx.numpy_helper
    import written_models
except ImportError as error:
    print(f"skipped: {error}; tools/setup --targets installs it")
    sys.exit(77)


def outputs_of(model):
    return list(written_models.original_run(model)[1].values())


def convert(edgewright, *arguments):
    done = written_models.convert(edgewright, *arguments)
    if done.returncode not in (0, 4):
        raise RuntimeError(f"exit {done.returncode}: {done.stderr.strip()}")
    return done


def compare(name, found, wanted, tolerance):
    worst = max(written_models.relative_l2(a, b) for a, b in zip(found, wanted))
    print(f"{name}: relative L2 {worst:.2g}")
    return [] if worst <= tolerance else [f"{name}: {worst}"]


def rule_breaks(path):
    model = onnx.load(path)
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    makers = {output: node for node in model.graph.node for output in node.output}
    breaks = []
    for node in model.graph.node:
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            continue
        if len(node.input) > 2 and onnx.numpy_helper.to_array(constants[node.input[2]]).any():
            breaks.append(f"{node.name}: a zero point is not 0")
        if node.op_type == "DequantizeLinear" and node.input[0] in constants:
            breaks.append(f"{node.name}: stored integers")
        if node.op_type == "DequantizeLinear" and node.input[0] in makers:
            if makers[node.input[0]].op_type != "QuantizeLinear":
                print(f"{node.name}: integers of a {makers[node.input[0]].op_type}")
    return breaks


def check_quantised(edgewright, root, zoo, folder):
    data = folder / "calibration.npz"
    tool = root.parent / "shared" / "tools" / "cifar_npz.py"
    subprocess.run(
        [sys.executable, tool, zoo / "cifar10" / "cifar10-calib-512.bin", data],
        check=True,
        capture_output=True,
    )
    form = [
        "--precision",
        "int8",
        "--calibrate",
        data,
        "--quantize",
        "scheme=s8s8",
        "--quantize",
        "activations=symmetric",
        "--quantize",
        "refuse=off",
    ]
    source = zoo / "cifar10" / "resnet20.onnx"
    convert(edgewright, source, "-o", folder / "standard.onnx", *form)
    convert(edgewright, source, "-o", folder / "engine.onnx", "--to", "tensorrt", *form)
    failures = rule_breaks(folder / "engine.onnx")
    failures += compare(
        "resnet20 in int8",
        outputs_of(folder / "engine.onnx"),
        outputs_of(folder / "standard.onnx"),
        1e-3,
    )
    cache = (folder / "engine.cache").read_text(encoding="utf-8").splitlines()
    print(f"calibration cache: {len(cache) - 1} values")
    if not cache[0].startswith("TRT-") or len(cache) < 20:
        failures.append("the calibration cache is too short")
    if "--int8" not in (folder / "engine.trtexec").read_text(encoding="utf-8"):
        failures.append("the command lacks --int8")
    # Without the scheme the writer says what to do.
    done = convert(
        edgewright,
        source,
        "-o",
        folder / "refused.onnx",
        "--to",
        "tensorrt",
        "--precision",
        "int8",
        "--calibrate",
        data,
        "--quantize",
        "refuse=off",
    )
    if done.returncode != 4 or "--quantize scheme=s8s8" not in done.stderr:
        failures.append(f"asymmetric ranges: exit {done.returncode}: {done.stderr}")
    return failures


def main():
    edgewright, root = sys.argv[1], pathlib.Path(sys.argv[2])
    zoo = root.parent / "shared" / "zoo"
    if not zoo.is_dir():
        print(f"skipped: {zoo} is not here")
        return written_models.SKIP
    failures = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for path in written_models.MODELS:
            if path.endswith("squeezenet"):
                continue  # its labels are no numbers to compare
            output = folder / (path.rsplit("/", 1)[1] + ".onnx")
            convert(edgewright, zoo / f"{path}.onnx", "-o", output, "--to", "tensorrt")
            failures += compare(
                output.stem,
                outputs_of(output),
                outputs_of(zoo / f"{path}.onnx"),
                written_models.TOLERANCE,
            )
        failures += check_quantised(edgewright, root, zoo, folder)
    return written_models.finish(failures)


if __name__ == "__main__":
    sys.exit(main())
