import pytest

from latprof.errors import BadReference, ShapeMismatch
from latprof.frontends.inputs import InputSpec, match_inputs, parse_input, require_inputs
from latprof.graph import Tensor

IMAGE = Tensor("x", (1, 3, 32, 32), "float32", "input")
TOKENS = Tensor("tokens", (1, 16), "int64", "input")
ADVICE = "Do otherwise."


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("1x3x224x224", InputSpec((1, 3, 224, 224))),
        ("1×3×8×8", InputSpec((1, 3, 8, 8))),
        (" 7 ", InputSpec((7,))),
        ("tokens=1x128:int64", InputSpec((1, 128), "int64", "tokens")),
    ],
)
def test_parse_input(text, spec):
    assert parse_input(text) == spec


@pytest.mark.parametrize("text", ["", "1x", "1x0x3", "axb", "1x3:float12", "-1x3", "1,3"])
def test_parse_input_refuses(text):
    with pytest.raises(BadReference):
        parse_input(text)


def test_match_inputs_goes_by_name_and_else_in_order():
    mask, first = InputSpec((1, 8), "bool", "mask"), InputSpec((1, 8), "int64")
    found = match_inputs([mask, first], ["tokens", "mask"], advice=ADVICE)
    assert found == {"mask": mask, "tokens": first}


@pytest.mark.parametrize(
    "wanted",
    [
        [],
        [InputSpec((1, 3, 32, 32))],
        [InputSpec((1, 3, 32, 32)), InputSpec((1, 16))],
        [InputSpec((1, 16), "int64", "tokens")],
    ],
)
def test_require_inputs_accepts_what_the_file_has(wanted):
    require_inputs(wanted, [IMAGE, TOKENS], advice=ADVICE)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ([InputSpec((1, 3, 64, 64))], "1x3x64x64 and the file has 1x3x32x32 for its input 'x'"),
        ([InputSpec((1, 3, 32, 32), "float16")], "1x3x32x32:float16"),
        ([InputSpec((1, 16), "int32", "tokens")], "1x16:int64"),
        ([InputSpec((1,), name="mask")], "'mask'; the file has 'x', 'tokens'"),
        ([InputSpec(IMAGE.shape), InputSpec(TOKENS.shape), InputSpec((1,))], "3 inputs"),
    ],
)
def test_require_inputs_says_what_differs_and_what_to_do(wanted, said):
    with pytest.raises(ShapeMismatch) as caught:
        require_inputs(wanted, [IMAGE, TOKENS], advice=ADVICE)
    assert said in str(caught.value)
    assert ADVICE in str(caught.value)
