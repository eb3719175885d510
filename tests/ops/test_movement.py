from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from latprof.errors import ShapeMismatch


def shapes(call):
    found = [tensor.shape for tensor in call.outputs]
    return found[0] if len(found) == 1 else found


@pytest.mark.parametrize(
    ("inputs", "op", "settings", "out"),
    [
        ([(1, 32, 7, 7)], "reshape", {"shape": (1, -1)}, (1, 1568)),
        ([(1, 32, 7, 7)], "reshape", {"shape": (1, 2, 16, 7, 7)}, (1, 2, 16, 7, 7)),
        ([(1, 1)], "reshape", {"shape": ()}, ()),
        ([(1, 2, 16, 7, 7)], "transpose", {"order": (0, 2, 1, 3, 4)}, (1, 16, 2, 7, 7)),
        ([(1, 8, 7, 7), (1, 24, 7, 7)], "concat", {"axis": 1}, (1, 32, 7, 7)),
        ([(1, 8, 7, 7), (1, 8, 7, 7)], "concat", {"axis": -1}, (1, 8, 7, 14)),
        ([(1, 8, 7)] * 3, "stack", {"axis": 0}, (3, 1, 8, 7)),
        ([(1, 8, 7)] * 3, "stack", {"axis": -1}, (1, 8, 7, 3)),
        ([(1, 8, 7)] * 3, "stack", {"axis": 3}, (1, 8, 7, 3)),
        ([(1, 58, 7, 7)], "split", {"axis": 1, "sizes": (29, 29)}, [(1, 29, 7, 7)] * 2),
        ([(5, 2)], "split", {"axis": 0, "sizes": (4, 1)}, [(4, 2), (1, 2)]),
        ([(3, 4)], "unbind", {"axis": 0}, [(4,), (4,), (4,)]),
        ([(3, 4)], "select", {"axis": 1, "index": 2}, (3,)),
        ([(1, 10)], "slice", {"axis": 1, "start": 2, "stop": 9, "step": 3}, (1, 3)),  # 2, 5, 8
        ([(1, 10)], "slice", {"axis": 1, "start": -4, "stop": 2**63 - 1, "step": 1}, (1, 4)),
        ([(1, 3, 8, 8)], "pad", {"padding": ((0, 0), (0, 0), (0, 1), (2, 1))}, (1, 3, 9, 11)),
        ([(1, 3, 8, 8)], "pad", {"padding": ((0, 0), (0, 0), (-1, 0), (0, 0))}, (1, 3, 7, 8)),
        ([(1, 24, 7, 7)], "channel_shuffle", {"groups": 3}, (1, 24, 7, 7)),
        ([(1, 3, 8, 8)], "resize", {"size": (16, 12)}, (1, 3, 16, 12)),
        ([(1, 3)], "expand", {"shape": (4, 3)}, (4, 3)),
        ([(1, 3)], "identity", {}, (1, 3)),
        ([(1, 3)], "copy", {}, (1, 3)),
    ],
)
def test_shapes(call_of, inputs, op, settings, out):
    assert shapes(call_of(op, *inputs, **settings)) == out


@pytest.mark.parametrize(
    ("inputs", "op", "settings", "said"),
    [
        ([(1, 32)], "reshape", {"shape": (1, 31)}, r"cannot reshape \(1, 32\) to \(1, 31\)"),
        ([(1, 32)], "reshape", {"shape": (-1, 3)}, r"cannot reshape \(1, 32\) to \(10, 3\)"),
        ([(1, 32)], "reshape", {"shape": (-1, -1)}, r"two sizes of \(-1, -1\) are left open"),
        ([(1, 32)], "reshape", {"shape": (-1, 0)}, r"cannot take inputs of shape \(1, 32\)"),
        ([(1, 2, 3)], "transpose", {"order": (0, 1)}, r"\(0, 1\) does not order 3 axes"),
        ([(1, 2, 3)], "transpose", {"order": (0, 1, 1)}, r"\(0, 1, 1\) does not order 3 axes"),
        ([(1, 8, 7), (1, 8, 6)], "concat", {"axis": 1}, r"cannot concatenate .* on axis 1"),
        ([(1, 8), (1, 8, 7)], "concat", {"axis": 1}, r"cannot concatenate .* on axis 1"),
        ([(1, 8)], "concat", {"axis": 2}, r"axis 2 of a rank-2 tensor"),
        ([], "concat", {"axis": 1}, r"lacks its input number 0"),
        ([(1, 8), (1, 9)], "stack", {"axis": 0}, r"cannot stack .* on axis 0"),
        ([(1, 8), (1, 8)], "stack", {"axis": 3}, r"cannot stack .* on axis 3"),
        ([(1, 8)], "split", {"axis": 1, "sizes": (4, 5)}, r"\(4, 5\) do not add up to 8"),
        ([(1, 8)], "split", {"axis": 1}, r"\(split\) cannot take .*'sizes'"),
        ([(1, 8)], "slice", {"axis": -3, "start": 0, "stop": 1, "step": 1}, r"axis -3 of a rank-2"),
        ([(1, 8)], "slice", {"axis": 1, "start": 0, "stop": 1, "step": 0}, r"cannot take inputs"),
        ([(1, 8)], "pad", {"padding": ((0, 0),)}, r"\(pad\) cannot take inputs of shape \(1, 8\)"),
        ([(2, 2**40)], "unbind", {"axis": 1}, r"falls into 1099511627776 parts"),
        ([(1, 8)], "channel_shuffle", {"groups": float("inf")}, r"cannot take inputs"),
        ([(1, 8)], "channel_shuffle", {"groups": 3}, r"8 channels do not make 3 groups"),
        ([(2, 8)], "expand", {"shape": (3, 8)}, r"shapes \(2, 8\), \(3, 8\) do not fit"),
        ([(2, 8)], "expand", {"shape": (8,)}, r"\(2, 8\) does not stretch to \(8,\)"),
    ],
)
def test_what_does_not_fit_is_said(call_of, inputs, op, settings, said):
    with pytest.raises(ShapeMismatch, match=said):
        call_of(op, *inputs, **settings)


@given(st.lists(st.integers(1, 4), max_size=4), st.data())
def test_an_open_size_is_what_is_left(call_of, sizes, data):
    total = math.prod(sizes)
    known = data.draw(st.sampled_from([d for d in range(1, total + 1) if total % d == 0]))
    assert shapes(call_of("reshape", tuple(sizes), shape=(known, -1))) == (known, total // known)


@given(
    size=st.integers(0, 6),
    start=st.integers(-8, 8),
    stop=st.integers(-8, 8),
    step=st.integers(1, 3),
)
def test_a_slice_is_as_long_as_torch_makes_it(call_of, size, start, stop, step):
    call = call_of("slice", (2, size), axis=1, start=start, stop=stop, step=step)
    there = torch.ops.aten.slice.Tensor(torch.empty(2, size, device="meta"), 1, start, stop, step)
    assert shapes(call) == tuple(there.shape)
