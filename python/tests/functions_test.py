"""The commands as functions: the same documents, keywords, progress, errors."""

import json

import numpy
import pytest

import edgewright


def test_inspect_gives_the_command_s_document(resnet20):
    report = edgewright.inspect(resnet20)
    assert report.schema == "edgewright.inspect/1" and report["passed"] is True
    assert report.operators.Conv == report["operators"]["Conv"]
    assert report.parameters > 1_000_000
    assert json.loads(report.to_json()) == report
    with pytest.raises(AttributeError, match="no 'nothing' in this report; there are schema"):
        report.nothing


def test_reports_have_a_face(resnet20):
    report = edgewright.inspect(resnet20)
    assert repr(report).startswith("<edgewright.inspect/1>")
    page = report._repr_html_()
    assert "<th>parameters</th>" in page and "<summary>operators" in page
    assert "<script>" not in edgewright.Report({"a": "<script>"})._repr_html_()


def test_convert_run_and_verify(resnet20, tmp_path):
    stages = []
    report = edgewright.convert(
        resnet20, tmp_path / "out.onnx", progress=lambda stage, done, total: stages.append(stage)
    )
    assert report.passed and report.nodes_after < report.nodes_before
    assert stages
    checked = edgewright.verify(resnet20, tmp_path / "out.onnx", samples=1, layers=False)
    assert checked.passed and checked.outputs[0].relative_l2 < 1e-4
    image = numpy.zeros((1, 3, 32, 32), numpy.float32)
    assert list(edgewright.run(tmp_path / "out.onnx", {"input": image})) == ["logits"]


def test_an_exception_of_a_callback_comes_out(resnet20, tmp_path):
    def stop(_stage, _done, _total):
        raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        edgewright.convert(resnet20, tmp_path / "out.onnx", progress=stop)


def test_bench_takes_arrays(model):
    x = numpy.ones((2, 3), numpy.float32)
    report = edgewright.bench(model("double"), inputs={"x": x}, runs=3)
    assert report.latency_us.median > 0 and report.runs == 3


def test_profile(resnet20):
    report = edgewright.profile(
        resnet20, shapes={"input": [1, 3, 32, 32]}, device="peak=5e11,bandwidth=2e10"
    )
    assert report.operators and report.schema == "edgewright.profile/1"


def test_wrong_keywords_and_types(resnet20):
    with pytest.raises(edgewright.UsageError, match="no keyword 'opsett'; there are to, opset"):
        edgewright.convert(resnet20, "x", opsett=3)
    with pytest.raises(edgewright.UsageError, match="'opset' is a str, expected int"):
        edgewright.convert(resnet20, "x", opset="17")
    with pytest.raises(edgewright.UsageError, match="'disabled' is a str"):
        edgewright.convert(resnet20, "x", disabled="fold_constants")
    with pytest.raises(edgewright.UsageError, match="the argument 'output' is missing"):
        edgewright._edgewright.convert(resnet20)
    with pytest.raises(edgewright.BadInput, match="nosuch"):
        edgewright.inspect("nosuch.onnx")


def test_devices_and_links():
    assert "sdm845" in edgewright.device.names()
    device = edgewright.device.show("sdm845")
    assert device.schema == "edgewright.device show/1" or device.name == "sdm845"
    assert len(device.clusters) == 2
    with pytest.raises(edgewright.EdgewrightError, match="nosuch"):
        edgewright.device.show("nosuch")
    assert edgewright.link.show("4g", size_bytes=1000).send.total_ms > 0


def test_power_split_and_targets(resnet20):
    plan = edgewright.power.plan("llama-1.1b", device="rk3588")
    assert plan.energy_mj_per_token > 0
    run = edgewright.power.simulate("llama-1.1b", device="rk3588", workload="single", seconds=5)
    assert run.peak_temperature_c > 0
    cut = edgewright.split.plan(
        resnet20, shapes={"input": [1, 3, 32, 32]}, device="1GFLOP/s,1GB/s",
        server="1TFLOP/s,100GB/s", bandwidth_mbit_s=1000, latency_ms=1,
    )
    assert cut.cut == "input"
    assert edgewright.split.privacy(epsilon=1).sigma > 0
    assert edgewright.split.speculate(acceptance=0.9, draft_ms=1).length > 0
    check = edgewright.targets.check(resnet20, "tensorrt@8.6")
    assert set(check.placement.values()) <= {"native", "fuse", "decompose", "cast", "custom", "cpu"}


def test_names():
    assert "int8" in edgewright.precision_names()
    assert {"name", "summary", "dialect", "lossy"} == set(edgewright.list_passes()[0])
    assert "tensorrt" in edgewright.targets.names()


def test_every_function_says_its_keywords():
    for name in ("convert", "bench", "verify", "profile", "inspect", "deploy"):
        text = getattr(edgewright, name).__doc__
        assert "Keywords:" in text and f"{name}(" in text
