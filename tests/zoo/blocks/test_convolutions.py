"""Formulas of the convolutions, worked by hand, hold to the digit at any size."""

from __future__ import annotations

from fractions import Fraction

import pytest

from latprof.errors import BadReference
from latprof.zoo import build

SIZES = [(64, 64, 3, 56), (32, 128, 5, 14), (24, 72, 1, 7), (8, 16, 7, 9)]


@pytest.fixture
def macs(count):
    """MACs of a block on C channels, N channels out, a k x k kernel and an s x s image."""

    def look(name, c, n, k, s, **more):
        arguments = {"channels": c, "out_channels": n, "kernel_size": k, "size": s, **more}
        query = "&".join(f"{key}={value}" for key, value in arguments.items())
        return count(f"block/{name}?{query}")[1]

    return look


@pytest.mark.parametrize(("c", "n", "k", "s"), SIZES)
def test_a_separable_convolution_costs_1_n_plus_1_k2_of_a_standard_one(c, n, k, s, macs):
    ratio = Fraction(macs("separable", c, n, k, s), macs("standard", c, n, k, s))
    assert ratio == Fraction(1, n) + Fraction(1, k**2)


@pytest.mark.parametrize(("c", "n", "k", "s"), SIZES)
@pytest.mark.parametrize("name", ["grouped", "grouped_shuffle"])
def test_groups_divide_the_macs_and_shuffling_adds_none(name, c, n, k, s, macs):
    for groups in (1, 2, 8):
        assert macs(name, c, n, k, s, groups=groups) * groups == macs("standard", c, n, k, s)


@pytest.mark.parametrize(("c", "n", "k", "s"), SIZES)
def test_dilation_costs_nothing(c, n, k, s, macs):
    assert macs("dilated", c, n, k, s, dilation=3) == macs("standard", c, n, k, s)


def test_a_separable_convolution_is_a_depthwise_and_a_pointwise_one(count):
    parts = count("block/depthwise?channels=24"), count("block/pointwise?channels=24")
    assert count("block/separable?channels=24") == tuple(map(sum, zip(*parts, strict=True)))


def test_stride_quarters_the_work(macs):
    assert macs("standard", 16, 16, 3, 32, stride=2) * 4 == macs("standard", 16, 16, 3, 32)


def test_a_transposed_convolution_works_once_for_every_pixel_that_comes_in(macs):
    assert macs("transposed", 8, 16, 4, 10) == 4 * 4 * 8 * 16 * 10 * 10


@pytest.mark.parametrize(
    ("kernel_size", "stride"), [(2, 2), (3, 2), (4, 2), (5, 2), (3, 1), (5, 3), (7, 4), (4, 4)]
)
def test_a_transposed_convolution_enlarges_by_its_stride(kernel_size, stride, build_on_meta):
    query = f"kernel_size={kernel_size}&stride={stride}&size=9"
    model, x = build_on_meta(f"block/transposed?channels=4&{query}")
    assert model(x).shape == (1, 4, 9 * stride, 9 * stride)


@pytest.mark.parametrize(("kernel_size", "dilation"), [(1, 4), (3, 1), (3, 3), (5, 2)])
def test_a_dilated_convolution_keeps_the_image(kernel_size, dilation, build_on_meta):
    query = f"kernel_size={kernel_size}&dilation={dilation}&size=20"
    model, x = build_on_meta(f"block/dilated?channels=4&out_channels=8&{query}")
    assert model(x).shape == (1, 8, 20, 20)


def test_shuffling_follows_the_groups(build_on_meta):
    model, _ = build_on_meta("block/grouped_shuffle?groups=8")
    assert model.grouped.conv.groups == model.shuffle.groups == 8


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("block/standard?kernel_size=2", r"kernel_size=2 has no middle.* such as kernel_size=3"),
        ("block/separable?kernel_size=4", r"such as kernel_size=5"),
        ("block/grouped?groups=3", r"channels=64 is no multiple of 3.* such as channels=63"),
        ("block/grouped?out_channels=66", r"out_channels=66 is no multiple of 4"),
        ("block/grouped?channels=8&groups=64", r"such as channels=64"),
        ("block/transposed?stride=5", r"stride=5 is above kernel_size, which is 4"),
        ("block/transposed?stride=1", r"such as kernel_size=5"),
        ("block/standard?out_channels=0", r"a whole number above 0, such as out_channels=64"),
        ("block/standard?out_channels=wide", r"out_channels=wide is not a whole number"),
        ("block/standard?in_channels=3", r"no argument 'in_channels'. It has channels, "),
        ("block/standard?groups=2", r"no argument 'groups'"),
        ("block/standard?input=1x3x8x8", r"the block takes 64.* and channels=3 if that"),
        (f"block/standard?kernel_size={10**10 + 1}", r"overflowed.* Ask for a smaller network"),
    ],
)
def test_a_bad_argument_is_told_what_to_type(reference, message):
    with pytest.raises(BadReference, match=message):
        build(reference)
