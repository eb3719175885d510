"""ShuffleNetV2: half the channels pass by each block, then all are shuffled."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from latprof.errors import BadReference
from latprof.zoo.layers import ConvNormActivation, ImageClassifier

# Table 5 of the paper: output channels of stages 2, 3, 4 and of the last convolution, by width.
# They are no multiples of one another, so no other width has a published definition.
_CHANNELS = {
    0.5: (48, 96, 192, 1024),
    1.0: (116, 232, 464, 1024),
    1.5: (176, 352, 704, 1024),
    2.0: (244, 488, 976, 2048),
}
_STEM_CHANNELS = 24
_REPEATS = (4, 8, 4)


class ChannelShuffle(nn.Module):
    """Channels of `groups` equal groups, interleaved: 0 1 2 3 4 5 becomes 0 3 1 4 2 5 for two."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, channels, height, width = x.shape
        grouped = x.reshape(batch, self.groups, channels // self.groups, height, width)
        return grouped.transpose(1, 2).reshape(batch, channels, height, width)

    def extra_repr(self) -> str:
        return f"groups={self.groups}"


class ShuffleBlock(nn.Module):
    """Split, work on one half, join, shuffle (figure 3c of the paper)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = _working_branch(channels // 2, channels // 2, stride=1)
        self.shuffle = ChannelShuffle(groups=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        passed, worked = x.chunk(2, dim=1)
        shuffled: torch.Tensor = self.shuffle(torch.cat((passed, self.branch(worked)), dim=1))
        return shuffled


class DownsamplingShuffleBlock(nn.Module):
    """Two branches that halve the image, join, shuffle (figure 3d of the paper)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.shortcut = nn.Sequential(
            OrderedDict(
                depthwise=_depthwise(in_channels, stride=2),
                project=ConvNormActivation(in_channels, out_channels // 2),
            )
        )
        self.branch = _working_branch(in_channels, out_channels // 2, stride=2)
        self.shuffle = ChannelShuffle(groups=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        joined = torch.cat((self.shortcut(x), self.branch(x)), dim=1)
        shuffled: torch.Tensor = self.shuffle(joined)
        return shuffled


def shufflenet_v2(
    *, num_classes: int = 1000, in_channels: int = 3, width_multiplier: float = 1.0
) -> ImageClassifier:
    """ShuffleNetV2.

    Parameters
    ----------
    num_classes : int, default=1000
    in_channels : int, default=3
    width_multiplier : {0.5, 1.0, 1.5, 2.0}, default=1.0

    References
    ----------
    Ma et al., ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design, 2018,
    arXiv:1807.11164, table 5 and figure 3.
    """
    if width_multiplier not in _CHANNELS:
        known = ", ".join(str(width) for width in _CHANNELS)
        raise BadReference(
            f"ShuffleNetV2 has no width multiplier {width_multiplier}. Give one of {known}."
        )
    *stage_channels, head_channels = _CHANNELS[width_multiplier]
    features = nn.Sequential(
        OrderedDict[str, nn.Module](
            stem=ConvNormActivation(in_channels, _STEM_CHANNELS, 3, stride=2),
            pool=nn.MaxPool2d(3, stride=2, padding=1),
        )
    )
    channels = _STEM_CHANNELS
    # Stages are counted from 2 as in the paper, whose stage 1 is the stem.
    for number, (out_channels, repeats) in enumerate(
        zip(stage_channels, _REPEATS, strict=True), start=2
    ):
        stage = nn.Sequential(DownsamplingShuffleBlock(channels, out_channels))
        for _ in range(repeats - 1):
            stage.append(ShuffleBlock(out_channels))
        features.add_module(f"stage{number}", stage)
        channels = out_channels
    features.add_module("head", ConvNormActivation(channels, head_channels))
    return ImageClassifier(features, nn.Linear(head_channels, num_classes))


def _working_branch(in_channels: int, out_channels: int, *, stride: int) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(
            pointwise=ConvNormActivation(in_channels, out_channels),
            depthwise=_depthwise(out_channels, stride=stride),
            project=ConvNormActivation(out_channels, out_channels),
        )
    )


def _depthwise(channels: int, *, stride: int) -> ConvNormActivation:
    return ConvNormActivation(
        channels, channels, 3, stride=stride, groups=channels, activation=None
    )
