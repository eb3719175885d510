from __future__ import annotations

import pytest

from latprof.kernel import Kernel
from latprof.measurement.canary import Drift
from latprof.measurement.times import NetworkTimes, Round, typical_kernels_ms
from latprof.runtimes.protocol import KernelTimes


def round_of(canary_ms: float, plain_ms: float, waiting: float | None = None) -> Round:
    """A turn of one canary run, one plain run and two profiled ones, twice as slow."""
    return Round((canary_ms,), (plain_ms,), (2 * plain_ms,) * 2, waiting)


def rounds_of(*rounds: Round) -> NetworkTimes:
    """One kernel, which takes all of each profiled run."""
    kernel_ms = tuple(ms for each in rounds for ms in each.profiled_ms)
    return NetworkTimes(rounds, (KernelTimes(Kernel("a", "conv"), kernel_ms),))


def test_rounds_that_something_got_into_are_left_out_with_their_kernels():
    times = rounds_of(
        round_of(1.0, 5.0, waiting=0.01),
        round_of(1.0, 9.0, waiting=0.06),  # ready and without a core for over 5 % of it
        round_of(1.0, 5.1),  # where nobody tells of waiting
        round_of(1.31, 8.0),  # a canary more than 1.3 times as slow as usual, which is 1.0
        round_of(1.29, 6.0),
    )

    calm = times.undisturbed()

    assert calm.times_ms == (5.0, 5.1, 6.0)
    assert calm.profiled_ms == (10.0, 10.0, 10.2, 10.2, 12.0, 12.0)
    assert calm.kernels[0].times_ms == calm.profiled_ms


def test_where_too_few_rounds_are_calm_all_are_kept():
    waiting = [round_of(1.0, 9.0, waiting=0.5)] * 3
    calm = [round_of(1.0, 5.0)] * 2

    assert rounds_of(*waiting, *calm).undisturbed() == rounds_of(*waiting, *calm)  # 2 of 5
    assert len(rounds_of(*waiting[:2], *calm).undisturbed().rounds) == 2  # 2 of 4
    assert len(rounds_of(waiting[0], calm[0]).undisturbed().rounds) == 2  # one is not enough


def test_times_are_brought_to_the_canarys_reference():
    # With an elasticity of 1, a canary at 1.25 times its reference means times 1.25 too long.
    times = rounds_of(round_of(1.0, 4.0), round_of(1.25, 5.0))

    steady = times.brought_to(Drift(reference_ms=1.0, elasticity=1.0))

    assert steady.times_ms == pytest.approx([4.0, 4.0])
    assert steady.profiled_ms == pytest.approx([8.0] * 4)
    assert steady.kernels[0].times_ms == pytest.approx([8.0] * 4)
    assert steady.canary_ms == (1.0, 1.25)  # as it was taken


def test_the_reference_is_the_canarys_median_unless_it_is_told():
    times = rounds_of(round_of(1.0, 4.0), round_of(1.2, 5.0), round_of(1.1, 4.5))

    assert times.drift().reference_ms == 1.1
    assert times.drift(0.9).reference_ms == 0.9


def test_without_a_canary_nothing_is_corrected():
    times = NetworkTimes((Round((), (4.0,), (5.0,)),), ())

    assert times.drift() is None
    assert times.brought_to(None) is times


def test_typical_kernels_share_the_typical_whole_by_their_own_typical_times():
    # By total time the runs are 1 (8 ms), 3 (9 ms), 0 (10 ms), 2 (50 ms): typical are 3 and 0, and
    # the whole takes (9 + 10) / 2. The middle halves of the kernels are 5 and 6, and 4 and 5.
    times = NetworkTimes(
        rounds=(Round((), (9.0,), (10.0, 8.0, 50.0, 9.0)),),
        kernels=(
            KernelTimes(Kernel("a", "conv"), (6.0, 5.0, 7.0, 4.0)),
            KernelTimes(Kernel("b", "relu"), (4.0, 3.0, 43.0, 5.0)),
        ),
    )

    assert typical_kernels_ms(times) == pytest.approx((5.5 * 0.95, 4.5 * 0.95))
    assert sum(typical_kernels_ms(times)) == pytest.approx(9.5)


def test_a_spike_that_hit_one_kernel_moves_no_other():
    even = (1.0, 1.0, 1.0, 1.0)
    hit = (1.0, 90.0, 1.0, 1.0)
    kernels = tuple(
        KernelTimes(Kernel(name, "conv"), times) for name, times in (("a", even), ("b", hit))
    )
    times = NetworkTimes((Round((), (2.0,), (2.0, 91.0, 2.0, 2.0)),), kernels)

    assert typical_kernels_ms(times) == (1.0, 1.0)


def test_without_kernels_none_are_typical():
    assert typical_kernels_ms(NetworkTimes((Round((), (2.0,), ()),), ())) == ()


@pytest.mark.parametrize("runs", [1, 2, 3, 4, 5, 8, 60])
def test_typical_kernels_add_up_to_the_typical_whole_whatever_hit_them(runs):
    # Each kernel has slow runs of its own; medians kernel by kernel would miss most of them.
    parts = [
        tuple(1.0 + (10.0 if run % len("abcde") == index else 0.1 * index) for run in range(runs))
        for index in range(5)
    ]
    whole = [sum(times) for times in zip(*parts, strict=True)]
    kernels = tuple(KernelTimes(Kernel(f"k{i}", "conv"), times) for i, times in enumerate(parts))

    typical = typical_kernels_ms(NetworkTimes((Round((), (1.0,), tuple(whole)),), kernels))

    middle = sorted(whole)[runs // 4 : runs - runs // 4]
    assert sum(typical) == pytest.approx(sum(middle) / len(middle))
