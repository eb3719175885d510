"""Input shapes: from the file, from the user, or guessed and said so."""

from __future__ import annotations

import pytest

from latprof.errors import CaptureFailed, ShapeMismatch
from latprof.frontends.inputs import parse_input
from latprof.frontends.onnx.inputs import Declared, settle_inputs

FIRST_CONV = (16, 3, 3, 3)


def settle(*declared: Declared, given=(), weights=(FIRST_CONV,)):
    return settle_inputs(declared, [parse_input(text) for text in given], weights, "the file")


def test_fixed_sizes_are_taken_as_they_are():
    found = settle(Declared("x", (1, 3, 64, 48), "float16"))
    (tensor,) = found.tensors
    assert (tensor.shape, tensor.dtype, tensor.role) == ((1, 3, 64, 48), "float16", "input")
    assert (found.assumptions, found.changed) == ([], False)


def test_an_open_batch_is_one_and_noted():
    found = settle(Declared("x", ("batch", 3, 64, 48), "float32"))
    assert found.tensors[0].shape == (1, 3, 64, 48)
    assert found.assumptions == ["batch of the input 'x' assumed to be 1"]


@pytest.mark.parametrize(
    ("sizes", "shape"),
    [
        (("n", 3, "h", "w"), (1, 3, 224, 224)),
        ((1, 3, None, 320), (1, 3, 320, 320)),
        ((None, None, None, 3), (1, 224, 224, 3)),
        ((None, None, None, None), (1, 3, 224, 224)),
        (None, (1, 3, 224, 224)),
    ],
)
def test_the_size_of_a_picture_is_guessed_and_noted(sizes, shape):
    found = settle(Declared("x", sizes, "float32"))
    assert found.tensors[0].shape == shape
    assert any("assumed to be " + "x".join(map(str, shape)) in s for s in found.assumptions)


@pytest.mark.parametrize(
    ("declared", "example"),
    [
        (Declared("ids", ("batch", "tokens"), "int64"), "--input ids=1x128:int64"),
        (Declared("x", (1, "frames", 80), "float32"), "--input x=1x128x80"),
        (Declared("odd name", None, "int32"), "--input 1x3x224x224"),
    ],
)
def test_what_cannot_be_guessed_is_asked_for_with_the_words_to_type(declared, example):
    with pytest.raises(ShapeMismatch, match=example):
        settle(declared)


def test_without_a_convolution_channels_cannot_be_guessed():
    with pytest.raises(CaptureFailed, match="--input 1x3x224x224"):
        settle(Declared("x", (1, None, None, None), "float32"), weights=())


def test_sizes_of_one_name_agree_across_inputs():
    sizes = ("batch", "tokens")
    inputs = Declared("ids", sizes, "int64"), Declared("mask", sizes, "bool")
    found = settle(*inputs, given=["mask=2x64:bool"])
    assert [tensor.shape for tensor in found.tensors] == [(2, 64), (2, 64)]
    assert found.sizes == {"batch": 2, "tokens": 64}
    with pytest.raises(ShapeMismatch, match="'tokens' both 64 and 32"):
        settle(*inputs, given=["2x64:int64", "2x32:bool"])


def test_inputs_are_given_in_order_or_by_name():
    inputs = [Declared(name, (1, 4), "float32") for name in ("a", "b", "c:0")]
    found = settle(*inputs, given=["c:0=5x4", "3x4", "b=2x4"])
    assert [tensor.shape for tensor in found.tensors] == [(3, 4), (2, 4), (5, 4)]
    assert found.changed


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (["y=1x4"], "names an input 'y'; the file has 1: 'x'"),
        (["x=1x4", "x=2x4"], "names the input 'x' twice"),
        (["1x4", "1x4"], "is given 2 times; the file has 1"),
        (["1x2x2"], "the file has 1 x 4 for its input 'x'. Give 2 sizes"),
        (["1x4:int64"], "says int64 and the file has float32"),
    ],
)
def test_what_does_not_fit_is_said(given, why):
    with pytest.raises(ShapeMismatch, match=why):
        settle(Declared("x", (1, 4), "float32"), given=given)
