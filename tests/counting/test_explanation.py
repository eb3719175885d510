"""Figures that papers and tools quote, and how our counts become them."""

from __future__ import annotations

import pytest

from latprof.counting.explanation import explain, image_size
from latprof.counting.quoted import parse_quoted


@pytest.fixture
def best(zoo_graph):
    def find(network, figure, **more):
        return explain(zoo_graph(network), parse_quoted(figure), **more).found[0]

    return find


@pytest.mark.parametrize(
    ("network", "figure", "total", "words"),
    [
        # Tan & Le 2019, table 2 (EfficientNet-B0, "FLOPs"); Howard 2017, table 8 (mult-adds).
        ("efficientnet_b0", "0.39G", 385_814_752, "multiply-accumulates"),
        ("mobilenet_v1", "569M", 568_740_352, "multiply-accumulates"),
        ("mobilenet_v2", "0.60 GFLOPs", 601_548_544,
         "two operations for each of the multiply-accumulates"),
        ("mobilenet_v2", "314M", 314_193_216, "what fvcore counts and calls FLOPs"),
        ("mobilenet_v2", "299.5M", 299_494_272,
         "multiply-accumulates without the classifier"),
        ("efficientnet_b0", "385.19M", 385_814_752 - 627_200,
         "multiply-accumulates without squeeze-excite"),
        ("efficientnet_b0", "0.78 GFLOPs", 780_000_000,
         "multiply-accumulates, rounded to 0.39 G and then doubled"),
        ("mobilenet_v2", "3.5M params", 3_504_872, "parameters, not operations"),
    ],
)  # fmt: skip
def test_figures_are_explained(best, network, figure, total, words):
    found = best(network, figure)
    assert (found.words, found.total) == (words, total)
    if not found.rounded:
        assert found.factor * sum(value for _, value in found.terms) == found.total


def test_a_zero_that_was_rounded_to_is_said(best):
    found = best("mobilenet_v2", "300M")  # Sandler et al. 2018, table 4
    assert (found.total, found.lenient) == (300_774_272, True)


def test_the_simplest_comes_first(zoo_graph):
    found = explain(zoo_graph("efficientnet_b0"), parse_quoted("0.39G")).found
    assert [each.steps for each in found] == sorted(each.steps for each in found)
    assert len({(each.total, each.factor) for each in found}) == len(found)


def test_another_input_size_is_looked_at_when_nothing_simple_fits(zoo_graph):
    asked = []

    def recapture(size):
        asked.append(size)
        return zoo_graph(f"mobilenet_v2?size={size}")

    explained = explain(zoo_graph("mobilenet_v2"), parse_quoted("221.3M"), recapture)
    assert explained.found[0].words == "multiply-accumulates at an input of 192×192"
    assert 192 in asked
    assert len(asked) <= 4
    assert explained.tried == (f"input sizes {', '.join(map(str, sorted(asked)))}",)
    asked.clear()
    explain(zoo_graph("mobilenet_v2"), parse_quoted("301M"), recapture)
    assert asked == []


def test_a_model_of_one_size_is_asked_once(zoo_graph):
    asked = []
    explained = explain(zoo_graph("mobilenet_v2"), parse_quoted("221.3M"), asked.append)
    assert len(asked) == 1
    assert explained.tried == ("other input sizes: the model could not be captured at one",)


def test_nothing_explains_the_first_resnets_strides(zoo_graph):
    # He et al. 2015, table 1: 3.8 G, with the stride in another convolution of each block.
    explained = explain(zoo_graph("resnet50"), parse_quoted("3.8G"))
    assert explained.found == ()
    assert explained.nearest.words == "multiply-accumulates"
    assert explained.off_fraction == pytest.approx(0.076, abs=0.001)
    assert explained.to_dict()["nearest"]["said"] == "4.1 G"


def test_one_of_a_batch(zoo_graph):
    graph = zoo_graph("mobilenet_v2?input=8x3x224x224")
    found = explain(graph, parse_quoted("300.8M")).found[0]
    assert found.words == "multiply-accumulates for one of the 8 in the batch"
    assert found.total == 300_774_272


def test_mac_and_flop_are_taken_at_their_word(zoo_graph):
    graph = zoo_graph("mobilenet_v2")
    flops = explain(graph, parse_quoted("602 MFLOPs")).found[0]
    macs = explain(graph, parse_quoted("602 MMACs")).found[0]
    assert flops.steps < macs.steps


def test_a_network_without_arithmetic_is_explained_by_nothing(net):
    explained = explain(net.finish([net.input((1, 8))]), parse_quoted("1G"), lambda size: None)
    assert (explained.found, explained.nearest, explained.off_fraction) == ((), None, None)


def test_only_one_square_image_has_a_size(net, zoo_graph):
    assert image_size(zoo_graph("mobilenet_v2")) == 224
    assert image_size(net.finish([net.input((1, 3, 4, 8))])) == 0
