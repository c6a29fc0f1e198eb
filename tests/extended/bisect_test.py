"""Corrupts one weight tensor of a model and asks `verify --bisect` which layer it was.

usage: bisect_test.py PROGRAM ZOO [SEEDS]

For each model of the zoo and each seed one weight of one layer is replaced by noise of the same
spread; the layer that reads it must be named within 2*log2(layers) + 4 model runs. Prints how often
that was so; at least 19 of 20 are expected for every model.
"""

import json
import math
import pathlib
import subprocess
import sys
import tempfile

PROGRAM, ZOO = sys.argv[1], pathlib.Path(sys.argv[2])
SEEDS = int(sys.argv[3]) if len(sys.argv) > 3 else 20
MODELS = {
    "cifar10/resnet20.onnx": [],
    "cifar10/mobilenetv2.onnx": [],
    "cifar10/vit20.onnx": [],
    "cifar10/resnet20-qat.onnx": [],
    "third-party/face-rfb-320.onnx": [],
    "third-party/mnist.onnx": [],
}

try:
    import numpy as np
    import onnx
    from onnx import numpy_helper
except ImportError as error:
    print(f"skipped: {error}; run tools/setup --bench")
    sys.exit(77)
if not ZOO.exists():
    print(f"skipped: no {ZOO}")
    sys.exit(77)


def constants_of(graph):
    """Names of all values that do not depend on the graph's inputs."""
    names = {i.name for i in graph.initializer}
    for node in graph.node:
        if all(not i or i in names for i in node.input):
            names.update(node.output)
    return names


def readers(graph, name, constants):
    """The layers that read a weight, through nodes that make constants of it."""
    found, waiting = [], [name]
    while waiting:
        value = waiting.pop()
        for node in graph.node:
            if value in node.input:
                if node.output[0] in constants:
                    waiting.extend(node.output)
                elif node not in found:
                    found.append(node)
    return found


def weights(graph):
    """Float weights of several dimensions that exactly one layer reads."""
    result, constants = [], constants_of(graph)
    for tensor in graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) >= 2:
            nodes = readers(graph, tensor.name, constants)
            if len(nodes) == 1:
                result.append((tensor, nodes[0]))
    return result


def corrupt(model, seed):
    random = np.random.default_rng(seed)
    tensor, node = weights(model.graph)[random.integers(len(weights(model.graph)))]
    values = numpy_helper.to_array(tensor)
    noise = random.standard_normal(values.shape) * values.std()
    tensor.CopyFrom(numpy_helper.from_array(noise.astype(np.float32), tensor.name))
    return node


def bisect(reference, candidate, options):
    command = [PROGRAM, "verify", reference, candidate, "--bisect", "--samples", "1", *options]
    done = subprocess.run([*map(str, command), "--json", "-"], capture_output=True, check=False)
    if done.returncode not in (0, 1):
        return None, done.stderr.decode()
    return json.loads(done.stdout)["bisect"], ""


def main():
    failed = False
    for name, options in MODELS.items():
        named = within = 0
        with tempfile.TemporaryDirectory() as folder:
            for seed in range(SEEDS):
                model = onnx.load(ZOO / name)
                node = corrupt(model, seed)
                broken = pathlib.Path(folder) / "broken.onnx"
                onnx.save(model, broken)
                found, error = bisect(ZOO / name, broken, options)
                if found is None:
                    print(f"{name} seed {seed}: {error}")
                    continue
                right = found["layers"] == [node.output[0]]
                limit = 2 * math.log2(found["layers_compared"]) + 4
                named += right
                within += found["model_runs"] <= limit
                if not right:
                    print(f"{name} seed {seed}: {node.output[0]}, found {found['layers'][:5]}")
        print(f"{name}: {named} of {SEEDS} named, {within} within the runs")
        failed = failed or named < 0.95 * SEEDS or within < SEEDS
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
