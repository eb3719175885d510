from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from latprof.errors import BadReference
from latprof.units import (
    format_bytes,
    format_count,
    format_ms,
    format_percent,
    format_shape,
    parse_duration_s,
    parse_latency_ms,
)


@pytest.mark.parametrize(
    ("value_ms", "text"),
    [
        (0.00123, "1.23 µs"),
        (0.0123, "12.3 µs"),
        (0.85, "850 µs"),
        (0.9994, "999 µs"),
        (0.9996, "1.00 ms"),  # not 1000 µs
        (1.234, "1.23 ms"),
        (9.996, "10.0 ms"),  # not 10.00 ms
        (12.345, "12.3 ms"),
        (123.4, "123 ms"),
        (4567, "4570 ms"),
        (12_345, "12.3 s"),
        (123_456, "123.5 s"),
        (-5.2, "-5.20 ms"),  # a saving is written as the loss would be
    ],
)
def test_a_latency_has_the_three_figures_that_matter(value_ms, text):
    assert format_ms(value_ms) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 "),
        (999, "999 "),
        (1_000, "1.00 k"),
        (3_504_872, "3.50 M"),
        (3_514_900, "3.51 M"),  # rounded once, not 3.515 and then 3.52
        (300_774_272, "300.8 M"),
        (999_960, "1.00 M"),  # not 1000.0 k
        (4_089_184_256, "4.09 G"),
        (2.5e12, "2.50 T"),
        (-300_774_272, "-300.8 M"),
    ],
)
def test_a_count_is_in_thousands(value, text):
    assert format_count(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (14_019_488, "14.0 MB"),
        (999_960, "1.0 MB"),  # not 1000.0 kB
        (2_100_000_000, "2.1 GB"),
        (-5_000_000, "-5.0 MB"),
    ],
)
def test_bytes_are_in_decimal_units(value, text):
    assert format_bytes(value) == text


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0, "0 %"),
        (0.0012, "0.1 %"),
        (0.074, "7.4 %"),
        (0.0996, "10 %"),  # not 10.0 %
        (0.123, "12 %"),
        (1, "100 %"),
        (-0.2, "-20 %"),
    ],
)
def test_a_share_has_a_decimal_only_below_ten_percent(fraction, text):
    assert format_percent(fraction) == text


def test_a_shape_is_joined_by_times():
    assert format_shape((1, 3, 224, 224)) == "1×3×224×224"
    assert format_shape(()) == "scalar"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("3min", 180), ("3 m", 180), ("1.5h", 5400), (" 250MS ", 0.25)],
)
def test_durations(text, seconds):
    assert parse_duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("12", 12),
        ("12ms", 12),
        ("850us", 0.85),
        ("850 µs", 0.85),  # the micro sign
        ("850 μs", 0.85),  # the Greek letter
        ("1.5s", 1500),
        ("40ns", 4e-5),
    ],
)
def test_latencies(text, milliseconds):
    assert parse_latency_ms(text) == pytest.approx(milliseconds)


@pytest.mark.parametrize(
    "text", ["", "ms", "0", "0ms", "-1ms", "1,5ms", "12 weeks", "nan", "inf", "1e3ms", "9" * 400]
)
def test_what_is_no_positive_number_is_refused_with_an_example(text):
    with pytest.raises(BadReference, match=r"write 12ms, 850us or 1\.5s"):
        parse_latency_ms(text)
    with pytest.raises(BadReference, match="write 90s, 3min or 1h"):
        parse_duration_s(text)


@given(st.floats(min_value=1e-4, max_value=1e7))
def test_a_written_latency_reads_back_to_three_figures(value_ms):
    assert parse_latency_ms(format_ms(value_ms)) == pytest.approx(value_ms, rel=0.0051)


@given(st.floats(min_value=1e-3, max_value=1e6), st.sampled_from(["ms", "s", "min", "h"]))
def test_a_duration_means_its_number_times_its_unit(number, unit):
    text = f"{number:.6f}"
    assume(float(text) > 0)
    seconds = {"ms": 1e-3, "s": 1, "min": 60, "h": 3600}[unit]
    assert parse_duration_s(f"{text}{unit}") == pytest.approx(float(text) * seconds)


@given(st.text(max_size=12))
def test_any_text_is_a_positive_number_or_a_bad_reference(text):
    try:
        found = parse_latency_ms(text)
    except BadReference:
        return
    assert 0 < found < math.inf
