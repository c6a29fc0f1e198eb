#!/usr/bin/env python3
"""A megabyte of mixed text by our tokenizers and by the packages `tokenizers` and `sentencepiece`.

usage: language_tokenizers_test.py PROBE PROJECT

English and Wikipedia out of ../shared, program code out of the project, Chinese, emoji, odd white
space and random bytes, cut into texts of up to 1,500 characters; tokenizers are those of
tests/language/tokenizers, of which sentencepiece's drop newlines and so get single lines, and the
one of ../shared/zoo/novel. Run by the environment of tools/setup --language; exit code 77 where
that or ../shared is absent.
"""

import pathlib
import random
import struct
import subprocess
import sys

try:
    import sentencepiece
    import tokenizers
except ImportError:
    tokenizers = None

LONGEST = 1500
WHITE = " \t\n\r\u00a0\u2003\u3000\u200b\u2028\u0085 \n\n   \t\t"
RANGES = (
    (0x4E00, 0x9FA5),
    (0x4E00, 0x9FA5),
    (0x1F300, 0x1F64F),
    (0x3040, 0x30FF),
    (0xAC00, 0xD7A3),
    (0x0400, 0x04FF),
    (0x0600, 0x06FF),
    (0x0900, 0x097F),
    (0x20, 0x7E),
    (0x300, 0x36F),
)


def cut(text):
    return [text[i : i + LONGEST] for i in range(0, len(text), LONGEST)]


def made_up(draw, size):
    """Words of many scripts between odd white space."""
    out = []
    while sum(map(len, out)) < size:
        low, high = draw.choice(RANGES)
        out.append("".join(chr(draw.randint(low, high)) for _ in range(draw.randint(1, 12))))
        out.append("".join(draw.choice(WHITE) for _ in range(draw.choice((0, 1, 1, 1, 2, 5)))))
    return "".join(out)


def texts(project):
    draw = random.Random(5)
    novel = project.parent / "shared" / "zoo" / "novel"
    english = (novel / "novels-dev.txt").read_text()[:220000]
    wiki = (novel / "wikitext-2-valid.txt").read_text()[:220000]
    sources = sorted((project / "src").rglob("*.cc"))
    code = "".join(path.read_text() for path in sources)[:240000]
    noise = draw.randbytes(60000).decode("utf-8", errors="replace")
    parts = cut(english) + cut(wiki) + cut(code) + cut(made_up(draw, 150000)) + cut(noise)
    return [part.replace("\0", " ") for part in parts]


def ours(probe, path, parts):
    done = subprocess.run(
        [probe, "many", str(path)],
        capture_output=True,
        check=True,
        input=b"".join(part.encode() + b"\0" for part in parts),
    )
    numbers = struct.unpack(f"<{len(done.stdout) // 4}i", done.stdout)
    at, out = 0, []
    while at < len(numbers):
        out.append(list(numbers[at + 1 : at + 1 + numbers[at]]))
        at += 1 + numbers[at]
    return out


def theirs(path, parts):
    if path.suffix == ".json":
        tokenizer = tokenizers.Tokenizer.from_file(str(path))
        found = tokenizer.encode_batch(parts, add_special_tokens=False)
        return [encoding.ids for encoding in found]
    tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(path))
    return [tokenizer.encode(part) for part in parts]


def main():
    probe, project = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    novel = project.parent / "shared" / "zoo" / "novel"
    if tokenizers is None or not novel.exists():
        print(f"skipped: no tokenizers (tools/setup --language) or no {novel}")
        return 77
    folder = project / "tests" / "language" / "tokenizers"
    paths = sorted(
        path
        for path in [*folder.glob("*.json"), *folder.glob("*.model")]
        if not path.name.endswith(".expected.json") and path.name != "texts.json"
    )
    whole = texts(project)
    lines = [line for part in whole for line in part.splitlines() if line]
    failed = 0
    for path in [*paths, novel / "tokenizer.model"]:
        parts = whole if path.suffix == ".json" else lines
        size = sum(len(part.encode()) for part in parts)
        expected, found = theirs(path, parts), ours(probe, path, parts)
        wrong = [i for i, pair in enumerate(zip(expected, found)) if pair[0] != pair[1]]
        good = len(expected) == len(found) and not wrong
        failed += not good
        print(
            "ok  " if good else "FAIL",
            f"{path.name}: {len(parts)} texts, {size} bytes, "
            f"{sum(map(len, expected))} tokens, {len(wrong)} texts differ",
            flush=True,
        )
        for i in wrong[:3]:
            at = next((k for k, (a, b) in enumerate(zip(expected[i], found[i])) if a != b), -1)
            print(
                f"     from token {at}: {expected[i][at : at + 6]} but {found[i][at : at + 6]} in "
                f"{parts[i][:60]!r}"
            )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
