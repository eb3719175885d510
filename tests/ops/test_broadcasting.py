from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from latprof.errors import ShapeMismatch
from latprof.ops.broadcasting import broadcast


@pytest.mark.parametrize(
    ("shapes", "wide"),
    [
        ([], ()),
        ([()], ()),
        ([(3,), ()], (3,)),
        ([(1, 16, 4, 4), (16, 1, 1)], (1, 16, 4, 4)),
        ([(4, 1), (1, 5), (1, 1, 1)], (1, 4, 5)),
        ([(0,), (1,)], (0,)),
    ],
)
def test_sizes_of_one_stretch(shapes, wide):
    assert broadcast(*shapes) == wide


def test_other_sizes_have_to_be_equal():
    with pytest.raises(ShapeMismatch, match=r"shapes \(2, 3\), \(2,\) do not fit each other"):
        broadcast((2, 3), (2,))


shapes = st.lists(st.lists(st.integers(0, 3), max_size=4).map(tuple), min_size=1, max_size=3)


@given(shapes)
def test_it_is_the_rule_of_torch(shapes):
    try:
        wide = tuple(torch.broadcast_shapes(*shapes))
    except RuntimeError:
        with pytest.raises(ShapeMismatch):
            broadcast(*shapes)
    else:
        assert broadcast(*shapes) == wide
