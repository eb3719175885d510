"""A count in the terminal, in Markdown and on a page."""

from __future__ import annotations

import re

import pytest

from latprof.account import account
from latprof.builder import GraphBuilder
from latprof.counting.sparsity import WeightZeros
from latprof.graph import Tensor
from latprof.report.escaping import PLAIN_CHARACTERS, cells
from latprof.report.html import render_html
from latprof.report.markdown import render_markdown
from latprof.report.text import render_text

COLOR_CODE = re.compile(r"\x1b\[\d+m")
HOSTILE = "</script><img src=x onerror=alert(1)>\x1b[31mred\n| `code` @someone " + "n" * 500


def hostile_graph():
    net = GraphBuilder(HOSTILE, HOSTILE)
    x = net.input((1, 4, 4, 4), name=HOSTILE)
    weight = net.parameter(f"{HOSTILE}.weight", (8, 4, 1, 1))
    (y,) = net.add("conv", [x, weight], {"groups": 1}, module=f"{HOSTILE}.a", name=HOSTILE + "c")
    (y,) = net.add(HOSTILE, [y], outputs=[Tensor(HOSTILE + "y", (1, 8))], module=HOSTILE)
    net.parameter(f"{HOSTILE}.unused", (3,))
    net.assumptions.append(HOSTILE)
    return net.finish([y])


@pytest.fixture(params=["plain", "explained", "unexplained", "convention", "sparsity", "hostile"])
def answer(request, zoo_graph):
    if request.param == "hostile":
        graph = hostile_graph()
        (name, *_) = [n for n, t in graph.tensors.items() if t.role == "parameter"]
        zeros = {name: WeightZeros((8, 4, 1, 1), 4, 1, 0)}
        return account(graph, depth=3, zeros=zeros, command=HOSTILE).to_dict()
    graph = zoo_graph("mobilenet_v3_small")
    more = {
        "plain": {"depth": 4},
        "explained": {"explain_figure": "57M"},
        "unexplained": {"explain_figure": "123.456 GFLOPs"},
        "convention": {"convention": "ptflops"},
        "sparsity": {"zeros": {
            tensor.name: WeightZeros(tensor.shape, tensor.elements // 2, 1, 0)
            for tensor in graph.tensors.values() if tensor.role == "parameter"
        }},
    }[request.param]  # fmt: skip
    return account(graph, **more).to_dict()


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("color", [True, False])
def test_no_line_is_wider_than_the_terminal(answer, width, color):
    for limit in (15, None):
        text = render_text(answer, width=width, color=color, limit=limit)
        assert max(cells(COLOR_CODE.sub("", line)) for line in text.splitlines()) <= width
        assert "\x1b" not in COLOR_CODE.sub("", text)


def test_plain_text_is_ascii_but_for_a_few(answer):
    text = render_text(answer, width=80, color=False, limit=None)
    assert {c for c in text if not " " <= c <= "~"} <= PLAIN_CHARACTERS | {"\n"}


def test_colour_changes_nothing_but_codes(answer):
    plain = render_text(answer, width=80, color=False)
    assert COLOR_CODE.sub("", render_text(answer, width=80, color=True)) == plain


def test_markdown_and_page_escape_what_a_file_says(answer):
    markdown, page = render_markdown(answer), render_html(answer)
    for text in (markdown, page):
        assert "<img" not in text
        assert "\x1b" not in text
    assert len(markdown) < 65_536
    assert "<script" not in page
    assert page == render_html(answer)


def test_operators_that_are_not_counted_are_said_loudly():
    graph = hostile_graph()
    text = render_text(account(graph).to_dict(), width=80, color=False)
    second_or_third = "\n".join(text.splitlines()[1:40])
    assert "NOT COUNTED: 1 node has no cost formula" in second_or_third
    assert "lower bound" in " ".join(text.split())


def test_a_count_reads_from_the_totals_to_the_conventions(zoo_graph):
    text = render_text(account(zoo_graph("mobilenet_v2")).to_dict(), width=120, color=False)
    assert text.startswith("mobilenet_v2 · 1×3×224×224 · 3.50 M params · 300.8 M MACs")
    places = [
        text.index(words)
        for words in (
            "300.8 M MACs = 601.5 M FLOPs; 13.36 M ops of norms",
            "3,504,872, all trainable; 34,164 in buffers",
            "9.6 MB at features.2.expand.norm: 1×96×112×112 4.8 MB",
            "pointwise ",
            "classifier ",
            "counted by ",
            "314,193,216  FLOPs      conv 299.5 M + batch_norm 13.36 M + linear 1.28 M + adapt",
        )
    ]
    assert places == sorted(places)


def test_an_explanation_shows_its_arithmetic(zoo_graph):
    graph = zoo_graph("efficientnet_b0")
    said = " ".join(
        render_text(account(graph, explain_figure="0.39G").to_dict(), width=80, color=False).split()
    )
    assert "0.39G is anything from 0.385 G to 0.395 G" in said
    assert "384.5 M convolutions + 1.28 M linear layers = 385,814,752, which is 0.39 G" in said
    assert "if it was quoted as FLOPs, that is one for each multiply-accumulate" in said
    doubled = account(graph, explain_figure="0.78 GFLOPs").to_dict()
    said = " ".join(render_text(doubled, width=80, color=False).split())
    assert "= 385,814,752, or 0.39 G; 2 × 0.39 G = 0.78 G" in said


def test_what_nothing_explains_says_how_far_off_it_is(zoo_graph):
    answer = account(zoo_graph("resnet50"), explain_figure="3.8G").to_dict()
    said = " ".join(render_text(answer, width=80, color=False).split())
    assert "nothing explains it; the nearest is multiply-accumulates" in said
    assert "7.6 % more" in said
    assert "strides placed elsewhere" in said


def test_sparsity_says_that_a_dense_runtime_gains_nothing(zoo_graph):
    graph = zoo_graph("mobilenet_v3_small")
    text = render_text(account(graph, zeros={}).to_dict(), width=80, color=False)
    assert "a dense runtime multiplies zeros like any other number" in " ".join(text.split())
