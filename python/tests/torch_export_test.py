"""edgewright.torch.export: both exporters, and what they may get wrong."""

import pytest

torch = pytest.importorskip("torch")

import edgewright  # noqa: E402  (after the skip)


class Classifier(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.features = torch.nn.Sequential(
            torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.BatchNorm2d(8), torch.nn.ReLU(),
            torch.nn.Dropout(0.5), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(),
        )
        self.head = torch.nn.Linear(8, 4)

    def forward(self, image):
        return self.head(self.features(image))


class Branch(torch.nn.Module):
    """What the tracer freezes: the branch that the example takes."""

    def forward(self, x):
        if x.sum() > 0:
            return x * 2
        return x - 1


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * x

    @staticmethod
    def backward(ctx, gradient):
        return gradient


class Custom(torch.nn.Module):
    def forward(self, x):
        return Square.apply(x) + 1


class Unused(torch.nn.Module):
    def forward(self, x, y):
        return x + 1


IMAGE = torch.zeros(2, 3, 8, 8)


@pytest.fixture
def classifier():
    torch.manual_seed(0)
    model = Classifier()
    for _ in range(3):
        model(torch.randn(4, 3, 8, 8))
    return model.eval()


@pytest.mark.parametrize("exporter", ["dynamo", "torchscript"])
def test_a_classifier(classifier, exporter, tmp_path):
    path = tmp_path / "classifier.onnx"
    report = edgewright.torch.export(classifier, IMAGE, path, exporter=exporter,
                                     input_names=["image"], dynamic_axes={"image": {0: "N"}})
    assert report.passed and report.written and report.exporter == exporter, report.attempts
    assert report.outputs[0].relative_l2 < 1e-5
    assert "Conv" in report.operators and "Dropout" not in report.operators
    # The folded normalisation is said.
    assert any("folded" in change for change in report.changes)
    session = edgewright.InferenceSession(path)
    assert isinstance(session.get_inputs()[0].shape[0], str)


def test_training_mode_is_refused(classifier, tmp_path):
    classifier.train()
    with pytest.raises(edgewright.UsageError, match=r"features\.1 \(BatchNorm2d\).*model\.eval"):
        edgewright.torch.export(classifier, IMAGE, tmp_path / "no.onnx")
    assert not (tmp_path / "no.onnx").exists()


def test_a_frozen_branch_is_found(tmp_path):
    report = edgewright.torch.export(Branch().eval(), torch.ones(3), tmp_path / "branch.onnx",
                                     exporter="torchscript")
    assert not report.passed and not (tmp_path / "branch.onnx").exists()
    assert report.outputs[0].relative_l2 > 0.1
    assert any("Python boolean" in warning for warning in report.warnings)
    assert "torch_export_test.py" in report.warnings[0]


def test_no_exporter_for_branches_on_data(tmp_path):
    with pytest.raises(edgewright.CheckFailed, match="dynamo"):
        edgewright.torch.export(Branch().eval(), torch.ones(3), tmp_path / "branch.onnx",
                                exporter="dynamo")


def test_custom_functions_are_named(tmp_path):
    report = edgewright.torch.export(Custom().eval(), torch.ones(3), tmp_path / "custom.onnx")
    assert report.custom_functions == ["Square"]
    assert report.passed


def test_inputs_that_go_are_said(tmp_path):
    report = edgewright.torch.export(Unused().eval(), (torch.ones(3), torch.ones(3)),
                                     tmp_path / "unused.onnx", exporter="torchscript",
                                     input_names=["x", "y"])
    assert report.passed
    assert report.changes[0] == "inputs that nothing uses are gone: y"


def test_wrong_arguments(classifier, tmp_path):
    with pytest.raises(edgewright.UsageError, match="expected a torch.nn.Module"):
        edgewright.torch.export(lambda x: x, IMAGE, tmp_path / "no.onnx")
    with pytest.raises(edgewright.UsageError, match="input 0 is a int"):
        edgewright.torch.export(classifier, (3,), tmp_path / "no.onnx")
    with pytest.raises(edgewright.UsageError, match="no inputs"):
        edgewright.torch.export(classifier, IMAGE, tmp_path / "no.onnx",
                                dynamic_axes={"picture": {0: "N"}})
