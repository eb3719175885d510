from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (the name everybody knows it by)
from hypothesis import assume, given
from hypothesis import strategies as st

from latprof.errors import ShapeMismatch
from latprof.ops import OPS


def ops(call):
    return OPS[call.node.op].elementwise_ops(call)


def same(pad: int):
    return {"padding": ((pad, pad), (pad, pad))}


@pytest.mark.parametrize(
    ("size", "settings", "out"),
    [
        (224, {"kernel": (3, 3), "stride": (2, 2), **same(1)}, 112),  # ResNet's
        (112, {"kernel": (2, 2)}, 56),  # no stride means that of the kernel
        (7, {"kernel": (2, 2), "stride": (2, 2)}, 3),
        (7, {"kernel": (2, 2), "stride": (2, 2), "ceil_mode": True}, 4),
        (13, {"kernel": (3, 3), "stride": (2, 2), "ceil_mode": True}, 6),  # comes out even
        # a third window would start in the padding behind, and is dropped
        (4, {"kernel": (3, 3), "stride": (3, 3), **same(1), "ceil_mode": True}, 2),
        (7, {"kernel": (3, 3), "stride": (1, 1), "dilation": (2, 2)}, 3),
    ],
)
def test_a_window(call_of, size, settings, out):
    call = call_of("max_pool", (1, 2, size, size), **settings)
    assert call.outputs[0].shape == (1, 2, out, out)
    kernel = settings["kernel"]
    assert ops(call) == 2 * out * out * kernel[0] * kernel[1]


def test_windows_of_one_and_of_three_axes(call_of):
    assert call_of("avg_pool", (1, 2, 8), kernel=(2,)).outputs[0].shape == (1, 2, 4)
    call = call_of("avg_pool", (1, 2, 4, 4, 4), kernel=(1, 2, 4))
    assert call.outputs[0].shape == (1, 2, 4, 2, 1)
    assert ops(call) == 16 * 8


def test_a_window_larger_than_the_map_asks_for_a_larger_input(call_of):
    with pytest.raises(ShapeMismatch, match="use a larger input"):
        call_of("avg_pool", (1, 2, 3, 3), kernel=(4, 4))


@pytest.mark.parametrize("op", ["adaptive_avg_pool", "adaptive_max_pool"])
def test_an_adaptive_pool_reads_every_input_once(call_of, op):
    call = call_of(op, (1, 1280, 7, 7), output_size=(1, 1))
    assert call.outputs[0].shape == (1, 1280, 1, 1)
    assert ops(call) == 1280 * 49


@pytest.mark.parametrize(
    ("settings", "out"),
    [
        ({"axes": (2, 3), "keepdims": True}, (2, 8, 1, 1)),
        ({"axes": (2, 3)}, (2, 8)),
        ({"axes": (-1,)}, (2, 8, 4)),
        ({}, ()),
        ({"axes": (), "keepdims": True}, (2, 8, 4, 4)),
    ],
)
def test_reductions(call_of, settings, out):
    for op in ("mean", "sum", "max", "argmin", "var"):
        call = call_of(op, (2, 8, 4, 4), **settings)
        assert call.outputs[0].shape == out
        assert ops(call) == 256


@pytest.mark.parametrize("axes", [(4,), (-5,), (0, 7)])
def test_a_reduction_along_an_axis_that_is_not_there(call_of, axes):
    with pytest.raises(ShapeMismatch, match=r"axes .* of a rank-4 tensor"):
        call_of("mean", (2, 8, 4, 4), axes=axes)


def test_a_softmax_is_five_operations_an_element(call_of):
    call = call_of("softmax", (1, 1000), axis=1)
    assert call.outputs[0].shape == (1, 1000)
    assert ops(call) == 5000


axis = st.tuples(st.integers(1, 12), st.integers(1, 5), st.integers(1, 4), st.integers(0, 2))


@given(axes=st.lists(axis, min_size=1, max_size=3), dilation=st.integers(1, 2), ceil=st.booleans())
def test_a_max_pool_has_the_shape_torch_gives_it(call_of, axes, dilation, ceil):
    sizes, kernel, stride, pads = zip(*axes, strict=True)
    assume(all(2 * p <= k for k, p in zip(kernel, pads, strict=True)))
    assume(all(s + 2 * p > dilation * (k - 1) for s, k, _, p in axes))
    call = call_of(
        "max_pool", (1, 2, *sizes), kernel=kernel, stride=stride, ceil_mode=ceil,
        padding=[(p, p) for p in pads], dilation=[dilation] * len(axes),
    )  # fmt: skip
    pool = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[len(axes) - 1]
    there = pool(torch.empty(1, 2, *sizes, device="meta"), kernel, stride, pads, dilation, ceil)
    assert call.outputs[0].shape == tuple(there.shape)


@given(axes=st.lists(axis, min_size=2, max_size=2), ceil=st.booleans())
def test_an_average_pool_has_the_shape_torch_gives_it(call_of, axes, ceil):
    sizes, kernel, stride, pads = zip(*axes, strict=True)
    assume(all(2 * p <= k for k, p in zip(kernel, pads, strict=True)))
    assume(all(s + 2 * p >= k for s, k, _, p in axes))
    call = call_of(
        "avg_pool", (1, 2, *sizes), kernel=kernel, stride=stride, ceil_mode=ceil,
        padding=[(p, p) for p in pads],
    )  # fmt: skip
    there = F.avg_pool2d(torch.empty(1, 2, *sizes, device="meta"), kernel, stride, pads, ceil)
    assert call.outputs[0].shape == tuple(there.shape)
