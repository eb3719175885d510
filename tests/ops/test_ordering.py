from __future__ import annotations

import pytest

from latprof.errors import ShapeMismatch
from latprof.ops import OPS
from latprof.ops.ordering import comparisons


@pytest.mark.parametrize(("among", "said"), [(0, 1), (1, 1), (2, 1), (3, 2), (1000, 10)])
def test_an_element_finds_its_place_by_halving(among, said):
    assert comparisons(among) == said


def test_a_sort_compares_every_element_with_the_halves(call_of):
    call = call_of("sort", (2, 1000), axis=1)
    assert [t.shape for t in call.outputs] == [(2, 1000)] * 2
    assert OPS["sort"].elementwise_ops(call) == 2000 * 10
    assert [t.shape for t in call_of("argsort", (2, 1000), axis=1).outputs] == [(2, 1000)]


def test_the_largest_few_cost_less_than_a_sort(call_of):
    call = call_of("topk", (2, 1000), k=5, axis=-1)
    assert [t.shape for t in call.outputs] == [(2, 5)] * 2
    assert OPS["topk"].elementwise_ops(call) == 2000 * 3


def test_no_more_than_there_are(call_of):
    with pytest.raises(ShapeMismatch, match="no 5 largest among 4"):
        call_of("topk", (2, 4), k=5, axis=-1)


def test_indices_of_what_is_not_zero_are_as_many_as_can_be(call_of):
    call = call_of("nonzero", (2, 3, 4))
    assert call.outputs[0].shape == (24, 3)
    assert OPS["nonzero"].bound == "as if no element were zero"


def test_a_search_halves_the_edges(call_of):
    call = call_of("searchsorted", (16,), (2, 5))
    assert call.outputs[0].shape == (2, 5)
    assert OPS["searchsorted"].elementwise_ops(call) == 10 * 4
    assert call_of("kth_value", (2, 5), axis=1).outputs[0].shape == (2,)
