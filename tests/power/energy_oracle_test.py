"""`power energy` on random traces against an oracle in rational arithmetic.

usage: energy_oracle_test.py PROGRAM
"""

import fractions
import json
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

PROGRAM = sys.argv[1]
F = fractions.Fraction
TOLERANCE = F(1, 10**6)


def run(*words):
    done = subprocess.run([PROGRAM, "power", "energy", *map(str, words), "--json", "-"],
                          capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != 0:
        raise SystemExit(f"{words}: {done.stderr}")
    return json.loads(done.stdout)


def close(found, expected, what):
    expected = F(expected)
    if abs(F(found) - expected) > TOLERANCE * max(abs(expected), F(1, 10**6)):
        raise SystemExit(f"{what}: found {found}, expected {float(expected)}")


def within(segments, start, end):
    """Energy of straight lines (t0, t1, p0, p1) between two times."""
    total = F(0)
    for t0, t1, p0, p1 in segments:
        a, b = max(t0, start), min(t1, end)
        if t1 > t0 and b > a:
            total += (p0 + (p1 - p0) * ((a + b) / 2 - t0) / (t1 - t0)) * (b - a)
    return total


def stamps(draw, count):
    """Milliseconds with duplicated stamps and gaps."""
    now, out = 0, []
    for _ in range(count):
        out.append(now)
        now += draw.choice([0, 1, 1, 1, 2, 1, 1, draw.choice([1, 1, 40])])
    return out


def check_power(folder, draw):
    times = stamps(draw, 400)
    powers = [draw.randrange(0, 5_000_000) for _ in times]  # uW
    path = folder / "power.csv"
    rows = "".join(f"{t},{p}\n" for t, p in zip(times, powers))
    path.write_text("time_ms,power_uw\n" + rows)
    segments = [(F(a, 1000), F(b, 1000), F(p), F(q))
                for a, b, p, q in zip(times, times[1:], powers, powers[1:])]
    last = F(times[-1], 1000)
    start, end = sorted([F(draw.randrange(0, times[-1] * 8), 8000) for _ in range(2)])
    if start == end:
        end = last
    report = run(path, "--window", f"{float(start)!r}:{float(end)!r}", "--window",
                 f"0:{float(last)!r}")
    close(report["windows"][0]["energy_uj"], within(segments, start, end), "window")
    close(report["windows"][1]["energy_uj"], within(segments, F(0), last), "whole trace")
    if any(b - a >= 40 for a, b in zip(times, times[1:])) and not report["gaps"]:
        raise SystemExit("a gap of 40 samples was not said")


def check_counter(folder, draw):
    size = 262_143  # uJ, so that it wraps every few readings
    times = sorted(draw.sample(range(10_000), 300))
    steps = [draw.randrange(0, size) for _ in times[1:]]
    total, readings = 5_000, [5_000]
    for step in steps:
        total += step
        readings.append(total % size)
    path = folder / "counter.csv"
    rows = "".join(f"{t},{r}\n" for t, r in zip(times, readings))
    path.write_text("time_ms,energy_uj\n" + rows)
    report = run(path, "--counter-range-uj", size, "--gap-factor", 1000)
    close(report["windows"][0]["energy_uj"], sum(steps), "counter")
    wraps = sum(b < a for a, b in zip(readings, readings[1:]))
    if report["wraps"] != wraps:
        raise SystemExit(f"found {report['wraps']} wraps, expected {wraps}")


def check_tiny(folder, draw):
    values = [struct.unpack("<f", struct.pack("<f", draw.random() * 100))[0] for _ in range(512)]
    path, marks = folder / "tiny.bin", folder / "stamps.json"
    path.write_bytes(b"\xf1" + struct.pack(f"<{len(values) + 1}f", 64.0, *values))
    times = sorted(draw.sample(range(512 * 4), 6))
    marks.write_text(json.dumps([t / 256 for t in times]))
    segments = [(F(i, 64), F(i + 1, 64), F(v) * 64, F(v) * 64) for i, v in enumerate(values)]
    report = run(path, "--timestamps", marks)
    for i, window in enumerate(report["windows"]):
        expected = within(segments, F(times[2 * i], 256), F(times[2 * i + 1], 256))
        close(window["energy_uj"], expected, f"MLPerf Tiny window {i}")


def main():
    draw = random.Random(7)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for _ in range(8):
            check_power(folder, draw)
            check_counter(folder, draw)
            check_tiny(folder, draw)
    print("24 traces agree with the oracle to 1e-6")


if __name__ == "__main__":
    main()
