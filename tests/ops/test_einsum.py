from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from latprof.errors import ShapeMismatch
from latprof.ops import OPS

EQUATIONS = [
    ("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)]),
    ("bij,bjk", [(2, 3, 4), (2, 4, 5)]),
    ("...ij,...jk->...ik", [(6, 2, 3, 4), (2, 4, 5)]),
    ("bhid,bhjd->bhij", [(1, 2, 5, 8), (1, 2, 7, 8)]),
    ("i,j->ij", [(3,), (4,)]),
    ("bchw,bchw->bchw", [(1, 4, 3, 3), (1, 4, 3, 3)]),
    ("ij,ij->i", [(3, 4), (3, 4)]),
    ("ijk,il->jl", [(2, 3, 4), (2, 5)]),
    ("ab,bc,cd->ad", [(2, 3), (3, 4), (4, 5)]),
    ("ii->i", [(4, 4)]),
    ("ij->ji", [(3, 4)]),
    ("ij->", [(3, 4)]),
    ("b...,b...->b", [(2, 3, 4), (2, 3, 4)]),
    ("i...->...i", [(2, 3, 4)]),
    ("ij,jk->ik", [(1, 4), (4, 1)]),
]


@pytest.mark.parametrize(("equation", "shapes"), EQUATIONS)
def test_shapes_and_macs_are_torchs(call_of, equation, shapes):
    call = call_of("einsum", *shapes, equation=equation)
    operands = [torch.zeros(shape, device="meta") for shape in shapes]
    with FlopCounterMode(display=False) as counter:
        there = torch.einsum(equation, *operands)
    assert call.outputs[0].shape == tuple(there.shape)
    assert OPS["einsum"].macs(call) * 2 == counter.get_total_flops()


def test_an_outer_product_sums_nothing_and_has_no_macs(call_of):
    call = call_of("einsum", (3,), (4,), equation="i,j->ij")
    assert (OPS["einsum"].macs(call), OPS["einsum"].elementwise_ops(call)) == (0, 12)


def test_an_axis_nobody_needs_is_summed_away_first(call_of):
    # k, alone in the left operand: 24 additions, then 2·3·5 MACs over i.
    call = call_of("einsum", (2, 3, 4), (2, 5), equation="ijk,il->jl")
    assert (OPS["einsum"].macs(call), OPS["einsum"].elementwise_ops(call)) == (30, 24)


@pytest.mark.parametrize(
    ("equation", "shapes", "said"),
    [
        ("ij,jk->ik", [(2, 3)], "does not fit 1 operands"),
        ("ij,jk->ik", [(2, 3), (4, 5)], "'j' of .* is both 3 and 4"),
        ("ij->i", [(2, 3, 4)], r"'ij' does not label \(2, 3, 4\)"),
        ("i1->i", [(2, 3)], "does not fit"),
        ("ij->ik", [(2, 3)], "cannot take inputs"),
    ],
)
def test_what_does_not_fit_is_said(call_of, equation, shapes, said):
    with pytest.raises(ShapeMismatch, match=said):
        call_of("einsum", *shapes, equation=equation)
