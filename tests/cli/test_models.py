"""The ways in: weights with --arch, batches, several inputs, and what is said about guesses."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from latprof import zoo

MODEL = "mobilenet_v3_small?size=64"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """The state dict of a small network of the zoo."""
    path = tmp_path_factory.mktemp("weights") / "weights.pt"
    torch.save(zoo.build(MODEL)[0].state_dict(), path)
    return str(path)


def predicted(latprof, *words):
    said = latprof("predict", *words, "--device", "host", "--json")
    assert said.code == 0, said.err
    return json.loads(said.out)


def test_weights_and_their_network(latprof, home, weights):
    answer = predicted(latprof, weights, "--arch", f"zoo:{MODEL}")
    assert answer["model"]["params"] == 2_542_856
    assert answer["model"]["source"] == f"{weights} as zoo:{MODEL}"


def test_weights_alone_bring_up_arch(latprof, home, weights):
    said = latprof("predict", weights, "--device", "host")
    assert said.code == 1
    assert "--arch zoo:resnet50" in said.err


def test_weights_of_another_network(latprof, home, weights):
    said = latprof("predict", weights, "--arch", f"zoo:{MODEL}&num_classes=7", "--device", "host")
    assert said.code == 1
    assert "of another shape (classifier" in said.err
    assert said.err.count("\n") == 1


def test_an_arch_is_forgotten_by_the_next_command(latprof, home, weights):
    predicted(latprof, weights, "--arch", f"zoo:{MODEL}")
    assert predicted(latprof, f"zoo:{MODEL}")["model"]["source"] == f"zoo:{MODEL}"


def test_an_arch_needs_a_model(latprof, home):
    said = latprof("predict", "--arch", "zoo:resnet18", "--device", "host")
    assert said.code == 2
    assert "--arch need a MODEL" in said.err


def test_a_batch_in_place_of_the_first_size(latprof, home):
    answer = predicted(latprof, f"zoo:{MODEL}", "--batch", "8")
    assert answer["model"]["inputs"] == [[8, 3, 64, 64]]


def test_a_batch_for_a_file_that_leaves_it_open(latprof, home, tmp_path):
    sizes = ({0: torch.export.Dim("batch")},)
    example = (torch.zeros(2, 3, 16, 16),)
    program = torch.export.export(nn.Conv2d(3, 8, 3).eval(), example, dynamic_shapes=sizes)
    torch.export.save(program, tmp_path / "net.pt2")
    answer = predicted(latprof, str(tmp_path / "net.pt2"), "--batch", "8")
    assert answer["model"]["inputs"] == [[8, 3, 16, 16]]


def test_several_inputs_by_name_with_dtypes(latprof, home, tmp_path, monkeypatch):
    (tmp_path / "work" / "net_of_a_test.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.words, self.out = nn.Embedding(10, 4), nn.Linear(4, 2)\n"
        "    def forward(self, tokens, mask):\n"
        "        return self.out(self.words(tokens) * mask.unsqueeze(-1))\n"
    )
    inputs = ["--input", "mask=1x7:bool", "--input", "tokens=1x7:int64"]
    said = latprof("predict", "net_of_a_test:Net", "--device", "host")
    assert "takes 2 inputs (tokens, mask)" in said.err
    answer = predicted(latprof, "net_of_a_test:Net", *inputs)
    assert answer["model"]["inputs"] == [[1, 7], [1, 7]]
    assert answer["model"]["macs"] == 7 * 4 * 2


@pytest.mark.parametrize("form", [[], ["--markdown"]])
def test_a_guess_is_printed_with_the_answer(latprof, home, tmp_path, form):
    (tmp_path / "work" / "guessed_of_a_test.py").write_text(
        "from torch import nn\ndef net(): return nn.Conv2d(3, 8, 3)\n"
    )
    said = latprof("predict", "guessed_of_a_test:net", "--device", "host", *form)
    assert said.code == 0
    assert "input shape assumed to be" in " ".join(said.out.split())
