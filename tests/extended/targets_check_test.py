"""`targets check` of vit20 and silero-vad: LayerNorm as documented, and no silent fallback.

usage: targets_check_test.py PROGRAM ROOT [FOLDER]

With FOLDER the reports are left there to be read. Exit code 77 without the models.

What the documents say of layer normalisation (src/targets/support names them): Core ML 4 has it as
a layer and 5 as an operation; NNAPI has none up to 1.3, as one node it would fall back to the CPU,
but 1.2 has all operations of its definition, into which the plan opens it; TensorRT decomposes it
before 8.6 and has it from then on; SNPE 1 decomposes it and 2 has it; OpenVINO has it.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

PROGRAM, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
ZOO = ROOT.parent / "shared" / "zoo"
VIT = [ZOO / "cifar10" / "vit20.onnx", "--shape", "input=1x3x32x32"]
VAD = [ZOO / "third-party" / "silero-vad.onnx"]
VAD_FIXED = ["--fix", "sr=16000", "--shape", "input=1x512", "--shape", "state=2x1x128"]
NATIVE = {"native", "fuse"}
# (target, hardware) -> where LayerNorm of vit20 goes.
TARGETS = {
    ("coreml@4", "gpu"): NATIVE,
    ("coreml@5", "gpu"): NATIVE,
    ("coreml@5", "ane"): NATIVE,
    ("nnapi@1.1", "npu"): {"cpu"},
    ("nnapi@1.2", "npu"): {"decompose"},
    ("nnapi@1.3", "npu"): {"decompose"},
    ("tensorrt@7.2", "gpu"): {"decompose"},
    ("tensorrt@8.0", "gpu"): {"decompose"},
    ("tensorrt@8.6", "gpu"): NATIVE,
    ("snpe@1.68", "gpu"): {"decompose"},
    ("snpe@2.20", "gpu"): NATIVE,
    ("openvino@2026.4", "cpu"): NATIVE,
}
# NNAPI has no erf: GELU goes there in its tanh form, whose error of 4.7e-4 is within the
# 1e-3 that is allowed where nothing is said.
GELU = {("nnapi@1.2", "npu"): {"decompose"}, ("nnapi@1.3", "npu"): {"decompose"}}
KNOWN = {"native", "fuse", "decompose", "cast", "custom", "cpu", "no"}


def run(*words):
    done = subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stderr.strip())
    return done.stdout


def possible(node):
    """What the target does with a node, wherever the way there made it go."""
    kept_back = node["placement"] == "cpu" and "; the way there and back" in node["reason"]
    return node["reason"].split(";")[0] if kept_back else node["placement"]


def faults(document, layer_norm, gelu=None):
    """What is wrong with a report: fallbacks that nobody is told of, sums that do not add up."""
    nodes = document["nodes"]
    for node in nodes:
        if node["placement"] not in KNOWN:
            yield f"{node['node']} is placed '{node['placement']}'"
        if node["placement"] not in NATIVE and not node["reason"]:
            yield f"{node['node']} falls back without a reason"
    if sum(document["counts"].values()) != len(nodes):
        yield "the counts do not add up"
    if document["counts"].get("cpu", 0) and document["counts"]["cpu"] < len(nodes):
        if document["transitions"] == 0:
            yield "some nodes are on the CPU, and nothing crosses"
    if document["passed"] and (document["counts"].get("no") or document["counts"].get("custom")):
        yield "passed, though some nodes run nowhere or need a plugin"
    if layer_norm is not None:
        found = {possible(n) for n in nodes if n["op"] == "LayerNormalization"}
        if not found or not found <= layer_norm:
            yield f"LayerNorm is {sorted(found)}, documented {sorted(layer_norm)}"
        found = {possible(n) for n in nodes if n["op"] == "Gelu"}
        if gelu is not None and found != gelu:
            yield f"GELU is {sorted(found)}, expected {sorted(gelu)}"


def main():
    if not ZOO.is_dir():
        print(f"skipped: no {ZOO}")
        return 77
    failures = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(sys.argv[3] if len(sys.argv) > 3 else temporary)
        folder.mkdir(parents=True, exist_ok=True)
        fixed = pathlib.Path(temporary) / "silero-vad-16k.onnx"
        run("convert", *VAD, "-o", fixed, *VAD_FIXED)
        for (target, hardware), layer_norm in TARGETS.items():
            for name, model, expected in (
                ("vit20", VIT, layer_norm),
                ("silero-vad", VAD, None),
                ("silero-vad-16k", [fixed], None),
            ):
                stem = folder / f"{name}-{target.replace('@', '-')}-{hardware}"
                run("targets", "check", *model, "--target", target, "--hardware", hardware,
                    "--json", f"{stem}.json", "--report", f"{stem}.html")  # fmt: skip
                document = json.loads(pathlib.Path(f"{stem}.json").read_text())
                wrong = list(faults(document, expected, expected and GELU.get((target, hardware))))
                print(f"{name} on {target} {hardware}: {document['counts']}, "
                      f"{document['transitions']} transitions, "
                      f"{document['predicted_us']:.0f} us of {document['unconstrained_us']:.0f}"
                      f"{' WRONG' if wrong else ''}", flush=True)  # fmt: skip
                failures += [f"{stem.name}: {fault}" for fault in wrong]
    for failure in failures:
        print("FAILED", failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
