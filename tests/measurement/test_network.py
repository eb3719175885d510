from __future__ import annotations

import itertools

import pytest

from latprof.errors import MeasurementError
from latprof.measurement import network
from latprof.measurement.network import Effort, measure_network, settling_runs
from latprof.measurement.times import Round
from latprof.runtimes.protocol import KernelTimes, Observed, Stray

STEADY = itertools.repeat


@pytest.fixture(autouse=True)
def undisturbed(monkeypatch):
    """However busy the machine that runs these tests is, nobody waits for a core in them.

    And every run is timed; what is not has tests of its own.
    """
    monkeypatch.setattr(network.Stopwatch, "waiting_fraction", lambda watch: 0.0)
    monkeypatch.setattr(network, "settling_runs", lambda run_ms: 0)


def once(runs: int, rounds: int = 1, **settings: object) -> Effort:
    """So many runs of each kind in so many rounds, however long they take."""
    return Effort(seconds=0, least=runs, most=runs, rounds=rounds, least_rounds=rounds, **settings)


def test_canary_plain_and_profiled_runs_take_turns(tiny_graph, clock, fake_runtime, canary):
    # Warm-up takes four runs of each. Of 90 ms a round gets 45: 35 % are 7 plain runs of 2 ms,
    # 50 % are 11 profiled ones, as if they took as long. The canary's 15 % are 6 runs of 1 ms; the
    # first four find the caches full of something else, the last of them tells how long one takes.
    runtime = fake_runtime(STEADY(2.0), STEADY(3.0))
    effort = Effort(seconds=0.09, rounds=2, least_rounds=2)

    times = measure_network(
        tiny_graph, runtime, threads=1, effort=effort, canary=canary(STEADY(1.0)), clock_ns=clock
    )

    runs = [(name, len(list(group))) for name, group in itertools.groupby(runtime.log)]
    assert runs == [
        ("plain", 4), ("profiled", 4),
        ("canary", 6), ("plain", 7), ("profiled", 11),
        ("canary", 6), ("plain", 7), ("profiled", 11),
        ("plain closed", 1), ("profiled closed", 1),
    ]  # fmt: skip
    (first, second) = times.rounds
    assert first.canary_ms == (1.0,) * 2
    assert first.plain_ms == (2.0,) * 7
    assert first.profiled_ms == (3.0,) * 11
    assert second.canary_ms == first.canary_ms
    assert times.times_ms == (2.0,) * 14
    assert times.profiled_ms == (3.0,) * 22
    assert times.block_ms == 2.0


@pytest.mark.parametrize(
    ("run_ms", "runs"), [(0.01, 6), (2.0, 6), (20.0, 6), (25.0, 4), (60.0, 2), (121.0, 0), (0.0, 6)]
)
def test_short_runs_settle_before_they_are_timed(run_ms, runs):
    assert settling_runs(run_ms) == runs


def test_settling_runs_are_in_no_time(tiny_graph, clock, fake_runtime, monkeypatch):
    monkeypatch.setattr(network, "settling_runs", lambda run_ms: 2)
    # A block of two that find the caches full of something else, then two as they should be.
    block = [3.0, 2.5, 2.0, 2.0]
    runtime = fake_runtime(
        [2.0] * 4 + block * 3,
        [4.0] * 4 + [2 * ms for ms in block] * 3,
        kernel_ms=lambda name, run: float(run),
    )

    times = measure_network(tiny_graph, runtime, threads=1, effort=once(2, 3), clock_ns=clock)

    assert times.times_ms == (2.0,) * 6
    assert times.profiled_ms == (4.0,) * 6
    # Runs 0 to 3 warm up; 4 and 5 settle, 6 and 7 are timed; and so on.
    assert times.kernels[0].times_ms == (6.0, 7.0, 10.0, 11.0, 14.0, 15.0)


@pytest.mark.parametrize(
    ("effort", "run_ms", "runs"),
    [
        (Effort(seconds=1, rounds=20), 5, 3),  # 0.35 of 50 ms are 3.5 runs
        (Effort(seconds=1, rounds=20), 100, 1),  # at least one
        (Effort(seconds=1, rounds=20, least=4), 100, 4),
        (Effort(seconds=1, rounds=20, most=30), 0.01, 30),
        (Effort(seconds=1, rounds=20), 0.0, 50),  # a clock too coarse
    ],
)
def test_how_many_runs_an_effort_makes_in_a_round(effort, run_ms, runs):
    assert effort.runs(run_ms, share=0.35) == runs


def test_rounds_end_when_the_time_is_up(tiny_graph, clock, fake_runtime):
    # A round is one plain run and one profiled: 5 ms. After 0.03 s six are done.
    runtime = fake_runtime(STEADY(2.0), STEADY(3.0))
    effort = Effort(seconds=0.03, rounds=100, most=1, least_rounds=2)

    times = measure_network(tiny_graph, runtime, threads=1, effort=effort, clock_ns=clock)

    assert len(times.rounds) == 6


def test_a_slow_network_gets_its_least_rounds_however_long_they_take(
    tiny_graph, clock, fake_runtime
):
    runtime = fake_runtime(STEADY(2000.0), STEADY(3000.0))

    times = measure_network(
        tiny_graph, runtime, threads=1, effort=Effort(seconds=1.0), clock_ns=clock
    )

    assert [len(each.plain_ms) for each in times.rounds] == [1] * 6


def test_a_median_that_is_sure_ends_the_rounds_but_not_before_eight(
    tiny_graph, clock, fake_runtime
):
    runtime = fake_runtime(STEADY(2.0), STEADY(2.0))
    effort = Effort(seconds=100, rounds=1000, most=1, precision=0.01)

    times = measure_network(tiny_graph, runtime, threads=1, effort=effort, clock_ns=clock)

    assert len(times.rounds) == 8


def test_rounds_go_on_until_the_median_is_sure(tiny_graph, clock, fake_runtime):
    # Four rounds at 2.1 ms, then always 2.0 (after a warm-up of four). The interval of the median
    # of n rounds ends at order statistic ⌈n/2 + 0.98·√n⌉ + 1, and holds no 2.1 where that is at
    # most n − 4: from n = 19 on (⌈9.5 + 4.27⌉ + 1 = 15), not at 18 (⌈9 + 4.16⌉ + 1 = 15).
    runtime = fake_runtime(itertools.chain([2.0] * 4, [2.1] * 4, STEADY(2.0)), STEADY(2.0))
    effort = Effort(seconds=100, rounds=1000, most=1, precision=0.01)

    times = measure_network(tiny_graph, runtime, threads=1, effort=effort, clock_ns=clock)

    assert len(times.rounds) == 19


def test_without_a_wanted_precision_all_rounds_are_run(tiny_graph, clock, fake_runtime):
    runtime = fake_runtime(STEADY(2.0), STEADY(2.0))
    effort = Effort(seconds=100, rounds=30, most=1, precision=0.0)

    times = measure_network(tiny_graph, runtime, threads=1, effort=effort, clock_ns=clock)

    assert len(times.rounds) == 30


def test_a_network_that_follows_the_canary_is_sure_although_the_machine_moves(
    tiny_graph, clock, fake_runtime, canary
):
    """Medians that differ by 20 % would never be sure; brought to one state they are."""
    moving = list(itertools.islice(itertools.cycle([2.0, 2.4]), 400))
    by_round = [ms / 2 for ms in moving for _ in range(6)]  # the canary runs six times a round
    runtime = fake_runtime(itertools.chain([2.0] * 4, moving), STEADY(2.0))
    effort = Effort(seconds=100, rounds=400, most=1, precision=0.03)

    times = measure_network(
        tiny_graph, runtime, threads=1, effort=effort, canary=canary(by_round), clock_ns=clock
    )

    assert len(times.rounds) < 20


def test_cold_runs_are_cooled_one_by_one_and_the_canary_is_not(
    tiny_graph, clock, fake_runtime, canary, monkeypatch
):
    runtime = fake_runtime(STEADY(2.0), STEADY(3.0))
    log = runtime.log

    class Log:
        def cool(self) -> None:
            log.append("cool")

    monkeypatch.setattr("latprof.measurement.network.Cooler", Log)

    measure_network(
        tiny_graph, runtime, threads=1, effort=once(2, cold=True), canary=canary(STEADY(1.0)),
        clock_ns=clock,
    )  # fmt: skip

    assert log[8:-2] == ["canary"] * 6 + ["cool", "plain"] * 2 + ["cool", "profiled"] * 2


def test_a_clock_that_goes_backwards_ends_the_measurement(tiny_graph, clock, fake_runtime):
    runtime = fake_runtime(itertools.chain([2.0] * 4, [2.0, -5.0], STEADY(2.0)), STEADY(3.0))

    with pytest.raises(MeasurementError, match=r"the clock went back by 5000000 ns"):
        measure_network(tiny_graph, runtime, threads=1, effort=once(3), clock_ns=clock)


def test_warm_up_runs_are_in_no_time(tiny_graph, clock, fake_runtime):
    # Plain warms up in four runs, profiled in six: 50, 40, 30, 20, 10 and 10 again.
    runtime = fake_runtime(
        itertools.chain([9.0, 9.0, 9.0, 9.0], STEADY(5.0)),
        itertools.chain([50.0, 40.0, 30.0, 20.0, 10.0, 10.0], STEADY(7.0)),
        kernel_ms=lambda name, run: float(run),  # a kernel's time is the number of its run
    )

    times = measure_network(tiny_graph, runtime, threads=1, effort=once(2, 2), clock_ns=clock)

    assert times.times_ms == (5.0,) * 4
    assert times.profiled_ms == (7.0,) * 4
    assert [k.times_ms for k in times.kernels] == [(6.0, 7.0, 8.0, 9.0)] * 3


def test_kernel_times_line_up_with_the_runs_they_were_taken_in(tiny_graph, clock, fake_runtime):
    profiled = [8.0, 8.0, 8.0, 8.0, 3.0, 9.0, 4.0, 5.0]
    runtime = fake_runtime(
        STEADY(2.0), profiled, kernel_ms=lambda name, run: profiled[run] / 3 - 0.1
    )

    times = measure_network(tiny_graph, runtime, threads=1, effort=once(1, 4), clock_ns=clock)

    assert times.profiled_ms == (3.0, 9.0, 4.0, 5.0)
    for kernel in times.kernels:
        assert kernel.times_ms == pytest.approx([p / 3 - 0.1 for p in times.profiled_ms])


def test_what_did_not_run_and_what_nobody_expected_is_said(tiny_graph, clock, fake_runtime):
    runtime = fake_runtime(
        STEADY(2.0),
        STEADY(3.0),
        skipped=["exp"],
        strays=(Stray("Transpose_7", "Transpose", (1.0,) * 8),),
    )

    times = measure_network(tiny_graph, runtime, threads=1, effort=once(4), clock_ns=clock)

    assert [k.kernel.name for k in times.kernels] == ["conv", "tanh"]
    assert times.missing == ("exp",)
    assert times.strays == (Stray("Transpose_7", "Transpose", (1.0,) * 4),)


def test_a_profile_that_lacks_runs_is_refused(tiny_graph, clock, fake_runtime, monkeypatch):
    """ONNX Runtime stops writing after a million events: the rest would be told as fast."""
    runtime = fake_runtime(STEADY(2.0), STEADY(3.0))
    open_session = runtime.open

    def open_cut_short(*arguments, **settings):
        session = open_session(*arguments, **settings)
        found = session.finish
        session.finish = lambda: Observed(
            tuple(KernelTimes(k.kernel, k.times_ms[:-1]) for k in found().kernels)
        )
        return session

    monkeypatch.setattr(runtime, "open", open_cut_short)

    with pytest.raises(MeasurementError, match=r"reports 8 of 9 runs of 'conv' in 'tiny'"):
        measure_network(tiny_graph, runtime, threads=1, effort=once(5), clock_ns=clock)


def test_a_session_that_can_stop_profiling_is_opened_once(
    tiny_graph, clock, stopping_runtime, canary
):
    # Of 90 ms: 50 % are 15 profiled runs of 3 ms, 35 % are 10 plain ones, taken to last as long.
    runtime = stopping_runtime(STEADY(2.0), STEADY(3.0))
    effort = Effort(seconds=0.09, rounds=1, least_rounds=1)

    times = measure_network(
        tiny_graph, runtime, threads=1, effort=effort, canary=canary(STEADY(1.0)), clock_ns=clock
    )

    runs = [(name, len(list(group))) for name, group in itertools.groupby(runtime.log)]
    assert runs == [("canary", 13), ("profiled", 19), ("plain", 10), ("profiled closed", 1)]
    (only,) = times.rounds
    assert only == Round((1.0,) * 9, (2.0,) * 10, (3.0,) * 15, 0.0)
    assert [len(k.times_ms) for k in times.kernels] == [15] * len(times.kernels)
    assert times.block_ms == 3.0


def test_the_first_run_after_the_profile_was_read_is_not_timed(
    tiny_graph, clock, stopping_runtime, monkeypatch
):
    monkeypatch.setattr(network, "settling_runs", lambda run_ms: 2)
    runtime = stopping_runtime([3.0, 2.5, *[2.0] * 3], [4.0] * 4 + [3.0] * 3)

    times = measure_network(tiny_graph, runtime, threads=1, effort=once(3), clock_ns=clock)

    (only,) = times.rounds
    assert only.plain_ms == (2.0,) * 3
    assert only.profiled_ms == (3.0,) * 3


@pytest.mark.parametrize("settings", [{"rounds": 2}, {"cold": True}])
def test_rounds_and_cold_runs_take_turns_in_two_sessions(
    tiny_graph, clock, stopping_runtime, settings
):
    runtime = stopping_runtime(STEADY(2.0), STEADY(3.0))

    measure_network(tiny_graph, runtime, threads=1, effort=once(3, **settings), clock_ns=clock)

    assert "plain closed" in runtime.log
