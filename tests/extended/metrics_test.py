"""Compares the metrics of `verify` with independent implementations of them.

usage: metrics_test.py PROGRAM

The reference is a model that passes its input through; the candidate is a recorded .npz.
scikit-learn judges classification, SciPy distributions and significance, sacrebleu and rouge-score
token sequences, pycocotools detections.
"""

import contextlib
import io
import json
import math
import pathlib
import subprocess
import sys
import tempfile

PROGRAM = sys.argv[1]

try:
    import numpy as np
    import onnx
    import sacrebleu
    import scipy.stats
    import sklearn.metrics
    from onnx import TensorProto, helper
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval
    from rouge_score import rouge_scorer
except ImportError as error:
    print(f"skipped: {error}; run tools/setup --metrics")
    sys.exit(77)

FAILURES = []


def check(name, found, expected, tolerance=1e-6):
    good = math.isclose(found, expected, rel_tol=tolerance, abs_tol=tolerance)
    print(f"{name:<40} {found:.9g} expected {expected:.9g} {'ok' if good else 'FAILED'}")
    if not good:
        FAILURES.append(name)


def verify(folder, inputs, candidate, labels):
    """The document for `inputs` (name -> array, samples first) passed through and `candidate`."""
    ports, nodes, results = [], [], []
    for name, array in inputs.items():
        shape = [1, *array.shape[1:]]
        ports.append(helper.make_tensor_value_info(f"in_{name}", TensorProto.FLOAT, shape))
        results.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        nodes.append(helper.make_node("Identity", [f"in_{name}"], [name]))
    graph = helper.make_graph(nodes, "through", ports, results)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    onnx.save(model, folder / "model.onnx")
    np.savez(folder / "data.npz", labels=labels, **{f"in_{k}": v for k, v in inputs.items()})
    np.savez(folder / "candidate.npz", **candidate)
    command = [PROGRAM, "verify", folder / "model.onnx", folder / "candidate.npz"]
    done = subprocess.run(
        [*map(str, command), "--data", str(folder / "data.npz"), "--json", "-"],
        capture_output=True,
        check=False,
    )
    if done.returncode not in (0, 1):
        raise SystemExit(f"verify: exit code {done.returncode}: {done.stderr.decode()}")
    return json.loads(done.stdout)


def classification(folder, random):
    scores = random.standard_normal((400, 10)).astype(np.float32)
    labels = np.where(random.random(400) < 0.7, scores.argmax(1), random.integers(0, 10, 400))
    other = (scores + 0.7 * random.standard_normal(scores.shape)).astype(np.float32)
    document = verify(folder, {"y": scores}, {"y": other}, labels.astype(np.int64))
    for side, values in (("reference", scores), ("candidate", other)):
        top1 = sklearn.metrics.accuracy_score(labels, values.argmax(1))
        top5 = sklearn.metrics.top_k_accuracy_score(labels, values, k=5, labels=range(10))
        check(f"top1 {side}", document["task"]["top1"][side], 100 * top1)
        check(f"top5 {side}", document["task"]["top5"][side], 100 * top5)
        matrix = sklearn.metrics.confusion_matrix(labels, values.argmax(1), labels=range(10))
        same = np.array_equal(matrix, document["confusion"][side])
        check(f"confusion matrix {side}", float(same), 1.0)
    right, other_right = scores.argmax(1) == labels, other.argmax(1) == labels
    pair = [int((right & ~other_right).sum()), int((~right & other_right).sum())]
    p_value = scipy.stats.binomtest(min(pair), sum(pair), 0.5).pvalue
    check("McNemar p-value", document["task"]["top1"]["p_value"], p_value)
    distribution = document["outputs"][0]["distribution"]
    for side, values in (("reference", scores.ravel()), ("candidate", other.ravel())):
        values = values.astype(np.float64)
        check(f"mean {side}", distribution[side]["mean"], values.mean())
        check(f"variance {side}", distribution[side]["variance"], values.var())
        check(f"skewness {side}", distribution[side]["skewness"], scipy.stats.skew(values))
        check(f"kurtosis {side}", distribution[side]["kurtosis"], scipy.stats.kurtosis(values))
        quantiles = np.quantile(values, distribution["quantiles"])
        for q, found, expected in zip(
            distribution["quantiles"], distribution[f"{side}_quantiles"], quantiles
        ):
            check(f"quantile {q} {side}", found, expected)
    a, b = scores.ravel().astype(np.float64), other.ravel().astype(np.float64)
    check("Wasserstein-1", distribution["wasserstein_1"], scipy.stats.wasserstein_distance(a, b))
    bins = np.linspace(min(a.min(), b.min()), max(a.max(), b.max()), 129)
    p, q = np.histogram(a, bins)[0] / a.size, np.histogram(b, bins)[0] / b.size
    check("KL", distribution["kl_nats"], scipy.stats.entropy(p, q + 1e-9), 1e-4)
    middle = (p + q) / 2
    js = (scipy.stats.entropy(p, middle) + scipy.stats.entropy(q, middle)) / 2
    check("JS", distribution["js_nats"], js, 1e-4)


def regression(folder, random):
    values = random.standard_normal((50, 6)).astype(np.float32)
    other = (values + 0.2 * random.standard_normal(values.shape)).astype(np.float32)
    labels = (values + 0.1 * random.standard_normal(values.shape)).astype(np.float32)
    document = verify(folder, {"y": values}, {"y": other}, labels)
    for side, found in (("reference", values), ("candidate", other)):
        mse = sklearn.metrics.mean_squared_error(labels, found)
        mae = sklearn.metrics.mean_absolute_error(labels, found)
        check(f"mse {side}", document["task"]["mse"][side], mse, 1e-5)
        check(f"mae {side}", document["task"]["mae"][side], mae, 1e-5)
    squares = [((labels.astype(float) - v) ** 2).mean(1) for v in (values, other)]
    check(
        "paired t p-value",
        document["task"]["mse"]["p_value"],
        scipy.stats.ttest_rel(*squares).pvalue,
        1e-4,
    )


def language(folder, random):
    logits = (3 * random.standard_normal((20, 12, 30))).astype(np.float32)
    labels = np.where(
        random.random((20, 12)) < 0.6, logits.argmax(2), random.integers(0, 30, (20, 12))
    ).astype(np.int64)
    other = (logits + random.standard_normal(logits.shape)).astype(np.float32)
    document = verify(folder, {"y": logits}, {"y": other}, labels)
    scorer = rouge_scorer.RougeScorer(["rougeL"])
    for side, values in (("reference", logits), ("candidate", other)):
        losses = [
            sklearn.metrics.log_loss(l, scipy.special.softmax(v.astype(float), 1), labels=range(30))
            for l, v in zip(labels, values)
        ]
        check(
            f"perplexity {side}",
            document["task"]["perplexity"][side],
            math.exp(np.mean(losses)),
            1e-5,
        )
        answers = [" ".join(map(str, row)) for row in values.argmax(2)]
        truths = [" ".join(map(str, row)) for row in labels]
        bleu = sacrebleu.corpus_bleu(answers, [truths], tokenize="none", force=True)
        check(f"BLEU {side}", document["task"]["bleu"][side], bleu.score)
        rouge = [scorer.score(t, a)["rougeL"].fmeasure for t, a in zip(truths, answers)]
        check(f"ROUGE-L {side}", document["task"]["rouge_l"][side], 100 * np.mean(rouge))


def coco_map(boxes, scores, labels):
    images, annotations, results = [], [], []
    for i, rows in enumerate(labels):
        images.append({"id": i})
        for row in rows[rows[:, 0] >= 0]:
            left, top, right, bottom = map(float, row[1:])
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": i,
                    "category_id": int(row[0]),
                    "bbox": [left, top, right - left, bottom - top],
                    "iscrowd": 0,
                    "area": (right - left) * (bottom - top),
                }
            )
        for box, row in zip(boxes[i], scores[i]):
            left, top, right, bottom = map(float, box)
            for category in range(1, scores.shape[2]):
                if row[category] >= 0.05:
                    results.append(
                        {
                            "image_id": i,
                            "category_id": category,
                            "score": float(row[category]),
                            "bbox": [left, top, right - left, bottom - top],
                        }
                    )
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "images": images,
            "annotations": annotations,
            "categories": [{"id": c} for c in range(1, scores.shape[2])],
        }
        truth.createIndex()
        run = COCOeval(truth, truth.loadRes(results), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return run.stats[0]


def detection(folder, random):
    # Boxes stand apart in a grid, so that suppression removes none.
    count, images, classes = 9, 12, 3
    corners = np.array([[20 * (i % 3), 20 * (i // 3)] for i in range(count)], np.float32)
    truth = np.concatenate([corners, corners + 12], 1)
    labels = np.full((images, count, 5), -1, np.float32)
    for i in range(images):
        for j in range(count):
            if random.random() < 0.7:
                labels[i, j] = [random.integers(1, classes), *truth[j]]

    def noisy(spread):
        moved = truth + spread * random.standard_normal((images, count, 4))
        scores = random.random((images, count, classes)).astype(np.float32) * 0.5
        for i in range(images):
            for j in range(count):
                if labels[i, j, 0] > 0:
                    scores[i, j, int(labels[i, j, 0])] += 0.4
        return moved.astype(np.float32), scores

    boxes, scores = noisy(0.8)
    other_boxes, other_scores = noisy(1.6)
    document = verify(
        folder,
        {"boxes": boxes, "scores": scores},
        {"boxes": other_boxes, "scores": other_scores},
        labels,
    )
    check(
        "mAP reference",
        document["task"]["map"]["reference"],
        100 * coco_map(boxes, scores, labels),
        1e-6,
    )
    check(
        "mAP candidate",
        document["task"]["map"]["candidate"],
        100 * coco_map(other_boxes, other_scores, labels),
        1e-6,
    )


def main():
    for part in (classification, regression, language, detection):
        with tempfile.TemporaryDirectory() as folder:
            part(pathlib.Path(folder), np.random.default_rng(7))
    print(f"{len(FAILURES)} of the metrics differ" if FAILURES else "all metrics agree")
    return 1 if FAILURES else 0


if __name__ == "__main__":
    sys.exit(main())
