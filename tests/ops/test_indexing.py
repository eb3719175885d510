from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 (the name everybody knows it by)

from latprof.errors import ShapeMismatch
from latprof.ops import OPS


def shape(call):
    return call.outputs[0].shape


def whole(*size: int) -> torch.Tensor:
    return torch.zeros(size, dtype=torch.int64)


@pytest.mark.parametrize(
    ("size", "picks", "axes"),
    [
        ((2, 5, 6, 7), (slice(None), whole(3), whole(3)), (1, 2)),
        ((2, 5, 6, 7), (slice(None), whole(4, 1), whole(3)), (1, 2)),
        ((2, 5, 6, 7), (whole(3), slice(None), whole(3)), (0, 2)),
        ((2, 5), (whole(3), whole(3)), (0, 1)),
        ((2, 5, 6), (slice(None), slice(None), whole(3, 4)), (2,)),
    ],
)
def test_several_indices_pick_as_numpy_and_torch_do(call_of, size, picks, axes):
    indices = [tuple(pick.shape) for pick in picks if isinstance(pick, torch.Tensor)]
    call = call_of("gather_nd", size, *indices, axes=axes)
    assert shape(call) == tuple(torch.zeros(size)[picks].shape)


@pytest.mark.parametrize(
    "settings",
    [
        {"kernel": (3, 3)},
        {"kernel": (3, 2), "stride": (2, 1), "padding": ((1, 1), (0, 0))},
        {"kernel": (2, 2), "dilation": (2, 3)},
    ],
)
def test_columns_are_torchs_and_fold_back(call_of, settings):
    pads = [pair[0] for pair in settings.get("padding", ((0, 0), (0, 0)))]
    there = F.unfold(
        torch.zeros(2, 4, 8, 9), settings["kernel"], settings.get("dilation", 1), pads,
        settings.get("stride", 1),
    )  # fmt: skip
    columns = call_of("unfold", (2, 4, 8, 9), **settings)
    assert shape(columns) == tuple(there.shape)
    back = call_of("fold", shape(columns), output_size=(8, 9), **settings)
    assert shape(back) == (2, 4, 8, 9)
    assert OPS["fold"].elementwise_ops(back) == there.numel()


@pytest.mark.parametrize(
    ("op", "inputs", "settings", "out"),
    [
        ("gather", [(2, 5, 3), (4,)], {"axis": 1}, (2, 4, 3)),
        ("gather", [(2, 5, 3), ()], {"axis": -1}, (2, 5)),
        ("take_along", [(2, 5), (2, 3)], {"axis": 1}, (2, 3)),
        ("scatter", [(2, 5), (2, 3), (2, 3)], {"axis": 1}, (2, 5)),
        ("embedding", [(30_000, 64), (2, 7)], {}, (2, 7, 64)),
        ("one_hot", [(2, 7)], {"depth": 10}, (2, 7, 10)),
        ("one_hot", [(2, 7)], {"depth": 10, "axis": 1}, (2, 10, 7)),
        ("tile", [(2, 3)], {"repeats": (1, 4)}, (2, 12)),
        ("tile", [(2, 3)], {"repeats": (5, 1, 1)}, (5, 2, 3)),
        ("repeat", [(2, 3)], {"axis": 1, "repeats": 4}, (2, 12)),
        ("trilu", [(2, 3, 3)], {"upper": False, "diagonal": 1}, (2, 3, 3)),
        ("windows", [(2, 9)], {"axis": 1, "size": 3, "step": 2}, (2, 4, 3)),
        ("windows", [(9, 2)], {"axis": 0, "size": 3, "step": 2}, (4, 2, 3)),
        ("as_strided", [(9,)], {"shape": (3, 2), "strides": (3, 1), "offset": 0}, (3, 2)),
    ],
)
def test_shapes(call_of, op, inputs, settings, out):
    assert shape(call_of(op, *inputs, **settings)) == out


@pytest.mark.parametrize(
    ("op", "inputs", "settings", "said"),
    [
        ("gather", [(1, 8)], {"axis": 0}, "lacks its input number 1"),
        ("gather_nd", [(2, 3), (1,), (1,)], {"axes": (1, 0)}, r"axes \(1, 0\) of a rank-2 tensor"),
        ("one_hot", [(2,)], {"depth": 3, "axis": 2}, "axis 2 of a rank-1 tensor"),
        ("windows", [(2, 9)], {"axis": 0, "size": 3, "step": 1}, "no window of 3 in 2"),
        ("fold", [(1, 9, 5)], {"kernel": (3, 3), "output_size": (4, 4)}, "do not make a map"),
    ],
)
def test_what_does_not_fit_is_said(call_of, op, inputs, settings, said):
    with pytest.raises(ShapeMismatch, match=said):
        call_of(op, *inputs, **settings)
