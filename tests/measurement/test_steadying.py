"""A made-up machine on which every network's time is known."""

from __future__ import annotations

import statistics

import pytest

from latprof.kernel import Kernel
from latprof.measurement.records import failure_of, record_of
from latprof.measurement.steadying import NEIGHBOURS, steadied
from latprof.measurement.times import NetworkTimes, Round
from latprof.measurement.visits import Visit
from latprof.runtimes.protocol import KernelTimes

CANARY_MS = 2.0


def visit(
    position: int, number: int, slower: float = 1.0, *, canary: bool = True, waiting: float = 0.0,
) -> dict:  # fmt: skip
    """A visit to a network of `number` + 1 ms while the machine was `slower` times as slow."""
    taken_ms = (number + 1) * slower
    canary_ms = (CANARY_MS * slower,) * 3 if canary else ()
    each = Round(canary_ms, (taken_ms,) * 4, (taken_ms * 1.1,) * 4, waiting)
    kernels = (KernelTimes(Kernel("a", "conv"), (taken_ms * 1.1,) * 4),)
    return record_of(Visit(position, number), f"n{number}", 0.1, NetworkTimes((each,), kernels))


def medians(found) -> dict[int, list[float]]:
    return {
        number: [statistics.median(visit.times_ms) for visit in visits]
        for number, visits in found.visits.items()
    }


def test_a_machine_that_was_slower_for_half_of_the_time_leaves_no_trace():
    # Ten networks, first on a machine 20 % slower, then as usual: twenty visits.
    slow = [visit(n, n, 1.2) for n in range(10)]
    usual = [visit(10 + n, n, 1.0) for n in range(10)]

    found = steadied([*slow, *usual])

    assert found.drift is not None
    assert found.drift.elasticity == pytest.approx(1.0, abs=0.01)
    for number, (before, after) in medians(found).items():
        # Uncorrected they differ by 20 %.
        assert before == pytest.approx(after, rel=0.003), number
    # All are brought to the median canary: here between the two states, at 2.2 ms.
    assert found.drift.reference_ms == pytest.approx(2.2)
    assert medians(found)[4][1] == pytest.approx(5 * 1.1, rel=0.003)


def test_kernels_and_profiled_runs_are_brought_along():
    found = steadied([*(visit(n, n, 1.2) for n in range(10)),
                      *(visit(10 + n, n) for n in range(10))])  # fmt: skip

    for first, second in found.visits.values():
        assert first.kernels[0].times_ms == pytest.approx(first.profiled_ms)
        assert first.profiled_ms == pytest.approx(second.profiled_ms, rel=0.003)


def test_on_a_steady_machine_nothing_changes():
    found = steadied([visit(i, i % 5) for i in range(15)])

    assert medians(found) == {n: [n + 1.0] * 3 for n in range(5)}
    assert found.disturbed == 0


def test_a_hiccup_of_one_canary_moves_no_time():
    """The canary's runs in a visit are few; its neighbours in time are heard as well."""
    records = [visit(i, i % 5) for i in range(15)]
    records[7]["rounds"][0][0] = (CANARY_MS * 1.25,) * 3

    found = steadied(records)

    assert NEIGHBOURS == 2
    assert medians(found) == {n: [n + 1.0] * 3 for n in range(5)}


@pytest.mark.parametrize("how", [{"waiting": 0.06}, {"slower": 1.5}])
def test_visits_that_something_got_into_are_left_out(how):
    records = [visit(i, i % 5) for i in range(14)]
    records.append(visit(14, 4, **how))

    found = steadied(records)

    assert found.disturbed == 1
    assert {number: len(visits) for number, visits in found.visits.items()} == {
        0: 3, 1: 3, 2: 3, 3: 3, 4: 2,
    }  # fmt: skip
    assert medians(found)[4] == [5.0, 5.0]


def test_a_network_is_never_left_without_visits():
    records = [visit(i, i % 4) for i in range(12)]
    records += [visit(12, 9, waiting=0.5), visit(13, 9, waiting=0.3)]

    found = steadied(records)

    assert found.disturbed == 0
    assert len(found.visits[9]) == 2


def test_failures_are_no_visits():
    found = steadied([visit(0, 0), failure_of(Visit(1, 1), "n1", 0.1, "crashed."), visit(2, 2)])

    assert sorted(found.visits) == [0, 2]
    assert found.disturbed == 0


def test_without_a_canary_times_stay_as_they_are():
    found = steadied([visit(i, i % 2, 1 + i / 10, canary=False) for i in range(4)])

    assert found.drift is None
    assert medians(found) == {0: [1.0, 1.2], 1: pytest.approx([2.2, 2.6])}


def test_nothing_measured_is_nothing():
    found = steadied([])

    assert (dict(found.visits), found.drift, found.disturbed) == ({}, None, 0)
