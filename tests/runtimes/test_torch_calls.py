"""What `test_operators` cannot show: settings that PyTorch does not have."""

from __future__ import annotations

import pytest

from latprof.builder import GraphBuilder
from latprof.errors import ShapeMismatch, UnsupportedOp
from latprof.graph import Call
from latprof.runtimes.torch_calls import CALLS


def call_of(op: str, shape: tuple[int, ...], *weights: tuple[int, ...], **settings) -> Call:
    builder = GraphBuilder("one-call")
    operands = [builder.input(shape)]
    operands += [builder.parameter(f"w{i}", size) for i, size in enumerate(weights)]
    graph = builder.finish([builder.add_one(op, operands, **settings)])
    return graph.calls[-1]


UNEVEN = {"kernel": (3, 3), "stride": (2, 2), "padding": ((0, 1), (0, 1))}


@pytest.mark.parametrize(
    ("op", "settings"),
    [
        ("avg_pool", UNEVEN | {"count_padding": False}),
        ("avg_pool", UNEVEN | {"ceil_mode": True}),
        ("max_pool", UNEVEN | {"ceil_mode": True}),
    ],
)
def test_pools_padded_in_ways_that_pytorch_lacks_are_refused(op, settings):
    with pytest.raises(UnsupportedOp, match=rf"'{op}' pads its pool by .*another --runtime"):
        CALLS[op](call_of(op, (1, 8, 7, 7), **settings))


def test_a_norm_without_stored_statistics_is_another_operator():
    with pytest.raises(ShapeMismatch, match=r"'batch_norm' .* lacks its input number 3"):
        CALLS["batch_norm"](call_of("batch_norm", (1, 8, 4, 4), (8,), (8,)))
