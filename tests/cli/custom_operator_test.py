"""Runs a model with the custom operator of the example, loaded from its shared library.

usage: custom_operator_test.py PROGRAM LIBRARY MODEL
"""

import ast
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

PROGRAM, LIBRARY, MODEL = sys.argv[1:4]
MU = 255.0


def decoded(code):
    """The formula of ITU-T G.711 in its continuous form, halved as the model does."""
    v = code / 127.5 - 1
    magnitude = ((1 + MU) ** abs(v) - 1) / MU
    return 0.5 * (magnitude if v >= 0 else -magnitude)


def write_codes(path, codes):
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': (1, {len(codes)}), }}"
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()
    path.write_bytes(content + bytes(codes))


def read_floats(path):
    content = path.read_bytes()
    start = 10 + struct.unpack("<H", content[8:10])[0]
    assert ast.literal_eval(content[10:start].decode())["descr"] == "<f4"
    return struct.unpack(f"<{(len(content) - start) // 4}f", content[start:])


class CustomOperator(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name)
        self.codes = [(37 * i) % 256 for i in range(160)]
        write_codes(self.path / "codes.npy", self.codes)

    def run_program(self, *words, code=0, operators=True):
        command = [PROGRAM, *map(str, words), *(["--operators", LIBRARY] if operators else [])]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        self.assertEqual(done.returncode, code, f"{command}\n{done.stdout}{done.stderr}")
        return done

    def check_run(self, model, *flags):
        given = f"codes={self.path / 'codes.npy'}"
        self.run_program("run", model, "--input", given, "-o", self.path / "out", *flags)
        found = read_floats(self.path / "out" / "samples.npy")
        self.assertEqual(len(found), len(self.codes))
        for code, sample in zip(self.codes, found, strict=True):
            self.assertAlmostEqual(sample, decoded(code), places=5)

    def test_both_backends(self):
        self.check_run(MODEL, "--backend", "reference")
        self.check_run(MODEL, "--backend", "native")

    def test_types_are_inferred(self):
        out = self.path / "typed.onnx"
        self.run_program("convert", MODEL, "-o", out)
        text = self.run_program("inspect", out, "--text").stdout
        self.assertIn("%linear: float32[1,160] = com.example::MuLawDecode", text)

    def test_survives_conversion_and_runs_from_a_plan(self):
        for name in ("out.onnx", "out.ewplan"):
            done = self.run_program("convert", MODEL, "-o", self.path / name, "--json", "-")
            self.assertTrue(json.loads(done.stdout)["verification"]["passed"])
            self.check_run(self.path / name)

    def test_without_the_library(self):
        out = self.path / "kept.onnx"
        self.run_program("convert", MODEL, "-o", out, operators=False)
        self.check_run(out)
        done = self.run_program("bench", MODEL, "--runs", 1, code=4, operators=False)
        self.assertIn("MuLawDecode", done.stderr)

    def test_bad_libraries_are_refused(self):
        for words in ((self.path / "absent.so",), (PROGRAM,)):
            done = subprocess.run(
                [PROGRAM, "inspect", MODEL, "--operators", *map(str, words)],
                capture_output=True, text=True, check=False,
            )
            self.assertEqual(done.returncode, 3, done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
