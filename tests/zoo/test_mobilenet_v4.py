from __future__ import annotations

import pytest
import torch
from torch import nn

from latprof.zoo.mobilenet_v4_layers import (
    LayerScale,
    MobileAttention,
    UniversalInvertedBottleneck,
)


def bottleneck(**settings):
    plain = {"start_kernel": 0, "middle_kernel": 0, "expansion": 4, "stride": 1}
    return UniversalInvertedBottleneck(
        16, 16, **{**plain, **settings}, activation=nn.ReLU, scales_layer=False
    )


@pytest.mark.parametrize(
    ("kernels", "layers"),
    [
        ((3, 5), ["start", "expand", "middle", "project"]),  # ExtraDW
        ((0, 3), ["expand", "middle", "project"]),  # IB
        ((3, 0), ["start", "expand", "project"]),  # ConvNext
        ((0, 0), ["expand", "project"]),  # FFN
    ],
)
def test_depthwise_convolutions_stand_where_figure_4_has_them(kernels, layers):
    block = bottleneck(start_kernel=kernels[0], middle_kernel=kernels[1])
    assert [name for name, _ in block.named_children()] == layers


def test_the_middle_convolution_strides_if_there_is_one():
    both = bottleneck(start_kernel=3, middle_kernel=5, stride=2)
    assert (both.start.conv.stride, both.middle.conv.stride) == ((1, 1), (2, 2))
    start_alone = bottleneck(start_kernel=3, stride=2)
    assert start_alone.start.conv.stride == (2, 2)


def test_all_heads_attend_with_their_own_queries_to_the_same_keys():
    torch.manual_seed(0)
    block = MobileAttention(8, heads=2, head_channels=4, key_value_stride=1).eval()
    x = torch.randn(1, 8, 2, 3)
    with torch.no_grad():
        normed = block.norm(x)
        queries = block.query(normed).reshape(2, 4, 6)
        keys, values = (part(normed).reshape(4, 6) for part in (block.key, block.value))
        heads = [values @ torch.softmax(keys.T @ query / 2, dim=0) for query in queries]
        expected = x + block.project(torch.cat(heads).reshape(1, 8, 2, 3))
        torch.testing.assert_close(block(x), expected)


def test_keys_and_values_come_from_a_quarter_of_the_pixels_in_stage_4(build_on_meta):
    model, _ = build_on_meta("mobilenet_v4_hybrid_medium")
    blocks = [layer for layer in model.features if isinstance(layer, MobileAttention)]
    strides = [layer.key.reduce.conv.stride if len(layer.key) > 1 else 1 for layer in blocks]
    assert strides == [(2, 2)] * 4 + [1] * 4


def test_only_hybrid_networks_scale_their_layers(build_on_meta):
    def scales(name):
        model, _ = build_on_meta(name)
        return sum(isinstance(layer, LayerScale) for layer in model.modules())

    assert scales("mobilenet_v4_conv_large") == 0
    assert scales("mobilenet_v4_hybrid_large") == 35  # 27 bottlenecks and 8 attentions


def test_no_layer_scale_is_zero():
    assert LayerScale(4).weight.tolist() == [[[1.0]]] * 4


@pytest.mark.parametrize(
    ("name", "stages"),
    [
        ("conv_small", [(32, 112), (32, 56), (96, 28), (64, 28), (96, 14), (128, 7), (960, 7)]),
        ("conv_medium", [(32, 128), (48, 64), (80, 32), (160, 16), (256, 8), (960, 8)]),
        ("hybrid_large", [(24, 192), (48, 96), (96, 48), (192, 24), (512, 12), (960, 12)]),
    ],
)
def test_the_image_shrinks_as_in_the_tables(name, stages, build_on_meta):
    model, x = build_on_meta(f"mobilenet_v4_{name}")
    shapes = []
    for layer in model.features:
        x = layer(x)
        if tuple(x.shape[1:3]) not in shapes:
            shapes.append(tuple(x.shape[1:3]))
    assert shapes == stages


def test_the_last_convolution_works_on_the_pooled_image_and_is_not_narrowed(build_on_meta):
    model, _ = build_on_meta("mobilenet_v4_conv_small?width_multiplier=0.5")
    assert (model.head.conv.in_channels, model.head.conv.out_channels) == (480, 1280)


def test_hybrid_large_has_gelu_for_relu(build_on_meta):
    model, _ = build_on_meta("mobilenet_v4_hybrid_large")
    assert not any(isinstance(layer, nn.ReLU) for layer in model.modules())
    assert isinstance(model.head.activation, nn.GELU)
