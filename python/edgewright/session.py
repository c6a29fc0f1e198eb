"""A session with the interface of ONNX Runtime's, so that swapping the two takes one line."""

import collections.abc
import os
import tempfile
import typing

from . import _edgewright
from .errors import UsageError

__all__ = ["InferenceSession", "NodeArg", "SessionOptions"]

# Where ONNX's names of types differ from NumPy's.
_ONNX_NAMES = {"float32": "float", "float64": "double"}
_PROVIDERS = ("CPUExecutionProvider",)


class NodeArg:
    """An input or output: `name`, `shape`, `type` as ONNX Runtime writes it, `dtype` as NumPy does.

    `shape` has an int for each known dimension, a str for a symbol, None for an unknown one; it is
    None itself when not even the number of dimensions is known.
    """

    def __init__(self, name: str, dtype: str, shape: "list[str] | None"):
        self.name = name
        self.dtype = dtype
        self.shape = None if shape is None else [_dimension(text) for text in shape]

    @property
    def type(self) -> str:
        """"tensor(float)", "tensor(int64)", ..."""
        if "(" in self.dtype:  # a sequence or an optional value
            return self.dtype
        return f"tensor({_ONNX_NAMES.get(self.dtype, self.dtype)})"

    def __repr__(self):
        return f"NodeArg(name={self.name!r}, type={self.type!r}, shape={self.shape!r})"


def _dimension(text):
    if text.isdigit():
        return int(text)
    return None if text == "?" else text


class SessionOptions:
    """The options of ONNX Runtime's class of that name that mean something here.

    `intra_op_num_threads` is the session's number of threads (0: one). Other options of ONNX
    Runtime raise AttributeError rather than being ignored.
    """

    __slots__ = ("intra_op_num_threads",)

    def __init__(self):
        self.intra_op_num_threads = 0


class InferenceSession(_edgewright.Session):
    """A model that is ready to run.

    >>> session = InferenceSession("model.onnx")
    >>> [y] = session.run(None, {"x": array})

    `path_or_bytes` is an ONNX model or a plan (.ewplan), or the bytes of an ONNX model. Keywords
    are those of _edgewright.Session: backend, threads, shapes, optimise, tune, timing_cache.
    Several threads may call run(); they take turns. Errors are those of edgewright.errors.
    """

    def __init__(
        self,
        path_or_bytes: "str | os.PathLike[str] | bytes",
        sess_options: "SessionOptions | None" = None,
        providers: "collections.abc.Sequence[typing.Any] | None" = None,
        **options: typing.Any,
    ):
        _check_providers(providers)
        if sess_options is not None and sess_options.intra_op_num_threads > 0:
            options.setdefault("threads", sess_options.intra_op_num_threads)
        self._backend = options.get("backend", "native")
        if isinstance(path_or_bytes, (bytes, bytearray, memoryview)):
            with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
                file.write(path_or_bytes)
                file.flush()
                super().__init__(file.name, **options)
            self._path = f"{len(path_or_bytes)} bytes"
        else:
            super().__init__(path_or_bytes, **options)
            self._path = os.fspath(path_or_bytes)

    def get_inputs(self) -> "list[NodeArg]":
        """Every input that a run needs."""
        return [NodeArg(*value) for value in self.inputs]

    def get_outputs(self) -> "list[NodeArg]":
        """Every output, in the order of run()."""
        return [NodeArg(*value) for value in self.outputs]

    def get_providers(self) -> "list[str]":
        """What runs the model, in ONNX Runtime's words."""
        return list(_PROVIDERS)

    def __repr__(self):
        ports = [f"  {kind} {port.name}: {port.dtype} {port.shape}"
                 for kind, values in (("input", self.get_inputs()), ("output", self.get_outputs()))
                 for port in values]
        return "\n".join([f"<InferenceSession of {self._path}, backend {self._backend}>", *ports])


def _check_providers(providers):
    """Refuses what this machine's engine is not, where nothing is left for it to do."""
    if not providers:
        return
    names = [entry if isinstance(entry, str) else entry[0] for entry in providers]
    if not set(names).intersection(_PROVIDERS):
        raise UsageError(f"providers {names}: there is only CPUExecutionProvider here; "
                         "add it to the list or leave `providers` out")
