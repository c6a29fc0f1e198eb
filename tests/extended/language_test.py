#!/usr/bin/env python3
"""The novel models from every form of file: perplexity, greedy texts, quantised forms, speculation.

usage: language_test.py EDGEWRIGHT NOVEL_FOLDER

NOVEL_FOLDER is ../shared/zoo/novel; its reference.json says how figures were reckoned. Exit code
77 where it is absent. Prints one line a check.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

PROMPT = "It was a cold evening in November, and the old man"
MODELS = ("novel-1m-draft", "novel-7m", "novel-31m")
WINDOWS = "120"
EXACT = ("--precision", "fp32", "--kv-cache", "fp32")
# Over fp32, in percent.
ALLOWED = {"int8": 0.3, "int4": 4.0}
ALLOWED_LARGE = {"int8": 0.3, "int4": 3.0}


class Checks:
    def __init__(self, program, novel):
        self.program, self.novel, self.failed = program, novel, 0
        self.reference = json.loads((novel / "reference.json").read_text())

    def run(self, *words):
        with tempfile.NamedTemporaryFile(suffix=".json") as file:
            command = [self.program, *map(str, words), "--json", file.name, "--threads", "2"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                return {"failed": done.returncode, "message": done.stderr.strip()}
            return json.loads(pathlib.Path(file.name).read_text())

    def check(self, good, text):
        self.failed += not good
        print("ok  " if good else "FAIL", text, flush=True)

    def perplexity(self, model, *words):
        report = self.run("perplexity", model, self.novel / "novels-dev.txt", "--windows", WINDOWS,
                          "--tokenizer", self.novel / "tokenizer.model", *words)
        if "failed" in report:
            self.check(False, f"perplexity {model}: {report['message']}")
            return float("nan")
        return report["perplexity"]

    def check_perplexity(self, name, source, *words):
        expected = self.reference[name]["ppl_dev"]
        found = self.perplexity(source, *words)
        off = 100 * (found / expected - 1)
        self.check(abs(off) <= 0.1, f"{source.name} {' '.join(words)}: perplexity {found:.4f}, "
                   f"expected {expected:.4f} ({off:+.3f} %)")
        return found

    def check_greedy(self, name, source, *words):
        expected = self.reference[name]["greedy_from_prompt"]["ids"]
        report = self.run("generate", source, "--prompt", PROMPT, "--max-tokens", str(len(expected)),
                          "--tokenizer", self.novel / "tokenizer.model", *words)
        start = report.get("prompt_tokens", 0)
        wanted = expected[start:]
        found = report.get("tokens", [])[: len(wanted)]
        self.check(len(wanted) > 0 and found == wanted, f"{source.name} {' '.join(words)}: {len(wanted)} greedy tokens")

    def check_quantised(self, name, fp32):
        allowed = ALLOWED_LARGE if name == "novel-31m" else ALLOWED
        for precision, limit in allowed.items():
            found = self.perplexity(self.novel / name, "--precision", precision)
            off = 100 * (found / fp32 - 1)
            self.check(off <= limit, f"{name} {precision}: {found:.4f} ({off:+.3f} %, at most "
                       f"+{limit} %)")
        found = self.perplexity(self.novel / name, "--precision", "fp32", "--kv-cache", "int8")
        off = 100 * (found / fp32 - 1)
        self.check(off <= 0.3, f"{name} int8 cache: {found:.4f} ({off:+.3f} %, at most +0.3 %)")

    def check_speculation(self):
        for draft in (self.novel / "novel-1m-draft", "lookup"):
            words = ("generate", self.novel / "novel-31m", "--prompt", PROMPT,
                     "--max-tokens", "100", "--precision", "int8")
            plain = self.run(*words)
            quick = self.run(*words, "--draft", draft)
            self.check("tokens" in plain and plain["tokens"] == quick.get("tokens"),
                       f"speculation with {getattr(draft, 'name', draft)}: the same tokens")


def main():
    program, novel = sys.argv[1], pathlib.Path(sys.argv[2])
    if not (novel / "reference.json").exists():
        print(f"skipped: {novel} is absent")
        return 77
    checks = Checks(program, novel)
    with tempfile.TemporaryDirectory() as folder:
        for name in MODELS:
            fp32 = checks.check_perplexity(name, novel / name, *EXACT)
            checks.check_greedy(name, novel / name, *EXACT)
            gguf = pathlib.Path(folder) / f"{name}.gguf"
            report = checks.run("convert", novel / name, "-o", gguf)
            checks.check("failed" not in report, f"{name}: written as GGUF")
            checks.check_perplexity(name, gguf, *EXACT)
            checks.check_greedy(name, gguf, *EXACT)
            checks.check_quantised(name, fp32)
    checks.check_speculation()
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
