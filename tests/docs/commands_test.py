"""Runs every command that the documentation shows, so that none of them rots.

usage: commands_test.py PROGRAM DOCUMENT

A block fenced with ```sh is one script: it runs with `bash -e` in a fresh folder that looks like
the project's root (build/edgewright is there, and so are examples/ and ../shared); the blocks of
one document share the folder. Blocks that call make or tools/ are not run: they build. A block
whose first line is `# exit N` has to end with that code. Blocks with other fences, or none, are not
run. Exit code 77 when a block needs ../shared and it is not there.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
TIME_LIMIT_S = 300
SKIPPED = 77
NOT_RUN = re.compile(r"^\s*(make|tools/|cmake|git|pip)\b", re.MULTILINE)


def blocks_of(text):
    return re.findall(r"^```(?:sh|bash)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def make_root(folder, program):
    root = folder / "project"
    (root / "build").mkdir(parents=True)
    (root / "build" / "edgewright").symlink_to(program)
    for name in ("examples", "include", "docs", "bench", ".deps"):
        if (ROOT / name).exists():
            (root / name).symlink_to(ROOT / name)
    if SHARED.exists():
        (folder / "shared").symlink_to(SHARED)
    return root


def run_block(block, root):
    wanted = re.match(r"# exit (\d+)\n", block)
    environment = dict(os.environ, XDG_CACHE_HOME=str(root.parent / "cache"))
    environment["PATH"] = f"{root / 'build'}:{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
        check=False,
    )
    if done.returncode == (int(wanted[1]) if wanted else 0):
        return True
    print(f"exit code {done.returncode}:\n{block}\n{done.stdout}{done.stderr}")
    return False


def main():
    program, document = (pathlib.Path(word).resolve() for word in sys.argv[1:])
    blocks = [b for b in blocks_of(document.read_text()) if not NOT_RUN.search(b)]
    if not SHARED.exists() and any("../shared" in block for block in blocks):
        print("skipped: ../shared is not there")
        return SKIPPED
    with tempfile.TemporaryDirectory() as name:
        root = make_root(pathlib.Path(name), program)
        results = [run_block(block, root) for block in blocks]
    print(f"{document.name}: {sum(results)} of {len(results)} blocks ran")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
