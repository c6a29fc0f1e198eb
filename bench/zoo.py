"""The models that benches and extended tests compare tools on, and how their inputs are fixed."""

import pathlib
import sys

import numpy
import onnx

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "build" / "edgewright"
SHARED = ROOT.parent / "shared" / "zoo"
# Console scripts of the packages that tools/setup --bench installs.
TOOLS = pathlib.Path(sys.executable).parent

# File, and the shape of every input; B is the batch. A number instead of a shape fixes the input.
SPEED = {
    "resnet20": ("cifar10/resnet20.onnx", {"input": ("B", 3, 32, 32)}),
    "mobilenetv2": ("cifar10/mobilenetv2.onnx", {"input": ("B", 3, 32, 32)}),
    "vit20": ("cifar10/vit20.onnx", {"input": ("B", 3, 32, 32)}),
    "face-rfb-320": ("third-party/face-rfb-320.onnx", {"input": (1, 3, 240, 320)}),
    "silero-vad": (
        "third-party/silero-vad.onnx",
        {"input": ("B", 512), "state": (2, "B", 128), "sr": 16000},
    ),
    "mnist": ("third-party/mnist.onnx", {"Input3": (1, 1, 28, 28)}),
    "squeezenet": ("third-party/squeezenet.onnx", {"data": ("B", 3, 227, 227)}),
}
# Files that say themselves that their batch is 1.
FIXED_BATCH = {"face-rfb-320", "mnist"}

# What optimisers are compared on: one step of the language models after some tokens (the small one
# has room for ten).
PAST, PAST_OF_TINY = 16, 4
GRAPHS = {
    "face-rfb-320": SPEED["face-rfb-320"],
    "silero-vad": SPEED["silero-vad"],
    "vit20": SPEED["vit20"],
    "gpt2-past-tiny": (
        "third-party/gpt2-past-tiny.onnx",
        {"input_ids": (1, 1), **{f"past_{i}": (2, 1, 2, PAST_OF_TINY, 2) for i in range(12)}},
    ),
    "novel-7m": (
        "novel/novel-7m.onnx",
        {
            "input_ids": (1, 1),
            "attention_mask": (1, PAST + 1),
            "position_ids": (1, 1),
            **{
                f"past_key_values.{i}.{part}": (1, 2, PAST, 64)
                for i in range(8)
                for part in ("key", "value")
            },
        },
    ),
}


def shapes_for_batch(shapes, batch):
    """The shapes with a number for B."""
    return {
        name: shape
        if isinstance(shape, int)
        else tuple(batch if dim == "B" else dim for dim in shape)
        for name, shape in shapes.items()
    }


def convert_flags(shapes):
    """The flags of `edgewright convert` that fix inputs so."""
    flags = []
    for name, shape in shapes.items():
        if isinstance(shape, int):
            flags += ["--fix", f"{name}={shape}"]
        else:
            flags += ["--shape", f"{name}={'x'.join(map(str, shape))}"]
    return flags


def write_fixed(source, shapes, target):
    """A copy of a model with fixed inputs, for tools that have no flags for that."""
    model = onnx.load(source)
    for index in reversed(range(len(model.graph.input))):
        value = model.graph.input[index]
        shape = shapes.get(value.name)
        if isinstance(shape, int):
            array = numpy.array(shape, numpy.int64)
            model.graph.initializer.append(onnx.numpy_helper.from_array(array, value.name))
            del model.graph.input[index]
        elif shape is not None:
            dims = value.type.tensor_type.shape
            del dims.dim[:]
            for size in shape:
                dims.dim.add().dim_value = size
    onnx.save(model, target)
    return target


def fixed_variants(source, shapes, folder):
    """The model with all inputs fixed, with shapes fixed only, and as it is: tools that fail on one
    are given the next."""
    only_shapes = {name: shape for name, shape in shapes.items() if not isinstance(shape, int)}
    yield write_fixed(source, shapes, folder / "fixed.onnx")
    if only_shapes != shapes:
        yield write_fixed(source, only_shapes, folder / "shapes.onnx")
    yield source
