from __future__ import annotations

import pytest
import torch
from torch import nn

from latprof.errors import BadReference
from latprof.zoo.layers import InvertedResidual, SqueezeExcite, make_divisible


@pytest.mark.parametrize(
    ("channels", "rounded"),
    [
        (1, 8),  # never below the divisor
        (24, 24),
        (99.9, 96),
        (100, 104),  # halves go up
        (18, 24),  # 16 would lose more than a tenth
        (33, 32),
    ],
)
def test_make_divisible(channels, rounded):
    assert make_divisible(channels) == rounded


@pytest.mark.parametrize("channels", [0, -8])
def test_make_divisible_refuses_a_layer_without_channels(channels):
    with pytest.raises(BadReference, match="width multiplier above 0"):
        make_divisible(channels)


def test_squeeze_excite_scales_each_channel_by_its_gate():
    squeeze_excite = SqueezeExcite(2, 1, activation=nn.ReLU, gate=nn.Hardsigmoid)
    nn.init.ones_(squeeze_excite.reduce.weight)
    nn.init.zeros_(squeeze_excite.reduce.bias)
    squeeze_excite.expand.weight.data = torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1)
    nn.init.zeros_(squeeze_excite.expand.bias)
    image = torch.tensor([[[[0.0, 2.0]], [[1.0, 3.0]]]])
    # Channel means 1 and 2 add up to 3; hard-sigmoid of 3 is 1 and of -3 is 0.
    assert squeeze_excite(image).tolist() == [[[[0.0, 2.0]], [[0.0, 0.0]]]]


@pytest.mark.parametrize(
    ("out_channels", "stride", "adds_input"), [(8, 1, True), (8, 2, False), (16, 1, False)]
)
def test_an_inverted_residual_adds_its_input_where_shapes_agree(out_channels, stride, adds_input):
    block = InvertedResidual(
        8, out_channels, expanded_channels=16, kernel_size=3, stride=stride, activation=nn.ReLU6
    ).eval()
    nn.init.zeros_(block.project.conv.weight)
    x = torch.randn(1, 8, 4, 4)
    assert torch.equal(block(x), x) == adds_input


def test_an_inverted_residual_reads_well_in_a_module_tree():
    block = InvertedResidual(
        8,
        8,
        expanded_channels=16,
        kernel_size=3,
        stride=1,
        activation=nn.ReLU6,
        squeeze_excite=SqueezeExcite(16, 8, activation=nn.ReLU, gate=nn.Sigmoid),
    )
    names = [name for name, _ in block.named_children()]
    assert names == ["expand", "depthwise", "squeeze_excite", "project"]


def test_an_inverted_residual_that_would_not_widen_has_no_expansion():
    block = InvertedResidual(
        8, 8, expanded_channels=8, kernel_size=3, stride=1, activation=nn.ReLU6
    )
    assert [name for name, _ in block.named_children()] == ["depthwise", "project"]
