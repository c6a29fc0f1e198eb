#!/usr/bin/env python3
"""The novel models from every form of file: perplexity, greedy texts, logits, quantised forms.

usage: language_test.py EDGEWRIGHT PROBE NOVEL_FOLDER

NOVEL_FOLDER is ../shared/zoo/novel; its reference.json says how figures were reckoned. Exit code
77 where it is absent. Prints one line a check. Logits are compared with ONNX Runtime's where the
environment of tools/setup --bench runs this.
"""

import json
import pathlib
import sys
import tempfile

from language_checks import EXACT, Checks

MODELS = ("novel-1m-draft", "novel-7m", "novel-31m")
# Those that exist as ONNX files too.
ONNX = ("novel-1m-draft", "novel-7m")
# Over fp32, in percent: int8, int8 keys and values, int4 by rounding and by calibration.
ALLOWED = {"int8": 0.3, "int8 cache": 0.3, "int4": 4.0, "int4 calibrated": 2.5}
ALLOWED_31M = {"int8": 0.3, "int8 cache": 0.3, "int4": 3.0, "int4 calibrated": 2.0}
MOST = {"novel-1m-draft": ALLOWED, "novel-7m": ALLOWED, "novel-31m": ALLOWED_31M}
LOGIT_TOKENS = 300
# What 4-bit rounding is calibrated on: a text that the model itself writes, of the kind that it was
# trained on. Other texts say less of what its matrices will meet (docs/commands/generate.md).
WRITTEN_TOKENS, PIECE_TOKENS = 16384, 480
BEGINNINGS = ("The", "It was", "He", "She", "I", "There was", "When", "In the", "But", "They")


class NovelChecks(Checks):
    def __init__(self, *places):
        super().__init__(*places)
        self.reference = json.loads((self.novel / "reference.json").read_text())

    def check_perplexity(self, name, source):
        expected = self.reference[name]["ppl_dev"]
        found = self.perplexity(source, *EXACT)
        off = 100 * (found / expected - 1)
        self.check(
            abs(off) <= 0.1,
            f"{source.name}: perplexity {found:.4f}, expected {expected:.4f} ({off:+.3f} %)",
        )
        return found

    def check_greedy(self, name, source):
        expected = self.reference[name]["greedy_from_prompt"]["ids"]
        report = self.generate(source, "--max-tokens", len(expected), *EXACT)
        start = report.get("prompt_tokens", 0)
        wanted = expected[start:]
        found = report.get("tokens", [])[: len(wanted)]
        self.check(
            len(wanted) > 0 and found == wanted, f"{source.name}: {len(wanted)} greedy tokens"
        )

    def check_logits(self, name):
        try:
            import numpy
            import onnxruntime
        except ImportError:
            print("left out: logits, without ONNX Runtime")
            return
        tokens = self.tokens(self.text.read_text()[:4000])[:LOGIT_TOKENS]
        session = onnxruntime.InferenceSession(str(self.novel / f"{name}.onnx"))
        feeds = {}
        for value in session.get_inputs():
            if value.name.startswith("past_key_values"):
                shape = [size if isinstance(size, int) else 0 for size in value.shape]
                feeds[value.name] = numpy.zeros([1, *shape[1:]], numpy.float32)
        length = len(tokens)
        feeds["input_ids"] = numpy.array([tokens], numpy.int64)
        feeds["attention_mask"] = numpy.ones((1, length), numpy.int64)
        feeds["position_ids"] = numpy.arange(length, dtype=numpy.int64)[None]
        expected = session.run(["logits"], feeds)[0][0]
        gguf = self.folder / f"{name}.gguf"
        for source in (self.novel / name, gguf, self.novel / f"{name}.onnx"):
            for way in ("prompt", "stepwise"):
                found = numpy.frombuffer(self.logits(source, tokens, way=way), numpy.float32)
                off = float(numpy.abs(found.reshape(expected.shape) - expected).max())
                self.check(
                    off <= 1e-3,
                    f"{source.name} {way}: logits of {length} tokens off by at most {off:.1e}",
                )

    def written_text(self, name):
        """A file with a text of WRITTEN_TOKENS that the model writes at temperature 1."""
        pieces, tokens = [], 0
        while tokens < WRITTEN_TOKENS and len(pieces) < 400:
            beginning = BEGINNINGS[len(pieces) % len(BEGINNINGS)]
            words = ["generate", self.novel / name, "--prompt", beginning, "--temperature", 1]
            words += ["--seed", len(pieces), "--max-tokens", PIECE_TOKENS, "--precision", "int8"]
            report = self.run(*words, "--tokenizer", self.tokenizer)
            tokens += len(report.get("tokens", []))
            pieces.append(beginning + report.get("text", ""))
        path = self.folder / f"{name}.txt"
        path.write_text("\n".join(pieces))
        return path

    def check_quantised(self, name, fp32):
        source = self.novel / name
        packed = self.folder / f"{name}-calibrated.ewlm"
        made = self.run(
            "convert",
            source,
            "-o",
            packed,
            "--precision",
            "int4",
            "--calibrate",
            self.written_text(name),
        )
        self.check("failed" not in made, f"{name}: calibrated")
        found = {
            "int8": self.perplexity(source, "--precision", "int8"),
            "int8 cache": self.perplexity(source, "--precision", "fp32", "--kv-cache", "int8"),
            "int4": self.perplexity(source, "--precision", "int4"),
            "int4 calibrated": self.perplexity(packed),
        }
        for form, limit in MOST[name].items():
            off = 100 * (found[form] / fp32 - 1)
            self.check(
                off <= limit, f"{name} {form}: {found[form]:.4f} ({off:+.3f} %, at most +{limit} %)"
            )


def main():
    program, probe, novel = sys.argv[1:4]
    if not (pathlib.Path(novel) / "reference.json").exists():
        print(f"skipped: {novel} is absent")
        return 77
    checks = NovelChecks(program, probe, novel)
    with tempfile.TemporaryDirectory() as folder:
        checks.folder = pathlib.Path(folder)
        for name in MODELS:
            source = checks.novel / name
            gguf = checks.folder / f"{name}.gguf"
            report = checks.run("convert", source, "-o", gguf)
            checks.check("failed" not in report, f"{name}: written as GGUF")
            sources = [source, gguf]
            if name in ONNX:
                sources.append(checks.novel / f"{name}.onnx")
                checks.check_logits(name)
            for form in sources:
                fp32 = checks.check_perplexity(name, form)
                checks.check_greedy(name, form)
            checks.check_quantised(name, fp32)
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
