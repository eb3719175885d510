from __future__ import annotations

from torch import nn


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
