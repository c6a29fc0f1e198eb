"""Cross-builds the program for 64-bit ARM and runs it under user-mode emulation.

usage: tests/tools/aarch64_test.py CMAKE CTEST PROGRAM

PROGRAM is the host's own build, whose outputs are the expectation. Needs `tools/setup --cross`;
exit code 77 (skipped) without it.
"""

import array
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SYSROOT = ROOT / ".deps" / "sysroot-aarch64"
MODEL = ROOT / "examples" / "models" / "resnet20.onnx"
SHAPE = (4, 3, 32, 32)
# Two instruction sets add in different orders: float32 rounding through 20 layers, with a margin.
RELATIVE_L2 = 1e-5
SKIPPED = 77


def write_images(path):
    """Seeded images in a .npy file of format 1.0."""
    rng = random.Random(20)
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {SHAPE}, }}"
    header = header.ljust(118 - 1) + "\n"
    count = SHAPE[0] * SHAPE[1] * SHAPE[2] * SHAPE[3]
    values = array.array("f", (rng.gauss(0, 1) for _ in range(count)))
    prefix = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header))
    path.write_bytes(prefix + header.encode() + values.tobytes())


def read_outputs(folder):
    """The float32 values of every .npy file of a folder, by name."""
    outputs = {}
    for file in sorted(folder.glob("*.npy")):
        content = file.read_bytes()
        start = 10 + struct.unpack("<H", content[8:10])[0]
        outputs[file.name] = array.array("f", content[start:])
    return outputs


def run_model(command, images, folder):
    words = [*command, "run", MODEL, "--input", f"input={images}", "-o", folder]
    subprocess.run([str(word) for word in words], check=True)
    return read_outputs(folder)


def relative_l2(found, expected):
    difference = sum((a - b) ** 2 for a, b in zip(found, expected, strict=True))
    return (difference / sum(b**2 for b in expected)) ** 0.5


def main():
    cmake, ctest, program = sys.argv[1:]
    if not SYSROOT.exists():
        print("no cross toolchain; run tools/setup --cross")
        return SKIPPED
    for command in (
        [cmake, "--preset", "aarch64"],
        [cmake, "--build", "--preset", "aarch64"],
        [ctest, "--preset", "aarch64", "--parallel", "2"],
    ):
        subprocess.run(command, cwd=ROOT, check=True)

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_images(folder / "images.npy")
        cross = ["qemu-aarch64", "-L", SYSROOT, ROOT / "build-aarch64" / "edgewright"]
        expected = run_model([program], folder / "images.npy", folder / "host")
        found = run_model(cross, folder / "images.npy", folder / "aarch64")
    if not expected or found.keys() != expected.keys():
        print(f"expected outputs {list(expected)}, found {list(found)}")
        return 1
    worst = max(relative_l2(found[name], expected[name]) for name in expected)
    print(f"resnet20 on aarch64: relative difference {worst:.1e}, at most {RELATIVE_L2:.0e}")
    return 0 if worst <= RELATIVE_L2 else 1


if __name__ == "__main__":
    sys.exit(main())
