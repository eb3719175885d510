"""ShuffleNetV1: grouped 1x1 convolutions, and a shuffle that mixes their groups."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from latprof.errors import BadReference
from latprof.zoo.layers import ConvNormActivation, ImageClassifier, make_divisible
from latprof.zoo.shufflenet_v2 import ChannelShuffle

# Table 1 of the paper: output channels of stage 2 by number of groups. Each later stage doubles
# them. More groups leave room for more channels at the same 140 M MACs.
_STAGE2_CHANNELS = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}
_STEM_CHANNELS = 24
_REPEATS = (4, 8, 4)
_BOTTLENECK = 4  # output channels per channel of the depthwise convolution


class ShuffleUnit(nn.Module):
    """Grouped 1x1 convolution, shuffle, depthwise one, grouped 1x1 one (figures 2b and 2c).

    At stride 1 the input is added. At stride 2 its means over 3x3 are joined to fewer new channels.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: int,
        groups: int,
        reduce_groups: int,
    ) -> None:
        super().__init__()
        channels = out_channels // _BOTTLENECK
        new_channels = out_channels - in_channels if stride > 1 else out_channels
        self.joins_input = stride > 1
        self.branch = nn.Sequential(
            OrderedDict[str, nn.Module](
                reduce=ConvNormActivation(in_channels, channels, groups=reduce_groups),
                shuffle=ChannelShuffle(groups),
                depthwise=ConvNormActivation(
                    channels, channels, 3, stride=stride, groups=channels, activation=None
                ),
                expand=ConvNormActivation(channels, new_channels, groups=groups, activation=None),
            )
        )
        if self.joins_input:
            self.shortcut = nn.AvgPool2d(3, stride=stride, padding=1)
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.branch(x)
        out = torch.cat((self.shortcut(x), out), dim=1) if self.joins_input else x + out
        activated: torch.Tensor = self.activation(out)
        return activated


def shufflenet_v1(
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    width_multiplier: float = 1.0,
    groups: int = 3,
) -> ImageClassifier:
    """ShuffleNetV1.

    Parameters
    ----------
    num_classes : int, default=1000
    in_channels : int, default=3
    width_multiplier : float, default=1.0
        Scales the channels of every layer. The paper has 0.25 to 2.0 and does not say what happens
        where groups do not divide the result; here it is rounded to the nearest number they divide.
    groups : {1, 2, 3, 4, 8}, default=3
        Groups of the 1x1 convolutions. The first of all has one, as few channels enter it.

    References
    ----------
    Zhang et al., ShuffleNet: An Extremely Efficient Convolutional Neural Network for Mobile
    Devices, 2017, arXiv:1707.01083, table 1 and figure 2.
    """
    if groups not in _STAGE2_CHANNELS:
        known = ", ".join(str(number) for number in _STAGE2_CHANNELS)
        raise BadReference(f"ShuffleNetV1 has no groups={groups}. Give one of {known}.")
    channels = make_divisible(_STEM_CHANNELS * width_multiplier, groups)
    features = nn.Sequential(
        OrderedDict[str, nn.Module](
            stem=ConvNormActivation(in_channels, channels, 3, stride=2),
            pool=nn.MaxPool2d(3, stride=2, padding=1),
        )
    )
    out_channels = make_divisible(_STAGE2_CHANNELS[groups] * width_multiplier, _BOTTLENECK * groups)
    # Stages are counted from 2 as in the paper, whose stage 1 is the stem.
    for number, repeats in enumerate(_REPEATS, start=2):
        stage = nn.Sequential()
        for repeat in range(repeats):
            is_first = repeat == 0
            stage.append(
                ShuffleUnit(
                    channels,
                    out_channels,
                    stride=2 if is_first else 1,
                    groups=groups,
                    reduce_groups=1 if is_first and number == 2 else groups,
                )
            )
            channels = out_channels
        features.add_module(f"stage{number}", stage)
        out_channels *= 2
    return ImageClassifier(features, nn.Linear(channels, num_classes))
