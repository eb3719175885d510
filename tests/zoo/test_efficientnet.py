from __future__ import annotations

import pytest
from torch import nn

from latprof.zoo.layers import FusedInvertedResidual, SqueezeExcite


def test_the_stages_are_those_of_table_1(build_on_meta):
    model, x = build_on_meta("efficientnet_b0")
    shapes = []
    for layer in model.features:
        x = layer(x)
        if tuple(x.shape[1:3]) not in shapes:
            shapes.append(tuple(x.shape[1:3]))
    assert shapes == [
        (32, 112),
        (16, 112),
        (24, 56),
        (40, 28),
        (80, 14),
        (112, 14),
        (192, 7),
        (320, 7),
        (1280, 7),
    ]


def test_every_block_squeezes_to_a_quarter_of_what_enters_it(build_on_meta):
    model, _ = build_on_meta("efficientnet_b0")
    block = model.features[2]
    assert block.expand.conv.in_channels == 16
    assert block.squeeze_excite.reduce.out_channels == 4
    assert all(hasattr(block, "squeeze_excite") for block in model.features[1:-1])
    assert isinstance(block.squeeze_excite.gate, nn.Sigmoid)


@pytest.mark.parametrize(
    ("name", "stem", "blocks", "head"),
    [
        # Layers 1 2 2 3 3 4 1 of table 1 times 3.1, rounded up: 4 7 7 10 10 13 4. Widths double.
        ("efficientnet_b7", 64, 55, 2560),
        # Times 1.8: 2 4 4 6 6 8 2. A stem of 32 * 1.4 = 44.8 is nearest to 48.
        ("efficientnet_b4", 48, 32, 1792),
        # Lite keeps stem, head and the layers of the first and the last stage: 1 4 4 6 6 8 1.
        ("efficientnet_lite4", 32, 30, 1280),
    ],
)
def test_depth_is_rounded_up_and_width_to_eights(name, stem, blocks, head, build_on_meta):
    model, _ = build_on_meta(name)
    assert model.features[0].conv.out_channels == stem
    assert len(model.features[1:-1]) == blocks
    assert model.classifier.in_features == head


def test_lite_has_neither_swish_nor_squeeze_excite(build_on_meta):
    model, _ = build_on_meta("efficientnet_lite0")
    kinds = {type(layer) for layer in model.modules()}
    assert nn.ReLU6 in kinds
    assert kinds.isdisjoint({nn.SiLU, nn.Sigmoid, SqueezeExcite})


def test_an_odd_image_is_halved_upwards(build_on_meta):
    # 260 is 130, 65, 33, 17 and 9, as with the authors' uneven padding.
    model, x = build_on_meta("efficientnet_b2")
    heights = []
    for layer in model.features:
        x = layer(x)
        heights.append(x.shape[2])
    assert sorted(set(heights), reverse=True) == [130, 65, 33, 17, 9]


def test_v2_has_full_convolutions_in_its_first_three_stages(build_on_meta):
    model, _ = build_on_meta("efficientnet_v2_s")
    fused = [isinstance(block, FusedInvertedResidual) for block in model.features[1:-1]]
    assert fused == [True] * 10 + [False] * 30
    # The first stage does not widen: one convolution is all there is.
    assert [name for name, _ in model.features[1].named_children()] == ["expand"]
