from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latprof.builder import GraphBuilder
from latprof.graph import Tensor
from latprof.runtimes.weights import NUMPY_DTYPES, input_values, norm_scales, weight_values

FLOATS = [name for name, dtype in NUMPY_DTYPES.items() if np.issubdtype(dtype, np.floating)]


def parameter(name: str, *shape: int, dtype: str = "float32") -> Tensor:
    return Tensor(name, shape, dtype, "parameter")


@pytest.mark.parametrize("dtype", NUMPY_DTYPES)
@pytest.mark.parametrize("shape", [(), (3,), (4, 3, 2), (0, 5)])
def test_numbers_have_the_shape_and_dtype_of_their_tensor(dtype, shape):
    for values in (
        weight_values(parameter("w", *shape, dtype=dtype)),
        weight_values(parameter("w", *shape, dtype=dtype), positive=True),
        input_values(Tensor("x", shape, dtype, "input")),
    ):
        assert isinstance(values, np.ndarray)
        assert values.shape == shape
        assert values.dtype == NUMPY_DTYPES[dtype]


def test_the_same_name_gives_the_same_numbers():
    first, again, other = (weight_values(parameter(name, 50)) for name in ("a", "a", "b"))

    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_the_numbers_do_not_depend_on_what_else_was_drawn():
    before = weight_values(parameter("a", 50))
    np.random.default_rng(0).random()
    weight_values(parameter("b", 1000))

    np.testing.assert_array_equal(weight_values(parameter("a", 50)), before)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ["conv", "fc"])
def test_no_weight_is_zero_or_denormal(name, dtype):
    # 4 million draws: a plain normal distribution in float32 comes to exactly 0 now and then,
    # and in float16 many small ones are denormal.
    values = weight_values(parameter(name, 64, 62500, dtype=dtype))

    assert np.isfinite(values).all()
    assert np.abs(values).min() >= np.finfo(values.dtype).smallest_normal
    assert (values < 0).mean() == pytest.approx(0.5, abs=0.01)


@given(st.text(max_size=20))
def test_norm_scales_and_variances_stay_between_a_half_and_three_halves(name):
    values = weight_values(parameter(name, 200), positive=True)

    assert 0.5 <= values.min() <= values.max() <= 1.5


def test_a_matrix_is_scaled_to_its_fan_in():
    # √(2 / 200) = 0.1 for the linear layer; a kernel of 3×3 over 8 channels has √(2 / 72) = 1/6.
    assert weight_values(parameter("fc", 1000, 200)).std() == pytest.approx(0.1, rel=0.01)
    assert weight_values(parameter("conv", 5000, 8, 3, 3)).std() == pytest.approx(1 / 6, rel=0.01)


def test_stored_constants_are_exact():
    whole = Tensor("axes", (2, 2), "int64", "constant", (3, -1, 2**62, 0))
    broken = Tensor("scale", (), "float64", "constant", (0.1,))
    denormal = Tensor("tiny", (1,), "float32", "constant", (1e-45,))

    assert weight_values(whole).tolist() == [[3, -1], [2**62, 0]]
    assert weight_values(broken).item() == 0.1
    assert weight_values(denormal)[0] == np.float32(1e-45)


def test_indices_and_masks_are_0_or_1():
    for dtype in ("int64", "int32", "uint8", "bool"):
        assert set(np.unique(weight_values(parameter("i", 100, dtype=dtype)))) == {0, 1}
        assert set(np.unique(input_values(Tensor("i", (100,), dtype, "input")))) == {0, 1}


def test_inputs_look_like_normalised_images():
    values = input_values(Tensor("image", (1, 3, 100, 100), role="input"))

    assert values.mean() == pytest.approx(0, abs=0.02)
    assert values.std() == pytest.approx(1, abs=0.02)


def test_norm_scales_are_what_norms_multiply_or_divide_by():
    builder = GraphBuilder("norms")
    x = builder.input((1, 8, 4, 4))
    weights = [builder.parameter(name, (8,)) for name in ("scale", "shift", "mean", "variance")]
    x = builder.add_one("batch_norm", [x, *weights])
    x = builder.add_one(
        "layer_norm", [x, "", builder.parameter("layer.shift", (4,))], axes=1, eps=1e-5
    )
    x = builder.add_one("layer_norm", [x, builder.parameter("layer.scale", (4,))], axes=1, eps=1e-5)
    x = builder.add_one("mul", [x, builder.parameter("other", (4,))])

    assert norm_scales(builder.finish([x])) == {"scale", "variance", "layer.scale"}
