#!/usr/bin/env python3
"""Networks that `convert --to ncnn` writes, run by ncnn itself.

usage: ncnn_test.py EDGEWRIGHT ROOT [zoo|operators]

zoo        the networks of ../shared against ONNX Runtime: within 1e-4 relative; what is refused is
           listed by name
operators  every case of the ONNX backend suite that the writer takes, against the suite's outputs
"""

import collections
import io
import pathlib
import subprocess
import sys
import tarfile
import tempfile

SKIP = 77
MODELS = (
    "cifar10/resnet20",
    "cifar10/mobilenetv2",
    "cifar10/vit20",
    "third-party/face-rfb-320",
    "third-party/squeezenet",
    "third-party/mnist",
)
# ONNX Runtime's squeezenet ends in labels and a map, which are no tensors.
REFUSED = {"squeezenet": ("ArgMax", "ai.onnx.ml::ArrayFeatureExtractor", "ai.onnx.ml::ZipMap")}
TOLERANCE = 1e-4

try:
    import ncnn
    import numpy
    import onnx
    import onnx.numpy_helper
    import onnxruntime
except ImportError as error:
    print(f"skipped: {error}; tools/setup --targets installs it")
    sys.exit(SKIP)


def blob_array(array):
    """As ncnn sees a value: without the first axis of length 1."""
    shape = list(array.shape)
    if len(shape) > 1 and 1 in shape:
        shape.remove(1)
    return numpy.ascontiguousarray(array.reshape(shape or [1]))


def run_ncnn(param, inputs, outputs):
    """The outputs by name; a list of them in order."""
    net = ncnn.Net()
    net.opt.num_threads = 1
    for option in (
        "use_fp16_packed",
        "use_fp16_storage",
        "use_fp16_arithmetic",
        "use_bf16_storage",
    ):
        setattr(net.opt, option, False)
    assert net.load_param(str(param)) == 0 and net.load_model(str(param.with_suffix(".bin"))) == 0
    extractor = net.create_extractor()
    for name, array in inputs.items():
        assert extractor.input(name, ncnn.Mat(blob_array(array)).clone()) == 0, name
    results = []
    for name in outputs:
        code, mat = extractor.extract(name)
        assert code == 0, f"{name}: {code}"
        results.append(numpy.array(mat))
    return results


def relative_l2(found, wanted):
    undefined = numpy.isnan(found.ravel()) & numpy.isnan(wanted.ravel())
    found, wanted = found.ravel()[~undefined], wanted.ravel()[~undefined]
    difference = numpy.linalg.norm(found.astype(float).ravel() - wanted.astype(float).ravel())
    return difference / max(numpy.linalg.norm(wanted.astype(float)), 1e-12)


def convert(edgewright, model, output):
    command = [edgewright, "convert", model, "-o", output, "--to", "ncnn"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def check_zoo(edgewright, zoo, folder):
    failures = []
    for path in MODELS:
        model, name = zoo / f"{path}.onnx", path.rsplit("/", 1)[1]
        param = folder / f"{name}.param"
        done = convert(edgewright, model, param)
        if done.returncode == 4 and name in REFUSED:
            missing = [word for word in REFUSED[name] if word not in done.stderr]
            print(f"{name}: refused: {done.stderr.strip()}")
            failures += [f"{name}: {word} is not named" for word in missing]
            continue
        if done.returncode != 0:
            failures.append(f"{name}: {done.stderr.strip()}")
            continue
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        port = session.get_inputs()[0]
        shape = [size if isinstance(size, int) else 1 for size in port.shape]
        image = numpy.random.default_rng(0).normal(size=shape).astype(numpy.float32)
        outputs = [output.name for output in session.get_outputs()]
        wanted = session.run(outputs, {port.name: image})
        for output, found, right in zip(
            outputs, run_ncnn(param, {port.name: image}, outputs), wanted
        ):
            error = relative_l2(found, right)
            print(f"{name}: {output}: relative L2 {error:.2g}")
            if not error <= TOLERANCE or found.size != right.size:
                failures.append(f"{name}: {output}: {error}")
    return failures


def cases(archive):
    """(name, model bytes, inputs, outputs) of the suite's single-node cases."""
    members = collections.defaultdict(dict)
    with tarfile.open(archive) as tar:
        for member in tar:
            if member.isfile() and "/test_data_set_0/" in member.name:
                place, _, file = member.name.partition("/test_data_set_0/")
                members[place][file] = tar.extractfile(member).read()
            elif member.name.endswith("/model.onnx"):
                members[member.name.rsplit("/", 1)[0]]["model"] = tar.extractfile(member).read()
    for place, files in sorted(members.items()):
        yield place.rsplit("/", 1)[-1], files


def tensors(files, kind):
    arrays = []
    for index in range(len(files)):
        data = files.get(f"{kind}_{index}.pb")
        if data is None:
            return arrays
        arrays.append(onnx.numpy_helper.to_array(onnx.TensorProto.FromString(data)))
    return arrays


def check_case(edgewright, files, folder):
    """None when the writer refuses the case, else what is wrong with it (empty: nothing)."""
    model = onnx.load_model(io.BytesIO(files["model"]))
    ports = [*model.graph.input, *model.graph.output]
    if any(port.type.tensor_type.elem_type != onnx.TensorProto.FLOAT for port in ports[:1]):
        return None
    source, param = folder / "case.onnx", folder / "case.param"
    source.write_bytes(files["model"])
    done = convert(edgewright, source, param)
    if done.returncode == 4:
        return None
    # Definitions that cannot be opened are the affair of the frame of all writers.
    if done.returncode == 3:
        return None
    if done.returncode != 0:
        return f"exit {done.returncode}: {done.stderr.strip()[:200]}"
    names = [port.name for port in model.graph.input]
    inputs = dict(zip(names, tensors(files, "input")))
    # What the passes made of it may need fewer inputs than the case gives.
    text = param.read_text(encoding="utf-8")
    inputs = {
        name: array
        for name, array in inputs.items()
        if f" {name}" in text and array.dtype == numpy.float32
    }
    outputs = [port.name for port in model.graph.output]
    for name, found, right in zip(
        outputs, run_ncnn(param, inputs, outputs), tensors(files, "output")
    ):
        if found.size != right.size or not relative_l2(found, right) <= 2e-3:
            return f"{name}: shape {found.shape} for {right.shape}, or other numbers"
    return ""


def check_operators(edgewright, archive, folder):
    failures, right = [], collections.Counter()
    for name, files in cases(archive):
        try:
            problem = check_case(edgewright, files, folder)
        except Exception as error:  # the suite has cases that this program cannot read
            problem = None if isinstance(error, (KeyError, TypeError, ValueError)) else repr(error)
        if problem is None:
            continue
        right["wrong" if problem else "right"] += 1
        if problem:
            failures.append(f"{name}: {problem}")
    print(f"{right['right']} cases as the suite says, {right['wrong']} not")
    return failures


def main():
    edgewright, root, what = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
    shared = root.parent / "shared"
    if not shared.is_dir():
        print(f"skipped: {shared} is not here")
        return SKIP
    with tempfile.TemporaryDirectory() as folder:
        if what == "zoo":
            failures = check_zoo(edgewright, shared / "zoo", pathlib.Path(folder))
        else:
            archive = shared / "conformance" / "onnx-backend-node-1.22.tar.xz"
            failures = check_operators(edgewright, archive, pathlib.Path(folder))
    for failure in failures:
        print("FAILED", failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
