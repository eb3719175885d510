from __future__ import annotations

import json
import subprocess
import sys

import pandas as pd
import pytest
import torch
from torch import nn

import latprof
from latprof.account import account
from latprof.counting import count
from latprof.errors import BadReference, UnknownName


def test_a_count_answers_what_its_model_does(zoo_graph):
    graph = zoo_graph("mobilenet_v2")
    answer, facts = account(graph), count(graph)
    for name in ("name", "inputs", "params", "macs", "flops", "elementwise_ops", "weight_bytes",
                 "peak_activation_bytes", "unknown_ops"):  # fmt: skip
        assert getattr(answer, name) == getattr(facts, name)
    assert answer.peak.bytes == facts.peak_activation_bytes
    assert answer.weights.params == facts.params
    assert answer.by_convention()["fvcore"] == 314_193_216


def test_json_keeps_the_promised_keys(zoo_graph):
    answer = account(zoo_graph("mobilenet_v2"), depth=2, command="latprof count x")
    data = json.loads(json.dumps(answer.to_dict()))
    assert (data["kind"], data["command"], data["depth"]) == ("count", "latprof count x", 2)
    assert set(data["model"]) >= {
        "name", "source", "inputs", "params", "macs", "flops", "weight_bytes",
        "peak_activation_bytes",
    }  # fmt: skip
    assert data["modules"][0]["macs"] == data["cost"]["macs"] == data["model"]["macs"]
    assert sum(row["macs"] for row in data["kinds"]) == data["model"]["macs"]
    assert sum(node["macs"] for node in data["nodes"]) == data["model"]["macs"]
    moved = data["cost"]["bytes_read"] + data["cost"]["bytes_written"]
    assert data["cost"]["ops_per_byte"] == pytest.approx(data["cost"]["ops"] / moved)
    assert (data["explained"], data["sparsity"]) == (None, None)


def test_a_frame_has_a_row_for_each_node(zoo_graph):
    graph = zoo_graph("mobilenet_v3_small")
    frame = account(graph).to_frame()
    assert isinstance(frame, pd.DataFrame)
    assert list(frame["name"]) == [node.name for node in graph.nodes]
    assert frame["macs"].sum() == count(graph).macs


def test_a_notebook_shows_a_count(zoo_graph):
    answer = account(zoo_graph("mobilenet_v3_small"))
    assert answer._repr_markdown_().startswith("### latprof count")
    assert answer.to_html().startswith("<!doctype html>")
    assert "mobilenet_v3_small" in str(answer)


def test_mistakes_are_said(zoo_graph):
    graph = zoo_graph("mobilenet_v3_small")
    with pytest.raises(UnknownName, match="fvcore"):
        account(graph, convention="fvcor")
    with pytest.raises(BadReference, match="cannot read the figure"):
        account(graph, explain_figure="much")


class Tied(nn.Module):
    """An embedding whose weight is the last layer's too, one frozen scale, one unused weight."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 6)
        self.head = nn.Linear(6, 10, bias=False)
        self.head.weight = self.embedding.weight
        self.scale = nn.Parameter(torch.ones(6), requires_grad=False)
        self.unused = nn.Parameter(torch.zeros(5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.embedding(x) * self.scale)


def test_a_module_in_memory():
    answer = latprof.count(Tied(), "1x3:int64")
    assert (answer.weights.trainable, answer.weights.frozen) == (60 + 5, 6)
    assert answer.weights.tied == {"embedding.weight": 2}
    assert answer.weights.unused == {"unused": 5}
    assert answer.macs == 3 * 6 * 10


def test_a_module_in_memory_is_explained_at_other_sizes():
    module = nn.Sequential(nn.Conv2d(3, 8, 1, bias=False), nn.ReLU())
    answer = latprof.count(module, "1x3x224x224", explain="983.0k")  # 24 MACs for 202.4² pixels
    assert answer.explained.found == ()
    answer = latprof.count(module, "1x3x224x224", explain="884.7k")
    assert answer.explained.found[0].words == "multiply-accumulates at an input of 192×192"


def test_zeros_of_a_module_in_memory():
    module = nn.Linear(4, 8, bias=False)
    with torch.no_grad():
        module.weight[:2] = 0
    answer = latprof.count(module, "1x4", sparsity=True)
    assert (answer.sparsity.zeros, answer.sparsity.kept_macs) == (8, 24)
    assert answer.to_dict()["sparsity"]["zero_fraction"] == 0.25


def test_counting_imports_nothing_heavy(tmp_path, zoo_graph):
    path = tmp_path / "graph.json"
    path.write_text(json.dumps(zoo_graph("mobilenet_v3_small").to_dict()))
    heavy = {"torch", "pandas", "numpy", "sklearn", "plotly", "onnx", "jinja2"}
    program = (
        "import sys, latprof\n"
        f"answer = latprof.count({str(path)!r}, explain='57M')\n"
        "str(answer), answer.to_dict()\n"
        f"print(sorted({heavy!r} & set(sys.modules)))"
    )
    said = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert said.strip() == "[]"
