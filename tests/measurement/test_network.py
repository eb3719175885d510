from __future__ import annotations

import itertools

import pytest

from latprof.errors import MeasurementError
from latprof.kernel import Kernel
from latprof.measurement.network import Effort, NetworkTimes, measure_network, typical_kernels_ms
from latprof.runtimes.protocol import KernelTimes, Observed, Stray

STEADY = itertools.repeat


def test_rounds_of_plain_and_profiled_runs_alternate(tiny_graph, clock, fake_runtime):
    # Warm-up takes four runs of each. 40 ms for both kinds at 2 ms a run are 10 of each, in
    # three rounds: 4 + 3 + 3.
    runtime = fake_runtime(STEADY(2.0), STEADY(3.0))
    effort = Effort(seconds=0.04, least=1, most=100, rounds=3)

    times = measure_network(tiny_graph, runtime, threads=1, effort=effort, clock_ns=clock)

    runs = [(name, len(list(group))) for name, group in itertools.groupby(runtime.log)]
    assert runs == [
        ("plain", 4), ("profiled", 4),
        ("plain", 4), ("profiled", 4), ("plain", 3), ("profiled", 3), ("plain", 3),
        ("profiled", 3), ("plain closed", 1), ("profiled closed", 1),
    ]  # fmt: skip
    assert times.times_ms == (2.0,) * 10
    assert times.profiled_ms == (3.0,) * 10


@pytest.mark.parametrize(
    ("effort", "run_ms", "runs"),
    [
        (Effort(seconds=1, least=10, most=200, rounds=5), 10, [10] * 5),  # 1 s / 2 / 10 ms = 50
        (Effort(seconds=1, least=10, most=200, rounds=5), 1000, [2] * 5),  # at least 10
        (Effort(seconds=1, least=10, most=200, rounds=5), 0.001, [40] * 5),  # at most 200
        (Effort(seconds=1, least=8, most=60, rounds=3), 1000, [3, 3, 2]),  # 8, no fewer
        (Effort(seconds=1, least=1, most=200, rounds=5), 250, [1, 1]),  # 2 runs make 2 rounds
        (Effort(seconds=0, least=0, most=200, rounds=5), 10, [1]),  # one run is the least
        (Effort(seconds=1, least=10, most=5, rounds=5), 0.0, [1] * 5),  # a clock too coarse
    ],
)
def test_how_many_runs_an_effort_makes(effort, run_ms, runs):
    assert effort.runs_by_round(run_ms) == runs


def test_warm_up_runs_are_in_no_time(tiny_graph, clock, fake_runtime):
    # Plain warms up in four runs, profiled in six: 50, 40, 30, 20, 10 and 10 again.
    runtime = fake_runtime(
        itertools.chain([9.0, 9.0, 9.0, 9.0], STEADY(5.0)),
        itertools.chain([50.0, 40.0, 30.0, 20.0, 10.0, 10.0], STEADY(7.0)),
        kernel_ms=lambda name, run: float(run),  # a kernel's time is the number of its run
    )
    effort = Effort(seconds=0, least=4, most=4, rounds=2)

    times = measure_network(tiny_graph, runtime, threads=1, effort=effort, clock_ns=clock)

    assert times.times_ms == (5.0,) * 4
    assert times.profiled_ms == (7.0,) * 4
    assert [k.times_ms for k in times.kernels] == [(6.0, 7.0, 8.0, 9.0)] * 3


def test_kernel_times_line_up_with_the_runs_they_were_taken_in(tiny_graph, clock, fake_runtime):
    profiled = [8.0, 8.0, 8.0, 8.0, 3.0, 9.0, 4.0, 5.0]
    runtime = fake_runtime(
        STEADY(2.0), profiled, kernel_ms=lambda name, run: profiled[run] / 3 - 0.1
    )
    effort = Effort(seconds=0, least=4, most=4, rounds=4)

    times = measure_network(tiny_graph, runtime, threads=1, effort=effort, clock_ns=clock)

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
    effort = Effort(seconds=0, least=4, most=4)

    times = measure_network(tiny_graph, runtime, threads=1, effort=effort, clock_ns=clock)

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
    effort = Effort(seconds=0, least=5, most=5, rounds=1)

    with pytest.raises(MeasurementError, match=r"reports 4 of 5 runs of 'conv' in 'tiny'"):
        measure_network(tiny_graph, runtime, threads=1, effort=effort, clock_ns=clock)


def test_typical_kernels_are_means_over_the_middle_half_of_the_runs():
    # By total time the runs are 1 (8 ms), 3 (9 ms), 0 (10 ms), 2 (50 ms): typical are 3 and 0.
    times = NetworkTimes(
        times_ms=(9.0,),
        profiled_ms=(10.0, 8.0, 50.0, 9.0),
        kernels=(
            KernelTimes(Kernel("a", "conv"), (6.0, 5.0, 7.0, 4.0)),
            KernelTimes(Kernel("b", "relu"), (4.0, 3.0, 43.0, 5.0)),
        ),
    )

    assert typical_kernels_ms(times) == (5.0, 4.5)  # (6 + 4) / 2 and (4 + 5) / 2
    # The sum of the parts is the typical whole: (10 + 9) / 2.
    assert sum(typical_kernels_ms(times)) == 9.5


@pytest.mark.parametrize("runs", [1, 2, 3, 4, 5, 8, 60])
def test_typical_kernels_add_up_to_the_typical_whole_whatever_hit_them(runs):
    # Each kernel has slow runs of its own; medians kernel by kernel would miss most of them.
    parts = [
        tuple(1.0 + (10.0 if run % len("abcde") == index else 0.1 * index) for run in range(runs))
        for index in range(5)
    ]
    whole = [sum(times) for times in zip(*parts, strict=True)]
    kernels = tuple(KernelTimes(Kernel(f"k{i}", "conv"), times) for i, times in enumerate(parts))

    typical = typical_kernels_ms(NetworkTimes((1.0,), tuple(whole), kernels))

    middle = sorted(whole)[runs // 4 : runs - runs // 4]
    assert sum(typical) == pytest.approx(sum(middle) / len(middle))
