"""Mixed execution on the zoo: the mix that is chosen, its predicted and its measured time.

usage: mixed_test.py PROGRAM ROOT [MODEL ...]

OpenVINO comes from .deps/bench (tools/setup --bench). Bounds, from the issue "Other runtimes",
target 4: predicted within 20 % of the measured time; the chosen mix at most 3 % slower than the
best single backend, both the best of several runs in turns, so that what else the machine does
meets all of them. Exit code 77 without the models or OpenVINO.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

PROGRAM, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
ZOO = ROOT.parent / "shared" / "zoo"
MODELS = {
    "cifar10/resnet20": [],
    "cifar10/resnet20-qat": [],
    "cifar10/mobilenetv2": [],
    "cifar10/vit20": [],
    "third-party/face-rfb-320": [],
    "third-party/silero-vad": [],
    "third-party/squeezenet": ["--shape", "data=1x3x227x227"],
    "third-party/mnist": [],
    "novel/novel-7m": [],
}
# What has to be said before anything runs: a sampling rate chooses the branch.
FIXED = {
    "third-party/silero-vad": [
        "--fix", "sr=16000", "--shape", "input=1x512", "--shape", "state=2x1x128",
    ],
}  # fmt: skip
ROUNDS = 3
MOST_OFF, MOST_SLOWER = 0.20, 1.03


def openvino_library():
    found = sorted((ROOT / ".deps" / "bench").glob("**/openvino/libs/libopenvino_c.so*"))
    return str(found[0]) if found else None


def run_program(*words):
    done = subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    return done.stdout


def bench(path, options, backend):
    with tempfile.TemporaryDirectory() as folder:
        document = pathlib.Path(folder) / "bench.json"
        run_program("bench", path, *options, "--backend", backend, "--seconds", "0.5", "--json",
                    document)  # fmt: skip
        return json.loads(document.read_text())


def measure(name, options):
    """(how far the prediction is off, chosen mix over best single, what was chosen)."""
    path = ZOO / f"{name}.onnx"
    if name in FIXED:
        with tempfile.TemporaryDirectory() as folder:
            fixed = pathlib.Path(folder) / path.name
            run_program("convert", path, "-o", fixed, *FIXED[name])
            return measure_file(name, fixed, options)
    return measure_file(name, path, options)


def measure_file(name, path, options):
    first = bench(path, options, "mixed")
    singles = [backend for backend in first["mix"]["alone_us"] if backend != "reference"]
    best = {backend: float("inf") for backend in [*singles, "mixed"]}
    off = []
    for _ in range(ROUNDS):
        for backend in best:
            document = bench(path, options, backend)
            best[backend] = min(best[backend], document["latency_us"]["median"])
            if backend == "mixed":
                predicted = document["mix"]["predicted_us"]
                off.append(abs(predicted / document["latency_us"]["median"] - 1))
                chosen = document["mix"]
    mixed = best.pop("mixed")
    print(f"{name}: {'+'.join(s['backend'] for s in chosen['segments'])} {mixed:.1f} us, "
          f"{', '.join(f'{b} {t:.1f}' for b, t in best.items())}; prediction off by "
          f"{100 * sorted(off)[ROUNDS // 2]:.1f} %", flush=True)  # fmt: skip
    for note in chosen["notes"]:
        print(f"    {note[:160]}")
    return sorted(off)[ROUNDS // 2], mixed / min(best.values())


def main():
    library = openvino_library()
    if not ZOO.is_dir() or library is None:
        print("skipped: no ../shared/zoo, or no OpenVINO; tools/setup --bench installs it")
        return 77
    os.environ["EDGEWRIGHT_OPENVINO"] = library
    failures = []
    for name in sys.argv[3:] or MODELS:
        off, slower = measure(name, MODELS[name])
        print(f"    off {off:.3f} (at most {MOST_OFF}), over the best single {slower:.3f} "
              f"(at most {MOST_SLOWER})", flush=True)  # fmt: skip
        if off > MOST_OFF or slower > MOST_SLOWER:
            failures.append(name)
    print("missed:", ", ".join(failures) or "none")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
