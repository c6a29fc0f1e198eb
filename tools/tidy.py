#!/usr/bin/env python3
"""Runs clang-tidy over the sources of a build, as many at a time as there are processors.

usage: tools/tidy.py [--build FOLDER] [PATH ...]

PATHs are sources, or folders of them, relative to the project's root (default: src and cli, less
the folders in tools/tidy_exceptions.txt, which have not been gone through yet; the list only
shrinks). What
was found clean is remembered in the build folder under a digest of the preprocessed source and the
settings, so that only changed files are looked at again. Exit code 1 when anything was found.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CLANG_TIDY = ROOT / ".deps" / "tools" / "bin" / "clang-tidy"
# GCC's own warning flags are no concern of clang's, nor are its warnings: the build has its own.
EXTRA = ["--extra-arg=-Wno-unknown-warning-option", "--extra-arg=-w"]


def preprocess_command(entry):
    """The compile command without cache, object file and dependency file, for preprocessing."""
    words = shlex.split(entry["command"])
    if pathlib.Path(words[0]).name == "ccache":
        words = words[1:]
    kept, skip = [], False
    for word in words:
        if skip:
            skip = False
        elif word in ("-o", "-MF", "-MT"):
            skip = True
        elif word not in ("-c", "-MD"):
            kept.append(word)
    # With comments: NOLINT is one.
    return kept + ["-E", "-CC", "-w"]


def digest(entry, settings):
    command = preprocess_command(entry)
    done = subprocess.run(command, cwd=entry["directory"], capture_output=True, check=False)
    if done.returncode != 0:
        return None
    text = settings + shlex.join(command).encode() + done.stdout
    return hashlib.sha256(text).hexdigest()


def tidy(entry, build, settings):
    """What clang-tidy has to say about one source; empty when it is clean."""
    key = digest(entry, settings)
    remembered = build / "tidy" / str(key)
    if key and remembered.exists():
        return ""
    command = [str(CLANG_TIDY), "-p", str(build), "--quiet", *EXTRA, entry["file"]]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        if key:
            remembered.touch()
        return ""
    return done.stdout or done.stderr


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    parser.add_argument("paths", nargs="*")
    arguments = parser.parse_args()

    folders = [(ROOT / path).resolve() for path in arguments.paths or ["src", "cli"]]
    skipped = set()
    if not arguments.paths:
        lines = (ROOT / "tools" / "tidy_exceptions.txt").read_text(encoding="utf-8").splitlines()
        skipped = {ROOT / line for line in lines if line and not line.startswith("#")}
    build = arguments.build.resolve()
    (build / "tidy").mkdir(exist_ok=True)
    version = subprocess.run([str(CLANG_TIDY), "--version"], capture_output=True, check=True)
    settings = version.stdout + (ROOT / ".clang-tidy").read_bytes()

    entries = {}
    for entry in json.loads((build / "compile_commands.json").read_text(encoding="utf-8")):
        file = pathlib.Path(entry["file"])
        places = {file, *file.parents}
        if file.exists() and places.intersection(folders) and not places & skipped:
            entries[entry["file"]] = entry

    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(lambda entry: tidy(entry, build, settings), entries.values()):
            if found:
                failed += 1
                print(found, flush=True)
    print(f"clang-tidy: {len(entries)} sources, {failed} with findings", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
