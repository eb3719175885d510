"""Formulas of the modules, worked by hand, hold to the digit at any size."""

from __future__ import annotations

import pytest
import torch

from latprof.errors import BadReference
from latprof.zoo import build
from latprof.zoo.shufflenet_v1 import ShuffleUnit


@pytest.mark.parametrize("channels", [24, 64])
@pytest.mark.parametrize("expansion", [1, 3, 6])
def test_an_inverted_residual(channels, expansion, count):
    _, macs = count(
        f"block/inverted_residual?channels={channels}&expansion={expansion}&kernel_size=5&size=14"
    )
    wide = channels * expansion
    widening = 0 if expansion == 1 else channels * wide
    assert macs == (widening + 5 * 5 * wide + wide * channels) * 14 * 14


def test_squeezing_adds_two_small_products(count):
    query = "channels=16&expansion=4&size=28"
    _, plain = count(f"block/inverted_residual?{query}")
    _, squeezed = count(f"block/inverted_residual_se?{query}&reduction=8")
    assert squeezed - plain == 2 * 64 * 8


def test_fusing_trades_the_depthwise_for_a_full_convolution(count):
    query = "channels=24&expansion=4&size=10"
    _, apart = count(f"block/inverted_residual?{query}")
    _, fused = count(f"block/fused_mbconv?{query}")
    wide = 24 * 4
    assert fused - apart == (3 * 3 * 24 * wide - 24 * wide - 3 * 3 * wide) * 10 * 10


@pytest.mark.parametrize(("stride", "adds"), [(1, True), (2, False)])
def test_a_fused_block_adds_its_input_where_shapes_agree(stride, adds):
    model, shape = build(f"block/fused_mbconv?channels=4&size=6&stride={stride}")
    torch.nn.init.zeros_(model.project.conv.weight)
    x = torch.randn(shape)
    assert torch.equal(model(x), x) == adds


def test_the_inception_module_is_3a_of_table_1(count):
    # 1x1; 3x3 reduce and 3x3; 5x5 reduce and 5x5; pool projection.
    weights = 192 * 64 + 192 * 96 + 9 * 96 * 128 + 192 * 16 + 25 * 16 * 32 + 192 * 32
    assert count("block/inception") == (weights + 64 + 96 + 128 + 16 + 32 + 32, weights * 28 * 28)
    assert weights // 1024 == 159  # "159K"


def test_the_xception_block_is_three_separable_convolutions(count):
    assert count("block/xception?channels=32&size=8")[1] == 3 * (9 * 32 + 32 * 32) * 8 * 8


def test_the_shuffle_units_have_the_macs_of_the_paper(count):
    # ShuffleNet, section 3.2: h w (2 c m / g + 9 m) for c channels and m = c / 4 inside.
    for groups in (1, 2, 3):
        _, macs = count(f"block/shuffle_v1?channels=240&groups={groups}&size=28")
        assert macs == 28 * 28 * (2 * 240 * 60 // groups + 9 * 60)


def test_the_bottleneck_has_the_macs_of_the_paper(count):
    # ShuffleNet, section 3.2, says of a ResNet unit: h w (2 c m + 9 m²).
    assert count("block/bottleneck?channels=240&size=28")[1] == 28 * 28 * (2 * 240 * 60 + 9 * 60**2)


@pytest.mark.parametrize("name", ["shuffle_v1", "shuffle_v2"])
def test_a_strided_shuffle_unit_halves_the_image_and_doubles_the_channels(name, build_on_meta):
    model, x = build_on_meta(f"block/{name}?channels=48&size=20&stride=2")
    assert model(x).shape == (1, 96, 10, 10)


def test_a_shuffle_unit_gives_back_what_it_is_given_if_it_works_for_nothing():
    unit = ShuffleUnit(12, 12, stride=1, groups=3, reduce_groups=3).eval()
    torch.nn.init.zeros_(unit.branch.expand.conv.weight)
    x = torch.rand(1, 12, 4, 4)
    assert torch.equal(unit(x), x)


def test_half_of_a_ghost_modules_channels_cost_nine_macs_a_pixel(count):
    _, macs = count("block/ghost?channels=24&out_channels=40&size=10")
    assert macs == 100 * (24 * 20 + 9 * 20)


def test_squeeze_excite_works_on_means_alone(count):
    assert count("block/squeeze_excite?channels=32&size=100") == count(
        "block/squeeze_excite?channels=32&size=10"
    )
    assert count("block/squeeze_excite?channels=32&reduction=4") == (2 * 32 * 8 + 32 + 8, 512)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("block/bottleneck?channels=30", r"out_channels=30 is no multiple of 4.* out_channels=32"),
        ("block/shuffle_v1?channels=50", r"channels=50 is no multiple of 12.* channels=48"),
        ("block/shuffle_v1?stride=3", r"no stride=3. Give stride=1 or stride=2"),
        ("block/shuffle_v2?channels=5", r"channels=5 is no multiple of 2.* such as channels=4"),
        ("block/squeeze_excite?channels=4", r"reduction=16 is above channels, which is 4"),
        ("block/xception?kernel_size=2", r"such as kernel_size=3"),
        ("block/fused_mbconv?expansion=1e300", r"^[^\n]*could not be built[^\n]*$"),
        ("block/inverted_residual?expansion=-1", r"a number above 0, such as expansion=6.0"),
    ],
)
def test_a_bad_argument_is_told_what_to_type(reference, message):
    with pytest.raises(BadReference, match=message):
        build(reference)
