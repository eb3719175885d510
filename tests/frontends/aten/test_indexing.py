import pytest
import torch
from torch.nn import functional as F  # noqa: N812 (what everybody calls it)

from latprof.ops import OPS

IMAGE = (2, 8, 6, 6)


def where(size=3):
    return torch.zeros(size, dtype=torch.int64)


def along():
    return torch.zeros(2, 8, 6, 2, dtype=torch.int64)


def grid(x):
    return x[:, :2].permute(0, 2, 3, 1)


@pytest.mark.parametrize(
    ("function", "ops"),
    [
        (lambda x, w: x[:, where(), where()], ["gather_nd"]),
        (lambda x, w: x[where(), :, where()], ["gather_nd"]),
        (lambda x, w: x.gather(3, along()), ["take_along"]),
        (lambda x, w: torch.take_along_dim(x, along(), 3), ["take_along"]),
        (lambda x, w: x.take(where()), ["reshape", "gather"]),
        (lambda x, w: x.scatter(3, along(), x), ["scatter"]),
        (lambda x, w: x.scatter_add(3, along(), x), ["scatter"]),
        (lambda x, w: x.index_put((where(), where()), w[0, 0]), ["select", "select", "scatter"]),
        (lambda x, w: x.index_add(1, where(), x[:, :3]), ["slice", "scatter"]),
        (lambda x, w: x.index_fill(1, where(), 0.0), ["scatter"]),
        (lambda x, w: x.masked_scatter(x > 0, x), ["greater", "scatter"]),
        (lambda x, w: torch.slice_scatter(x, x[:, :2], 1, 0, 2), ["slice", "scatter"]),
        (lambda x, w: F.one_hot(x.argmax(1), 8), ["argmax", "one_hot"]),
        (lambda x, w: x.diff(dim=1), ["slice", "slice", "sub"]),
        (lambda x, w: x.diff(dim=1, prepend=x[:, :1]),
         ["slice", "concat", "slice", "slice", "sub"]),
        (lambda x, w: x.diff(n=2), ["aten.diff"]),
        (lambda x, w: x.tril() + x.triu(1), ["trilu", "trilu", "add"]),
        (lambda x, w: x.repeat(2, 1, 1, 1, 1), ["tile"]),
        (lambda x, w: x.tile(2, 1), ["tile"]),
        (lambda x, w: x.repeat_interleave(2, 1), ["repeat"]),
        (lambda x, w: x.repeat_interleave(2), ["reshape", "repeat"]),
        (lambda x, w: F.unfold(x, 3, 1, 1, 2), ["unfold"]),
        (lambda x, w: F.fold(F.unfold(x[0], 2), (6, 6), 2),
         ["select", "reshape", "unfold", "reshape", "reshape", "fold", "reshape"]),
        (lambda x, w: x.unfold(2, 3, 2), ["windows"]),
        (lambda x, w: x.as_strided((3, 4), (4, 1)), ["as_strided"]),
        (lambda x, w: F.grid_sample(x, grid(x), align_corners=False),
         ["slice", "transpose", "grid_sample"]),
    ],
)  # fmt: skip
def test_a_function_is_told_in_our_operators(ops_of, function, ops):
    assert ops_of(function, IMAGE) == ops


def test_what_a_mask_picks_keeps_its_foreign_name(ops_of):
    assert ops_of(lambda x, w: x[x > 0], IMAGE) == ["greater", "aten.index"]
    assert "aten.index" not in OPS


@pytest.mark.parametrize(
    ("function", "settings"),
    [
        (lambda x, w: x.triu(1), {"upper": True, "diagonal": 1}),
        (lambda x, w: x.scatter_add(3, along(), x), {"axis": 3, "reduce": "add"}),
        (lambda x, w: x.unfold(2, 3, 2), {"axis": 2, "size": 3, "step": 2}),
        (lambda x, w: F.unfold(x, 3, 1, 1, 2),
         {"kernel": (3, 3), "stride": (2, 2), "padding": ((1, 1), (1, 1)), "dilation": (1, 1)}),
    ],
)  # fmt: skip
def test_settings_are_kept(graph_of, function, settings):
    assert dict(graph_of(function, IMAGE).nodes[-1].attributes) == settings
