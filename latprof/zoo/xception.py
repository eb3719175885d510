"""Xception: Inception taken to its end, where every channel is filtered by itself."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from latprof.zoo.layers import ConvNormActivation, ImageClassifier

_MIDDLE_CHANNELS = 728
_MIDDLE_BLOCKS = 8


class SeparableConv(nn.Sequential):
    """Depthwise, then 1x1 convolution, and one norm for both: nothing between the two.

    The paper's section 4.7 finds that an activation between them does harm.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 3) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(
            in_channels,
            in_channels,
            kernel_size,
            padding=kernel_size // 2,
            groups=in_channels,
            bias=False,
        )
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)


class DownsamplingBlock(nn.Module):
    """Two separable convolutions and a max pool, beside a strided 1x1 shortcut (figure 5)."""

    def __init__(
        self, in_channels: int, middle_channels: int, out_channels: int, *, first_relu: bool = True
    ) -> None:
        super().__init__()
        self.worked = nn.Sequential()
        if first_relu:
            self.worked.append(nn.ReLU())
        self.worked.append(SeparableConv(in_channels, middle_channels))
        self.worked.append(nn.ReLU(inplace=True))
        self.worked.append(SeparableConv(middle_channels, out_channels))
        self.worked.append(nn.MaxPool2d(3, stride=2, padding=1))
        self.shortcut = ConvNormActivation(in_channels, out_channels, stride=2, activation=None)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.worked(x) + self.shortcut(x)
        return out


class MiddleBlock(nn.Module):
    """ReLU and a separable convolution, three times, added to the input (figure 5, middle)."""

    def __init__(self, channels: int, kernel_size: int = 3) -> None:
        super().__init__()
        self.worked = nn.Sequential()
        for _ in range(3):
            # The first one must leave the input alone: the shortcut reads it too.
            self.worked.append(nn.ReLU(inplace=bool(self.worked)))
            self.worked.append(SeparableConv(channels, channels, kernel_size))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.worked(x) + x
        return out


def xception(*, num_classes: int = 1000, in_channels: int = 3) -> ImageClassifier:
    """Xception, without the optional linear layers before the last.

    References
    ----------
    Chollet, Xception: Deep Learning with Depthwise Separable Convolutions, 2016,
    arXiv:1610.02357, figure 5. The figure leaves out paddings: as in the author's code, the first
    two convolutions have none.
    """
    features = nn.Sequential(
        OrderedDict[str, nn.Module](
            conv1=ConvNormActivation(in_channels, 32, 3, stride=2, padding=0),
            conv2=ConvNormActivation(32, 64, 3, padding=0),
            entry1=DownsamplingBlock(64, 128, 128, first_relu=False),
            entry2=DownsamplingBlock(128, 256, 256),
            entry3=DownsamplingBlock(256, _MIDDLE_CHANNELS, _MIDDLE_CHANNELS),
        )
    )
    for number in range(1, _MIDDLE_BLOCKS + 1):
        features.add_module(f"middle{number}", MiddleBlock(_MIDDLE_CHANNELS))
    features.add_module("exit", DownsamplingBlock(_MIDDLE_CHANNELS, _MIDDLE_CHANNELS, 1024))
    for number, (channels, out_channels) in enumerate(((1024, 1536), (1536, 2048)), start=1):
        features.add_module(f"separable{number}", SeparableConv(channels, out_channels))
        features.add_module(f"activation{number}", nn.ReLU(inplace=True))
    return ImageClassifier(features, nn.Linear(2048, num_classes))
