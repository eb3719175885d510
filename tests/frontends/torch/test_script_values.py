import pytest

from latprof.frontends.torch.script_values import MAX_LENGTH, PLAIN, TooLargeError, checked


@pytest.mark.parametrize(
    ("operation", "arguments", "expected"),
    [
        ("aten::floordiv", (7, 2), 3),
        ("aten::div", (7, 2), 3.5),
        ("aten::remainder", (-7, 3), 2),
        ("aten::pow", (2, 10), 1024),
        ("aten::pow", (2, -1), 0.5),
        ("aten::round", (2.5,), 2.0),
        ("aten::add", ([1], [2]), [1, 2]),
        ("aten::mul", ([0], 3), [0, 0, 0]),
        ("aten::slice", ([1, 2, 3, 4], 1, None, 2), [2, 4]),
        ("aten::__derive_index", (2, 10, -3), 4),
        ("aten::__range_length", (10, 0, -3), 4),
        ("aten::format", ("{}D of {}", 3, [1, 2]), "3D of [1, 2]"),
        ("aten::items", ({"a": 1},), [["a", 1]]),
        ("prim::max", (1, 2), 2),
        ("prim::min", ([3, 2],), 2),
        ("prim::rangelist", (3,), [0, 1, 2]),
    ],
)
def test_plain_operations(operation, arguments, expected):
    assert PLAIN[operation](*arguments) == expected


def test_lists_change_in_place():
    items = [1]
    PLAIN["aten::append"](items, 2)
    PLAIN["aten::extend"](items, [3])
    PLAIN["aten::_set_item"](items, 0, 9)
    assert items == [9, 2, 3]
    assert PLAIN["aten::pop"](items) == 3


def test_a_format_cannot_reach_into_its_values():
    assert PLAIN["aten::format"]("{0.__class__} {}", 1) == "{0.__class__} 1"


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("aten::mul", ([0], MAX_LENGTH + 1)),
        ("aten::mul", (MAX_LENGTH + 1, "x")),
        ("aten::pow", (10, 10**9)),
        ("prim::rangelist", (MAX_LENGTH + 1,)),
    ],
)
def test_what_would_fill_the_memory_is_refused_beforehand(operation, arguments):
    with pytest.raises(TooLargeError):
        PLAIN[operation](*arguments)


@pytest.mark.parametrize("value", [2**64, -(2**65), [0] * (MAX_LENGTH + 1)])
def test_results_are_bounded(value):
    with pytest.raises(TooLargeError):
        checked(value)


def test_shifting_far_is_caught_as_too_large():
    with pytest.raises(TooLargeError):
        checked(PLAIN["aten::__lshift__"](1, 10**12))
