"""DenseNet: every layer reads the features of all layers before it."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from latprof.zoo.layers import ConvNormActivation, ImageClassifier

_GROWTH = 32  # channels that each layer adds, k in the paper
_NARROWING = 4  # the 1x1 convolution of a layer gives 4 k channels
_LAYERS = (6, 12, 24, 16)


class NormReLUConv(nn.Sequential):
    """Batch norm, ReLU, convolution: the norm comes first here."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 1) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(in_channels)
        self.activation = nn.ReLU(inplace=True)
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=False
        )


class DenseLayer(nn.Module):
    """1x1 to 4 k channels, 3x3 to k channels, put beside what came in (section 3)."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.reduce = NormReLUConv(in_channels, _NARROWING * _GROWTH)
        self.spatial = NormReLUConv(_NARROWING * _GROWTH, _GROWTH, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat((x, self.spatial(self.reduce(x))), dim=1)


def densenet121(*, num_classes: int = 1000, in_channels: int = 3) -> ImageClassifier:
    """DenseNet-121 with growth rate 32, bottlenecks and transitions that halve the channels.

    References
    ----------
    Huang et al., Densely Connected Convolutional Networks, 2016, arXiv:1608.06993, table 1.
    """
    channels = 2 * _GROWTH
    features = nn.Sequential(
        OrderedDict[str, nn.Module](
            stem=ConvNormActivation(in_channels, channels, 7, stride=2),
            pool=nn.MaxPool2d(3, stride=2, padding=1),
        )
    )
    for number, layers in enumerate(_LAYERS, start=1):
        dense = nn.Sequential()
        for _ in range(layers):
            dense.append(DenseLayer(channels))
            channels += _GROWTH
        features.add_module(f"dense{number}", dense)
        if number < len(_LAYERS):
            transition = NormReLUConv(channels, channels // 2)
            transition.add_module("pool", nn.AvgPool2d(2, stride=2))
            features.add_module(f"transition{number}", transition)
            channels //= 2
    features.add_module("norm", nn.BatchNorm2d(channels))
    features.add_module("activation", nn.ReLU(inplace=True))
    return ImageClassifier(features, nn.Linear(channels, num_classes))
