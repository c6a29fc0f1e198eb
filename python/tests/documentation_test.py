"""The Python in docs/python.md runs, from top to bottom, as a reader would type it."""

import re

import conftest


def test_every_example_runs(tmp_path, monkeypatch):
    text = (conftest.ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert len(blocks) >= 5
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(conftest.ROOT / "examples")
    names = {}
    for block in blocks:
        if "import torch" not in block:
            exec(compile(block, "docs/python.md", "exec"), names)
