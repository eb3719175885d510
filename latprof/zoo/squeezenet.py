"""SqueezeNet: fire modules that squeeze before they widen, and no linear layer."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from latprof.zoo.layers import ImageClassifier

# Squeezing 1x1, then 1x1 and 3x3 convolutions side by side: s1x1 and e1x1 = e3x3 of table 1, from
# fire2 to fire9.
_FIRES = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))


class ConvReLU(nn.Sequential):
    """Convolution with bias and ReLU; SqueezeNet has no norms."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 1,
        *,
        stride: int = 1,
        padding: int = 0,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel_size, stride=stride, padding=padding
        )
        self.activation = nn.ReLU(inplace=True)


class Fire(nn.Module):
    """1x1 to few channels, then 1x1 and 3x3 side by side, joined (figure 1)."""

    def __init__(self, in_channels: int, squeezed_channels: int, expanded_channels: int) -> None:
        super().__init__()
        self.squeeze = ConvReLU(in_channels, squeezed_channels)
        self.expand1x1 = ConvReLU(squeezed_channels, expanded_channels)
        self.expand3x3 = ConvReLU(squeezed_channels, expanded_channels, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        squeezed = self.squeeze(x)
        return torch.cat((self.expand1x1(squeezed), self.expand3x3(squeezed)), dim=1)


def squeezenet1_0(*, num_classes: int = 1000, in_channels: int = 3) -> ImageClassifier:
    """SqueezeNet 1.0, the network of the paper, without bypass.

    References
    ----------
    Iandola et al., SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB model
    size, 2016, arXiv:1602.07360, table 1.
    """
    stem = ConvReLU(in_channels, 96, 7, stride=2)
    return _squeezenet(stem, pool_before=(2, 5, 9), num_classes=num_classes)


def squeezenet1_1(*, num_classes: int = 1000, in_channels: int = 3) -> ImageClassifier:
    """SqueezeNet 1.1: a smaller first convolution, and pools earlier, for 2.4 times less work.

    References
    ----------
    Iandola et al., SqueezeNet v1.1, 2016,
    github.com/forresti/SqueezeNet/tree/master/SqueezeNet_v1.1.
    """
    stem = ConvReLU(in_channels, 64, 3, stride=2)
    return _squeezenet(stem, pool_before=(2, 4, 6), num_classes=num_classes)


def _squeezenet(
    stem: ConvReLU, *, pool_before: tuple[int, ...], num_classes: int
) -> ImageClassifier:
    features = nn.Sequential(OrderedDict[str, nn.Module](stem=stem))
    channels = stem.conv.out_channels
    for number, (squeezed_channels, expanded_channels) in enumerate(_FIRES, start=2):
        if number in pool_before:
            # Caffe, which the authors used, rounds the size of a pool's output up.
            features.add_module(f"pool{number - 1}", nn.MaxPool2d(3, stride=2, ceil_mode=True))
        features.add_module(f"fire{number}", Fire(channels, squeezed_channels, expanded_channels))
        channels = 2 * expanded_channels
    # One map for each class, whose mean is the logit.
    features.add_module("conv10", ConvReLU(channels, num_classes))
    return ImageClassifier(features, nn.Identity())
