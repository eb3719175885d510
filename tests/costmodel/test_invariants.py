"""What must hold of every answer, whatever was measured."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from latprof.costmodel import CostModel
from latprof.costmodel.columns import columns_of
from latprof.costmodel.ladder import AXES, TILE, fewer_channels, halved, raised
from latprof.fusion import fuse
from latprof.kernel import Kernel
from latprof.sampling import draw_network

RUNS = settings(max_examples=60, derandomize=True)


@pytest.fixture(scope="module")
def fitted(small_table):
    # Noise of 30 % and few kernels: what is learned contradicts physics wherever it is let.
    rows = small_table(25, noise=0.3).kernels
    return CostModel(use_measured=False).fit(rows, rows["latency_ms"])


def conv(op, batch, channels, wider, side, window, activation="", layout="blocked"):
    """A square convolution without bias, stride 1."""
    out = channels if op == "depthwise" else wider
    groups = channels if op == "depthwise" else 1
    weights = out * (channels // groups) * window * window
    elements = batch * out * side * side
    return Kernel(
        "k", op, batch=batch, in_channels=channels, in_height=side, in_width=side,
        out_channels=out, out_height=side, out_width=side, kernel_height=window,
        kernel_width=window, groups=groups, activation=activation, layout=layout,
        macs=elements * (channels // groups) * window * window,
        elementwise_ops=elements if activation else 0, params=weights, weight_bytes=4 * weights,
        bytes_read=4 * (weights + batch * channels * side * side), bytes_written=4 * elements,
    )  # fmt: skip


convs = st.builds(
    conv,
    st.sampled_from(["conv", "pointwise", "depthwise", "conv", "grouped"]),
    st.sampled_from([1, 2, 4, 6, 8, 32]),
    st.integers(1, 600),
    st.integers(1, 600),
    st.sampled_from([2, 4, 7, 8, 14, 20, 28, 56, 57, 112, 224]),
    st.sampled_from([1, 3, 5, 7, 11]),
    st.sampled_from(["", "relu", "hard_swish", "never seen"]),
    st.sampled_from(["blocked", "nchw", "never seen"]),
)
anything = st.builds(
    Kernel,
    st.just("k"),
    st.sampled_from(["linear", "add", "attention", "max_pool", "never seen"]),
    batch=st.integers(1, 64),
    in_channels=st.integers(1, 10**5),
    out_channels=st.integers(1, 10**5),
    out_height=st.integers(1, 4096),
    out_width=st.integers(1, 4096),
    macs=st.integers(0, 10**14),
    weight_bytes=st.just(0),
    bytes_read=st.integers(0, 10**12),
    bytes_written=st.integers(0, 10**12),
)


@given(kernel=convs | anything)
@RUNS
def test_an_answer_is_a_number_between_the_roofline_and_the_worst_efficiency(fitted, kernel):
    latency, bound, _ = fitted.explain(columns_of([kernel]))
    assert np.isfinite(latency).all()
    assert 0 < bound[0] <= latency[0] <= bound[0] * fitted.fitted_.worst * (1 + 1e-12)


@given(kernels=st.lists(convs, min_size=1, max_size=8))
@RUNS
def test_no_kernel_beats_its_half(fitted, kernels):
    columns = columns_of(kernels)
    whole = fitted.explain(columns)[0]
    for axis in AXES:
        halves, kept = halved(columns, axis)
        if kept.any():
            assert (fitted.explain(halves)[0] <= whole[kept] * (1 + 1e-9)).all()


@given(kernel=convs)
@RUNS
def test_a_ladder_makes_the_very_kernels_that_half_a_network_has(kernel):
    side, batch = kernel.out_height, kernel.batch
    for axis, half in (("batch", {"batch": batch / 2}), ("pixels", {"side": side / 2})):
        wanted = {"batch": batch, "side": side} | half
        assume(all(value == int(value) for value in wanted.values()))
        below, _ = halved(columns_of([kernel]), axis)
        same = conv(
            kernel.op, int(wanted["batch"]), kernel.in_channels, kernel.out_channels,
            int(wanted["side"]), kernel.kernel_height, kernel.activation, kernel.layout,
        )  # fmt: skip
        expected = columns_of([same])
        for name in Kernel.__dataclass_fields__:
            if name in expected:
                assert below[name][0] == expected[name][0], name


@given(channels=st.integers(1, 5000))
def test_fewer_channels_keep_their_remainder(channels):
    fewer = fewer_channels(np.array([float(channels)]))[0]
    assert fewer % TILE == channels % TILE or fewer == 0
    assert fewer <= channels / 2


def test_a_kernel_is_raised_to_one_far_below_it():
    kernel = conv("pointwise", 8, 64, 64, 16, 1)
    slow = {"batch": 1, "side": 4}  # five rungs down

    def answer_ms(columns):
        far = (columns["batch"] == slow["batch"]) & (columns["out_width"] == slow["side"])
        return np.where(far, 7.0, 0.1)

    found = raised(columns_of([kernel]), np.array([0.1]), lambda c: c["macs"] * 1.0, answer_ms, 1.0)
    assert found.tolist() == [7.0]


def test_a_network_takes_what_its_kernels_take(small_predictor):
    kernels = fuse(draw_network(99, 3), "onnxruntime")
    estimate = small_predictor.estimate(kernels)
    assert estimate.latency_ms == pytest.approx(
        estimate.kernel_ms.sum() + estimate.overhead_ms, rel=1e-12
    )
    # Twice the same layers: nothing but what surrounds them tells the kernels apart.
    twice = small_predictor.estimate((*kernels, *kernels))
    parts = 2 * estimate.kernel_ms.sum()
    assert twice.kernel_ms.sum() == pytest.approx(parts, rel=0.15)
