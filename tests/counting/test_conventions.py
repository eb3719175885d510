"""Totals of the tools themselves: run here where they are installed, else as they were recorded."""

from __future__ import annotations

import functools
import json
import logging
import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from fvcore.nn import FlopCountAnalysis
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from latprof.counting.conventions import CONVENTIONS
from latprof.frontends.inputs import InputSpec
from latprof.frontends.torch.module import capture
from latprof.zoo import ENTRIES, build

from .blocks import BLOCKS

RECORDED = json.loads(Path(__file__).with_name("recorded_totals.json").read_text())
# fvcore traces with real weights, which takes seconds: of each family the lightest will do.
LIGHTEST = [
    min((e for e in ENTRIES.values() if e.family == family), key=lambda e: e.macs or math.inf).name
    for family in dict.fromkeys(entry.family for entry in ENTRIES.values())
]

# What the networks of keras.applications do besides: a softmax of 1,000 classes at the end, and
# scaling of the image at the beginning.
SOFTMAX = 5 * 1000
IMAGE = 224 * 224 * 3
BESIDES = {
    "mobilenet_v1": SOFTMAX,
    "mobilenet_v2": SOFTMAX,
    "mobilenet_v3_large": SOFTMAX + 2 * IMAGE,  # times 1/127.5, minus 1
    # Times 1/255, plus 0, minus a mean, over a deviation that is kept from zero for each channel.
    "efficientnet_b0": SOFTMAX + 4 * IMAGE + 3,
}


def made(network: str) -> tuple[torch.nn.Module, tuple[int, ...]]:
    if network in BLOCKS:
        kind, shape = BLOCKS[network]
        return kind().eval(), shape
    return build(network)


@functools.cache
def block_graph(network):
    with torch.device("meta"):
        module, shape = made(network)
    return capture(module, [InputSpec(shape)], name=network)


@pytest.fixture
def graph_of(zoo_graph):
    return lambda network: block_graph(network) if network in BLOCKS else zoo_graph(network)


@pytest.mark.parametrize("network", [*LIGHTEST, *BLOCKS])
def test_fvcore_counts_the_same(network, graph_of, caplog):
    model, shape = made(network)
    analysis = FlopCountAnalysis(model, torch.zeros(shape))
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    with caplog.at_level(logging.ERROR, "fvcore"):
        assert CONVENTIONS["fvcore"].count(graph_of(network)).total == analysis.total()


@pytest.mark.parametrize("network", [*ENTRIES, *BLOCKS])
def test_torch_counts_the_same_on_the_meta_device(network, graph_of):
    with torch.device("meta"):
        model, shape = made(network)
        with FlopCounterMode(display=False) as counter:
            model(torch.empty(shape))
    assert CONVENTIONS["torch"].count(graph_of(network)).total == counter.get_total_flops()


@pytest.mark.parametrize("network", BLOCKS)
def test_torch_counts_the_same_on_the_cpu(network, graph_of):
    model, shape = made(network)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(shape))
    assert CONVENTIONS["torch-cpu"].count(graph_of(network)).total == counter.get_total_flops()


@pytest.mark.parametrize(
    ("tool", "network"),
    [(tool, network) for tool, record in RECORDED.items() for network in record["totals"]],
)
def test_other_tools_counted_the_same(tool, network, graph_of):
    counted = CONVENTIONS[tool].count(graph_of(network)).total
    besides = BESIDES[network] if tool == "keras" else 0
    assert counted + besides == RECORDED[tool]["totals"][network]


def test_every_record_says_version_and_date():
    tools = set(CONVENTIONS) - {"latprof", "paper", "torch", "torch-cpu", "fvcore"}
    assert tools == set(RECORDED)
    for record in RECORDED.values():
        assert record["version"]
        assert record["beside"]
        assert record["date"].startswith("20")


class Vectors(torch.nn.Module):
    """Products of PyTorch's that take a lone vector."""

    def forward(self, x):  # (5, 6, 7)
        return x @ x[0, 0], x[0] @ x[0, 0], x[0, :, 0] @ x[0], x[0, 0] @ x[0, 0]


def test_products_with_a_vector_are_not_torchs():
    graph = capture(Vectors(), [InputSpec((5, 6, 7))], name="vectors")
    with FlopCounterMode(display=False) as counter:
        Vectors()(torch.zeros(5, 6, 7))
    assert CONVENTIONS["torch"].count(graph).total == counter.get_total_flops()
    assert CONVENTIONS["latprof"].count(graph).total == 5 * 6 * 7 + 6 * 7 + 6 * 7 + 7


class Sum(torch.nn.Module):
    """One einsum of two or three operands."""

    def __init__(self, equation):
        super().__init__()
        self.equation = equation

    def forward(self, *operands):
        return torch.einsum(self.equation, *operands)


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ntg,ncg->ntc", [(3, 4, 5), (3, 6, 5)]),
        ("abc,abd->acd", [(3, 4, 5), (3, 4, 6)]),
        ("abc,adc->adb", [(3, 4, 5), (3, 6, 5)]),
        ("bij, bjk, bkl -> bil", [(3, 40, 51), (3, 51, 63), (3, 63, 70)]),
        ("ij,ij->ij", [(30, 45), (30, 45)]),
        ("bhwc,hkc->bhwk", [(2, 14, 14, 33), (14, 27, 33)]),
    ],
)
def test_einsum_as_fvcore_has_it(equation, shapes, net, caplog):
    names = [net.input(shape, name=f"x{index}") for index, shape in enumerate(shapes)]
    graph = net.finish([net.add_one("einsum", names, equation=equation)])
    operands = tuple(map(torch.zeros, shapes))
    analysis = FlopCountAnalysis(Sum(equation), operands).unsupported_ops_warnings(False)
    with caplog.at_level(logging.ERROR, "fvcore"):
        assert CONVENTIONS["fvcore"].count(graph).total == analysis.total()


class Standardised(nn.Module):
    """Weights brought to mean 0 and variance 1 before they convolve, as in nets without norms."""

    def __init__(self, scaled: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(8, 3, 3, 3))
        self.gain = nn.Parameter(torch.ones(8)) if scaled else None

    def forward(self, x):
        flat = self.weight.reshape(1, 8, -1)
        weight = F.batch_norm(flat, None, None, self.gain, training=True)
        return F.conv2d(x, weight.reshape_as(self.weight))


@pytest.mark.parametrize(("scaled", "an_element"), [(False, 4), (True, 5)])
def test_a_norm_of_weights_as_fvcore_has_it(scaled, an_element, caplog):
    module, x = Standardised(scaled).eval(), torch.zeros(1, 3, 8, 8)
    analysis = FlopCountAnalysis(module, x).unsupported_ops_warnings(False)
    with caplog.at_level(logging.ERROR, "fvcore"):
        assert analysis.total() == 36 * 8 * 27 + an_element * 8 * 27
    graph = capture(module, [InputSpec(tuple(x.shape))], name="standardised")
    assert CONVENTIONS["fvcore"].count(graph).total == analysis.total()


def test_the_documents_table_is_what_is_counted(graph_of):
    text = (Path(__file__).parents[2] / "docs" / "counting.md").read_text()
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.count(" | ") == 5]
    networks = ("mobilenet_v2", "efficientnet_b0", "resnet50", "fused_attention")
    named = {name.strip("`"): row[2:] for row in rows[1:] for name in row[0].split(", ")}
    assert named.keys() == CONVENTIONS.keys()
    for name, figures in named.items():
        totals = [CONVENTIONS[name].count(graph_of(network)).total for network in networks]
        assert figures == ["–" if total is None else f"{total:,}" for total in totals]
