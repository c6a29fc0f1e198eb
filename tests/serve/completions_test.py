"""OpenAI's completions over HTTP: whole and in pieces, and how likely tokens are.

usage: completions_test.py PROGRAM PROJECT_ROOT
"""

import concurrent.futures
import json
import math
import pathlib
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from server import Server, write_adder  # noqa: E402

PROGRAM, ROOT = sys.argv[1:3]


class Completions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        repository = pathlib.Path(cls.folder.name) / "repository"
        write_adder(repository, "adder")
        words = repository / "words" / "1"
        words.mkdir(parents=True)
        shutil.copy(
            pathlib.Path(ROOT) / "examples" / "models" / "novel-7m-int8.ewlm",
            words / "model.ewlm",
        )
        cls.server = Server(PROGRAM, repository)
        cls.addClassCleanup(cls.server.end)

    def ask(self, method, path, document=None, status=200):
        found, content = self.server.ask(method, path, document)
        self.assertEqual(found, status, content)
        return content

    def events(self, path, order):
        status, headers, content = self.server.request(
            "POST", path, json.dumps(dict(order, stream=True))
        )
        self.assertEqual(status, 200)
        self.assertEqual(headers["Content-Type"], "text/event-stream")
        lines = [line[6:] for line in content.decode().split("\n\n") if line]
        self.assertEqual(lines.pop(), "[DONE]")
        return [json.loads(line) for line in lines]

    def test_completes_text(self):
        order = {"model": "words", "prompt": "It was a cold", "max_tokens": 12, "temperature": 0}
        whole = self.ask("POST", "/v1/completions", order)
        self.assertEqual(whole["usage"]["completion_tokens"], 12)
        pieces = [event["choices"][0] for event in self.events("/v1/completions", order)]
        self.assertEqual("".join(piece["text"] for piece in pieces), whole["choices"][0]["text"])
        self.assertEqual(pieces[-1]["finish_reason"], "length")
        chat = {
            "model": "words",
            "messages": [{"role": "user", "content": "Hello"}],
            "max_tokens": 4,
        }
        self.assertEqual(
            self.ask("POST", "/v1/chat/completions", chat)["object"], "chat.completion"
        )
        self.assertIn(
            "'n'", self.ask("POST", "/v1/completions", dict(order, n=2), 501)["error"]["message"]
        )
        self.ask("POST", "/v1/completions", dict(order, temperature=-1), 400)
        self.ask("POST", "/v1/completions", dict(order, model="adder"), 400)
        self.assertEqual([row["id"] for row in self.ask("GET", "/v1/models")["data"]], ["words"])

    def test_says_how_likely_tokens_are(self):
        prompt = "It was a cold"
        order = {"model": "words", "prompt": prompt, "max_tokens": 12, "temperature": 0}
        choice = self.ask("POST", "/v1/completions", dict(order, logprobs=3))["choices"][0]
        told = choice["logprobs"]
        self.assertEqual("".join(told["tokens"]), choice["text"])
        self.assertEqual(told["text_offset"][2], len("".join(told["tokens"][:2])))
        for token, chance, top in zip(
            told["tokens"], told["token_logprobs"], told["top_logprobs"], strict=True
        ):
            # Greedy: the token is the likeliest.
            self.assertEqual(max(top, key=top.get), token)
            self.assertEqual(top[token], chance)
            self.assertEqual(len(top), 3)
            self.assertLess(chance, 0)
            self.assertLessEqual(sum(map(math.exp, top.values())), 1 + 1e-6)
        events = self.events("/v1/completions", dict(order, logprobs=3))
        pieces = [event["choices"][0] for event in events]
        for key in told:
            joined = [
                value for piece in pieces[:-1] for value in (piece["logprobs"] or {key: []})[key]
            ]
            self.assertEqual(joined, told[key])
        self.assertIsNone(self.ask("POST", "/v1/completions", order)["choices"][0]["logprobs"])

        # The same tokens as a prompt that is only asked about.
        echo = dict(order, prompt=prompt + choice["text"], echo=True, max_tokens=0, logprobs=1)
        heard = self.ask("POST", "/v1/completions", echo)["choices"][0]
        self.assertEqual(heard["text"], prompt + choice["text"])
        self.assertEqual(heard["finish_reason"], "length")
        self.assertIsNone(heard["logprobs"]["token_logprobs"][0])
        self.assertEqual(heard["logprobs"]["tokens"][-12:], told["tokens"])
        # The engine's sums over a prompt and over single tokens are rounded differently.
        for now, then in zip(
            heard["logprobs"]["token_logprobs"][-12:], told["token_logprobs"], strict=True
        ):
            self.assertAlmostEqual(now, then, delta=0.1)
        bare = self.ask("POST", "/v1/completions", dict(order, echo=True))["choices"][0]
        self.assertEqual(bare["text"], prompt + choice["text"])

        chat = {
            "model": "words",
            "messages": [{"role": "user", "content": "Hello"}],
            "max_tokens": 4,
            "temperature": 0,
            "logprobs": True,
            "top_logprobs": 2,
        }
        answer = self.ask("POST", "/v1/chat/completions", chat)
        said = answer["choices"][0]
        content = said["logprobs"]["content"]
        self.assertEqual(len(content), answer["usage"]["completion_tokens"])
        self.assertGreater(len(content), 0)
        heard = b"".join(bytes(token["bytes"]) for token in content)
        self.assertEqual(heard.decode(), said["message"]["content"])
        for token in content:
            self.assertEqual(token["top_logprobs"][0]["logprob"], token["logprob"])
            self.assertEqual(len(token["top_logprobs"]), 2)
        for wrong in (
            dict(order, logprobs=21),
            dict(order, logprobs="all"),
            dict(order, echo=1),
            dict(order, top_logprobs=2),
            dict(chat, logprobs=False),
            dict(chat, logprobs=3),
        ):
            path = "/v1/chat/completions" if "messages" in wrong else "/v1/completions"
            self.ask("POST", path, wrong, 400)
        self.ask("POST", "/v1/completions", dict(order, echo=True, stream=True), 501)
        self.ask("POST", "/v1/chat/completions", dict(chat, echo=True), 501)

    def test_texts_run_together(self):
        order = {"model": "words", "prompt": "The sea", "max_tokens": 16, "temperature": 0}
        alone = self.ask("POST", "/v1/completions", order)["choices"][0]["text"]
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            made = list(
                pool.map(lambda _: self.server.ask("POST", "/v1/completions", order), range(6))
            )
        for status, answer in made:
            self.assertEqual(status, 200)
            self.assertEqual(answer["choices"][0]["text"], alone)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
