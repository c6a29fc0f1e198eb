#!/usr/bin/env python3
"""Is what `split run` plans what it then measures, and is the cut that it takes the best?

usage: bench/split/plan_against_measured.py [--model NAME=FILE] [--rates 1,3,10] [--build DIR]
         [--results FILE [--next]]

--results keeps what was measured; what is there is not measured again. --next measures one rate of
one model, so that the whole can be done in short windows of a quiet machine.

For every rate of an emulated link (round trip 6 ms) every cut that the server has is planned and
measured. The server answers from memory, as one far quicker than this machine would. Targets: the
measured latency within 10 % of the plan; the planned cut the measured best, or within 5 % of it.
"""

import argparse
import array
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
ZOO = ROOT.parent / "shared" / "zoo" / "cifar10"
STUB = ROOT / "tests" / "split" / "stub_server.py"
REQUESTS = 25
# Cuts late in the network are worth sending only when activations are rounded; they are measured
# here all the same.
PLANS = (("20", "0"), ("2", "4"))


class Background:
    def __init__(self, *command):
        self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().split()[1])

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline().startswith("ok"), line

    def stop(self):
        self.process.kill()
        self.process.communicate()


def document(*command):
    ran = subprocess.run(list(map(str, command)) + ["--json", "-"], capture_output=True, text=True)
    assert ran.returncode in (0, 1), ran.stderr
    return json.loads(ran.stdout[ran.stdout.index("{\n"):])


def data_file(folder, name):
    folder.mkdir()
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 32, 32), }"
    header += " " * (63 - (len(header) + 10) % 64) + "\n"
    values = array.array("f", [(i * 37 % 101 - 50) / 50 for i in range(3072)])
    (folder / f"{name}.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little")
                                         + header.encode() + values.tobytes())
    return folder


def measure(program, model, url, data, cut=None):
    chosen = ["--cut", cut] if cut else []
    return document(program, "split", "run", model, "--server", url, "--data", data, "--requests",
                    REQUESTS, "--in-flight", 1, "--deadline-ms", 60000, *chosen)


class Halves:
    """The server's halves of a model, and a server that has them."""

    def __init__(self, program, model, work):
        if not (work / "halves").exists():
            for rate, bits in PLANS:
                document(program, "split", "plan", model, "--device", "10GFLOP/s", "--server",
                         "10TFLOP/s", "--bandwidth-mbit-s", rate, "--codec", bits, "-o",
                         work / "halves")
        if not (work / "data").exists():
            data_file(work / "data", document(program, "inspect", model)["inputs"][0]["name"])
        self.data = work / "data"
        self.server = Background(sys.executable, STUB, work / "halves" / "repository", program)


def measure_rate(program, model, halves, rate, build):
    """The cut that was planned, and planned and measured times of every cut."""
    link = Background(build / "link_emulator", halves.server.port, f"up-mbit-s={rate}",
                      f"down-mbit-s={rate}", "delay-ms=3")
    url = f"http://127.0.0.1:{link.port}"
    free = measure(program, model, url, halves.data)
    found = {}
    for row in free["cuts"]:
        again = measure(program, model, url, halves.data, row["cut"])["cuts"][0]
        found[row["cut"]] = (again["planned_us"], again["measured_us"])
    link.stop()
    return {"planned": min(free["cuts"], key=lambda row: row["planned_us"])["cut"], "cuts": found}


def show(name, rate, measured):
    planned, found = measured["planned"], measured["cuts"]
    best = min(found, key=lambda cut: found[cut][1])
    errors = {cut: time / plan - 1 for cut, (plan, time) in found.items()}
    loss = found[planned][1] / found[best][1] - 1
    fits = abs(errors[planned]) <= 0.10 and loss <= 0.05
    print(f"{name} at {rate:g} Mbit/s: planned {planned}, measured best {best} "
          f"({100 * loss:+.1f} %) {'ok' if fits else 'MISSED'}")
    for cut, (plan, time) in found.items():
        print(f"    {cut:32} planned {plan / 1e3:8.2f} ms, measured {time / 1e3:8.2f} "
              f"({100 * errors[cut]:+.1f} %)")
    worst = statistics.mean(abs(error) for error in errors.values())
    print(f"    mean error {100 * worst:.1f} %", flush=True)
    return fits


def compare(program, models, rates, build, results, only_next):
    """Whether every target is kept; None when something is still to be measured."""
    kept = json.loads(results.read_text()) if results and results.exists() else {}
    good, done = True, 0
    with tempfile.TemporaryDirectory() as folder:
        for name, model in models.items():
            work = results.with_suffix("") / name if results else pathlib.Path(folder) / name
            work.mkdir(parents=True, exist_ok=True)
            halves = None
            for rate in rates:
                key = f"{name}@{rate:g}"
                if key not in kept:
                    if only_next and done > 0:
                        if halves:
                            halves.server.stop()
                        return None
                    halves = halves or Halves(program, model, work)
                    kept[key] = measure_rate(program, model, halves, rate, build)
                    done += 1
                    if results:
                        results.write_text(json.dumps(kept, indent=1))
                good = show(name, rate, kept[key]) and good
            if halves:
                halves.server.stop()
    return good


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", action="append", default=[])
    parser.add_argument("--rates", default="1,3,10,30,100")
    parser.add_argument("--build", default=ROOT / "build", type=pathlib.Path)
    parser.add_argument("--results", type=pathlib.Path)
    parser.add_argument("--next", action="store_true")
    arguments = parser.parse_args()
    models = dict(row.split("=") for row in arguments.model) or {
        "resnet20": ZOO / "resnet20.onnx", "vit20": ZOO / "vit20.onnx"}
    missing = [str(path) for path in models.values() if not pathlib.Path(path).exists()]
    if missing:
        print(f"skipped: {missing[0]} is not here")
        return 77
    rates = [float(rate) for rate in arguments.rates.split(",")]
    program = arguments.build / "edgewright"
    good = compare(program, models, rates, arguments.build, arguments.results, arguments.next)
    if good is None:
        return 0
    print("targets kept" if good else "targets MISSED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
