import re

import pytest

from latprof.report.escaping import PLAIN_CHARACTERS, cells
from latprof.report.text import render_text

from .samples import hostile_kernels, predict_answer, profile_answer

COLOR_CODE = re.compile(r"\x1b\[\d+m")


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("color", [True, False])
def test_no_line_is_wider_than_the_terminal(any_answer, width, color):
    for limit in (15, None):
        text = render_text(any_answer, width=width, color=color, limit=limit)
        assert max(cells(COLOR_CODE.sub("", line)) for line in text.splitlines()) <= width


@pytest.mark.parametrize("width", [80, 120])
def test_plain_text_is_ascii_but_for_a_few(any_answer, width):
    text = render_text(any_answer, width=width, color=False, limit=None)
    assert {c for c in text if not " " <= c <= "~"} <= PLAIN_CHARACTERS | {"\n"}


def test_colour_changes_nothing_but_codes(any_answer):
    plain = render_text(any_answer, width=80, color=False)
    if "\\U" in plain or "\\u6f22" in plain:
        return  # names that only a terminal with colours is shown as they are
    assert COLOR_CODE.sub("", render_text(any_answer, width=80, color=True)) == plain


def test_only_our_own_codes_reach_the_terminal():
    answer = predict_answer(kernels=hostile_kernels())
    text = render_text(answer, width=120, color=True, limit=None)
    assert set(COLOR_CODE.findall(text)) <= {f"\x1b[{n}m" for n in (0, 1, 2, 31, 32, 33)}
    assert "\x1b" not in COLOR_CODE.sub("", text)
    assert "\\x1b[31mred" in text


def test_a_prediction_reads_from_the_answer_to_the_doubts():
    text = render_text(predict_answer(budget_ms=16.0), width=120, color=False)
    assert text.startswith("synthetic_mobilenet · 1×3×224×224 · 2.80 M params · 267.7 M MACs")
    latency = text.index("invented-phone/litert-cpu1-int8   14.7 ms  (12.9 – 16.7 ms at 90 %)")
    budget = text.index("probably within the budget of 16.0 ms")
    shares = text.index("pointwise 57 % ▇▇▇▇▇▇▇▇▇▇▇   depthwise 34 % ▇▇▇▇▇▇▇")
    slowest = text.index("features.2.conv.1  depthwise  96 ch, 112² → 56², 3×3/2  1.124")
    learned = text.index("learned from invented: fifteen")
    doubt = text.index("doubt: no kernel was measured on this device")
    assert latency < budget < shares < slowest < learned < doubt


def test_a_profile_adds_its_kernels_up():
    text = render_text(profile_answer(), width=120, color=False)
    heading = "kernel  type  shape  ms  share  MACs  params  GMAC/s"
    assert heading.split() in [line.split() for line in text.splitlines()]
    assert "kernels 14.6 ms + 110 µs overhead + 90.0 µs unexplained = 14.8 ms end to end" in text
    assert "… and 46 more (6.71 ms)" in text


def test_the_limit_counts_kernels():
    def listed(limit):
        text = render_text(profile_answer(), width=120, color=False, limit=limit)
        return sum(
            re.match(r"  (features|classifier|pool)", line) is not None
            for line in text.splitlines()
        )

    assert [listed(limit) for limit in (3, 15, None)] == [3, 15, 61]
    assert "more (" not in render_text(profile_answer(), width=120, color=False, limit=None)


def test_several_targets_stand_one_after_the_other():
    text = render_text(predict_answer(targets=("a/b", "c/d")), width=80, color=False)
    assert text.count("synthetic_mobilenet ·") == 1
    assert text.index("a/b   14.7 ms") < text.index("c/d   23.4 ms")
