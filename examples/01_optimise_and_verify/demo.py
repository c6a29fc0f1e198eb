#!/usr/bin/env python3
"""Deploys a network and a language model, each by one command, and tries both on this machine.

usage: examples/01_optimise_and_verify/demo.py [--output FOLDER]

The network, resnet20, is deployed to a phone over 4G with a limit of 20 ms; the bundle's model is
then made ready for this machine, held against the original on photographs layer by layer, measured
before and after, and asked what is on a photograph. The language model, novel-7m, is deployed to a
board and writes a paragraph from its bundle.

Needs the program (`make build`) and the photographs (`tools/setup --demo`); `make demo` sees to
both. Every step is one command of the program, shown as it runs; each leaves its JSON document in
the output folder, and summary.json holds what is printed at the end.
"""

import argparse
import array
import json
import math
import pathlib
import shlex
import struct
import subprocess
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "build" / "edgewright"
MODEL = ROOT / "examples" / "models" / "resnet20.onnx"
LANGUAGE_MODEL = ROOT / "examples" / "models" / "novel-7m-int8.ewlm"
PROMPT = "It was a cold evening in November, and the old man"
PHOTOS = ROOT / ".deps" / "photos"
CLASSES = "airplane automobile bird cat deer dog frog horse ship truck".split()


def shown(words):
    """A command as a reader would type it from the project's root."""
    return shlex.join(str(word).replace(f"{ROOT}/", "") for word in words)


def edgewright(output, name, *arguments):
    """Runs one command of the program and returns its JSON document."""
    document = output / f"{name}.json"
    words = [PROGRAM, *arguments, "--json", document]
    print(f"$ {shown(words)}", flush=True)
    done = subprocess.run(
        [str(word) for word in words], cwd=ROOT, stdout=subprocess.DEVNULL, check=False
    )
    # 1 is a failed check: the document says which, and the summary repeats it.
    if done.returncode not in (0, 1):
        raise SystemExit(f"demo: '{arguments[0]}' ended with exit code {done.returncode}")
    return json.loads(document.read_text(encoding="utf-8"))


def deploy_network(output):
    """resnet20 on a phone with a link to a server: the bundle's folder and its document."""
    bundle = output / "resnet20"
    document = edgewright(
        output, "deploy_resnet20", "deploy", MODEL, "--device", "sdm845", "--server", "50TFLOP/s",
        "--link", "4g", "--shape", "input=1x3x32x32", "--data", PHOTOS / "crops.npz",
        "--goal", "latency-ms=20", "-o", bundle,
    )  # fmt: skip
    return bundle, document


def deploy_language_model(output):
    bundle = output / "novel-7m"
    document = edgewright(
        output, "deploy_novel_7m", "deploy", LANGUAGE_MODEL, "--device", "rk3588", "-o", bundle
    )
    return bundle, document


def write_paragraph(output, bundle):
    model = bundle / "models" / "model.ewlm"
    document = edgewright(
        output, "generate", "generate", model, "--max-tokens", "120", "--prompt", PROMPT,
        "--temperature", "0.8", "--top-p", "0.9", "--seed", "3",
    )  # fmt: skip
    return " ".join((PROMPT + document["text"]).split())


def read_floats(path):
    """The values of a little-endian float32 .npy file, without its shape."""
    content = path.read_bytes()
    if content[:6] != b"\x93NUMPY":
        raise SystemExit(f"demo: {path} is not a .npy file")
    size_bytes, start = (2, 10) if content[6] == 1 else (4, 12)
    header = struct.unpack("<H" if size_bytes == 2 else "<I", content[8 : 8 + size_bytes])[0]
    values = array.array("f", content[start + header :])
    if sys.byteorder == "big":
        values.byteswap()
    return values


def probabilities(logits):
    largest = max(logits)
    weights = [math.exp(logit - largest) for logit in logits]
    return [weight / sum(weights) for weight in weights]


def classify(output, plan):
    """The most probable class of the photograph of a cat, with its probability."""
    cat = f"input={PHOTOS / 'cat.npy'}"
    document = edgewright(output, "run", "run", plan, "--input", cat, "-o", output / "cat")
    file = pathlib.Path(document["outputs"][0]["file"])
    file = file if file.is_absolute() else ROOT / file
    scores = probabilities(read_floats(file))
    best = max(range(len(scores)), key=scores.__getitem__)
    return {"class": CLASSES[best], "probability": scores[best]}


def summarise(convert, verify, before, after, photograph):
    layers = verify["layers"] or verify["outputs"]
    worst = max(layers, key=lambda layer: layer["relative_l2"])
    return {
        "nodes_before": convert["nodes_before"],
        "nodes_after": convert["nodes_after"],
        "passes_that_changed": sum(bool(entry["changed"]) for entry in convert["passes"]),
        "same_function": verify["passed"],
        "layers_compared": len(layers),
        "worst_layer": worst["name"],
        "worst_relative_l2": worst["relative_l2"],
        "latency_us_before": before["latency_us"]["median"],
        "latency_us_after": after["latency_us"]["median"],
        "load_us_before": before["load_us"],
        "load_us_after": after["load_us"],
        "photograph": photograph,
    }


def print_summary(summary):
    photograph = summary["photograph"]
    speed_up = summary["latency_us_before"] / summary["latency_us_after"]
    verdict = "the same function" if summary["same_function"] else "NOT the same function"
    print(f"""
resnet20, as exported -> plan of the bundle's model for this machine
  nodes       {summary['nodes_before']} -> {summary['nodes_after']}\
 ({summary['passes_that_changed']} passes changed something)
  proof       {verdict}: {summary['layers_compared']} layers compared on photographs,
              largest relative difference {summary['worst_relative_l2']:.1e}\
 ({summary['worst_layer']})
  latency     {summary['latency_us_before'] / 1000:.2f} ms ->\
 {summary['latency_us_after'] / 1000:.2f} ms ({speed_up:.1f} times as fast)
  loading     {summary['load_us_before'] / 1000:.2f} ms ->\
 {summary['load_us_after'] / 1000:.2f} ms
  photograph  {photograph['class']}, {100 * photograph['probability']:.0f} % sure""")


def print_deployment(title, document):
    """The choices of a deployment, each with its reason, and its goals."""
    print(f"\n{title}: {'passed' if document['passed'] else document['binding_constraint']}")
    for choice in document["choices"]:
        print(f"  {choice['what']:<16}{choice['chosen']}  (else {choice['runner_up'] or 'none'})")
    for goal in document["goals"]:
        print(f"  goal {goal['name']:<11}{goal['reached']:.4g} of {goal['limit']:.4g}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "build" / "demo")
    output = parser.parse_args().output.resolve()
    output.mkdir(parents=True, exist_ok=True)

    bundle, deployed = deploy_network(output)
    plan = output / "resnet20.ewplan"
    cat = f"input={PHOTOS / 'cat.npy'}"
    model = bundle / "models" / "model.onnx"
    convert = edgewright(output, "convert", "convert", model, "-o", plan)
    verify = edgewright(
        output, "verify", "verify", MODEL, plan, "--data", PHOTOS / "crops.npz"
    )
    before = edgewright(output, "bench_before", "bench", MODEL, "--input", cat)
    after = edgewright(output, "bench_after", "bench", plan, "--input", cat)
    summary = summarise(convert, verify, before, after, classify(output, plan))
    language_bundle, language_deployed = deploy_language_model(output)
    summary["paragraph"] = write_paragraph(output, language_bundle)
    summary["deployed"] = deployed["passed"] and language_deployed["passed"]
    print_deployment("resnet20 on sdm845, 50 TFLOP/s server behind 4G", deployed)
    print_summary(summary)
    print_deployment("novel-7m on rk3588", language_deployed)
    print("\n" + textwrap.fill(summary["paragraph"], 100) + "\n")
    (output / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    print(f"documents  {shown([output])}/*.json")
    for folder in (bundle, language_bundle):
        print(f"report     {shown([folder / 'report.html'])}")
    return 0 if summary["same_function"] and summary["deployed"] else 1


if __name__ == "__main__":
    sys.exit(main())
