"""What the extended tests of language models share: running the programs, counting failures."""

import json
import pathlib
import struct
import subprocess
import tempfile

PROMPT = "It was a cold evening in November, and the old man"
EXACT = ("--precision", "fp32", "--kv-cache", "fp32")
WINDOW = 512


class Checks:
    """`program`: the command line; `probe`: tests/language/probe.cc; `novel`: a folder."""

    def __init__(self, program, probe, novel):
        self.program, self.probe = str(program), str(probe)
        self.novel, self.failed = pathlib.Path(novel), 0
        self.text = self.novel / "novels-dev.txt"
        self.tokenizer = self.novel / "tokenizer.model"

    def run(self, *words):
        """The document of a command, or {"failed": exit code, "message": ...}."""
        with tempfile.NamedTemporaryFile(suffix=".json") as file:
            command = [self.program, *map(str, words), "--json", file.name]
            if "--threads" not in command:
                command += ["--threads", "2"]
            done = subprocess.run(command, capture_output=True, check=False)
            if done.returncode != 0:
                message = done.stderr.decode(errors="replace").strip()
                return {"failed": done.returncode, "message": message}
            return json.loads(pathlib.Path(file.name).read_text())

    def check(self, good, text):
        self.failed += not good
        print("ok  " if good else "FAIL", text, flush=True)

    def perplexity(self, model, *words, windows=120):
        report = self.run(
            "perplexity",
            model,
            self.text,
            "--windows",
            windows,
            "--tokenizer",
            self.tokenizer,
            *words,
        )
        if "failed" in report:
            self.check(False, f"perplexity {model}: {report['message']}")
            return float("nan")
        return report["perplexity"]

    def generate(self, model, *words):
        return self.run(
            "generate", model, "--prompt", PROMPT, "--tokenizer", self.tokenizer, *words
        )

    def tokens(self, text):
        done = subprocess.run(
            [self.probe, "tokens", self.tokenizer],
            input=text.encode(),
            capture_output=True,
            check=True,
        )
        return list(struct.unpack(f"<{len(done.stdout) // 4}i", done.stdout))

    def logits(self, model, tokens, precision="fp32", cache="fp32", way="prompt"):
        """Raw float32 bytes, the logits after each token."""
        command = [self.probe, "logits", str(model), precision, cache, way]
        done = subprocess.run(
            command, input=struct.pack(f"<{len(tokens)}i", *tokens), capture_output=True, check=True
        )
        return done.stdout
