"""Converts every test model of ONNX Runtime: success or a clear refusal, never a wrong result.

usage: harmless_test.py PROGRAM ARCHIVE

For each model: the text form printed, parsed and printed again has the same bytes; `convert` in
both dialects ends with exit code 0, 3 or 4 within the time limit; where original and result run,
their outputs agree (convert compares them itself and would end with 1). Prints the counts.
"""

import collections
import json
import pathlib
import subprocess
import sys
import tarfile
import tempfile

PROGRAM, ARCHIVE = sys.argv[1], pathlib.Path(sys.argv[2])
TIME_LIMIT_S = 120
NOT_COMPARED = "not compared with the original"


def run(*words):
    try:
        done = subprocess.run(
            [PROGRAM, *map(str, words)], capture_output=True, timeout=TIME_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return None, b"", b"time limit"
    return done.returncode, done.stdout, done.stderr


def check_text(model, folder):
    code, text, _ = run("inspect", model, "--text", "--weights")
    if code != 0:
        return "text refused" if code in (3, 4) else f"text: exit code {code}"
    copy = folder / "copy.txt"
    copy.write_bytes(text)
    code, again, error = run("inspect", copy, "--text", "--weights")
    if code != 0 or again != text:
        return f"text: not the same again ({error.decode(errors='replace').strip()})"
    return "text same"


def check_convert(model, dialect, folder):
    out = folder / "out.onnx"
    out.unlink(missing_ok=True)
    document = folder / "out.json"
    code, _, error = run("convert", model, "-o", out, "--dialect", dialect, "--json", document)
    if code in (3, 4):
        return f"{dialect} refused"
    if code != 0:
        return f"{dialect}: exit code {code}: {error.decode(errors='replace').strip()}"
    warnings = json.loads(document.read_text())["warnings"]
    if any(NOT_COMPARED in warning for warning in warnings):
        return f"{dialect} converted, not compared"
    return f"{dialect} converted and equal"


def main():
    if not ARCHIVE.exists():
        print(f"skipped: {ARCHIVE} is not there")
        return 77
    counts, wrong = collections.Counter(), []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        with tarfile.open(ARCHIVE) as archive:
            archive.extractall(folder / "models")
        models = sorted((folder / "models").rglob("*.onnx"))
        for model in models:
            results = [check_text(model, folder)]
            results += [check_convert(model, dialect, folder) for dialect in ("standard", "ort")]
            for result in results:
                counts[result.split(":")[0]] += 1
                if ":" in result:
                    wrong.append(f"{model.relative_to(folder)}: {result}")
    print(f"{len(models)} models")
    for result, count in sorted(counts.items()):
        print(f"  {count:4} {result}")
    print("\n".join(wrong))
    return 1 if wrong or not models else 0


sys.exit(main())
