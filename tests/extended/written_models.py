"""What the tests of written models share: the networks, the suite's cases, runs of the original.

Their environments are those that hold the runtime that the models are written for.
"""

import collections
import pathlib
import subprocess
import sys
import tarfile
import tempfile

import cifar_images
import numpy
import onnx
import onnx.numpy_helper
import onnxruntime

SKIP = 77
MODELS = (
    "cifar10/resnet20",
    "cifar10/mobilenetv2",
    "cifar10/vit20",
    "third-party/face-rfb-320",
    "third-party/squeezenet",
    "third-party/mnist",
)
TOLERANCE = 1e-4
TENSORS_ONLY = ("--mode", "tensor-outputs", "--shape", "data=1x3x227x227")


def relative_l2(found, wanted):
    undefined = numpy.isnan(found.ravel()) & numpy.isnan(wanted.ravel())
    found, wanted = found.ravel()[~undefined], wanted.ravel()[~undefined]
    difference = numpy.linalg.norm(found.astype(float).ravel() - wanted.astype(float).ravel())
    return difference / max(numpy.linalg.norm(wanted.astype(float)), 1e-12)


def convert(edgewright, *arguments):
    command = [edgewright, "convert", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def converted_networks(edgewright, zoo, folder, ending, refused, failures, *arguments):
    """(name, original, written) of the zoo's networks. What is refused must be in `refused`: name
    of a network -> words that the message holds. Such a network is then written with the tensors
    before its labels as outputs, which is compared with the same by our own ONNX writer."""
    for path in MODELS:
        model, name = zoo / f"{path}.onnx", path.rsplit("/", 1)[1]
        written = folder / (name + ending)
        done = convert(edgewright, model, "-o", written, *arguments)
        if done.returncode == 4 and name in refused:
            print(f"{name}: refused: {done.stderr.strip()}")
            missing = [word for word in refused[name] if word not in done.stderr]
            failures += [f"{name}: {word} is not named" for word in missing]
            tensors_only = folder / f"{name}-tensors.onnx"
            first = convert(edgewright, model, "-o", tensors_only, *TENSORS_ONLY)
            done = convert(edgewright, tensors_only, "-o", written, *arguments)
            if done.returncode == 4 and any(word in done.stderr for word in refused[name]):
                print(f"{name}, tensors only: refused: {done.stderr.strip()}")
            elif first.returncode != 0 or done.returncode != 0:
                failures.append(f"{name}: {first.stderr.strip()} {done.stderr.strip()}")
            else:
                yield name, tensors_only, written
        elif done.returncode != 0:
            failures.append(f"{name}: {done.stderr.strip()}")
        else:
            yield name, model, written


def original_run(model):
    """Seeded feeds for the model's input, and its outputs by name, by ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    port = session.get_inputs()[0]
    shape = [size if isinstance(size, int) else 1 for size in port.shape]
    feeds = {port.name: numpy.random.default_rng(0).normal(size=shape).astype(numpy.float32)}
    names = [output.name for output in session.get_outputs()]
    return feeds, dict(zip(names, session.run(names, feeds)))


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


def finish(failures):
    for failure in failures:
        print("FAILED", failure)
    return 1 if failures else 0


def quantised_networks(edgewright, zoo, folder, ending, failures, *arguments):
    """(name, int8 model in ONNX, written, images, labels) of the networks for CIFAR-10: quantised
    on 512 images, then written for the runtime."""
    calibration, _ = cifar_images.read_images(zoo / "cifar10" / "cifar10-calib-512.bin")
    data = folder / "calibration.npz"
    numpy.savez(data, input=calibration)
    images, labels = cifar_images.read_images(zoo / "cifar10" / "cifar10-dev-2000.bin")
    for name in ("resnet20", "mobilenetv2", "vit20"):
        integer, written = folder / f"{name}-int8.onnx", folder / f"{name}{ending}"
        source = zoo / "cifar10" / f"{name}.onnx"
        words = ["--precision", "int8", "--calibrate", data, "--shape", "input=1x3x32x32"]
        first = convert(edgewright, source, "-o", integer, *words, *arguments)
        done = convert(edgewright, integer, "-o", written)
        if first.returncode != 0 or done.returncode != 0:
            failures.append(f"{name}: {first.stderr.strip()} {done.stderr.strip()}")
        else:
            yield name, integer, written, images, labels


def predictions(path, images, as_it_stands=False):
    """The logits of a network for CIFAR-10 by ONNX Runtime, image by image. As it stands: without
    its optimiser, which joins roundings with the layers around them and rounds in other places."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if as_it_stands:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return numpy.concatenate([session.run(None, {"input": image[None]})[0] for image in images])


def run(check_zoo, check_operators, check_int8):
    """The test's main: EDGEWRIGHT ROOT zoo|operators|int8."""
    edgewright, root, what = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
    shared = root.parent / "shared"
    if not shared.is_dir():
        print(f"skipped: {shared} is not here")
        return SKIP
    with tempfile.TemporaryDirectory() as folder:
        if what == "zoo":
            return finish(check_zoo(edgewright, shared / "zoo", pathlib.Path(folder)))
        if what == "int8":
            return finish(check_int8(edgewright, shared / "zoo", pathlib.Path(folder)))
        archive = shared / "conformance" / "onnx-backend-node-1.22.tar.xz"
        return finish(check_operators(edgewright, archive, pathlib.Path(folder)))
