#!/usr/bin/env python3
"""ML programs that `convert --to coreml` writes, read by coremltools.

usage: coreml_test.py EDGEWRIGHT ROOT [zoo|operators|int8]

coremltools reads specification and weights into its own program, whose operators check their
arguments and infer their types; these must be the ones declared. Core ML itself runs on Apple's
machines only: in its place the zoo's programs are computed here, by the meaning that coremltools
documents for each operator, and compared with ONNX Runtime: within 1e-4 relative; int8 models on
some images, where values between two steps fall either way: the same answers but for one. They are
compared with ONNX Runtime without its optimiser: with it, it differs from itself by 1.5 % on
mobilenetv2, and in 2 of 20 answers.
"""

import collections
import sys

REFUSED = {"squeezenet": ("ai.onnx.ml::ArrayFeatureExtractor", "ai.onnx.ml::ZipMap")}

try:
    import coremltools
    import numpy
    import written_models
    from coremltools.converters.mil.frontend.milproto import load as milproto
except ImportError as error:
    print(f"skipped: {error}; tools/setup --targets installs it")
    sys.exit(77)


IMAGES = 20


def program_of(package):
    """coremltools' program; raises where it does not take ours."""
    model = coremltools.models.MLModel(str(package), skip_model_load=True)
    spec = model.get_spec()
    declared = {}
    for block in spec.mlProgram.functions["main"].block_specializations.values():
        for operation in block.operations:
            for output in operation.outputs:
                tensor = output.type.tensorType
                declared[output.name] = [dim.constant.size for dim in tensor.dimensions]
    program = milproto.load(spec, spec.specificationVersion, model.weights_dir)
    for operation in program.functions["main"].operations:
        for output in operation.outputs:
            wanted = declared.get(output.name)
            if wanted is not None and list(output.shape) != wanted:
                raise ValueError(f"{output.name} is declared {wanted}, inferred {output.shape}")
    return spec, program


def windows(x, kernel, strides, dilations, pads, fill):
    """Every window of the spatial axes: [batch, channel, place..., kernel...]."""
    rank = len(kernel)
    width = [(0, 0), (0, 0)] + [(pads[2 * i], pads[2 * i + 1]) for i in range(rank)]
    x = numpy.pad(x, width, constant_values=fill)
    reach = [(kernel[i] - 1) * dilations[i] + 1 for i in range(rank)]
    view = numpy.lib.stride_tricks.sliding_window_view(x, reach, tuple(range(2, 2 + rank)))
    steps = (slice(None), slice(None), *(slice(None, None, step) for step in strides))
    return view[(*steps, *(slice(None, None, step) for step in dilations))]


def conv(x, weight, strides, dilations, pad, groups, bias=None, pad_type="custom"):
    assert pad_type == "custom"
    kernel = weight.shape[2:]
    view = windows(x, kernel, strides, dilations, pad, 0)
    batch, channels = x.shape[:2]
    place = view.shape[2 : 2 + len(kernel)]
    area = int(numpy.prod(kernel))
    rows = view.reshape(batch, groups, channels // groups, int(numpy.prod(place)), area)
    columns = weight.reshape(groups, weight.shape[0] // groups, channels // groups, area)
    result = numpy.einsum("bgcpa,goca->bgop", rows, columns, optimize=True)
    result = result.reshape(batch, weight.shape[0], *place)
    return result if bias is None else result + bias.reshape(1, -1, *[1] * len(kernel))


def max_pool(x, kernel_sizes, strides, pad, pad_type="custom", ceil_mode=False):
    assert pad_type == "custom" and not ceil_mode
    rank = len(kernel_sizes)
    view = windows(x, kernel_sizes, strides, [1] * rank, pad, -numpy.inf)
    return view.max(axis=tuple(range(-rank, 0)))


def softmax(x, axis):
    powers = numpy.exp(x - x.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def layer_norm(x, axes, gamma, epsilon, beta=0.0):
    axes = tuple(axes)
    centred = x - x.mean(axis=axes, keepdims=True)
    variance = (centred**2).mean(axis=axes, keepdims=True)
    return centred / numpy.sqrt(variance + epsilon) * gamma + beta


def gelu(x, mode):
    assert mode == "EXACT"
    from math import erf

    return x * 0.5 * (1 + numpy.vectorize(erf)(x / numpy.sqrt(2)))


def slice_by_index(x, begin, end, stride, begin_mask, end_mask, squeeze_mask):
    assert not (any(begin_mask) or any(end_mask) or any(squeeze_mask))
    return x[tuple(slice(b, e, s) for b, e, s in zip(begin, end, stride))]


def matmul(x, y, transpose_x, transpose_y):
    x = numpy.swapaxes(x, -1, -2) if transpose_x else x
    return x @ (numpy.swapaxes(y, -1, -2) if transpose_y else y)


def batch_norm(x, mean, variance, gamma, beta, epsilon):
    mean, variance, gamma, beta = (
        v.reshape(1, -1, *[1] * (x.ndim - 2)) for v in (mean, variance, gamma, beta)
    )
    return (x - mean) / numpy.sqrt(variance + epsilon) * gamma + beta


def per_channel(values, axis, rank):
    values = numpy.asarray(values)
    if values.ndim == 0:
        return values
    shape = [1] * rank
    shape[axis] = -1
    return values.reshape(shape)


def quantize(input, scale, output_dtype, zero_point=0, axis=0):
    kind = numpy.iinfo(output_dtype)
    steps = numpy.rint(input / per_channel(scale, axis, input.ndim))
    steps += per_channel(numpy.asarray(zero_point, numpy.int32), axis, input.ndim)
    return numpy.clip(steps, kind.min, kind.max).astype(output_dtype)


def dequantize(input, scale, zero_point=0, axis=0):
    zero = per_channel(numpy.asarray(zero_point, numpy.int32), axis, input.ndim)
    return (input.astype(numpy.int32) - zero) * per_channel(scale, axis, input.ndim)


def split(x, axis, split_sizes):
    return numpy.split(x, numpy.cumsum(split_sizes)[:-1], axis=axis)


MEANING = {
    "add": lambda x, y: x + y,
    "batch_norm": batch_norm,
    "clip": lambda x, alpha, beta: numpy.clip(x, alpha, beta),
    "concat": lambda values, axis, interleave: numpy.concatenate(values, axis=axis),
    "conv": conv,
    "constexpr_affine_dequantize": lambda quantized_data, scale, zero_point, axis: dequantize(
        quantized_data, scale, zero_point, axis
    ).astype(numpy.float32),
    "dequantize": lambda **a: dequantize(**a).astype(numpy.float32),
    "exp": lambda x: numpy.exp(x),
    "gelu": gelu,
    "layer_norm": layer_norm,
    "matmul": matmul,
    "max_pool": max_pool,
    "mul": lambda x, y: x * y,
    "reduce_mean": lambda x, axes, keep_dims: x.mean(axis=tuple(axes), keepdims=bool(keep_dims)),
    "quantize": quantize,
    "reduce_argmax": lambda x, axis, keep_dims: numpy.argmax(x, axis=axis, keepdims=keep_dims),
    "relu": lambda x: numpy.maximum(x, 0),
    "reshape": lambda x, shape: x.reshape(shape),
    "sigmoid": lambda x: 1 / (1 + numpy.exp(-x)),
    "slice_by_index": slice_by_index,
    "softmax": softmax,
    "split": split,
    "sub": lambda x, y: x - y,
    "transpose": lambda x, perm: x.transpose(perm),
}


def compute(program, inputs):
    """The program's outputs in order."""
    main = program.functions["main"]
    values = {id(var): inputs[name].astype(float) for name, var in main.inputs.items()}

    def value_of(var):
        if isinstance(var, (list, tuple)):
            return [value_of(element) for element in var]
        return values[id(var)] if id(var) in values else var.val

    for operation in main.operations:
        if operation.op_type == "const":
            continue
        arguments = {
            name: value_of(var) for name, var in operation.inputs.items() if var is not None
        }
        results = MEANING[operation.op_type](**arguments)
        for output, result in zip(
            operation.outputs, results if isinstance(results, list) else [results]
        ):
            values[id(output)] = result
    return [values[id(output)] for output in main.outputs]


def check_zoo(edgewright, zoo, folder):
    failures = []
    for name, model, package in written_models.converted_networks(
        edgewright, zoo, folder, ".mlpackage", REFUSED, failures
    ):
        spec, program = program_of(package)
        feeds, wanted = written_models.original_run(model)
        found = compute(program, {spec.description.input[0].name: next(iter(feeds.values()))})
        for (output, right), ours in zip(wanted.items(), found):
            error = written_models.relative_l2(ours, right)
            print(f"{name}: {output}: relative L2 {error:.2g}")
            if not error <= written_models.TOLERANCE or list(ours.shape) != list(right.shape):
                failures.append(f"{name}: {output}: {error}")
    return failures


def check_int8(edgewright, zoo, folder):
    failures = []
    for name, integer, package, images, _ in written_models.quantised_networks(
        edgewright, zoo, folder, ".mlpackage", failures
    ):
        _, program = program_of(package)
        operators = collections.Counter(o.op_type for o in program.functions["main"].operations)
        wanted = written_models.predictions(integer, images[:IMAGES], as_it_stands=True)
        runs = [compute(program, {"input": image[None]}) for image in images[:IMAGES]]
        found = numpy.concatenate([run[0] for run in runs])
        error = written_models.relative_l2(found, wanted)
        same = int((found.argmax(1) == wanted.argmax(1)).sum())
        print(f"{name} in int8: {operators['constexpr_affine_dequantize']} weights, "
              f"{operators['quantize']} roundings; logits off by {error:.2g}, "
              f"{same} of {IMAGES} answers the same")  # fmt: skip
        if same < IMAGES - 1 or operators["quantize"] == 0:
            failures.append(f"{name} in int8: {same} of {IMAGES}")
    return failures


def check_operators(edgewright, archive, folder):
    failures, count = [], collections.Counter()
    for name, files in written_models.cases(archive):
        source, package = folder / "case.onnx", folder / "case.mlpackage"
        source.write_bytes(files["model"])
        done = written_models.convert(edgewright, source, "-o", package)
        if done.returncode != 0:
            continue
        try:
            program_of(package)
            count["right"] += 1
        except Exception as error:
            count["wrong"] += 1
            failures.append(f"{name}: {type(error).__name__}: {str(error)[:200]}")
    print(f"{count['right']} cases loaded, {count['wrong']} refused by coremltools")
    return failures


if __name__ == "__main__":
    sys.exit(written_models.run(check_zoo, check_operators, check_int8))
