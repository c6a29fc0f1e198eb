"""PyTorch in: export a module to ONNX, compare it with the module at once, say what changed.

>>> import edgewright.torch
>>> report = edgewright.torch.export(module, (torch.zeros(1, 3, 32, 32),), "model.onnx")
>>> report.passed, report.exporter, report.changes
"""

import collections.abc
import contextlib
import io
import json
import os
import pathlib
import warnings

import numpy
import torch

from ._edgewright import inspect
from .errors import CheckFailed, UsageError
from .report import Report
from .session import InferenceSession

__all__ = ["export"]

# Modules that compute something else while training.
_TRAINING_MATTERS = (
    torch.nn.modules.dropout._DropoutNd,
    torch.nn.modules.batchnorm._BatchNorm,
    torch.nn.modules.instancenorm._InstanceNorm,
)
_EXPORTERS = ("dynamo", "torchscript")
# Factors of the seeded inputs that the comparison makes beside the given ones: branches that the
# exporter has frozen by the example's values show where signs and sizes differ.
_SCALES = (1.0, -1.0, 10.0, 0.01)


def export(
    model: torch.nn.Module,
    inputs: "collections.abc.Sequence[torch.Tensor]",
    output: "str | os.PathLike[str] | None" = None,
    *,
    exporter: str = "auto",
    dynamic_axes: "collections.abc.Mapping[str, collections.abc.Mapping[int, str]] | None" = None,
    input_names: "collections.abc.Sequence[str] | None" = None,
    output_names: "collections.abc.Sequence[str] | None" = None,
    opset: int = 18,
    relative_l2: float = 1e-4,
    seed: int = 0,
) -> Report:
    """Exports a module to ONNX and compares the two on the given and on seeded inputs.

    Keywords:
      output: the file (default: the class's name); it appears only when everything passed
      exporter: "dynamo", "torchscript", or "auto": the first of them that gives a right model
      dynamic_axes: input -> {axis: symbol}; each is tried at other lengths
      input_names, output_names: of the ONNX model
      opset: of the ONNX model
      relative_l2: how far an output may be off
      seed: of the inputs that the comparison makes

    The report has `passed`, `written`, `path`, `exporter`, `attempts` (exporter, and why it did not
    serve), `outputs` (name, relative_l2 at worst), `changes` (what the exporter did to names,
    parameters, inputs and types), `warnings` (control flow that was frozen, and the like),
    `operators` and `custom_functions`. UsageError when the module is not fit for export: while it
    trains, or with inputs that are no tensors. CheckFailed when no exporter takes it.
    """
    if exporter not in ("auto", *_EXPORTERS):
        raise UsageError(f"exporter is '{exporter}', expected auto, dynamo or torchscript")
    inputs = _checked_inputs(model, inputs)
    _check_evaluation(model)
    path = pathlib.Path(output or f"{type(model).__name__.lower()}.onnx")
    names = list(input_names or (f"input_{i}" for i in range(len(inputs))))
    if len(names) != len(inputs):
        raise UsageError(f"{len(names)} input_names for {len(inputs)} inputs")
    unknown = set(dynamic_axes or {}) - set(names)
    if unknown:
        raise UsageError(f"dynamic_axes of {sorted(unknown)}, which are no inputs: {names}")
    job = _Job(model, inputs, path, names, output_names, dynamic_axes or {}, opset, seed)
    report = job.run(_EXPORTERS if exporter == "auto" else (exporter,), relative_l2)
    if report.exporter is None:
        reasons = "; ".join(f"{row.exporter}: {row.problem}" for row in report.attempts)
        raise CheckFailed(f"no exporter takes {type(model).__name__}: {reasons}")
    return report


def _checked_inputs(model, inputs):
    if not isinstance(model, torch.nn.Module):
        raise UsageError(f"the model is a {type(model).__name__}, expected a torch.nn.Module")
    if isinstance(inputs, torch.Tensor):
        inputs = (inputs,)
    inputs = tuple(inputs)
    for index, value in enumerate(inputs):
        if not isinstance(value, torch.Tensor):
            raise UsageError(f"input {index} is a {type(value).__name__}, expected a tensor; "
                             "fix other arguments by a module around this one")
    return inputs


def _check_evaluation(model):
    training = [f"{name or 'the module'} ({type(module).__name__})"
                for name, module in model.named_modules()
                if module.training and isinstance(module, _TRAINING_MATTERS)]
    if training or model.training:
        raise UsageError("the module is in training mode"
                         + (f": {', '.join(training[:8])} would differ" if training else "")
                         + "; call model.eval() first")


class _Job:
    """One export: everything that the two exporters and the comparison share."""

    def __init__(self, model, inputs, path, names, output_names, dynamic_axes, opset, seed):
        self.model, self.inputs, self.path, self.names = model, inputs, path, names
        self.output_names, self.dynamic_axes, self.opset = output_names, dynamic_axes, opset
        self.generator = torch.Generator().manual_seed(seed)
        self.notes = []

    def run(self, exporters, relative_l2):
        attempts, best = [], None
        functions = self._custom_functions()
        for exporter in exporters:
            candidate = self.path.with_name(f"{self.path.name}.{exporter}.unverified.onnx")
            self.notes = []
            try:
                self._export(exporter, candidate)
                result = self._compare(candidate)
            except Exception as error:  # exporters raise whatever they please
                attempts.append({"exporter": exporter, "problem": _first_line(error)})
                candidate.unlink(missing_ok=True)
                continue
            result.update(exporter=exporter, warnings=self.notes, custom_functions=functions)
            worst = max((row["relative_l2"] for row in result["outputs"]), default=0.0)
            result["passed"] = bool(worst <= relative_l2) and not result["fixed_axes"]
            if result["passed"]:
                os.replace(candidate, self.path)
            else:
                problem = f"an output is off by {worst:.3g} relative"
                if result["fixed_axes"]:
                    problem = "axes came out fixed: " + ", ".join(result["fixed_axes"])
                attempts.append({"exporter": exporter, "problem": problem})
                candidate.unlink(missing_ok=True)
            if best is None or result["passed"]:
                best = result
            if result["passed"]:
                break
        report = {"schema": "edgewright.torch.export/1", "passed": False, "written": False,
                  "path": str(self.path), "exporter": None, "warnings": [], **(best or {})}
        report["written"] = report["passed"]
        report["attempts"] = attempts
        return Report.from_json(json.dumps(report))

    def _export(self, exporter, path):
        is_dynamo = exporter == "dynamo"
        options = {"input_names": self.names, "opset_version": self.opset, "dynamo": is_dynamo}
        if self.output_names:
            options["output_names"] = list(self.output_names)
        if is_dynamo:
            options.update(external_data=False, verbose=False)
            if self.dynamic_axes:
                options["dynamic_shapes"] = tuple(self._dynamic_shapes())
        else:
            options["dynamic_axes"] = {name: dict(axes) for name, axes in self.dynamic_axes.items()}
        quiet = io.StringIO()
        with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stdout(quiet), \
                contextlib.redirect_stderr(quiet):
            warnings.simplefilter("always")
            torch.onnx.export(self.model, self.inputs, str(path), **options)
        # What the tracer freezes it warns of: branches, loops and numbers taken from tensors.
        for warning in caught:
            if issubclass(warning.category, torch.jit.TracerWarning):
                place = f"{pathlib.Path(warning.filename).name}:{warning.lineno}"
                self.notes.append(f"{place}: {_first_line(warning.message)}")

    def _dynamic_shapes(self):
        symbols = {}
        for name in self.names:
            axes = self.dynamic_axes.get(name, {})
            yield {axis: symbols.setdefault(symbol, torch.export.Dim(symbol))
                   for axis, symbol in axes.items()} or None

    def _custom_functions(self):
        """Names of torch.autograd.Function classes that the forward pass calls."""
        found = []
        functions = torch.autograd.Function
        own = functions.__dict__.get("apply")  # absent where a base class in C++ has it

        def apply(cls, *arguments, **keywords):
            found.append(cls.__name__)
            inherited = own.__get__(None, cls) if own else super(functions, cls).apply
            return inherited(*arguments, **keywords)

        try:
            functions.apply = classmethod(apply)
            with torch.no_grad():
                self.model(*self.inputs)
        finally:
            if own:
                functions.apply = own
            else:
                del functions.apply
        return sorted(set(found))

    def _samples(self):
        """The given inputs, seeded ones of other sizes of numbers, and of other lengths."""
        yield "as given", self.inputs
        for scale in _SCALES:
            yield f"seeded, times {scale:g}", tuple(self._seeded(value, value.shape, scale)
                                                    for value in self.inputs)
        for extra in (1, 3) if self.dynamic_axes else ():
            lengths = {}
            for name, value in zip(self.names, self.inputs):
                for axis, symbol in self.dynamic_axes.get(name, {}).items():
                    lengths.setdefault(symbol, value.shape[axis] + extra)
            shapes = []
            for name, value in zip(self.names, self.inputs):
                shape = list(value.shape)
                for axis, symbol in self.dynamic_axes.get(name, {}).items():
                    shape[axis] = lengths[symbol]
                shapes.append(shape)
            label = ", ".join(f"{symbol}={length}" for symbol, length in lengths.items())
            yield label, tuple(self._seeded(value, shape, 1.0)
                               for value, shape in zip(self.inputs, shapes))

    def _seeded(self, value, shape, scale):
        if value.is_floating_point():
            numbers = torch.randn(list(shape), generator=self.generator) * scale
            return numbers.to(value.dtype)
        # Indices stay within those of the example, which the module has rows for.
        low, high = (int(value.min()), int(value.max())) if value.numel() else (0, 0)
        numbers = torch.randint(low, high + 1, list(shape), generator=self.generator)
        return numbers.to(value.dtype)

    def _compare(self, path):
        described = inspect(path)
        session = InferenceSession(path)
        given = [port.name for port in session.get_inputs()]
        outputs = [port.name for port in session.get_outputs()]
        worst = dict.fromkeys(outputs, 0.0)
        worst_at = dict.fromkeys(outputs, "as given")
        for label, sample in self._samples():
            with torch.no_grad():
                wanted = _flat(self.model(*sample))
            feed = {name: value.detach().cpu().numpy()
                    for name, value in zip(self.names, sample) if name in given}
            found = session.run(None, feed)
            if len(found) != len(wanted):
                raise CheckFailed(f"{len(found)} outputs for {len(wanted)} of the module")
            for name, ours, right in zip(outputs, found, wanted):
                error = _relative_l2(ours, right.detach().cpu().numpy())
                if not error <= worst[name]:
                    worst[name], worst_at[name] = error, label
        return {
            "outputs": [{"name": name, "relative_l2": worst[name], "worst_for": worst_at[name]}
                        for name in outputs],
            "changes": self._changes(described, session),
            "fixed_axes": self._fixed_axes(session),
            "operators": dict(described["operators"]),
            "nodes": described["nodes"],
            "opset": described["opset"],
        }

    def _fixed_axes(self, session):
        shapes = {port.name: port.shape for port in session.get_inputs()}
        return [f"{name}[{axis}]" for name, axes in self.dynamic_axes.items()
                for axis in axes if isinstance((shapes.get(name) or [""] * 99)[axis], int)]

    def _changes(self, described, session):
        changes = []
        given = [port.name for port in session.get_inputs()]
        missing = [name for name in self.names if name not in given]
        if missing:
            changes.append(f"inputs that nothing uses are gone: {', '.join(missing)}")
        for port, value in zip(session.get_inputs(), self.inputs):
            wanted = str(value.dtype).removeprefix("torch.")
            if port.name in self.names and port.dtype != wanted:
                changes.append(f"input '{port.name}' is {port.dtype}, was {wanted}")
        state = self.model.state_dict()
        count = sum(value.numel() for value in state.values() if value.is_floating_point())
        if described["parameters"] != count:
            changes.append(f"constants have {described['parameters']} elements, parameters and "
                           f"buffers of the module {count}: the exporter folded or added some")
        with torch.no_grad():
            wanted = _flat(self.model(*self.inputs))
        for port, value in zip(session.get_outputs(), wanted):
            dtype = str(value.dtype).removeprefix("torch.")
            if port.dtype != dtype:
                changes.append(f"output '{port.name}' is {port.dtype}, was {dtype}")
        if described["opset"] != self.opset:
            changes.append(f"opset {described['opset']} instead of {self.opset}")
        return changes


def _flat(value):
    """The tensors of what a module gives back, in order."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [tensor for element in value for tensor in _flat(element)]
    return []


def _relative_l2(found, wanted):
    if not isinstance(found, numpy.ndarray) or found.shape != wanted.shape:
        return float("inf")
    found, wanted = found.astype(float), wanted.astype(float)
    same = (found == wanted) | (numpy.isnan(found) & numpy.isnan(wanted))
    difference = numpy.linalg.norm(numpy.where(same, 0, found - wanted))
    scale = numpy.linalg.norm(numpy.where(numpy.isfinite(wanted), wanted, 0))
    return float(difference / scale) if scale > 0 else float(difference)


def _first_line(error):
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__



def __dir__() -> "list[str]":
    return __all__
