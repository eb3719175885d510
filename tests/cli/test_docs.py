"""What the documents tell people to type works: every command and every Python block is run."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from latprof.ops import OPS
from latprof.zoo import build

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(document: Path, language: str) -> list[str]:
    return [text for found, text in _FENCE.findall(document.read_text()) if found == language]


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, 2)
        self.pool = nn.AdaptiveAvgPool2d(1)

    def forward(self, x):
        return self.pool(torch.relu(self.conv(x)))


@pytest.fixture
def desk(home, tmp_path):
    """A working folder with the files that the documents speak of."""
    work, example = tmp_path / "work", torch.randn(1, 3, 224, 224)
    module = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.ReLU())
    torch.export.save(torch.export.export(Small().eval(), (example,)), work / "model.pt2")
    torch.jit.script(Small()).save(work / "scripted.pt")
    torch.save(module, work / "pickled.pt")
    torch.onnx.export(Small().eval(), (example,), work / "model.onnx", dynamo=False)
    shutil.copy(DATA / "tflite" / "tiny_vit.tflite", work / "model.tflite")
    shutil.copy(DATA / "keras" / "light.keras", work / "model.keras")
    torch.save(build("mobilenet_v2?num_classes=10")[0].state_dict(), work / "weights.pt")
    (work / "mynets").mkdir()
    (work / "mynets" / "__init__.py").write_text("")
    (work / "mynets" / "small.py").write_text(
        "from torch import nn\n\n\ndef build():\n    return nn.Sequential(nn.Conv2d(3, 8, 3))\n"
    )
    (work / "mynets" / "mobile.py").write_text(
        "from latprof.zoo import build as of_the_zoo\n\n\n"
        "def build():\n    return of_the_zoo('mobilenet_v2?num_classes=10')[0]\n"
    )
    return work


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_every_command_works(document, desk, latprof, tmp_path, monkeypatch):
    lines = [line for text in blocks(document, "sh") for line in text.splitlines()]
    commands = [shlex.split(line, comments=True) for line in lines if line.startswith("latprof ")]
    assert commands or document.stem not in ("README", "counting", "measuring", "models", "report")
    for _, *words in commands:
        with monkeypatch.context() as patch:
            if words[0] == "measure":  # for real, but briefly, and not over the fitted machine
                patch.setenv("LATPROF_HOME", str(tmp_path / "measured"))
                words[words.index("--time") + 1] = "3s"
            if words[0] == "profile":
                words += ["--time", "200ms"]
            said = latprof(*words)
        assert said.code == 0, f"latprof {shlex.join(words)}: {said.err}"
        assert said.out


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_every_python_block_works(document, desk):
    names = {"torch": torch, "model": Small(), "my_module": Small()}
    before = set(OPS)
    try:
        for text in blocks(document, "python"):
            exec(compile(text, str(document), "exec"), names)
    finally:
        for added in set(OPS) - before:
            del OPS[added]


def test_the_readme_names_only_files_that_exist():
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / "README.md").read_text())
    assert links
    for link in links:
        assert (ROOT / link).exists(), link
