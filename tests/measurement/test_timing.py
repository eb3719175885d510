from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latprof.errors import MeasurementError
from latprof.measurement.timing import (
    WARM_UP_LIMIT,
    Summary,
    quantile,
    summarize,
    time_once_ms,
    warm_up,
)


def test_a_run_is_timed_by_the_clock_before_and_after():
    ticks_ns = iter([5_000_000, 7_500_000])

    assert time_once_ms(lambda: None, ticks_ns.__next__) == 2.5


@pytest.mark.parametrize(
    ("times_ms", "runs"),
    [
        ([5, 5, 5, 5], 4),  # three at least, and the fourth gains nothing
        ([9, 7, 6, 5.7, 5], 4),  # 5.7 = 0.95 · 6: gains exactly 5 % on the fastest before it
        ([9, 7, 6, 5.6, 5.5], 5),  # 5.6 gains more, 5.5 does not
        ([9, 3, 8, 7, 6], 4),  # slower than the second run: warm since then
        ([100, 50, 25, 12, 6, 3, 2.9], 7),
    ],
)
def test_warm_up_ends_when_runs_no_longer_get_faster(clock, times_ms, runs):
    assert warm_up(clock.running(times_ms), clock) == times_ms[:runs]


def test_warm_up_of_what_gets_faster_for_ever_ends_all_the_same(clock):
    halving = (2.0**-n * 1e6 for n in itertools.count())

    assert len(warm_up(clock.running(halving), clock)) == WARM_UP_LIMIT == 30


def test_quantiles_lie_between_their_neighbours():
    ordered = [10.0, 20.0, 30.0, 40.0, 50.0]

    assert quantile(ordered, 0.0) == 10
    assert quantile(ordered, 0.1) == pytest.approx(14)  # position 0.4 between 10 and 20
    assert quantile(ordered, 0.5) == 30
    assert quantile(ordered, 0.9) == pytest.approx(46)
    assert quantile(ordered, 1.0) == 50
    assert quantile([7.0], 0.9) == 7


def test_a_summary_worked_by_hand():
    # 100 runs of 1, 2, ..., 100 ms, shuffled. reach = 1.96 · √100 / 2 = 9.8, so the interval of
    # the median spans the order statistics number ⌊50 − 9.8⌋ = 40 and ⌈51 + 9.8⌉ = 61.
    times_ms = [float(1 + (37 * i) % 100) for i in range(100)]

    summary = summarize(times_ms)

    assert summary == Summary(
        latency_ms=50.5,
        p10_ms=pytest.approx(10.9),  # position 9.9: between 10 and 11
        p90_ms=pytest.approx(90.1),  # position 89.1: between 90 and 91
        low_ms=40,
        high_ms=61,
        runs=100,
    )
    assert summary.uncertainty_fraction == pytest.approx(10.5 / 50.5)


def test_the_interval_of_few_runs_spans_all_of_them():
    # reach = 1.96 · √5 / 2 = 2.19: ⌊2.5 − 2.19⌋ − 1 is below 0, ⌈2.5 + 2.19⌉ = 5 above 4.
    summary = summarize([3.0, 1.0, 2.0, 5.0, 4.0])

    assert (summary.low_ms, summary.latency_ms, summary.high_ms) == (1, 3, 5)


def test_one_run_is_its_own_summary():
    assert summarize([2.0]) == Summary(2.0, 2.0, 2.0, 2.0, 2.0, 1)
    assert summarize([2.0]).uncertainty_fraction == 0


def test_nothing_timed_is_an_error_of_ours():
    with pytest.raises(MeasurementError, match="nothing was timed"):
        summarize([])


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=60))
def test_a_summary_is_in_order_whatever_was_timed(times_ms):
    s = summarize(times_ms)

    ordered = [min(times_ms), s.p10_ms, s.latency_ms, s.p90_ms, max(times_ms)]
    assert all(a <= b * (1 + 1e-12) for a, b in itertools.pairwise(ordered))
    assert s.low_ms <= s.latency_ms <= s.high_ms
    assert s.runs == len(times_ms)
