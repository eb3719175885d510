"""Events of XNNPACK → operators; events as LiteRT 2.3.0 reported them on 2026-11-24."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from latprof.errors import MeasurementError
from latprof.fusion import fuse
from latprof.fusion.tflite import convert
from latprof.runtimes.litert_profile import kernel_times, owners, partition


class Event(NamedTuple):
    tag: str
    in_xnnpack: bool
    number: int


def xnnpack(*tags: str) -> list[Event]:
    return [Event(tag, True, index) for index, tag in enumerate(tags)]


def ran(net, events, *outputs) -> list[str | None]:
    """The operator behind each event, as kind in the file."""
    ops = convert(net.finish(outputs)).ops
    return [None if owner is None else ops[owner].kind for owner in owners(ops, events)]


def test_events_are_matched_in_order_past_what_was_taken_in(net):
    x = net.conv(net.input((1, 3, 32, 32)), 8, 3, stride=2)  # with a border of its own
    y = net.add_one("hard_swish", [x])
    seen = xnnpack("Convolution (NHWC, F32) IGEMM", "HardSwish (NC)")

    assert ran(net, seen, y) == ["CONV_2D", "HARD_SWISH"]


def test_a_clamp_behind_a_sum_belongs_to_the_sum(net):
    x = net.input((1, 8, 8, 8))
    y = net.add_one("relu", [net.add_up(x, net.add_one("tanh", [x]))])
    seen = xnnpack("TanH (NC)", "Add (ND)", "Clamp (NC)")

    assert ran(net, seen, y) == ["TANH", "ADD", "ADD"]


def test_what_nobody_expected_is_a_stray_and_the_rest_is_matched(net):
    x = net.input((1, 8, 8, 8))
    y = net.add_one("tanh", [net.conv(x, 8)])
    seen = xnnpack("Fully Connected (NC, F32) GEMM", "Surprise", "TanH (NC)")

    assert ran(net, seen, y) == ["CONV_2D", None, "TANH"]


def test_a_network_falls_into_parts_that_run_one_after_another(net):
    x = net.input((1, 8, 8, 8))
    half = net.constant(0.5)
    left = net.add_one("tanh", [net.add_one("pow", [x, half])])
    right = net.add_one("sigmoid", [x])
    ops = convert(net.finish([net.add_up(left, right)])).ops

    # POW is TensorFlow Lite's own; the gate needs nothing of it and runs beforehand.
    assert [op.kind for op in ops] == ["POW", "TANH", "LOGISTIC", "ADD"]
    assert partition(ops, {0}) == [[0], [1, 2, 3]]
    seen = [Event("POW", False, 0), *xnnpack("TanH (NC)", "Sigmoid (NC)", "Add (ND)")]
    assert owners(ops, seen) == [0, 1, 2, 3]


def test_times_of_all_launches_of_a_kernel_are_added_run_by_run(net):
    x = net.conv(net.input((1, 8, 8, 8)), 8)
    graph = net.finish([net.add_one("silu", [x])])
    seen = xnnpack("Fully Connected (NC, F32) GEMM", "Sigmoid (NC)", "Multiply (ND)")
    runs = [np.array([10.0, 2.0, 3.0]), np.array([20.0, 4.0, 5.0])]

    found, strays = kernel_times(convert(graph).ops, seen, runs, fuse(graph, "litert"))

    assert [(t.kernel.op, t.launches) for t in found] == [("pointwise", 1), ("silu", 2)]
    assert found[0].times_ms == pytest.approx((0.01, 0.02))
    assert found[1].times_ms == pytest.approx((0.005, 0.009))
    assert found[1].seen == ("Sigmoid (NC) silu", "Multiply (ND) silu")
    assert strays == ()


def test_runs_that_do_not_line_up_are_refused(net):
    graph = net.finish([net.add_one("tanh", [net.input((1, 8))])])
    with pytest.raises(MeasurementError, match="different numbers of operators"):
        kernel_times(convert(graph).ops, xnnpack("TanH (NC)"), [np.ones(1), np.ones(2)], ())
