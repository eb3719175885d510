"""ResNet-18 and ResNet-50: residual blocks of plain convolutions."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import nn

from latprof.zoo.layers import ConvNormActivation, ImageClassifier

# Table 1 of the paper: channels of the 3x3 convolutions in conv2_x to conv5_x.
_STAGE_CHANNELS = (64, 128, 256, 512)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (figure 5, left)."""

    widening = 1  # output channels per channel of the 3x3 convolutions

    def __init__(self, in_channels: int, channels: int, *, stride: int) -> None:
        super().__init__()
        self.conv1 = ConvNormActivation(in_channels, channels, 3, stride=stride)
        self.conv2 = ConvNormActivation(channels, channels, 3, activation=None)
        self.shortcut = _shortcut(in_channels, channels, stride=stride)
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.activation(self.conv2(self.conv1(x)) + self.shortcut(x))
        return out


class Bottleneck(nn.Module):
    """1x1 to fewer channels, 3x3, 1x1 to more, and a shortcut (figure 5, right).

    The stride is in the 3x3 convolution, which is what "v1.5" means. The original strides in the
    first 1x1 and so skips three quarters of its input: 3.8 instead of 4.1 G MACs for ResNet-50.
    """

    widening = 4  # output channels per channel of the 3x3 convolution

    def __init__(self, in_channels: int, channels: int, *, stride: int) -> None:
        super().__init__()
        out_channels = channels * self.widening
        self.reduce = ConvNormActivation(in_channels, channels)
        self.spatial = ConvNormActivation(channels, channels, 3, stride=stride)
        self.expand = ConvNormActivation(channels, out_channels, activation=None)
        self.shortcut = _shortcut(in_channels, out_channels, stride=stride)
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        worked = self.expand(self.spatial(self.reduce(x)))
        out: torch.Tensor = self.activation(worked + self.shortcut(x))
        return out


def resnet18(*, num_classes: int = 1000, in_channels: int = 3) -> ImageClassifier:
    """ResNet-18, with 1x1 convolutions where a shortcut changes shape (option B).

    References
    ----------
    He et al., Deep Residual Learning for Image Recognition, 2015, arXiv:1512.03385, table 1.
    """
    return _resnet(BasicBlock, (2, 2, 2, 2), num_classes=num_classes, in_channels=in_channels)


def resnet50(*, num_classes: int = 1000, in_channels: int = 3) -> ImageClassifier:
    """ResNet-50 v1.5: ResNet-50 with the stride in the 3x3 convolutions.

    References
    ----------
    He et al., Deep Residual Learning for Image Recognition, 2015, arXiv:1512.03385, table 1.

    Goyal et al., Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour, 2017,
    arXiv:1706.02677, section 5.1, for the place of the stride.
    """
    return _resnet(Bottleneck, (3, 4, 6, 3), num_classes=num_classes, in_channels=in_channels)


def _resnet(
    block: type[BasicBlock | Bottleneck],
    repeats_by_stage: Sequence[int],
    *,
    num_classes: int,
    in_channels: int,
) -> ImageClassifier:
    channels = 64
    features = nn.Sequential(
        OrderedDict[str, nn.Module](
            stem=ConvNormActivation(in_channels, channels, 7, stride=2),
            pool=nn.MaxPool2d(3, stride=2, padding=1),
        )
    )
    # Stages are counted from 2 as in the paper, whose conv1 is the stem.
    for number, (stage_channels, repeats) in enumerate(
        zip(_STAGE_CHANNELS, repeats_by_stage, strict=True), start=2
    ):
        stage = nn.Sequential()
        for repeat in range(repeats):
            # The max pool has already halved the image that conv2_x works on.
            stride = 2 if repeat == 0 and number > 2 else 1
            stage.append(block(channels, stage_channels, stride=stride))
            channels = stage_channels * block.widening
        features.add_module(f"stage{number}", stage)
    return ImageClassifier(features, nn.Linear(channels, num_classes))


def _shortcut(in_channels: int, out_channels: int, *, stride: int) -> nn.Module:
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    return ConvNormActivation(in_channels, out_channels, stride=stride, activation=None)
