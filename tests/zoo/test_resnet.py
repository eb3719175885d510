from __future__ import annotations

import pytest
from torch import nn

from latprof.zoo.layers import SqueezeExcite


def test_the_stride_is_in_the_3x3_convolution(build_on_meta):
    model, _ = build_on_meta("resnet50")
    strided = [
        (name, module.kernel_size)
        for name, module in model.features.named_modules()
        if isinstance(module, nn.Conv2d) and module.stride == (2, 2) and "shortcut" not in name
    ]
    assert strided == [
        ("stem.conv", (7, 7)),
        ("stage3.0.spatial.conv", (3, 3)),
        ("stage4.0.spatial.conv", (3, 3)),
        ("stage5.0.spatial.conv", (3, 3)),
    ]


def test_the_image_shrinks_as_in_table_1(build_on_meta):
    model, x = build_on_meta("resnet18")
    shapes = []
    for part in model.features:
        x = part(x)
        shapes.append(tuple(x.shape[1:3]))
    assert shapes == [(64, 112), (64, 56), (64, 56), (128, 28), (256, 14), (512, 7)]


def test_a_shortcut_has_a_convolution_only_where_the_shape_changes(build_on_meta):
    model, _ = build_on_meta("resnet18")
    stage2, stage3 = model.features.stage2, model.features.stage3
    assert isinstance(stage2[0].shortcut, nn.Identity)
    assert stage3[0].shortcut.conv.kernel_size == (1, 1)
    assert isinstance(stage3[1].shortcut, nn.Identity)


# pytorchcv 0.0.74, whose resnet50, resnet101 and seresnet50 stride as the papers first did.
@pytest.mark.parametrize(
    ("name", "macs"),
    [
        ("resnet50", 3_857_973_248),
        ("resnet101", 7_570_194_432),
        ("se_resnet50", 3_860_488_192),
    ],
)
def test_with_the_first_stride_placement_macs_are_those_of_the_paper(name, macs, count):
    assert count(f"{name}?stride_in_1x1=true")[1] == macs


def test_resnet152_with_the_first_stride_placement_has_11_3_billion(count):
    assert round(count("resnet152?stride_in_1x1=true")[1] / 1e9, 1) == 11.3


def test_resnext_has_32_groups_of_four_channels_in_its_second_stage(build_on_meta):
    model, _ = build_on_meta("resnext50_32x4d")
    conv = model.features.stage2[0].spatial.conv
    assert (conv.groups, conv.in_channels) == (32, 128)
    conv = model.features.stage5[0].spatial.conv
    assert (conv.groups, conv.in_channels) == (32, 1024)


def test_se_resnet_squeezes_to_a_sixteenth_before_every_addition(build_on_meta):
    model, _ = build_on_meta("se_resnet50")
    reductions = [m.reduce.out_channels for m in model.modules() if isinstance(m, SqueezeExcite)]
    assert reductions == [16] * 3 + [32] * 4 + [64] * 6 + [128] * 3
