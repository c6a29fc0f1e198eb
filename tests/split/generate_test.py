#!/usr/bin/env python3
"""A language model between a device and a real server: the prompt there and the answer here, the
first layers here and the others there, or drafts here and checks there. The tokens are those of the
model alone, also when the server goes away in the middle.

usage: generate_test.py EDGEWRIGHT ROOT LINK_EMULATOR
"""

import json
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "serve"))
import server as serving

PROGRAM, ROOT, EMULATOR = sys.argv[1:4]
MODEL = f"{ROOT}/examples/models/novel-7m-int8.ewlm"
PROMPT = "It was a cold evening in November, and the old man sat down before the fire. He said that"
TOKENS = 40


def edgewright(*arguments, code=0):
    ran = subprocess.run([PROGRAM, *map(str, arguments)], check=False, capture_output=True,
                         text=True, timeout=300)
    assert ran.returncode == code, f"exit code {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
    return ran


def document(*arguments):
    ran = edgewright(*arguments, "--json", "-")
    return json.loads(ran.stdout[ran.stdout.index("{\n"):])


class SplitGenerateTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.work = pathlib.Path(folder.name)
        for name, file in (("prompts", "prompt.ewlm"), ("halves", "layers.ewlm"),
                           ("checks", "checker.ewlm")):
            version = cls.work / "repository" / name / "1"
            version.mkdir(parents=True)
            (version / file).symlink_to(MODEL)
        cls.server = serving.Server(PROGRAM, cls.work / "repository")
        cls.addClassCleanup(cls.server.end)
        cls.alone = document("generate", MODEL, "--prompt", PROMPT, "--max-tokens", TOKENS)

    def split(self, target, *arguments, port=None):
        return document("split", "generate", MODEL, "--server",
                        f"http://127.0.0.1:{port or self.server.http_port}", "--target", target,
                        "--prompt", PROMPT, "--max-tokens", TOKENS, *arguments)

    def test_the_prompt_there_the_answer_here(self):
        found = self.split("prompts", "--way", "prompt")
        self.assertEqual(found["tokens"], self.alone["tokens"])
        self.assertEqual(found["text"], self.alone["text"])
        self.assertEqual((found["questions"], found["failure"]), (1, ""))
        # Keys and values of all but the prompt's last token: 8 layers, 2 heads of 64, float16.
        self.assertEqual(found["received_bytes"],
                         (found["prompt_tokens"] - 1) * 8 * 2 * 2 * 64 * 2 + 8)

    def test_layers_here_and_there(self):
        for layers in (1, 4, 7):
            found = self.split("halves", "--layers", layers)
            self.assertEqual(found["tokens"], self.alone["tokens"], layers)
            self.assertEqual((found["questions"], found["failure"]), (TOKENS, ""))

    def test_drawn_tokens_are_the_same(self):
        drawn = ("--temperature", 0.8, "--seed", 7)
        alone = document("generate", MODEL, "--prompt", PROMPT, "--max-tokens", TOKENS, *drawn)
        self.assertNotEqual(alone["tokens"], self.alone["tokens"])
        self.assertEqual(self.split("halves", "--layers", 3, *drawn)["tokens"], alone["tokens"])
        for way in ("prompt", "auto", "device"):
            found = self.split("prompts", "--way", way, *drawn)
            self.assertEqual(found["tokens"], alone["tokens"])

    def test_a_server_that_goes_away(self):
        for target, words in (("prompts", ("--way", "prompt")), ("halves", ("--layers", 4)),
                              ("prompts", ())):
            found = self.split(target, *words, "--deadline-ms", 500, port=1)
            self.assertEqual(found["tokens"], self.alone["tokens"])
            self.assertTrue(found["failure"])
            self.assertEqual(found["way"], "device")
        edgewright("split", "generate", MODEL, "--server", "http://127.0.0.1:1", "--target",
                   "halves", "--prompt", PROMPT, "--no-fallback", "--deadline-ms", 500, code=1)

    def test_a_server_that_ends_in_the_middle(self):
        (self.work / "other").mkdir()
        (self.work / "other" / "repository").symlink_to(self.work / "repository")
        other = serving.Server(PROGRAM, self.work / "other" / "repository")

        def asked():
            stats = other.ask("GET", "/v2/models/halves/stats")[1]["model_stats"]
            return sum(row["inference_count"] for row in stats)

        def end_it():
            until = time.monotonic() + 60
            while asked() < 3 and time.monotonic() < until:
                time.sleep(0.001)
            other.process.send_signal(signal.SIGKILL)

        killer = threading.Thread(target=end_it)
        killer.start()
        alone = document("generate", MODEL, "--prompt", PROMPT, "--max-tokens", 400)
        found = document("split", "generate", MODEL, "--server",
                         f"http://127.0.0.1:{other.http_port}", "--target", "halves", "--prompt",
                         PROMPT, "--max-tokens", 400, "--layers", 4, "--deadline-ms", 1000)
        killer.join()
        other.process.wait()
        other.errors.close()
        self.assertEqual(found["tokens"], alone["tokens"])
        self.assertTrue(found["failure"])
        self.assertGreater(found["tokens_before_failure"], 0)

    def test_the_way_is_chosen_by_what_is_measured(self):
        def chosen(*settings):
            link = subprocess.Popen([EMULATOR, str(self.server.http_port), *settings],
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            port = int(link.stdout.readline().split()[1])
            found = document("split", "generate", MODEL, "--server", f"http://127.0.0.1:{port}",
                             "--target", "prompts", "--target", "halves", "--target", "checks",
                             "--draft", MODEL, "--prompt", PROMPT, "--max-tokens", 12)
            link.stdin.close()
            link.wait(timeout=10)
            link.stdout.close()
            self.assertEqual(found["tokens"], self.alone["tokens"][:12])
            self.assertEqual(found["ways"][0]["way"], found["way"])
            times = [row["predicted_ms"] for row in found["ways"]]
            self.assertEqual(times, sorted(times))
            self.assertEqual(sorted(row["way"] for row in found["ways"]),
                             ["device", "draft", "layers", "prompt"])
            return found["way"]

        # One round trip takes longer than the answer: everything stays here.
        self.assertEqual(chosen("up-mbit-s=2", "down-mbit-s=2", "delay-ms=150"), "device")
        self.assertIn(chosen("up-mbit-s=1000", "down-mbit-s=1000"),
                      ("device", "draft", "layers", "prompt"))
        drafted = self.split("checks", "--way", "draft", "--draft", MODEL)
        self.assertEqual(drafted["tokens"], self.alone["tokens"])
        self.assertEqual(drafted["way"], "draft")

    def test_misuse_is_refused(self):
        url = f"http://127.0.0.1:{self.server.http_port}"
        for words, code in ((("--target", "halves", "--way", "prompt"), 2),
                            (("--target", "checks", "--way", "draft"), 2),
                            (("--target", "prompts", "--way", "guess"), 2), ((), 2),
                            (("--target", "nobody"), 4)):
            edgewright("split", "generate", MODEL, "--server", url, *words, "--prompt", PROMPT,
                       code=code)
        edgewright("split", "generate", MODEL, "--server", url, "--target", "halves", "--layers",
                   8, "--prompt", PROMPT, code=2)
        for question in ({"sequence": ("UINT64", [1], [5]), "position": ("INT32", [1], [3])},
                         {"position": ("INT32", [1], [-1])}, {"first_layer": ("INT32", [1], [0])}):
            inputs = {"sequence": ("UINT64", [1], [1]), "position": ("INT32", [1], [0]),
                      "first_layer": ("INT32", [1], [2]), "is_prompt": ("INT32", [1], [1]),
                      "states": ("FP32", [1, 256], [0.5] * 256), **question}
            status, answer = self.server.ask("POST", "/v2/models/halves/infer", {
                "inputs": [{"name": name, "datatype": kind, "shape": shape, "data": data}
                           for name, (kind, shape, data) in inputs.items()]})
            self.assertEqual(status, 400, answer)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
