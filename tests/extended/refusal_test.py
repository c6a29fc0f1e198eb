"""Quantises networks of nothing but depthwise convolutions and checks what is refused.

usage: refusal_test.py PROGRAM

Where int8 loses on this processor the result keeps float there and says so, and a forced run is
shown to be slower; where it wins nothing is refused. Needs a machine that is otherwise idle. Bound:
issue "Precision", target 8.
"""

import json
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import zipfile

PROGRAM = sys.argv[1]
RANDOM = random.Random(3)
SAMPLES, LAYERS = 40, 4
# Name -> channels, size, kernel, outputs per channel. The integer kernel takes one output per
# channel; with two the layer runs in float between conversions.
NETWORKS = {
    "depthwise 3x3, 16 channels": (16, 32, 3, 1),
    "depthwise 5x5, 32 channels": (32, 16, 5, 1),
    "depthwise 3x3, two outputs a channel": (8, 32, 3, 2),
}


def numbers(count, scale):
    return [round(RANDOM.gauss(0, scale), 4) for _ in range(count)]


def network(channels, size, kernel, outputs):
    lines = [f"graph %main(%x: float32[n,{channels},{size},{size}]) -> (%y) {{"]
    body, value, width = [], "x", channels
    for layer in range(LAYERS):
        made = width * outputs
        weights = ", ".join(map(str, numbers(made * kernel * kernel, 1 / kernel)))
        lines.append(f"  %w{layer}: float32[{made},1,{kernel},{kernel}] = {{{weights}}}")
        name, pads = "y" if layer + 1 == LAYERS else f"v{layer}", [kernel // 2] * 4
        body.append(f"  %{name}: ? = Conv(%{value}, %w{layer}) {{group={width}, pads={pads}}}")
        value, width = name, made
    return "\n".join(lines + body + ["}", ""])


def write_samples(path, channels, size):
    values = numbers(SAMPLES * channels * size * size, 1)
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({SAMPLES}, {channels}, "
    header += f"{size}, {size}), }}"
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    data = struct.pack(f"<{len(values)}f", *values)
    with zipfile.ZipFile(path, "w") as archive:
        array = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data
        archive.writestr("x.npy", array)


def document_of(*words):
    done = subprocess.run(
        [PROGRAM, *map(str, words), "--json", "-"], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def convert(folder, shape, refuse):
    out = folder / f"{refuse}.onnx"
    flags = ("--precision", "int8", "--calibrate", folder / "data.npz")
    words = ("convert", folder / "model.txt", "-o", out, *flags)
    return out, document_of(*words, "--quantize", f"refuse={refuse}", "--mode", "no-verify")


def latency_us(path, shape):
    channels, size = shape[:2]
    words = ("bench", path, "--shape", f"x=1x{channels}x{size}x{size}", "--seconds", "0.5")
    return document_of(*words)["latency_us"]["median"]


def check(name, shape, folder):
    (folder / "model.txt").write_text(network(*shape))
    write_samples(folder / "data.npz", *shape[:2])
    kept, document = convert(folder, shape, "auto")
    forced, forced_document = convert(folder, shape, "off")
    refused = [c for c in document["choices"] if c["chosen"] == "float32"]
    share = document["quantization"]["int8_macs_share"]
    times = latency_us(kept, shape), latency_us(forced, shape)
    print(
        f"{name}: {len(refused)} layers stay in float, {100 * share:.0f} % of multiply-adds in "
        f"int8, {times[0]:.1f} us; forced {times[1]:.1f} us"
    )
    for choice in refused:
        print(f"  {choice['what']}: {choice['why']}")
    if not refused:
        return share == 1
    warned = any("kept in int8 as asked" in text for text in forced_document["warnings"])
    return share < 1 and warned and times[1] > times[0]


def main():
    failed = []
    for name, shape in NETWORKS.items():
        with tempfile.TemporaryDirectory() as folder:
            if not check(name, shape, pathlib.Path(folder)):
                failed.append(name)
    for name in failed:
        print(f"MISS {name}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
