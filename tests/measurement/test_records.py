from __future__ import annotations

import json

import pytest

from latprof.fusion import fuse
from latprof.kernel import COLUMNS, Kernel
from latprof.measurement.records import (
    by_network,
    failure_of,
    is_whole,
    merged,
    record_of,
    times_of,
)
from latprof.measurement.times import NetworkTimes, Round
from latprof.measurement.usage import Usage
from latprof.measurement.visits import Visit
from latprof.runtimes.protocol import KernelTimes, Stray
from latprof.sampling import draw_network

VISIT = Visit(position=7, number=31)


def times(*kernels: KernelTimes, strays: tuple[Stray, ...] = ()) -> NetworkTimes:
    runs = len(kernels[0].times_ms)
    each = Round((0.5, 0.51), (1.5,) * runs, (2.5,) * runs, 0.01)
    return NetworkTimes((each,), kernels, strays, ("gone",), Usage(0.1, 0.01, None, 3, 10**9), 1.5)


def on_disk(record: dict) -> dict:
    """As it is read again."""
    return json.loads(json.dumps(record))


def test_a_visit_comes_back_as_it_was():
    kernels = fuse(draw_network(0, 31), "onnxruntime")
    taken = times(*(KernelTimes(k, (0.1, 0.2), 1, (f"Conv {k.name}",)) for k in kernels))

    record = on_disk(record_of(VISIT, "micro-0-31", 0.25, taken))

    assert (record["position"], record["number"], record["network"]) == (7, 31, "micro-0-31")
    assert record["seconds"] == 0.25
    found = times_of(record)
    assert found.rounds == taken.rounds
    assert (found.usage, found.missing, found.block_ms) == (taken.usage, ("gone",), 1.5)
    for came, went in zip(found.kernels, taken.kernels, strict=True):
        assert (came.times_ms, came.launches, came.seen) == (went.times_ms, 1, went.seen)
        for column in COLUMNS:
            assert getattr(came.kernel, column) == getattr(went.kernel, column)


def test_ten_nanoseconds_are_kept():
    taken = times(KernelTimes(Kernel("a", "conv"), (0.123456789, 1.0)))

    record = record_of(VISIT, "n", 1 / 3, taken)

    assert times_of(record).kernels[0].times_ms == (0.12346, 1.0)
    assert record["seconds"] == 0.333


def test_what_a_kernel_is_by_default_is_not_written():
    kernel = Kernel("a", "conv", in_channels=3, residual=True)

    record = record_of(VISIT, "n", 0.1, times(KernelTimes(kernel, (1.0,))))

    assert record["columns"] == {"a": {"op": "conv", "in_channels": 3, "residual": True}}
    assert times_of(record).kernels[0].kernel == kernel


def test_launches_that_nobody_expected_are_named():
    taken = times(
        KernelTimes(Kernel("a", "conv"), (1.0,)), strays=(Stray("T_7", "Transpose", (0.1,)),)
    )

    record = record_of(VISIT, "n", 0.1, taken)

    assert record["strays"] == ["T_7 (Transpose)"]
    assert times_of(record).strays == ()


def test_a_failure_says_what_went_wrong_and_is_no_visit():
    failed = on_disk(failure_of(VISIT, "micro-0-31", 1.23456, "it crashed."))

    assert failed == {"position": 7, "number": 31, "network": "micro-0-31", "seconds": 1.235,
                      "error": "it crashed."}  # fmt: skip
    assert is_whole(failed)
    assert by_network([failed]) == {}


@pytest.mark.parametrize(
    "key", ["position", "number", "network", "seconds", "rounds", "kernels", "columns"]
)
def test_a_line_that_lost_a_key_is_not_whole(key):
    record = record_of(VISIT, "n", 0.1, times(KernelTimes(Kernel("a", "conv"), (1.0,))))
    assert is_whole(record)

    del record[key]

    assert not is_whole(record)


def test_visits_are_gathered_by_network_in_running_order():
    records = [
        {"number": number, "position": position, **extra}
        for position, (number, extra) in enumerate([(3, {}), (1, {}), (3, {"error": "x"}), (3, {})])
    ]

    found = by_network(records)

    assert {number: [r["position"] for r in visits] for number, visits in found.items()} == {
        3: [0, 3],
        1: [1],
    }


def test_visits_are_put_together_kernel_by_kernel():
    a, b, c = (Kernel(name, "conv") for name in "abc")
    one = times(KernelTimes(a, (1.0, 1.1)), KernelTimes(b, (2.0, 2.1)))
    two = times(KernelTimes(b, (2.2,)), KernelTimes(a, (1.2,)), KernelTimes(c, (3.0,)))

    whole = merged([one, two])

    assert whole.rounds == one.rounds + two.rounds
    assert [(k.kernel, k.times_ms) for k in whole.kernels] == [
        (a, (1.0, 1.1, 1.2)),
        (b, (2.0, 2.1, 2.2)),  # and c, that one visit did not see, is left out
    ]
    assert merged([one]) == one
