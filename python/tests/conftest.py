"""Tiny models in the readable text form, and the repository's own network."""

import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]

GRAPHS = {
    "double": """graph %main(%x: float32[2,3]) -> (%y) {
  %y: float32[2,3] = Add(%x, %x)
}
""",
    "scalar": """graph %main(%x: float32[]) -> (%y) {
  %y: float32[] = Add(%x, %x)
}
""",
    "two_outputs": """graph %main(%a: int64[N], %b: int64[N]) -> (%sum, %difference) {
  %sum: int64[N] = Add(%a, %b)
  %difference: int64[N] = Sub(%a, %b)
}
""",
    "identity": """graph %main(%x: float32[2,3]) -> (%y) {
  %y: float32[2,3] = Identity(%x)
}
""",
    "largest": """graph %main(%x: float32[16777216]) -> (%y) {
  %y: float32[] = ReduceMax(%x) {keepdims=0}
}
""",
    "half": """graph %main(%x: float16[4]) -> (%y) {
  %y: float16[4] = Neg(%x)
}
""",
    "is_positive": """graph %main(%x: float64[4]) -> (%y) {
  %zero: float64[] = {0.0}
  %y: bool[4] = Greater(%x, %zero)
}
""",
    "parts": """graph %main(%x: float32[4,2]) -> (%y) {
  %y: sequence(float32[*]) = SplitToSequence(%x) {axis=0, keepdims=1}
}
""",
    "lower": """graph %main(%x: string[2]) -> (%y) {
  %y: string[2] = StringNormalizer(%x) {case_change_action="LOWER"}
}
""",
    "wide": """graph %main(%x: bfloat16[4]) -> (%y) {
  %y: float32[4] = Cast(%x) {to=1}
}
""",
}


@pytest.fixture
def model(tmp_path):
    """model("double"): the path of one of GRAPHS."""

    def write(name):
        path = tmp_path / f"{name}.txt"
        path.write_text(GRAPHS[name], encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def resnet20():
    return ROOT / "examples" / "models" / "resnet20.onnx"


@pytest.fixture(scope="session")
def novel():
    return ROOT / "examples" / "models" / "novel-7m-int8.ewlm"
