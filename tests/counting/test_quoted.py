from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latprof.counting.quoted import parse_quoted
from latprof.errors import BadReference


@pytest.mark.parametrize(
    ("text", "low", "high", "unit"),
    [
        ("0.39G", 385e6, 395e6, ""),
        ("0.390G", 389.5e6, 390.5e6, ""),
        ("780M", 779.5e6, 780.5e6, ""),
        ("0.78 GFLOPs", 775e6, 785e6, "flops"),
        ("4.1 GMACs", 4.05e9, 4.15e9, "macs"),
        ("569M mult-adds", 568.5e6, 569.5e6, "macs"),
        ("300 MMAdds", 299.5e6, 300.5e6, "macs"),
        ("1.8 TOPS", 1.75e12, 1.85e12, "flops"),
        ("3.5M params", 3.45e6, 3.55e6, "params"),
        ("5 mult-adds", 4.5, 5.5, "macs"),
        ("3e8", 2.5e8, 3.5e8, ""),
        ("7B", 6.5e9, 7.5e9, ""),
        ("300,774,272", 300_774_271.5, 300_774_272.5, ""),
    ],
)
def test_the_digits_say_what_rounds_to_a_figure(text, low, high, unit):
    quoted = parse_quoted(text)
    assert tuple(map(float, quoted.interval())) == (low, high)
    assert quoted.unit == unit


@pytest.mark.parametrize("text", ["", "many", "-1G", "0", "0.0G", "1.2.3M", "3 apples", "1e999",
                                  "nan", "1" * 40, "0.39GG", "1,0,0"])  # fmt: skip
def test_what_is_no_figure_is_refused(text):
    with pytest.raises(BadReference):
        parse_quoted(text)


def test_a_zero_at_the_end_may_be_rounding():
    quoted = parse_quoted("300M")
    assert not quoted.holds(300_774_272)
    assert quoted.holds(300_774_272, lenient=True)
    assert not quoted.holds(310_000_000, lenient=True)
    assert not parse_quoted("301.0M").holds(301_900_000, lenient=True)  # a zero that was meant


def test_a_number_is_said_as_the_figure_was():
    assert parse_quoted("0.39G").said(385_814_752) == "0.39 G"
    assert parse_quoted("780M").said(771_629_504) == "772 M"
    assert parse_quoted("300774272").said(300_774_272) == "300,774,272"
    assert parse_quoted("3.8G").said(Fraction(385, 100) * 10**9, more=1) == "3.85 G"


@given(st.integers(1, 10**15), st.integers(0, 4), st.sampled_from("kMGT"))
def test_a_number_rounds_to_what_it_is_quoted_as(number, decimals, letter):
    scale = {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}[letter]
    text = f"{Decimal(number) / scale:.{decimals}f}{letter}"
    if float(text[:-1]) > 0 and len(text) < 15:
        assert parse_quoted(text).holds(number)


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text):
    with suppress(BadReference):
        assert parse_quoted(text).value > 0
