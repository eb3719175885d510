from __future__ import annotations

import pytest

from latprof.report.fusion_text import exact_percent
from latprof.report.markdown import render_markdown
from latprof.report.text import render_text


def kernel(name, **said):
    return {
        "name": name, "op": "conv", "layout": "nchw", "covers": ["conv", "relu"], "launches": 1,
        "seen": [f"Conv {name}"], "latency_ms": 1.0,
    } | said  # fmt: skip


@pytest.fixture
def answer():
    return {
        "kind": "fusion",
        "model": {"name": "toy", "inputs": [[1, 3, 8, 8]], "params": 1, "macs": 1},
        "runtime": "made-up 1.0",
        "target": "made-up-cpu1-fp32",
        "ran": True,
        "kernels_matched_fraction": 2 / 4,
        "time_matched_fraction": 0.99996,
        "kernels": [
            kernel("stem", layout="from_plain"),
            kernel("body.conv", latency_ms=4.0),
            kernel("lost", launches=0, seen=[], latency_ms=None),
        ],
        "not_launched": ["lost"],
        "not_predicted": [{"name": "cast_7", "kind": "Cast", "latency_ms": 0.2}],
        "doubts": [],
        "latprof": "0",
        "command": "latprof fusion toy",
    }


def test_the_slowest_come_first_and_what_does_not_fit_together_is_named(answer):
    assert render_text(answer, width=100, color=False).splitlines()[5:] == [
        "  kernel     runs as            computes   launched           ms",
        "  body.conv  conv               conv+relu  Conv body.conv  4.000",
        "  stem       conv (from_plain)  conv+relu  Conv stem       1.000",
        "  lost       conv               conv+relu  not launched        –",
        "",
        "  launched, not predicted  kind     ms",
        "  cast_7                   Cast  0.200",
        "",
        "  predicted, not launched: lost",
    ]  # fmt: skip


def test_all_are_listed_in_running_order(answer):
    said = render_text(answer, width=80, color=False, limit=None)
    assert said.index("stem") < said.index("body.conv") < said.index("lost")
    cut = render_text(answer, width=80, color=False, limit=1)
    assert "… and 2 more; --all lists every one" in cut


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_too_long(answer, width):
    long = kernel("features.12.branch.depthwise.conv", seen=["Conv batch_norm_33_nchwc"] * 4)
    long |= {"covers": ["conv", "batch_norm", "hard_swish", "add"]}
    answer |= {"kernels": [long] * 20, "not_launched": [long["name"]] * 40}
    said = render_text(answer, width=width, color=False)
    assert max(map(len, said.splitlines())) <= width


def test_a_prediction_lists_no_times(answer):
    answer |= {"ran": False, "not_launched": [], "not_predicted": [], "runtime": "made-up"}
    said = render_text(answer, width=100, color=False)
    assert "3 kernels predicted; not run" in said
    assert "ms" not in said.split("\n\n")[-1]


def test_nothing_short_of_all_is_called_all():
    assert exact_percent(1.0) == "100 %"
    assert exact_percent(0.99999) == "99.9 %"
    assert exact_percent(0.9871) == "98.7 %"
    assert exact_percent(None) == "–"


def test_markdown_says_the_same_and_fits_in_a_comment(answer):
    said = render_markdown(answer)
    assert "50.0 % of kernels and 99.9 % of time matched" in said
    assert "cast" in said
    assert said.count("\n| <code>") == 3
    answer["kernels"] = [kernel(f"features.{n}.conv") for n in range(3000)]
    long = render_markdown(answer)
    assert len(long) < 65_536
    assert "more kernels do not fit" in long
