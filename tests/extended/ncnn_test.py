#!/usr/bin/env python3
"""Networks that `convert --to ncnn` writes, run by ncnn itself.

usage: ncnn_test.py EDGEWRIGHT ROOT [zoo|operators|int8]

zoo        the networks of ../shared against ONNX Runtime: within 1e-4 relative; what is refused is
           listed by name
operators  every case of the ONNX backend suite that the writer takes, against the suite's outputs
int8       the networks for CIFAR-10 in ncnn's integer arithmetic: at most 0.7 points of top-1 lost
"""

import collections
import io
import sys

AROUND_ZERO = ("--quantize", "scheme=s8s8", "--quantize", "activations=symmetric")
MOST_POINTS_LOST = 0.7
# ONNX Runtime's squeezenet ends in labels and a map, which are no tensors.
REFUSED = {"squeezenet": ("ArgMax", "ai.onnx.ml::ArrayFeatureExtractor", "ai.onnx.ml::ZipMap")}

try:
    import ncnn
    import numpy
    import onnx
    import written_models
    from written_models import TOLERANCE, relative_l2
except ImportError as error:
    print(f"skipped: {error}; tools/setup --targets installs it")
    sys.exit(77)


def blob_array(array):
    """As ncnn sees a value: without the first axis of length 1."""
    shape = list(array.shape)
    if len(shape) > 1 and 1 in shape:
        shape.remove(1)
    return numpy.ascontiguousarray(array.reshape(shape or [1]))


def open_ncnn(param):
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
    return net


def run_ncnn(param, inputs, outputs):
    """The outputs by name; a list of them in order."""
    return run_net(open_ncnn(param), inputs, outputs)


def run_net(net, inputs, outputs):
    extractor = net.create_extractor()
    for name, array in inputs.items():
        assert extractor.input(name, ncnn.Mat(blob_array(array)).clone()) == 0, name
    results = []
    for name in outputs:
        code, mat = extractor.extract(name)
        assert code == 0, f"{name}: {code}"
        results.append(numpy.array(mat))
    return results


def check_zoo(edgewright, zoo, folder):
    failures = []
    for name, model, param in written_models.converted_networks(
        edgewright, zoo, folder, ".param", REFUSED, failures, "--to", "ncnn"
    ):
        feeds, wanted = written_models.original_run(model)
        for (output, right), found in zip(wanted.items(), run_ncnn(param, feeds, list(wanted))):
            error = relative_l2(found, right)
            print(f"{name}: {output}: relative L2 {error:.2g}")
            if not error <= TOLERANCE or found.size != right.size:
                failures.append(f"{name}: {output}: {error}")
    return failures


def check_int8(edgewright, zoo, folder):
    """Top-1 of ncnn's own integer arithmetic against float32 on 2,000 images."""
    failures = []
    for name, _, param, images, labels in written_models.quantised_networks(
        edgewright, zoo, folder, ".param", failures, *AROUND_ZERO
    ):
        integers = param.read_text(encoding="utf-8").count(" 8=1")
        net = open_ncnn(param)
        found = numpy.stack([run_net(net, {"input": i[None]}, ["logits"])[0] for i in images])
        exact = written_models.predictions(zoo / "cifar10" / f"{name}.onnx", images)
        score = 100 * float((found.reshape(len(labels), -1).argmax(1) == labels).mean())
        lost = 100 * float((exact.argmax(1) == labels).mean()) - score
        print(f"{name} in int8: {integers} integer layers, top-1 {score:.2f} %, {lost:.2f} lost")
        if not lost <= MOST_POINTS_LOST or integers == 0:
            failures.append(f"{name} in int8: {lost} points lost, {integers} integer layers")
    return failures


def check_case(edgewright, files, folder):
    """None when the writer refuses the case, else what is wrong with it (empty: nothing)."""
    model = onnx.load_model(io.BytesIO(files["model"]))
    ports = [*model.graph.input, *model.graph.output]
    if any(port.type.tensor_type.elem_type != onnx.TensorProto.FLOAT for port in ports[:1]):
        return None
    source, param = folder / "case.onnx", folder / "case.param"
    source.write_bytes(files["model"])
    done = written_models.convert(edgewright, source, "-o", param, "--to", "ncnn")
    if done.returncode == 4:
        return None
    if done.returncode != 0:
        return f"exit {done.returncode}: {done.stderr.strip()[:200]}"
    names = [port.name for port in model.graph.input]
    inputs = dict(zip(names, written_models.tensors(files, "input")))
    # What the passes made of it may need fewer inputs than the case gives.
    text = param.read_text(encoding="utf-8")
    inputs = {
        name: array
        for name, array in inputs.items()
        if f" {name}" in text and array.dtype == numpy.float32
    }
    outputs = [port.name for port in model.graph.output]
    for name, found, right in zip(
        outputs, run_ncnn(param, inputs, outputs), written_models.tensors(files, "output")
    ):
        if found.size != right.size or not relative_l2(found, right) <= 2e-3:
            return f"{name}: shape {found.shape} for {right.shape}, or other numbers"
    return ""


def check_operators(edgewright, archive, folder):
    failures, right = [], collections.Counter()
    for name, files in written_models.cases(archive):
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


if __name__ == "__main__":
    sys.exit(written_models.run(check_zoo, check_operators, check_int8))
