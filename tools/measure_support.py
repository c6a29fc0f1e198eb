#!/usr/bin/env python3
"""Asks runtimes that can be run here which operators they execute, and writes support tables.

usage: measure_support.py ARCHIVE RUNTIME [--program PROGRAM] [--check] [--output FILE.tsv]

ARCHIVE is the ONNX backend test suite (.tar.xz); RUNTIME is onnxruntime or openvino, from the
Python environment of the benches (tools/setup --bench), tflite (tools/setup --litert) or ncnn
(tools/setup --targets). Every node case is loaded and run on its own inputs. For each operator and
type of its first data input the answer is yes when at least half of the cases run. Integer inputs
(axes, shapes) of a case that fails are tried as constants, which is how models have them: the row
then says so. Cases with sequences and optional values are asked apart from those of tensors alone.
Cases older than opset 7 are asked in opset 7 where their operator is the same there, and are no
question otherwise: ONNX Runtime reads none of them. --check compares the answers with the program's
table instead of writing one: `--check` reads OUTPUT and fails when fewer than 98 % agree.

The suite asks most operators in one or two types only. The first case of every operator is asked
in the other usual types as well, where ONNX allows them; those answers are in the tables and are
counted apart.

LiteRT and ncnn are asked through what PROGRAM converts: a case that it refuses is no question to
the runtime. Rows of other sources in the file stay where they are, before or behind these.
"""

import argparse
import collections
import json
import pathlib
import subprocess
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
    """(operator, type, whether all is tensors) of a model of one node; None for others."""
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
    ports = [*model.graph.input, *model.graph.output]
    return name, main, all(value.type.HasField("tensor_type") for value in ports)


def load_inputs(folder, model):
    feeds = {}
    # Old files list their weights among the inputs; the data set holds what is fed.
    weights = {tensor.name for tensor in model.graph.initializer}
    fed = [value for value in model.graph.input if value.name not in weights]
    for i, value in enumerate(fed):
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


class NotAsked(Exception):
    """The case did not reach the runtime."""


class ThroughProgram:
    """A runtime with a format of its own, which the program writes."""

    def __init__(self, program, ending):
        self.program, self.ending = program, ending
        self.opened = set()  # operators that the program opened into others

    def written(self, path, feeds):
        written = path.with_suffix(self.ending)
        document = path.with_suffix(".json")
        command = [self.program, "convert", path, "-o", written, "--mode", "no-verify",
                   "--json", document]
        # Shapes that the suite leaves open are those of its inputs.
        for name, value in feeds.items():
            if value.ndim > 0:
                command += ["--shape", f"{name}={'x'.join(map(str, value.shape))}"]
        done = subprocess.run(list(map(str, command)), capture_output=True, check=False)
        if done.returncode != 0:
            raise NotAsked
        for choice in json.loads(document.read_text())["choices"]:
            if choice["chosen"] == "its ONNX definition":
                self.opened.add(choice["what"])
        return written


class LiteRt(ThroughProgram):
    def __init__(self, program):
        import importlib.metadata

        from ai_edge_litert.interpreter import Interpreter

        super().__init__(program, ".tflite")
        self.interpreter = Interpreter
        self.version = importlib.metadata.version("ai-edge-litert")

    def run(self, path, feeds):
        interpreter = self.interpreter(str(self.written(path, feeds)))
        interpreter.allocate_tensors()
        for detail in interpreter.get_input_details():
            interpreter.set_tensor(detail["index"], feeds[detail["name"]])
        interpreter.invoke()


class Ncnn(ThroughProgram):
    needs = "batchless-rank<=4"  # of everything: it has no more axes

    def __init__(self, program):
        import ncnn

        super().__init__(program, ".param")
        self.module = ncnn
        self.version = ncnn.__version__

    def run(self, path, feeds):
        param = self.written(path, feeds)
        net = self.module.Net()
        if net.load_param(str(param)) or net.load_model(str(param.with_suffix(".bin"))):
            raise ValueError("not loaded")
        extractor = net.create_extractor()
        blobs = param.read_text(encoding="utf-8").split()
        for name, value in feeds.items():
            if name not in blobs:  # the passes may need fewer
                continue
            # Without the first axis of length 1, and in float32: that is what ncnn has.
            shape = list(value.shape)
            if len(shape) > 1 and 1 in shape:
                shape.remove(1)
            array = np.ascontiguousarray(value.reshape(shape or [1]), np.float32)
            if extractor.input(name, self.module.Mat(array).clone()):
                raise ValueError(name)
        for port in onnx.load(path).graph.output:
            if extractor.extract(port.name)[0]:
                raise ValueError(port.name)


RUNTIMES = {"ncnn": Ncnn, "onnxruntime": OnnxRuntime, "openvino": OpenVino, "tflite": LiteRt}


def with_constants(model, feeds):
    """The model with its integer inputs behind the first as constants, what is still fed, and the
    numbers of those inputs; None where there are none."""
    names = [name for name in list(feeds)[1:] if feeds[name].dtype in (np.int32, np.int64)]
    if not names:
        return None
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    for name in names:
        changed.graph.initializer.append(numpy_helper.from_array(feeds[name], name))
    kept = [value for value in changed.graph.input if value.name not in names]
    del changed.graph.input[:]
    changed.graph.input.extend(kept)
    node = next(n for n in model.graph.node if n.op_type != "Constant")
    places = tuple(i for i, name in enumerate(node.input) if name in names)
    return changed, {k: v for k, v in feeds.items() if k not in names}, places


def runs_with_constants(runtime, path, model, feeds):
    """The numbers of the inputs that have to be constants; None when it fails with them too."""
    changed = with_constants(model, feeds)
    if changed is None or isinstance(runtime, ThroughProgram):
        return None
    other = path.with_name("constants.onnx")
    try:
        onnx.save(changed[0], other)
        runtime.run(other, changed[1])
    except Exception:  # noqa: BLE001  any refusal is an answer
        return None
    return changed[2]


class Answer:
    """Of one operator and type: how many cases there are and run, and what must be constant."""

    def __init__(self, is_of_suite=True):
        self.ran, self.cases, self.constants = 0, 0, set()
        self.is_of_suite = is_of_suite

    def yes(self):
        return 2 * self.ran >= self.cases


OTHER_TYPES = ("float32", "float16", "float64", "int32", "int64", "bool")
TENSOR_TYPES = {
    "float32": onnx.TensorProto.FLOAT, "float16": onnx.TensorProto.FLOAT16,
    "float64": onnx.TensorProto.DOUBLE, "int32": onnx.TensorProto.INT32,
    "int64": onnx.TensorProto.INT64, "bool": onnx.TensorProto.BOOL,
}  # fmt: skip


def in_type(model, feeds, kind):
    """The case with its main input, and all that ONNX gives the same type, in another type; None
    where ONNX does not allow it."""
    node = model.graph.node[0]
    if len(model.graph.node) != 1 or model.graph.initializer or not feeds or node.attribute:
        return None
    try:
        schema = onnx.defs.get_schema(node.op_type, opset_of(model), node.domain)
    except onnx.defs.SchemaError:
        return None
    name = schema.inputs[0].type_str
    allowed = {c.type_param_str: c.allowed_type_strs for c in schema.type_constraints}
    word = {"float32": "float", "float64": "double"}.get(kind, kind)
    if f"tensor({word})" not in allowed.get(name, ()):
        return None
    changed, values = onnx.ModelProto(), dict(feeds)
    changed.CopyFrom(model)
    for formal, names, ports in (
        (schema.inputs, node.input, changed.graph.input),
        (schema.outputs, node.output, changed.graph.output),
    ):
        for i, port in enumerate(names):
            # The last formal parameter may stand for any number.
            if formal[min(i, len(formal) - 1)].type_str != name:
                continue
            for value in ports:
                if value.name == port and value.type.HasField("tensor_type"):
                    value.type.tensor_type.elem_type = TENSOR_TYPES[kind]
            if port in values:
                values[port] = values[port].astype(kind)
    return changed, values


def ask_in_other_types(runtime, path, model, feeds, asked, answers):
    for kind in OTHER_TYPES:
        key = (asked[0], kind, asked[2])
        if key in answers:
            continue
        other = in_type(model, feeds, kind)
        if other is None or question(other[0]) != key:
            continue
        answers[key] = Answer(is_of_suite=False)
        answers[key].cases = 1
        place = path.with_name("other.onnx")
        try:
            onnx.save(other[0], place)
            runtime.run(place, other[1])
            answers[key].ran = 1
        except Exception:  # noqa: BLE001  any refusal is an answer
            constants = runs_with_constants(runtime, place, *other)
            if constants is not None:
                answers[key].ran = 1
                answers[key].constants.update(constants)


def in_readable_opset(path):
    """The model; one older than opset 7 in that opset, None where its operator is another."""
    model = onnx.load(path)
    if opset_of(model) >= 7:
        return model
    for node in model.graph.node:
        try:
            then = onnx.defs.get_schema(node.op_type, opset_of(model), node.domain)
            now = onnx.defs.get_schema(node.op_type, 7, node.domain)
        except onnx.defs.SchemaError:
            return None
        if then.since_version != now.since_version:
            return None
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx"):
            entry.version = 7
    onnx.save(model, path)
    return model


def opset_of(model):
    return max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=99)


def ask(runtime, archive):
    """(operator, type, of tensors) -> Answer."""
    answers = collections.defaultdict(Answer)
    first = {}
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
        for path in sorted(pathlib.Path(folder).rglob("model.onnx")):
            model = in_readable_opset(path)
            asked = None if model is None else question(model)
            if asked is None or asked[0].startswith("ai.onnx.preview"):
                continue
            try:
                feeds = load_inputs(path.parent, model)
            except Exception:  # noqa: BLE001  sequences and the like
                feeds = {}
            try:
                runtime.run(path, feeds)
                answers[asked].ran += 1
            except NotAsked:
                continue
            except Exception:  # noqa: BLE001  any refusal is an answer
                constants = runs_with_constants(runtime, path, model, feeds)
                if constants is not None:
                    answers[asked].ran += 1
                    answers[asked].constants.update(constants)
            answers[asked].cases += 1
            first.setdefault(asked[0], (path, model, feeds, asked))
        if not isinstance(runtime, ThroughProgram):
            for case in first.values():
                ask_in_other_types(runtime, *case, answers)
    return {key: answer for key, answer in answers.items() if answer.cases > 0}


def levels_of(answers):
    """(operator, type) -> [(whether it runs, what has to hold), ...], the last always fits."""
    levels = collections.defaultdict(list)
    for (operator, kind, of_tensors), answer in sorted(answers.items(), reverse=True):
        found = levels[operator, kind]
        other = answers.get((operator, kind, not of_tensors))
        # Tensors come first; what is asked in one way only speaks for both.
        differs = other is not None and other.yes() != answer.yes()
        if not of_tensors and other is not None and not differs:
            continue
        needs = [f"constant:{i}" for i in sorted(answer.constants)] if answer.yes() else []
        if of_tensors and differs:
            needs.append("tensors")
        found.append((answer.yes(), " ".join(needs) or "-"))
    for found in levels.values():
        if found[-1][1] != "-":
            found.append((False, "-"))
    return levels


def table_of(name, runtime, answers):
    """Rows with equal answers for the same types are written as one."""
    by_operator = collections.defaultdict(lambda: collections.defaultdict(list))
    for (operator, kind), found in sorted(levels_of(answers).items()):
        opened = operator in getattr(runtime, "opened", ())
        for runs, needs in found:
            level = ("decompose" if opened else "native") if runs else "no"
            if runs and needs == "-":
                needs = getattr(runtime, "needs", "-")
            by_operator[operator][(level, needs)].append(kind)
    rows = collections.defaultdict(list)
    for operator, groups in by_operator.items():
        for (level, needs), kinds in groups.items():
            rows[(",".join(kinds), level, needs)].append(operator)
    source = f"tools/measure_support.py, {name} {runtime.version}"
    lines = [
        f"# framework {name}: {name} on the CPU, measured with version {runtime.version}",
        "# hardware cpu", "# fallback no", "# max-opset 1:0", HEADING,
    ]
    # The first row that fits decides: what asks for constants comes before what does not.
    for (kinds, level, needs), operators in sorted(
        rows.items(), key=lambda row: (row[0][2] == "-", row[1])
    ):
        cells = [",".join(operators), kinds, "*", "cpu", level, needs, "measured", source]
        lines.append("\t".join(cells))
    if isinstance(runtime, ThroughProgram):  # other rows speak of what was not asked
        return "\n".join(lines) + "\n"
    # What runs with every type that the suite has, runs with the others too, as far as one knows.
    refused = {operator for operator, groups in by_operator.items()
               if any(level == "no" for level, _ in groups)}
    others = sorted(set(by_operator) - refused)
    cells = [",".join(others), "*", "*", "cpu", "native", "-", "inferred",
             f"runs with every type that was asked: {source}"]
    return "\n".join([*lines, "\t".join(cells)]) + "\n"


def merged(measured, existing):
    """The rows that are measured here in the place of the former, among those of other sources."""
    head = [line for line in existing.splitlines() if line.startswith("#") or line == HEADING]
    before, behind = [], []
    # A table that has none gets them in front: the first row that fits decides.
    has_passed = "\ttools/measure_support.py" not in existing
    for line in existing.splitlines():
        if "tools/measure_support.py" in line and line not in head:
            has_passed = True
        elif line not in head:
            (behind if has_passed else before).append(line)
    version = next(line for line in measured.splitlines() if line.startswith("# framework"))
    if ", measured with version" in head[0]:
        head[0] = version
    rows = [line for line in measured.splitlines() if "tools/measure_support.py" in line]
    return "\n".join(head + before + rows + behind) + "\n"


def fits(cell, name):
    return cell == "*" and "::" not in name or name in cell.split(",")


def look_up(table, operator, kind, of_tensors):
    for line in table.splitlines():
        cells = line.split("\t")
        if len(cells) != 8 or not fits(cells[3], "cpu"):
            continue
        # The suite's cases say their ranks.
        if "unknown-rank" in cells[5] or ("tensors" in cells[5] and not of_tensors):
            continue
        if fits(cells[0], operator) and fits(cells[1], kind):
            return cells[4] in ("native", "decompose", "cast")
    return False


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=pathlib.Path)
    parser.add_argument("runtime", choices=sorted(RUNTIMES))
    parser.add_argument("--program", help="edgewright, for tflite and ncnn")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--output", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    if not arguments.archive.exists():
        print(f"skipped: no {arguments.archive}")
        return 77
    np.seterr(all="ignore")
    asks_through_program = arguments.runtime in ("ncnn", "tflite")
    try:
        kind = RUNTIMES[arguments.runtime]
        runtime = kind(arguments.program) if asks_through_program else kind()
    except ImportError as error:
        print(f"skipped: {error}")
        return 77
    answers = ask(runtime, arguments.archive)
    if not arguments.check:
        table = table_of(arguments.runtime, runtime, answers)
        if arguments.output.exists():
            table = merged(table, arguments.output.read_text())
        arguments.output.write_text(table)
        return 0
    table = arguments.output.read_text()
    missed = False
    for of_suite, what in ((True, "of the suite"), (False, "in other types")):
        asked = {k: a for k, a in answers.items() if a.is_of_suite == of_suite}
        agree = sum(look_up(table, *key) == answer.yes() for key, answer in asked.items())
        name = f"{arguments.runtime} {runtime.version}"
        share = 100 * agree / len(asked) if asked else 100
        print(f"{name}: {agree} of {len(asked)} answers {what} agree, {share:.1f} % (98 asked)")
        missed = missed or agree < 0.98 * len(asked)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
