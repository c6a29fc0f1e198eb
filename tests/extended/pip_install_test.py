#!/usr/bin/env python3
"""Installs the package by one command into a clean virtual environment and runs its tests there.

usage: pip_install_test.py ROOT
"""

import os
import pathlib
import subprocess
import sys
import tempfile


def main():
    root = pathlib.Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        environment = pathlib.Path(folder) / "environment"
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        python = environment / "bin" / "python"
        pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        # By the names that the project's own build calls the compilers: the compiler's cache knows
        # them.
        compilers = {**os.environ, "CC": "cc", "CXX": "c++"}
        subprocess.run([*pip, root], check=True, env=compilers)
        # Only pytest comes after; the tests take the installed package.
        subprocess.run([*pip, "pytest"], check=True)
        done = subprocess.run(
            [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", root / "python" / "tests"],
            cwd=folder,
            check=False,
        )
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
