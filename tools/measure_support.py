#!/usr/bin/env python3
"""Asks runtimes that can be run here which operators they execute, and writes support tables.

usage: measure_support.py ARCHIVE RUNTIME [--check] [--output FILE.tsv]

ARCHIVE is the ONNX backend test suite (.tar.xz); RUNTIME is onnxruntime or openvino, from the
Python environment of the benches (tools/setup --bench). Every node case is loaded and run on its
own inputs. For each operator and type of its first data input the answer is yes when at least half
of the cases run. --check compares the answers with the program's table instead of writing one:
`--check` reads OUTPUT and fails when fewer than 98 % agree.
"""

import argparse
import collections
import pathlib
import sys
import tarfile
import tempfile

import numpy as np
import onnx
from onnx import numpy_helper

HEADING = "operators\ttypes\tversions\thardware\tlevel\trestriction\tbasis\tsource"
FLOATS = {"float32", "float16", "float64", "bfloat16"}


def type_name(element_type):
    name = onnx.TensorProto.DataType.Name(element_type).lower()
    return {"float": "float32", "double": "float64"}.get(name, name)


def question(model):
    """(operator, type) of a model of one node; None for others."""
    nodes = [n for n in model.graph.node if n.op_type != "Constant"]
    if len(nodes) != 1:
        return None
    types = []
    for value in model.graph.input:
        if value.type.HasField("tensor_type"):
            types.append(type_name(value.type.tensor_type.elem_type))
        else:
            types.append("undefined")
    main = next((t for t in types if t in FLOATS), types[0] if types else None)
    if main is None:
        return None
    name = nodes[0].op_type if not nodes[0].domain else f"{nodes[0].domain}::{nodes[0].op_type}"
    return name, main


def load_inputs(folder, model):
    feeds = {}
    for i, value in enumerate(model.graph.input):
        path = folder / "test_data_set_0" / f"input_{i}.pb"
        tensor = onnx.TensorProto()
        tensor.ParseFromString(path.read_bytes())
        feeds[value.name] = numpy_helper.to_array(tensor)
    return feeds


class OnnxRuntime:
    def __init__(self):
        import onnxruntime

        self.module = onnxruntime
        self.version = onnxruntime.__version__
        onnxruntime.set_default_logger_severity(4)

    def run(self, path, feeds):
        session = self.module.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        session.run(None, feeds)


class OpenVino:
    def __init__(self):
        import openvino

        self.core = openvino.Core()
        self.version = openvino.__version__.split("-")[0]

    def run(self, path, feeds):
        model = self.core.compile_model(self.core.read_model(str(path)), "CPU")
        request = model.create_infer_request()
        request.infer(dict(enumerate(feeds.values())))


RUNTIMES = {"onnxruntime": OnnxRuntime, "openvino": OpenVino}


def ask(runtime, archive):
    """(operator, type) -> [cases that ran, cases]."""
    answers = collections.defaultdict(lambda: [0, 0])
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
        for path in sorted(pathlib.Path(folder).rglob("model.onnx")):
            model = onnx.load(path)
            asked = question(model)
            if asked is None or asked[0].startswith("ai.onnx.preview"):
                continue
            answers[asked][1] += 1
            try:
                runtime.run(path, load_inputs(path.parent, model))
                answers[asked][0] += 1
            except Exception:  # noqa: BLE001  any refusal is an answer
                pass
    return answers


def table_of(name, runtime, answers):
    """Rows with equal answers for the same types are written as one."""
    by_operator = collections.defaultdict(lambda: ([], []))
    for (operator, kind), (ran, cases) in sorted(answers.items()):
        by_operator[operator][0 if 2 * ran >= cases else 1].append(kind)
    rows = collections.defaultdict(list)
    for operator, (yes, no) in by_operator.items():
        for kinds, level in ((yes, "native"), (no, "no")):
            if kinds:
                rows[(",".join(kinds), level)].append(operator)
    source = f"tools/measure_support.py, {name} {runtime.version}"
    lines = [
        f"# framework {name}: {name} on the CPU, measured with version {runtime.version}",
        "# hardware cpu", "# fallback no", "# max-opset 1:0", HEADING,
    ]
    for (kinds, level), operators in sorted(rows.items(), key=lambda row: row[1]):
        cells = [",".join(operators), kinds, "*", "cpu", level, "-", "measured", source]
        lines.append("\t".join(cells))
    return "\n".join(lines) + "\n"


def look_up(table, operator, kind):
    for line in table.splitlines():
        cells = line.split("\t")
        if len(cells) == 8 and operator in cells[0].split(",") and kind in cells[1].split(","):
            return cells[4] == "native"
    return False


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=pathlib.Path)
    parser.add_argument("runtime", choices=sorted(RUNTIMES))
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--output", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    if not arguments.archive.exists():
        print(f"skipped: no {arguments.archive}")
        return 77
    np.seterr(all="ignore")
    runtime = RUNTIMES[arguments.runtime]()
    answers = ask(runtime, arguments.archive)
    if not arguments.check:
        arguments.output.write_text(table_of(arguments.runtime, runtime, answers))
        return 0
    table = arguments.output.read_text()
    agree = sum(look_up(table, *key) == (2 * ran >= cases) for key, (ran, cases) in answers.items())
    print(f"{arguments.runtime} {runtime.version}: {agree} of {len(answers)} answers agree")
    return 0 if agree >= 0.98 * len(answers) else 1


if __name__ == "__main__":
    sys.exit(main())
