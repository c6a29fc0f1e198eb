"""Runs one golden test: a graph, a command, the graph and the numbers that must come out.

usage: golden_test.py [--update] PROGRAM FILE.test

A file has a head of `key: value` lines and sections that begin with `--- `:

    name: what is tested
    why: why it matters
    command: the words of `edgewright convert` after model and output
    exit: the exit code (default 0); `message:` then names a part of the error text
    --- graph
    the text form of the graph
    --- expected graph
    the text form of the result
    --- input NAME TYPE 2x3
    numbers, in rows
    --- output NAME TYPE 2x3
    numbers; the original and the result must both give them on both backends

Numbers are compared within `tolerance:` (default 1e-5), relative to the largest. `--update` writes
the graph that came out as the expected one; look at the difference before it is committed.
"""

import pathlib
import re
import struct
import subprocess
import sys
import tempfile

DTYPES = {"float32": ("<f4", "f", 4), "int64": ("<i8", "q", 8), "bool": ("|b1", "?", 1)}


def parse(text):
    head, *sections = re.split(r"^--- (.*)\n", text, flags=re.MULTILINE)
    keys = dict(re.findall(r"^(\w+): *(.*)$", head, re.MULTILINE))
    return keys, dict(zip(sections[::2], sections[1::2], strict=True))


def write_npy(path, dtype, dims, numbers):
    descr, code, _ = DTYPES[dtype]
    shape = "".join(f"{dim}, " for dim in dims)
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}"
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    values = [float(n) if code == "f" else int(n) for n in numbers]
    data = struct.pack(f"<{len(values)}{code}", *values)
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data)


def read_npy(path, dtype):
    content = path.read_bytes()
    header_bytes = struct.unpack("<H", content[8:10])[0]
    header = content[10 : 10 + header_bytes].decode()
    dims = [int(d) for d in re.findall(r"\d+", re.search(r"'shape': \(([^)]*)\)", header)[1])]
    descr, code, size = DTYPES[dtype]
    if f"'{descr}'" not in header:
        raise ValueError(f"{path.name} is not {dtype}: {header.strip()}")
    data = content[10 + header_bytes :]
    return dims, list(struct.unpack(f"<{len(data) // size}{code}", data))


def ports(sections, kind):
    """(name, dtype, dims, numbers) of every `input` or `output` section."""
    for title, body in sections.items():
        words = title.split()
        if words[0] == kind:
            dims = [int(dim) for dim in words[3].split("x")] if words[3] != "scalar" else []
            yield words[1], words[2], dims, [float(word) for word in body.split()]


class Test:
    def __init__(self, program, keys, sections, folder):
        self.program, self.keys, self.sections = program, keys, sections
        self.folder = pathlib.Path(folder)
        self.model, self.out = self.folder / "model.txt", self.folder / "out.onnx"
        self.model.write_text(sections["graph"])

    def run(self, *words, code=0):
        done = subprocess.run(
            [self.program, *map(str, words)], capture_output=True, text=True, check=False
        )
        if done.returncode != code:
            text = done.stdout + done.stderr
            raise AssertionError(f"{words[0]}: exit code {done.returncode}, not {code}: {text}")
        return done

    def convert(self):
        code = int(self.keys.get("exit", 0))
        words = self.keys.get("command", "").split()
        done = self.run("convert", self.model, "-o", self.out, *words, code=code)
        if self.keys.get("message", "") not in done.stderr:
            raise AssertionError(f"the error does not say '{self.keys['message']}': {done.stderr}")
        return code == 0

    def result_graph(self):
        text = self.run("inspect", self.out, "--text", "--weights").stdout
        return text[text.index("graph ") :]

    def check_graph(self, found):
        expected = self.sections.get("expected graph", "")
        if found.strip() != expected.strip():
            raise AssertionError(f"expected graph:\n{expected}\nfound:\n{found}")

    def check_numbers(self):
        outputs = list(ports(self.sections, "output"))
        if not outputs:
            return
        given = []
        for name, dtype, dims, numbers in ports(self.sections, "input"):
            write_npy(self.folder / f"{name}.npy", dtype, dims, numbers)
            given += ["--input", f"{name}={self.folder / name}.npy"]
        for model in (self.model, self.out):
            for backend in ("reference", "native"):
                self.run("run", model, *given, "-o", self.folder / "out", "--backend", backend)
                for output in outputs:
                    self.check_output(f"{model.name} on {backend}", *output)

    def check_output(self, where, name, dtype, dims, expected):
        found_dims, found = read_npy(self.folder / "out" / f"{name}.npy", dtype)
        largest = max([1.0, *(abs(number) for number in expected)])
        bound = float(self.keys.get("tolerance", 1e-5)) * largest
        same = found_dims == dims and all(
            abs(a - b) <= bound for a, b in zip(expected, found, strict=True)
        )
        if not same:
            raise AssertionError(f"{where}: {name} is {found_dims} {found}, not {dims} {expected}")


def main():
    words = [word for word in sys.argv[1:] if word != "--update"]
    program, path = words[0], pathlib.Path(words[1])
    keys, sections = parse(path.read_text())
    for key in ("name", "why"):
        if not keys.get(key):
            print(f"{path.name}: no line '{key}: ...'")
            return 1
    with tempfile.TemporaryDirectory() as folder:
        test = Test(program, keys, sections, folder)
        try:
            if not test.convert():
                return 0
            found = test.result_graph()
            if "--update" in sys.argv:
                title = "--- expected graph\n"
                text = path.read_text().replace(title + sections["expected graph"], title + found)
                path.write_text(text)
            else:
                test.check_graph(found)
            test.check_numbers()
        except (AssertionError, ValueError) as failure:
            print(f"{path.name} ({keys['why']}): {failure}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
