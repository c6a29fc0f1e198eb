"""Checks the profiler against other programs, on the shared models.

usage: profile_test.py PROGRAM PROJECT_ROOT [CASE[:MODEL] ...]

Cases (all by default): reconcile (operators + overhead = wall time within 2 %, profiling costs at
most 3 % on models over 1 ms), imports (profiles of ONNX Runtime and OpenVINO, made here, keep every
node and total within 1 %), perfetto (exported traces as Perfetto's own definitions read them),
likwid (bandwidths and peaks against likwid-bench), independent (the same against a program that
has nothing of ours), confirm (verdicts hold for 95 %, prefill is bound by
arithmetic and decoding by memory), language (requests to a language model add
up within 2 %), apply (predicted and achieved within 20 %), batches (what the batch model finds best
costs at most 3 % more than what a sweep finds), layers (predicted times of layers and models; first
times layers, eight times half a minute). CASE:MODEL takes only models of whose names it is a
part. Exit code 77 where what a case needs is absent. Prints every figure.
"""

import csv
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

PROGRAM, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
ZOO = ROOT.parent / "shared" / "zoo"
PYTHON = ROOT / ".deps" / "bench" / "bin" / "python"
PERFETTO = ROOT / ".deps" / "profile" / "bin" / "python"
ABSENT = 77

PAST = {
    f"past_key_values.{layer}.{kind}": "1x2x64x64"
    for layer in range(8)
    for kind in ("key", "value")
}
DECODE = {"input_ids": "1x1", "attention_mask": "1x65", "position_ids": "1x1", **PAST}
PREFILL = {"input_ids": "1x128", "attention_mask": "1x128", "position_ids": "1x128"}
PREFILL |= {name: "1x2x0x64" for name in PAST}
MODELS = {
    "cifar10/resnet20.onnx": {},
    "cifar10/resnet20-qat.onnx": {},
    "cifar10/mobilenetv2.onnx": {},
    "cifar10/vit20.onnx": {},
    "third-party/face-rfb-320.onnx": {},
    "third-party/mnist.onnx": {},
    "third-party/squeezenet.onnx": {},
    "third-party/gpt2-past-tiny.onnx": {},
    "novel/novel-1m-draft.onnx": {},
    "novel/novel-7m.onnx": DECODE,
}


class Checks:
    def __init__(self):
        self.failed = 0
        self.only = ""

    def models(self, names=MODELS):
        return [name for name in names if self.only in name]

    def that(self, holds, text):
        print(("ok    " if holds else "FAILED ") + text, flush=True)
        self.failed += not holds


def document(*words):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "out.json"
        done = subprocess.run(
            [PROGRAM, *map(str, words), "--json", str(path)],
            capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip
        if done.returncode not in (0, 1) or not path.exists():
            return None, done.stderr.strip()
        return json.loads(path.read_text()), ""


def shapes(model):
    return [word for name, dims in MODELS[model].items() for word in ("--shape", f"{name}={dims}")]


def reconcile(checks):
    if not ZOO.exists():
        return ABSENT
    for model in checks.models():
        report, error = document("profile", ZOO / model, *shapes(model), "--seconds", "1.5")
        if report is None:
            checks.that(False, f"{model}: {error}")
            continue
        wall = report["wall_us"]
        open_share = abs(report["unattributed_us"]) / wall
        cost = report["profiled_wall_us"] / wall - 1
        checks.that(open_share <= 0.02, f"{model}: {wall:.1f} us, unattributed {open_share:.2%}")
        if wall > 1000:
            checks.that(cost <= 0.03, f"{model}: profiling costs {cost:.2%}")
    return 0


def confirm(checks):
    if not ZOO.exists():
        return ABSENT
    for model in checks.models():
        report, error = document(
            "profile", ZOO / model, *shapes(model), "--seconds", "1", "--confirm"
        )
        share = report["confirmed_share"] if report else 0
        checks.that(share >= 0.95, f"{model}: {share:.0%} of the verdicts hold {error}")
    for phase, dims, is_bound in (
        ("prefill", PREFILL, lambda bound: bound == "compute"),
        ("decode", DECODE, lambda bound: bound not in ("compute", "overhead")),
    ):
        model = "novel/novel-7m.onnx"
        if checks.only not in model:
            continue
        words = [w for name, size in dims.items() for w in ("--shape", f"{name}={size}")]
        report, error = document("profile", ZOO / model, *words, "--seconds", "1", "--confirm")
        if report is None:
            checks.that(False, f"{model}: {error}")
            continue
        share = report["confirmed_share"]
        bound = sum(op["share"] for op in report["operators"] if is_bound(op["bound"]))
        text = f"{model}, {phase}: {share:.0%} of the verdicts hold, {bound:.0%} bound as expected"
        checks.that(share >= 0.95 and bound > 0.5, text)
    return 0


def language(checks):
    if not ZOO.exists():
        return ABSENT
    for name in checks.models(("novel/novel-7m", "novel/novel-31m")):
        for threads in (1, 2):
            words = ["--tokens", "128,32", "--seconds", "3", "--threads", threads]
            report, error = document("profile", ZOO / name, *words)
            if report is None:
                checks.that(False, f"{name}: {error}")
                continue
            wall = report["wall_us"]
            open_share = abs(report["unattributed_us"]) / wall
            cost = report["profiled_wall_us"] / wall - 1
            text = f"{name}, {threads} threads: {wall:.0f} us"
            checks.that(open_share <= 0.02, f"{text}, unattributed {open_share:.2%}")
            checks.that(cost <= 0.03, f"{text}, profiling costs {cost:.2%}")
            parts = {row["name"] for row in report["by_part"]}
            wanted = {"qkv", "qk", "softmax", "av", "output-projection", "ffn-up", "ffn-activation",
                      "ffn-down", "norm", "residual", "rope", "embedding", "head"}  # fmt: skip
            checks.that(wanted <= parts, f"{name}: parts {sorted(parts)}")
    return 0


def apply(checks):
    if not ZOO.exists():
        return ABSENT
    names = ("cifar10/resnet20.onnx", "cifar10/vit20.onnx", "novel/novel-7m.onnx")
    for model in checks.models(names):
        words = [*shapes(model), "--seconds", "2", "--apply"]
        report, error = document("profile", ZOO / model, *words)
        if report is None:
            checks.that(False, f"{model}: {error}")
            continue
        for row in report["advice"]:
            if "achieved_us" not in row:
                continue
            predicted, achieved = row["predicted_us"], row["achieved_us"]
            text = f"{model}, {row['opportunity']}: said {predicted:.0f}, got {achieved:.0f} us"
            checks.that(abs(predicted / achieved - 1) <= 0.2, text)
    return 0


BATCH_COSTS = ((0.0, 1.0), (0.02, 1.0))  # of a microsecond of latency, of one of time per sample
LARGEST_BATCH = 12


def batches(checks):
    if not ZOO.exists():
        return ABSENT
    names = ("cifar10/resnet20.onnx", "cifar10/mobilenetv2.onnx", "cifar10/vit20.onnx")
    for model in checks.models(names):
        sizes = ",".join(map(str, range(1, LARGEST_BATCH + 1)))
        sweep, error = document(
            "profile", ZOO / model, "--threads", "2", "--seconds", "1", "--batches", sizes
        )
        if sweep is None:
            checks.that(False, f"{model}: {error}")
            continue
        latency = {row["batch"]: row["latency_us"] for row in sweep["batches"]}
        for costs in BATCH_COSTS:
            found, _ = document(
                "profile", ZOO / model, "--threads", "2", "--seconds", "1", "--batches",
                f"1,2,4,8,{LARGEST_BATCH}", "--batch-costs", ",".join(map(str, costs)),
            )  # fmt: skip
            cost = {b: costs[0] * us + costs[1] * us / b for b, us in latency.items()}
            best = min(cost, key=cost.get)
            loss = cost[found["best_batch"]] / cost[best] - 1
            text = f"{model}, costs {costs}: batch {found['best_batch']}, sweep {best}, {loss:+.1%}"
            checks.that(loss <= 0.03, text)
    return 0


def layers(checks):
    if not ZOO.exists():
        return ABSENT
    report = None
    for _ in range(8):
        words = ["--layers", "900", "--layers-seconds", "90", "--seconds", "4", "--accept-noise"]
        report, error = document("device", "probe", *words)
        if report is None:
            checks.that(False, error)
            return 0
    fit = report["layer_times"]
    text = f"{fit['layers']} layers: error {fit['error_median']:.1%}, {fit['error_p90']:.1%}"
    text += f"; among other data {fit['far_error_median']:.1%}, {fit['far_error_p90']:.1%}"
    checks.that(fit["error_median"] <= 0.12 and fit["error_p90"] <= 0.30, text)
    predicted_models(checks)
    return 0


def predicted_models(checks):
    for model in checks.models():
        report, error = document("profile", ZOO / model, *shapes(model), "--seconds", "1")
        if report is None:
            checks.that(False, f"{model}: {error}")
            continue
        ratio = report["predicted_us"] / report["operators_us"]
        text = f"{model}: predicted {report['predicted_us']:.0f} of {report['operators_us']:.0f} us"
        checks.that(abs(ratio - 1) <= 0.15, text)


ORT = """
import os, sys
import numpy as np
import onnxruntime as ort
model, out = sys.argv[1:3]
options = ort.SessionOptions()
options.enable_profiling = True
options.intra_op_num_threads = 1
options.profile_file_prefix = out
session = ort.InferenceSession(model, options)
feeds = {i.name: np.zeros([d if isinstance(d, int) else 1 for d in i.shape], np.float32)
         for i in session.get_inputs()}
for _ in range(5):
    session.run(None, feeds)
os.rename(session.end_profiling(), out + ".json")
"""


def expected_of_ort(path):
    total, nodes = 0, set()
    for event in json.loads(path.read_text()):
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            total += event["dur"]
            nodes.add((event["name"], event["args"]["op_name"]))
    return total, len(nodes)


def expected_of_openvino(path):
    total, nodes = 0.0, set()
    for row in csv.reader(path.open(), delimiter=";"):
        if len(row) > 4 and row[2] and row[0] != "layerName":
            total += float(row[4]) * 1000
            nodes.add(row[0])
    return total, len(nodes)


def check_import(checks, path, expected):
    total, nodes = expected
    report, error = document("profile", "--import", path)
    if report is None:
        checks.that(False, f"{path.name}: {error}")
        return
    found = len(report["imported_operators"])
    checks.that(found == nodes, f"{path.name}: {found} of {nodes} nodes")
    share = abs(report["total_us"] / total - 1)
    checks.that(share <= 0.01, f"{path.name}: {report['total_us']:.0f} of {total:.0f} us")


def imports(checks):
    if not PYTHON.exists() or not ZOO.exists():
        return ABSENT
    for name in ("resnet20", "vit20"):
        model = ZOO / "cifar10" / f"{name}.onnx"
        with tempfile.TemporaryDirectory() as folder:
            out = pathlib.Path(folder) / "ort"
            subprocess.run([PYTHON, "-c", ORT, model, out], check=True, timeout=300)
            profile = out.with_suffix(".json")
            check_import(checks, profile, expected_of_ort(profile))
            words = ["-m", model, "-d", "CPU", "-nthreads", "1", "-t", "1", "-pc", "-hint", "none"]
            words += ["-data_shape", "[1,3,32,32]", "-nireq", "1", "-api", "sync"]
            words += ["-report_type", "detailed_counters", "-report_folder", folder]
            subprocess.run(
                [PYTHON.parent / "benchmark_app", *words], check=True, capture_output=True
            )
            report = pathlib.Path(folder) / "benchmark_detailed_counters_report.csv"
            check_import(checks, report, expected_of_openvino(report))
    return 0


READ_TRACE = """
import collections, sys
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace
trace = Trace()
trace.ParseFromString(open(sys.argv[1], "rb").read())
units, open_slices, slices, samples, last = {}, collections.defaultdict(list), 0, 0, 0
for packet in trace.packet:
    if packet.HasField("track_descriptor") and packet.track_descriptor.HasField("counter"):
        units[packet.track_descriptor.uuid] = packet.track_descriptor.counter.unit_name
    if not packet.HasField("track_event"):
        continue
    event = packet.track_event
    if event.type == event.TYPE_SLICE_BEGIN:
        open_slices[event.track_uuid].append((packet.timestamp, event.name))
    elif event.type == event.TYPE_SLICE_END:
        begin, name = open_slices[event.track_uuid].pop()
        assert packet.timestamp >= begin, name
        slices += 1
    elif event.type == event.TYPE_COUNTER:
        assert event.track_uuid in units
        samples += 1
assert not any(open_slices.values()), "slices are left open"
assert units and all(units.values()), units
print(slices, len(units), samples)
"""


def perfetto(checks):
    if not PERFETTO.exists() or not ZOO.exists():
        return ABSENT
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "trace.perfetto-trace"
        model = ZOO / "cifar10" / "vit20.onnx"
        report, error = document("profile", model, "--seconds", "0.5", "--export", out)
        checks.that(report is not None, f"exported {error}")
        done = subprocess.run(
            [PERFETTO, "-c", READ_TRACE, out], capture_output=True, text=True, check=False
        )
        checks.that(done.returncode == 0, f"read: {done.stdout.strip()} {done.stderr[-300:]}")
        if done.returncode == 0:
            slices = int(done.stdout.split()[0])
            wanted = len(report["operators"]) + 1
            checks.that(slices >= wanted, f"{slices} slices nested, {wanted} of operators and run")
    return 0


def likwid_figure(kernel, size, threads, unit):
    done = subprocess.run(
        ["likwid-bench", "-t", kernel, "-w", f"N:{size}:{threads}", "-s", "1"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    match = re.search(rf"^{unit}:?\s+([0-9.]+)", done.stdout, re.MULTILINE)
    return float(match.group(1)) / 1000 if match else None


def likwid(checks):
    if shutil.which("likwid-bench") is None:
        return ABSENT
    report, error = document("device", "probe", "--seconds", "8", "--accept-noise")
    if report is None:
        checks.that(False, error)
        return 0
    roofs = report["roofs"]
    caches = {f"L{c['level']}": c["size_bytes"] for c in report["caches"]}
    sizes = {
        "L1": f"{caches.get('L1', 32768) // 2048}kB",
        "L2": f"{caches.get('L2', 1 << 20) // 2048}kB",
        "DRAM": "960MB",
    }
    kernels = {"read_gb_s": "load_avx512", "write_gb_s": "store_avx512", "copy_gb_s": "copy_avx512"}
    for level, size in sizes.items():
        for figure, kernel in kernels.items():
            theirs = likwid_figure(kernel, size, 1, "MByte/s")
            if theirs is None:
                print(f"skip  {level} {figure}: likwid-bench has no {kernel} here")
                continue
            ours = roofs[level][figure]["value"]
            checks.that(ours >= 0.9 * theirs, f"{level} {figure}: {ours:.1f}, likwid {theirs:.1f}")
    theirs = likwid_figure("peakflops_sp_avx512_fma", "16kB", 1, "MFlops/s")
    if theirs is not None:
        ours = roofs["float32 vector"]["core_gop_s"]["value"]
        near = abs(ours / theirs - 1) <= 0.05
        checks.that(near, f"float32 peak: {ours:.1f}, likwid {theirs:.1f} GFLOP/s")
    return 0


def independent(checks):
    compiler = shutil.which("c++")
    if compiler is None:
        return ABSENT
    report, error = document("device", "probe", "--seconds", "8", "--accept-noise")
    if report is None:
        checks.that(False, error)
        return 0
    roofs = report["roofs"]
    caches = {f"L{c['level']}": c["size_bytes"] for c in report["caches"]}
    sizes = {"L1": caches["L1"] // 2, "L2": caches["L2"] // 2, "DRAM": 960 << 20}
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder) / "independent_roofs"
        source = ROOT / "bench" / "roofs" / "independent_roofs.cc"
        flags = ["-O3", "-march=native", "-std=c++20"]
        subprocess.run([compiler, *flags, source, "-o", program], check=True)
        lines = subprocess.run(
            [program, *map(str, sizes.values())], capture_output=True, text=True, check=True
        ).stdout.splitlines()
    for level, line in zip(sizes, lines):
        for figure, theirs in zip(("read_gb_s", "write_gb_s", "copy_gb_s"), line.split()[1:]):
            ours = roofs[level][figure]["value"]
            held = ours <= 1.05 * float(theirs)
            checks.that(held, f"{level} {figure}: {ours:.1f}, independent {theirs}")
    ours, theirs = roofs["float32 vector"]["core_gop_s"]["value"], float(lines[-1].split()[1])
    checks.that(abs(ours / theirs - 1) <= 0.05, f"peak: {ours:.1f}, independent {theirs:.1f}")
    return 0


CASES = {
    "reconcile": reconcile,
    "imports": imports,
    "perfetto": perfetto,
    "likwid": likwid,
    "independent": independent,
    "confirm": confirm,
    "language": language,
    "apply": apply,
    "batches": batches,
    "layers": layers,
}


def main():
    chosen = sys.argv[3:] or list(CASES)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    checks, absent = Checks(), 0
    for case in chosen:
        name, _, checks.only = case.partition(":")
        if CASES[name](checks) == ABSENT:
            print(f"skip  {name}: it needs ../shared and tools/setup --bench --profile")
            absent += 1
    if checks.failed:
        return 1
    return ABSENT if absent == len(chosen) else 0


if __name__ == "__main__":
    sys.exit(main())
