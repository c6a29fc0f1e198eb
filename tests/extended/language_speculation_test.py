#!/usr/bin/env python3
"""Speculative decoding: the same tokens on many prompts, and that it gains what it says it does.

usage: language_speculation_test.py EDGEWRIGHT PROBE NOVEL_FOLDER [PROMPTS]

Every text of PROMPTS (50) prompts, cut out of novels-dev, is generated in int8 on one thread by
each target of CASES alone and with its draft; greedily, and every fifth drawn with a seed. Tokens
have to be equal, the speed over that of the target alone at least as asked, and the gain that is
predicted within CLOSE of the measured one: medians over the prompts, each measured beside its own
plain run. The last two cases cannot gain: they have to cost next to nothing. Exit code 77 where
NOVEL_FOLDER is absent.
"""

import pathlib
import statistics
import sys
import tempfile

from language_checks import Checks

TOKENS = 96
CLOSE = 0.15
# target, draft, hotter than usual, at least so many times the speed of the target alone. Losing
# ones are switched off, so that they lose no more than their trials.
CASES = (
    ("novel-31m", "novel-1m-draft", False, 1.2),
    ("novel-31m", "lookup", False, 1.0),
    ("novel-7m", "novel-1m-draft", True, 0.93),
    ("novel-7m", "novel-31m", False, 0.97),
)


def prompts(text, count):
    lines = [line for line in text.splitlines() if len(line) > 400]
    step = max(1, len(text) // count)
    text = " ".join(lines)
    return [
        text[i * step : i * step + 120 + 5 * (i % 40)]
        for i in range(count)
        if len(text[i * step :]) > 400
    ]


def check_case(checks, models, case, texts):
    target, draft, hot, asked = case
    gains, predicted, proposed, different = [], [], [], 0
    for i, prompt in enumerate(texts):
        words = ["generate", models[target], "--prompt", prompt, "--max-tokens", TOKENS]
        words += ["--threads", 1]
        if hot:
            words += ["--temperature", "1.8", "--seed", i]
        elif i % 5 == 4:
            words += ["--temperature", "0.8", "--top-p", "0.95", "--seed", i]
        plain = checks.run(*words)
        quick = checks.run(*words, "--draft", models[draft])
        if "tokens" not in plain or plain["tokens"] != quick.get("tokens"):
            different += 1
            continue
        if len(plain["tokens"]) < TOKENS // 2:
            continue
        gains.append(quick["decode_tokens_per_s"] / plain["decode_tokens_per_s"])
        predicted.append(quick["speculation"]["predicted_speedup"] / gains[-1])
        proposed.append(quick["speculation"]["proposed"] / len(plain["tokens"]))
    name = f"{draft} for {target}{' at temperature 1.8' if hot else ''}"
    checks.check(different == 0, f"{name}: {different} of {len(texts)} texts differ")
    gain, off = statistics.median(gains), statistics.median(predicted)
    checks.check(
        gain >= asked,
        f"{name}: {gain:.2f} times the speed, at least {asked}; "
        f"{statistics.median(proposed):.2f} proposed a token",
    )
    checks.check(abs(off - 1) <= CLOSE, f"{name}: predicted over measured {off:.2f}")


def main():
    program, probe, novel = sys.argv[1:4]
    count = int(sys.argv[4]) if len(sys.argv) > 4 else 50
    if not (pathlib.Path(novel) / "reference.json").exists():
        print(f"skipped: {novel} is absent")
        return 77
    checks = Checks(program, probe, novel)
    texts = prompts(checks.text.read_text(), count)
    checks.check(len(texts) >= 0.9 * count, f"{len(texts)} prompts")
    with tempfile.TemporaryDirectory() as folder:
        models = {"lookup": "lookup"}
        for name in ("novel-31m", "novel-7m", "novel-1m-draft"):
            models[name] = pathlib.Path(folder) / f"{name}.ewlm"
            checks.run("convert", checks.novel / name, "-o", models[name], "--precision", "int8")
        for case in CASES:
            check_case(checks, models, case, texts)
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
