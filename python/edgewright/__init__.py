"""Edgewright: takes trained models to edge devices.

Convert and verify, quantise, run, profile, plan power and heat, cut between edge and cloud, deploy.
Every function gives the JSON document of the command of that name as a Report, a dictionary whose
keys are attributes too; every class and function says its keywords in its docstring.

>>> import edgewright
>>> edgewright.convert("model.onnx", "model.ewplan")
>>> session = edgewright.InferenceSession("model.ewplan")
>>> [y] = session.run(None, {"x": array})
"""

import importlib
import os
import typing

from . import _edgewright, device, link, power, split, targets
from ._edgewright import (
    LanguageModel,
    __version__,
    bench_language_model,
    check_bundle,
    compare_profiles,
    convert_language_model,
    deploy,
    import_profile,
    inspect,
    is_language_model,
    list_passes,
    load_operators,
    model_text,
    precision_names,
    profile,
    verify,
)
from .errors import (
    BadInput,
    CheckFailed,
    EdgewrightError,
    InternalError,
    Unsupported,
    UsageError,
)
from .report import Report
from .session import InferenceSession, NodeArg, SessionOptions

__all__ = [
    "BadInput", "CheckFailed", "EdgewrightError", "InferenceSession", "InternalError",
    "LanguageModel", "NodeArg", "Report", "SessionOptions", "Unsupported", "UsageError",
    "__version__", "bench", "cache_file", "check_bundle", "compare_profiles", "convert", "deploy",
    "device", "generate", "get_available_providers", "import_profile", "inspect",
    "is_language_model", "link", "list_passes", "load_operators", "model_text", "perplexity",
    "power", "precision_names", "profile", "run", "split", "targets", "verify",
]


def convert(model, output, **options) -> Report:
    """Imports, optimises, optionally quantises, checks and writes a model."""
    if is_language_model(model):
        return convert_language_model(model, output, **options)
    return _edgewright.convert(model, output, **options)


def bench(model, **options) -> Report:
    """Latency, throughput, load time and memory of a model, measured."""
    if is_language_model(model):
        return bench_language_model(model, **options)
    return _edgewright.bench(model, **options)


for _function, _language in ((convert, convert_language_model), (bench, bench_language_model)):
    _function.__doc__ = (
        f"{getattr(_edgewright, _function.__name__).__doc__}\nOf a language model:\n\n"
        f"{_language.__doc__}"
    )


def run(model, inputs, **options) -> "dict[str, typing.Any]":
    """One inference: output name -> array. Keywords are those of InferenceSession."""
    session = InferenceSession(model, **options)
    return dict(zip((port.name for port in session.get_outputs()), session.run(None, inputs)))


_OPENING = ("precision", "kv_cache", "context", "threads", "tokenizer", "draft", "draft_precision")


def generate(model, prompt="", **options) -> Report:
    """Text from a language model: keywords of LanguageModel and of LanguageModel.generate."""
    opening = {name: options.pop(name) for name in _OPENING if name in options}
    return LanguageModel(model, **opening).generate(prompt=prompt, **options)


def perplexity(model, text, **options) -> Report:
    """How well a language model predicts a text: keywords of LanguageModel and of its method."""
    opening = {name: options.pop(name) for name in _OPENING if name in options}
    return LanguageModel(model, **opening).perplexity(text, **options)


def get_available_providers() -> "list[str]":
    """For programs written for ONNX Runtime: the CPU."""
    return ["CPUExecutionProvider"]


def cache_file(name: str) -> str:
    """A file of the user's cache folder, where the command line keeps what it measured:
    "roofs.json" for profile's `roofs_cache`, "timings" for `timing_cache`."""
    root = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(root, "edgewright", name)


def __getattr__(name: str) -> "typing.Any":
    # PyTorch takes seconds to load: only who asks for it pays.
    if name == "torch":
        return importlib.import_module(".torch", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
