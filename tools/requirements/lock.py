#!/usr/bin/env python3
"""Pins requirements: reads NAME.in, writes NAME.txt with every version and hash.

usage: tools/requirements/lock.py NAME.in ...

The resolver runs once, for the running interpreter; the versions it chooses are then looked up
for the other interpreters and machines below, so that one file serves them all. A package with no
wheel for a combination simply contributes no hash for it, and installing there fails loudly.
A line "# lock: no-deps" in NAME.in pins what is listed and nothing that it depends on.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

PYTHONS = ("3.10", "3.11", "3.12", "3.13")
GLIBC_TAGS = ("manylinux1", "manylinux2010", "manylinux2014") + tuple(
    f"manylinux_2_{minor}" for minor in range(5, 37)
)
MACHINES = ("x86_64", "aarch64")


def report(arguments):
    """The packages that pip would install, as pip's own report describes them."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run"]
        command += ["--ignore-installed", "--only-binary", ":all:", "--report", str(path)]
        done = subprocess.run(command + arguments, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return None, done.stderr
        return json.loads(path.read_text(encoding="utf-8"))["install"], ""


def hashes_elsewhere(pin):
    """Hashes of one pinned package for every interpreter and machine that has a wheel of it."""
    found = set()
    for machine in MACHINES:
        platforms = []
        for tag in GLIBC_TAGS:
            platforms += ["--platform", f"{tag}_{machine}"]
        for python in PYTHONS:
            arguments = ["--no-deps", "--target", "unused", "--python-version", python]
            packages, _ = report(arguments + platforms + [pin])
            for package in packages or []:
                found.add(package["download_info"]["archive_info"]["hashes"]["sha256"])
    return found


def lock(source):
    arguments = ["-r", str(source)]
    if "# lock: no-deps" in source.read_text(encoding="utf-8"):
        arguments.append("--no-deps")
    packages, error = report(arguments)
    if packages is None:
        raise SystemExit(f"{source}: {error}")
    lines = [f"# Written by lock.py from {source.name}; edit that and run it again."]
    for package in sorted(packages, key=lambda p: p["metadata"]["name"].lower()):
        pin = f"{package['metadata']['name'].lower()}=={package['metadata']['version']}"
        hashes = {package["download_info"]["archive_info"]["hashes"]["sha256"]}
        hashes |= hashes_elsewhere(pin)
        lines.append(" \\\n".join([pin] + [f"    --hash=sha256:{h}" for h in sorted(hashes)]))
        print(f"{source.name}: {pin}, {len(hashes)} hashes", file=sys.stderr)
    source.with_suffix(".txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main():
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    for name in sys.argv[1:]:
        lock(pathlib.Path(name))


if __name__ == "__main__":
    main()
