from __future__ import annotations

import pytest
import torch
from torch import nn

from latprof.zoo.ghostnet import GhostModule


# Table 7 of the paper.
@pytest.mark.parametrize(
    ("width_multiplier", "mega_params", "mega_macs"), [(0.5, 2.6, 42), (1.0, 5.2, 141)]
)
def test_widths_have_the_counts_of_the_paper(width_multiplier, mega_params, mega_macs, count):
    params, macs = count(f"ghostnet?width_multiplier={width_multiplier}")
    assert (round(params / 1e6, 1), round(macs / 1e6)) == (mega_params, mega_macs)


def test_half_of_a_modules_channels_are_made_from_the_other_half():
    module = GhostModule(4, 12, activation=nn.ReLU).eval()
    x = torch.randn(1, 4, 5, 5)
    out = module(x)
    assert torch.equal(out[:, :6], module.primary(x))
    assert torch.equal(out[:, 6:], module.cheap(out[:, :6]))
    # 4 x 6 weights of the 1x1 convolution, 6 x 9 of the depthwise one; a full one has 4 x 12.
    assert (module.primary.conv.weight.numel(), module.cheap.conv.weight.numel()) == (24, 54)


def test_a_bottleneck_has_a_depthwise_convolution_only_where_it_strides(build_on_meta):
    model, _ = build_on_meta("ghostnet")
    bottlenecks = model.features[1:-1]
    strided = [n for n, block in enumerate(bottlenecks) if hasattr(block.branch, "depthwise")]
    assert strided == [1, 3, 5, 11]


def test_the_image_shrinks_as_in_table_1(build_on_meta):
    model, x = build_on_meta("ghostnet")
    shapes = []
    for layer in model.features:
        x = layer(x)
        if tuple(x.shape[1:3]) not in shapes:
            shapes.append(tuple(x.shape[1:3]))
    assert shapes == [
        (16, 112), (24, 56), (40, 28), (80, 14), (112, 14), (160, 7), (960, 7)
    ]  # fmt: skip
    assert model.head.conv.out_channels == 1280
