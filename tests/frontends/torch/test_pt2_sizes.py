import pytest

from latprof.errors import ShapeMismatch
from latprof.frontends.torch.pt2_sizes import OpenSizes, UnknownExpression, evaluate

S0 = "Symbol('s0', positive=True, integer=True)"


@pytest.mark.parametrize(
    ("expression", "size"),
    [
        ("Integer(7)", 7),
        (S0, 9),
        (f"Mul(Integer(2), {S0})", 18),
        (f"Add(FloorDiv(Add({S0}, Integer(-1)), Integer(2)), Integer(1))", 5),
        (f"CeilDiv({S0}, Integer(2))", 5),
        (f"Max(Integer(1), Mod({S0}, Integer(4)))", 1),
        (f"Pow({S0}, Integer(2))", 81),
        (f"TruncToInt(IntTrueDiv({S0}, Integer(2)))", 4),
        (f"Mul(Rational(1, 3), {S0})", 3),
        ("2*s0 - 1", 17),
        (f"({S0} + 1)//2", 5),
    ],
)
def test_sizes_are_worked_out(expression, size):
    assert evaluate(expression, {"s0": 9}) == size


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("u0", "depends on u0"),
        ("Symbol('u0')", "depends on u0"),
        ("__import__('os')", "uses __import__"),
        ("s0.bit_length()", "uses"),
        ("[s0 for s0 in ()]", "uses ListComp"),
        ("'text'", "uses Constant"),
        ("Pow(s0, Integer(1000000))", "more than 64 bits"),
        ("9**9**9**9", "more than 64 bits"),
        ("LShift(s0, Integer(10**9))", "more than 64 bits"),
        ("FloorDiv(s0, Integer(0))", "cannot be worked out"),
        ("Pow(Integer(0), Integer(-1))", "cannot be worked out"),
        ("FloorDiv(s0)", "cannot be worked out"),
        ("Rational(1, 2)", "no whole number"),
        ("Float('inf')", "uses Constant"),
        ("(" * 5000 + "s0" + ")" * 5000, "no expression"),
        ("Abs(" * 90 + "s0" + ")" * 90, "nested too deeply"),
        ("-" * 150 + "s0", "nested too deeply"),
        ("s0" * 100_000, "too long"),
        ("s0 +", "no expression"),
    ],
)
def test_what_is_no_size_is_refused(expression, said, monkeypatch):
    monkeypatch.setattr("latprof.frontends.torch.pt2_sizes.MAX_DEPTH", 80)
    with pytest.raises(UnknownExpression, match=said):
        evaluate(expression, {"s0": 9})


def test_a_symbol_has_one_value_within_its_range():
    sizes = OpenSizes({"s0": {"min_val": 2, "max_val": 8}, "s1": {"min_val": 0, "max_val": None}})
    sizes.settle("s0", 4, "axis 0 of 'x'")
    sizes.settle("s0", 4, "axis 0 of 'y'")
    sizes.settle("s1", 1000, "axis 1 of 'x'")
    assert sizes.values == {"s0": 4, "s1": 1000}
    with pytest.raises(ShapeMismatch, match="which another input makes 4"):
        sizes.settle("s0", 5, "axis 0 of 'z'")


@pytest.mark.parametrize("size", [1, 9])
def test_a_size_outside_of_the_range_is_refused(size):
    sizes = OpenSizes({"s0": {"min_val": 2, "max_val": 8}})
    with pytest.raises(ShapeMismatch, match="for sizes from 2 to 8"):
        sizes.settle("s0", size, "axis 0 of 'x'")


@pytest.mark.parametrize("ranges", [None, [], {"s0": 3}, {"s0": {"min_val": "many"}}])
def test_ranges_that_are_none_do_not_limit(ranges):
    sizes = OpenSizes(ranges)
    sizes.settle("s0", 1, "axis 0 of 'x'")
    assert sizes.values == {"s0": 1}
