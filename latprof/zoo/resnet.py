"""ResNet, ResNeXt and SE-ResNet: residual blocks of plain and of grouped convolutions."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import nn

from latprof.zoo.layers import ConvNormActivation, ImageClassifier, SqueezeExcite

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

    Parameters
    ----------
    in_channels, channels : int
        What comes in, and a quarter of what goes out.
    stride : int
    stride_in_1x1 : bool, default=False
        Whether the first 1x1 convolution has the stride, as in the original. It then skips three
        quarters of its input: 3.8 instead of 4.1 G MACs for ResNet-50. The stride in the 3x3
        convolution is what "v1.5" means.
    groups, group_channels : int, default=1, 64
        Groups of the 3x3 convolution, and the channels of one of them where `channels` is 64.
    squeeze_ratio : int or None, default=None
        What squeeze-excite divides the output channels by; None for no squeeze-excite.
    """

    widening = 4  # output channels per channel of the 3x3 convolution

    def __init__(
        self,
        in_channels: int,
        channels: int,
        *,
        stride: int,
        stride_in_1x1: bool = False,
        groups: int = 1,
        group_channels: int = 64,
        squeeze_ratio: int | None = None,
    ) -> None:
        super().__init__()
        inner_channels = channels * group_channels // 64 * groups
        out_channels = channels * self.widening
        first_stride, second_stride = (stride, 1) if stride_in_1x1 else (1, stride)
        self.reduce = ConvNormActivation(in_channels, inner_channels, stride=first_stride)
        self.spatial = ConvNormActivation(
            inner_channels, inner_channels, 3, stride=second_stride, groups=groups
        )
        self.expand = ConvNormActivation(inner_channels, out_channels, activation=None)
        self.squeeze_excite: nn.Module = nn.Identity()
        if squeeze_ratio is not None:
            self.squeeze_excite = SqueezeExcite(
                out_channels, out_channels // squeeze_ratio, activation=nn.ReLU, gate=nn.Sigmoid
            )
        self.shortcut = _shortcut(in_channels, out_channels, stride=stride)
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        worked = self.squeeze_excite(self.expand(self.spatial(self.reduce(x))))
        out: torch.Tensor = self.activation(worked + self.shortcut(x))
        return out


def resnet18(*, num_classes: int = 1000, in_channels: int = 3) -> ImageClassifier:
    """ResNet-18, with 1x1 convolutions where a shortcut changes shape (option B).

    References
    ----------
    He et al., Deep Residual Learning for Image Recognition, 2015, arXiv:1512.03385, table 1.
    """
    return _resnet(BasicBlock, (2, 2, 2, 2), num_classes=num_classes, in_channels=in_channels)


def resnet34(*, num_classes: int = 1000, in_channels: int = 3) -> ImageClassifier:
    """ResNet-34, with 1x1 convolutions where a shortcut changes shape (option B).

    References
    ----------
    He et al., Deep Residual Learning for Image Recognition, 2015, arXiv:1512.03385, table 1.
    """
    return _resnet(BasicBlock, (3, 4, 6, 3), num_classes=num_classes, in_channels=in_channels)


def resnet50(
    *, num_classes: int = 1000, in_channels: int = 3, stride_in_1x1: bool = False
) -> ImageClassifier:
    """ResNet-50 v1.5: ResNet-50 with the stride in the 3x3 convolutions.

    With `stride_in_1x1`, the stride is where the paper first had it.

    References
    ----------
    He et al., Deep Residual Learning for Image Recognition, 2015, arXiv:1512.03385, table 1.

    Goyal et al., Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour, 2017,
    arXiv:1706.02677, section 5.1, for the place of the stride.
    """
    block = partial(Bottleneck, stride_in_1x1=stride_in_1x1)
    return _resnet(block, (3, 4, 6, 3), num_classes=num_classes, in_channels=in_channels)


def resnet101(
    *, num_classes: int = 1000, in_channels: int = 3, stride_in_1x1: bool = False
) -> ImageClassifier:
    """ResNet-101 v1.5; see `resnet50`."""
    block = partial(Bottleneck, stride_in_1x1=stride_in_1x1)
    return _resnet(block, (3, 4, 23, 3), num_classes=num_classes, in_channels=in_channels)


def resnet152(
    *, num_classes: int = 1000, in_channels: int = 3, stride_in_1x1: bool = False
) -> ImageClassifier:
    """ResNet-152 v1.5; see `resnet50`."""
    block = partial(Bottleneck, stride_in_1x1=stride_in_1x1)
    return _resnet(block, (3, 8, 36, 3), num_classes=num_classes, in_channels=in_channels)


def resnext50_32x4d(*, num_classes: int = 1000, in_channels: int = 3) -> ImageClassifier:
    """ResNeXt-50 (32x4d): ResNet-50 whose 3x3 convolutions are wider and have 32 groups.

    References
    ----------
    Xie et al., Aggregated Residual Transformations for Deep Neural Networks, 2016,
    arXiv:1611.05431, table 1.
    """
    block = partial(Bottleneck, groups=32, group_channels=4)
    return _resnet(block, (3, 4, 6, 3), num_classes=num_classes, in_channels=in_channels)


def se_resnet50(
    *, num_classes: int = 1000, in_channels: int = 3, stride_in_1x1: bool = False
) -> ImageClassifier:
    """SE-ResNet-50: ResNet-50 (v1.5) with squeeze-excite before every addition.

    References
    ----------
    Hu, Shen & Sun, Squeeze-and-Excitation Networks, 2017, arXiv:1709.01507, table 1.
    """
    block = partial(Bottleneck, squeeze_ratio=16, stride_in_1x1=stride_in_1x1)
    return _resnet(block, (3, 4, 6, 3), num_classes=num_classes, in_channels=in_channels)


def _resnet(
    block: Callable[..., BasicBlock | Bottleneck],
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
            made = block(channels, stage_channels, stride=stride)
            stage.append(made)
            channels = stage_channels * made.widening
        features.add_module(f"stage{number}", stage)
    return ImageClassifier(features, nn.Linear(channels, num_classes))


def _shortcut(in_channels: int, out_channels: int, *, stride: int) -> nn.Module:
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    return ConvNormActivation(in_channels, out_channels, stride=stride, activation=None)
