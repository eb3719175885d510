import pytest

from latprof.errors import CaptureFailed
from latprof.frontends.aten import Ref
from latprof.frontends.torch.pt2_values import SubGraph, Values, case, tensor_names
from latprof.graph import Tensor

OPEN = {"as_expr": {"expr_str": "Symbol('s0', positive=True)", "hint": {"as_int": 6}}}
DOUBLE = {"as_expr": {"expr_str": "2*Symbol('s0', positive=True)", "hint": {"as_int": 12}}}
UNKNOWN = {"as_expr": {"expr_str": "u0", "hint": None}}


def values():
    graph = {
        "tensor_values": {
            "x": {"dtype": 13, "sizes": [{"as_int": 2}, OPEN]},
            "y": {"dtype": 7, "sizes": [DOUBLE]},
            "u": {"dtype": 7, "sizes": [UNKNOWN]},
        },
        "sym_int_values": {"size": OPEN},
        "sym_bool_values": {},
    }
    return Values(graph)


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ({"as_none": True}, None),
        ({"as_none": None}, None),
        ({"as_int": 3}, 3),
        ({"as_int": 3, "as_float": None, "as_none": None}, 3),
        ({"as_ints": [1, 2]}, (1, 2)),
        ({"as_float": 1}, 1.0),
        ({"as_float": "-Infinity"}, float("-inf")),
        ({"as_floats": [0.5, "Infinity"]}, (0.5, float("inf"))),
        ({"as_bool": False}, False),
        ({"as_bools": [True, False]}, (True, False)),
        ({"as_string": "none"}, "none"),
        ({"as_tensor": {"name": "x"}}, Ref("x")),
        ({"as_tensors": [{"name": "x"}, {"name": "y"}]}, (Ref("x"), Ref("y"))),
        (
            {"as_optional_tensors": [{"as_none": True}, {"as_tensor": {"name": "x"}}]},
            (None, Ref("x")),
        ),
        ({"as_optional_tensor": {"as_tensor": {"name": "x"}}}, Ref("x")),
        ({"as_nested_tensors": [[{"name": "x"}], []]}, ((Ref("x"),), ())),
        ({"as_sym_int": {"as_name": "size"}}, 6),
        ({"as_sym_ints": [{"as_int": 4}, {"as_name": "size"}]}, (4, 6)),
        ({"as_int_lists": [[1], [2, 3]]}, ((1,), (2, 3))),
        ({"as_scalar_type": 7}, "torch.float32"),
        ({"as_device": {"type": "cpu", "index": None}}, "cpu"),
        ({"as_memory_format": 1}, None),
    ],
)
def test_arguments(argument, expected):
    assert values().argument(argument) == expected


def test_tensors_within_a_graph_get_its_prefix():
    assert values().argument({"as_tensor": {"name": "x"}}, "inner.") == Ref("inner.x")


def test_a_graph_as_argument():
    found = values().argument({"as_graph": {"name": "sub", "graph": {"nodes": []}}})
    assert isinstance(found, SubGraph)
    assert found.name == "sub"


def test_tensors_take_open_sizes_as_exported():
    held = values()
    assert held.tensor("x", "shown", "input") == Tensor("shown", (2, 6), "bfloat16", "input")
    assert held.tensor("y", "y").shape == (12,)
    assert list(held.open_sizes.said) == ["s0"]


def test_a_size_without_a_hint():
    with pytest.raises(CaptureFailed, match="axis 0 of 'u' has the size u0"):
        values().tensor("u", "u")


def test_outputs_nobody_reads_are_named_as_in_memory():
    outputs = [{"as_tensors": [{"name": "a"}, {"name": "chunk_1_unused_1"}]}, {"as_none": True}]
    assert list(tensor_names(outputs)) == [("a", "a"), ("chunk_1_unused_1", "chunk_1:1")]


@pytest.mark.parametrize("union", [{}, {"as_int": 1, "as_float": 2.0}, {"as_int": None, "b": None}])
def test_a_union_has_one_case(union):
    with pytest.raises(ValueError, match="one case"):
        case(union)
