from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from latprof.frontends.zeros import array_zeros
from latprof.frontends.zeros.array_zeros import zeros_in

SMALL = st.integers(-1, 1).map(float)


def plainly(values):
    zero = values == 0
    rows = int(zero.reshape(len(zero), -1).all(axis=1).sum()) if values.ndim and zero.size else 0
    columns = 0
    if values.ndim > 1 and zero.size:
        moved = np.moveaxis(zero, 1, 0)
        columns = int(moved.reshape(len(moved), -1).all(axis=1).sum())
    return int(zero.sum()), rows, columns


@pytest.mark.parametrize("piece", [1, 5, 2**22])
@given(
    values=arrays.arrays(
        np.float32, arrays.array_shapes(min_dims=0, max_dims=4, max_side=5), elements=SMALL
    )
)
def test_in_pieces_as_at_once(piece, values):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(array_zeros, "_PIECE", piece)
        found = zeros_in(values)
    assert (found.zeros, found.zero_rows, found.zero_columns) == plainly(values)
    assert found.shape == values.shape


def test_a_mask_makes_zeros():
    values, mask = np.ones((2, 3)), np.array([[1, 0, 1], [0, 0, 0]])
    found = zeros_in(values, mask)
    assert (found.zeros, found.zero_rows, found.zero_columns) == (4, 1, 1)


def test_minus_zero_is_zero_and_nan_is_not():
    assert zeros_in(np.array([-0.0, np.nan, 1e-45], np.float32)).zeros == 1


def test_nothing_holds_no_zeros():
    assert zeros_in(np.zeros((0, 3))).zeros == zeros_in(np.zeros((3, 0))).zero_rows == 0
