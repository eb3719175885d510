from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latprof.errors import MeasurementError
from latprof.measurement.timing import (
    COOLING_BYTES,
    WARM_UP_LIMIT,
    Cooler,
    Summary,
    interquartile_mean,
    interval_fraction,
    middle_half,
    quantile,
    resolution_ns,
    sized_block,
    summarize,
    time_block_ms,
    warm_up,
)


def test_a_run_is_timed_by_the_clock_before_and_after():
    ticks_ns = iter([5_000_000, 7_500_000])

    assert time_block_ms(lambda: None, 1, ticks_ns.__next__) == 2.5


def test_runs_timed_together_share_the_time():
    ran = []
    ticks_ns = iter([5_000_000, 7_000_000])

    assert time_block_ms(lambda: ran.append("run"), 4, ticks_ns.__next__) == 0.5
    assert ran == ["run"] * 4


def test_a_clock_that_goes_backwards_is_an_error():
    ticks_ns = iter([5_000_000, 4_999_000])

    with pytest.raises(MeasurementError, match=r"the clock went back by 1000 ns .*monotonic clock"):
        time_block_ms(lambda: None, 1, ticks_ns.__next__)


def test_a_clock_that_went_back_while_warming_up_is_an_error_too():
    ticks_ns = iter([0, 5, 5, 9, 9, 3])

    with pytest.raises(MeasurementError, match="the clock went back by 6 ns"):
        warm_up(lambda: None, ticks_ns.__next__)


class Log(Cooler):
    """Empties no caches, but says when."""

    def __init__(self, events: list[str]) -> None:
        self.events = events

    def cool(self) -> None:
        self.events.append("cool")


def test_a_run_on_cold_caches_is_alone_and_cooling_is_not_timed():
    events: list[str] = []
    ticks_ns = iter([1_000_000, 3_000_000])

    def clock_ns() -> int:
        events.append("clock")
        return next(ticks_ns)

    taken_ms = time_block_ms(lambda: events.append("run"), 8, clock_ns, Log(events))

    assert events == ["cool", "clock", "run", "clock"]
    assert taken_ms == 2.0


def test_cooling_touches_more_than_any_cache_holds():
    cooler = Cooler()
    assert cooler._buffer.nbytes == COOLING_BYTES == 134_217_728

    cooler.cool()

    assert (cooler._buffer == 1.0).all()  # every line of it was read and written


@pytest.mark.parametrize(
    ("reading_ns", "step_ns"),
    [
        (lambda n: n * 100, 100),
        (lambda n: n // 1000 * 15_600_000, 15_600_000),  # read a thousand times before it moves
        (lambda n: 5_000_000 if n % 3 else 0, 5_000_000),  # going back is no step
        (lambda n: 7, 1),  # stands still: nothing can be told
        (lambda n: n * 1000 + (n % 2) * 40, 960),  # 1040 and 960 in turns
    ],
)
def test_the_resolution_of_a_clock_is_its_smallest_step(reading_ns, step_ns):
    assert resolution_ns(map(reading_ns, itertools.count()).__next__) == step_ns


class Coarse:
    """A clock that goes on by `step_ns` at once; runs take what they take."""

    def __init__(self, step_ns: int, run_ns: int) -> None:
        self.step_ns, self.run_ns, self.now_ns, self.runs = step_ns, run_ns, 0, 0

    def __call__(self) -> int:
        self.now_ns += 1000  # reading it takes a microsecond
        return self.now_ns // self.step_ns * self.step_ns

    def run(self) -> None:
        self.runs += 1
        self.now_ns += self.run_ns


@pytest.mark.parametrize(
    ("run_ns", "step_ns", "runs"),
    [
        (1_000_000, 1000, 1),
        (100_000, 1000, 1),  # 100 steps of 1 µs: one run is just enough
        (90_000, 1000, 2),
        (5_000, 1000, 32),  # 100 µs in runs of 5 µs are 20; 16 are too few
        (2_000_000, 100_000, 8),  # 10 ms in runs of 2 ms
    ],
)
def test_so_many_runs_are_timed_together_that_a_step_is_a_hundredth(run_ns, step_ns, runs):
    clock = Coarse(step_ns, run_ns)

    found, block_ms = sized_block(clock.run, run_ns / 1e6, clock)

    assert found == runs
    assert block_ms == pytest.approx(runs * run_ns / 1e6, abs=2 * step_ns / 1e6)


def test_a_clock_too_coarse_to_see_a_run_does_not_ask_for_a_billion_of_them():
    clock = Coarse(step_ns=150_000, run_ns=10_000)  # it says that a run took no time at all

    found, block_ms = sized_block(clock.run, 0.0, clock)

    assert (found, clock.runs) == (2048, 2 + 4 + 8 + 16 + 32 + 64 + 128 + 256 + 512 + 1024 + 2048)
    assert block_ms == pytest.approx(20.48, rel=0.01)  # 100 steps are 15 ms


def test_a_clock_that_stands_still_ends_all_the_same():
    ran = itertools.count()

    assert sized_block(lambda: next(ran), 0.0, lambda: 7) == (2**20, 0.0)


@pytest.mark.parametrize(
    ("values", "middle"),
    [
        ([1, 2, 3, 4], [2, 3]),
        ([1, 2, 3], [1, 2, 3]),  # no quarter to leave out
        ([1, 2, 3, 4, 5, 6, 7, 8, 9], [3, 4, 5, 6, 7]),
        ([], []),
    ],
)
def test_the_middle_half_leaves_out_the_lowest_and_highest_quarter(values, middle):
    assert list(middle_half(values)) == middle


def test_a_spike_does_not_move_the_interquartile_mean():
    assert interquartile_mean([3.0, 1000.0, 1.0, 2.0]) == 2.5  # of 2 and 3


def test_the_interval_as_a_share_of_the_median():
    # 1, 2, ..., 100: from 40 to 61 around 50.5, as worked out below.
    assert interval_fraction([float(n) for n in range(1, 101)]) == pytest.approx(10.5 / 50.5)


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
