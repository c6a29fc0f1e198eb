"""Graph size after optimising, beside onnxsim, onnxslim and ONNX Runtime's extended level.

usage: graph_size_test.py (needs `tools/setup --bench` and ../shared; exit code 77 without them)

All tools get the same file with fixed inputs. Two comparisons, both counting the nodes of every
graph and subgraph: with --dialect standard --opset 23 against results that hold standard operators
only, and with --dialect ort against ONNX Runtime, whose extended level makes com.microsoft ones.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".deps" / "bench" / "bin" / "python"
SKIPPED = 77
TOOLS = ("onnxsim", "onnxslim", "onnxruntime")
# The largest results that the project has set itself.
AT_MOST = {"face-rfb-320": 110}
NO_IF = {"silero-vad"}


def nodes_of(graph):
    """Every node of a graph and its subgraphs; constants are not counted, whatever their form."""
    for node in graph.node:
        if node.op_type != "Constant":
            yield node
        for attribute in node.attribute:
            yield from nodes_of(attribute.g)
            for inner in attribute.graphs:
                yield from nodes_of(inner)


def load_nodes(onnx, path):
    return list(nodes_of(onnx.load(path, load_external_data=False).graph))


def is_standard(nodes):
    return all(node.domain in ("", "ai.onnx", "ai.onnx.ml") for node in nodes)


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]}: {(done.stderr or done.stdout).strip()}")


# In a process of its own: it may crash on a model that it refuses.
ONNXRUNTIME = """
import sys
import onnxruntime
options = onnxruntime.SessionOptions()
options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
options.optimized_model_filepath = sys.argv[2]
options.log_severity_level = 4
onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
"""


def optimise_with(tool, zoo, source, target):
    if tool == "onnxruntime":
        run(sys.executable, "-c", ONNXRUNTIME, source, target)
    else:
        run(zoo.TOOLS / tool, source, target)


def measure(name, zoo, folder):
    import onnx

    file, shapes = zoo.GRAPHS[name]
    source, shapes = zoo.SHARED / file, zoo.shapes_for_batch(shapes, 1)
    results = {}
    for tool in TOOLS:
        for variant in zoo.fixed_variants(source, shapes, folder):
            try:
                optimise_with(tool, zoo, variant, folder / f"{tool}.onnx")
            except RuntimeError as error:
                print(f"{name}: {tool} fails on {variant.name}: {str(error).splitlines()[-1]}")
                continue
            results[tool] = load_nodes(onnx, folder / f"{tool}.onnx")
            break
    flags = zoo.convert_flags(shapes)
    for dialect, opset in (("standard", ["--opset", 23]), ("ort", [])):
        out = folder / f"{dialect}.onnx"
        run(zoo.PROGRAM, "convert", source, "-o", out, "--dialect", dialect, *opset, *flags)
        results[dialect] = load_nodes(onnx, out)
    return results


def broken_rules(name, results):
    counts = {tool: len(nodes) for tool, nodes in results.items()}
    others = [counts[tool] for tool in TOOLS if tool in results and is_standard(results[tool])]
    if counts["standard"] > min(others):
        yield f"{name}: {counts['standard']} standard nodes, another tool {min(others)}"
    if min(counts["ort"], counts["standard"]) > counts.get("onnxruntime", 10**9):
        yield f"{name}: {counts['ort']} nodes in the ort dialect, another {counts['onnxruntime']}"
    if counts["standard"] > AT_MOST.get(name, counts["standard"]):
        yield f"{name}: {counts['standard']} nodes, at most {AT_MOST[name]}"
    if name in NO_IF and any(node.op_type == "If" for node in results["standard"]):
        yield f"{name}: an If is left"


def main():
    sys.path.insert(0, str(ROOT / "bench"))
    import zoo

    failed, measured = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for name in zoo.GRAPHS:
            if not (zoo.SHARED / zoo.GRAPHS[name][0]).exists():
                print(f"{name}: skipped, {zoo.GRAPHS[name][0]} is not there")
                continue
            results = measure(name, zoo, pathlib.Path(folder))
            measured += 1
            failed += broken_rules(name, results)
            cells = (
                f"{tool} {len(nodes)}{'' if is_standard(nodes) else ' (own operators)'}"
                for tool, nodes in results.items()
            )
            print(f"{name:15} {'  '.join(cells)}", flush=True)
    print("\n".join(failed))
    return SKIPPED if not measured else 1 if failed else 0


if __name__ == "__main__":
    if not PYTHON.exists():
        print("no tools to compare with; run tools/setup --bench")
        sys.exit(SKIPPED)
    if pathlib.Path(sys.executable) != PYTHON:
        os.execv(PYTHON, [str(PYTHON), "-u", *sys.argv])
    sys.exit(main())
