"""GhostNet: a layer computes half its channels and makes the rest of them by cheap convolutions."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import torch
from torch import nn

from latprof.zoo.layers import (
    ConvNormActivation,
    ImageClassifier,
    SqueezeExcite,
    make_divisible,
)


@dataclass(frozen=True)
class _Bottleneck:
    """One "G-bneck" row of table 1, at width 1.

    The kernel size is that of the strided depthwise convolution and of the shortcut. The table
    leaves it out; it is from the authors' code.
    """

    kernel_size: int
    expanded_channels: int
    out_channels: int
    squeezes: bool
    stride: int


_BODY = (
    _Bottleneck(3, 16, 16, False, 1),
    _Bottleneck(3, 48, 24, False, 2),
    _Bottleneck(3, 72, 24, False, 1),
    _Bottleneck(5, 72, 40, True, 2),
    _Bottleneck(5, 120, 40, True, 1),
    _Bottleneck(3, 240, 80, False, 2),
    _Bottleneck(3, 200, 80, False, 1),
    _Bottleneck(3, 184, 80, False, 1),
    _Bottleneck(3, 184, 80, False, 1),
    _Bottleneck(3, 480, 112, True, 1),
    _Bottleneck(3, 672, 112, True, 1),
    _Bottleneck(5, 672, 160, True, 2),
    _Bottleneck(5, 960, 160, False, 1),
    _Bottleneck(5, 960, 160, True, 1),
    _Bottleneck(5, 960, 160, False, 1),
    _Bottleneck(5, 960, 160, True, 1),
)
_STEM_CHANNELS = 16
_LAST_CHANNELS = 960
_HEAD_CHANNELS = 1280


class GhostModule(nn.Module):
    """1x1 convolution to half the output channels; a 3x3 depthwise one makes the rest from them.

    This is the module of figure 1b with the ratio s = 2 and the kernel size d = 3 that the paper
    settles on. `out_channels` is even.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, activation: type[nn.Module] | None
    ) -> None:
        super().__init__()
        half = out_channels // 2
        self.primary = ConvNormActivation(in_channels, half, activation=activation)
        self.cheap = ConvNormActivation(half, half, 3, groups=half, activation=activation)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        intrinsic = self.primary(x)
        return torch.cat((intrinsic, self.cheap(intrinsic)), dim=1)


class GhostBottleneck(nn.Module):
    """Two ghost modules, wide then linear; between them what strides and squeezes (figure 3)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        expanded_channels: int,
        kernel_size: int,
        stride: int,
        squeezes: bool,
    ) -> None:
        super().__init__()
        layers = OrderedDict[str, nn.Module](
            expand=GhostModule(in_channels, expanded_channels, activation=nn.ReLU)
        )
        if stride > 1:
            layers["depthwise"] = _depthwise(expanded_channels, kernel_size, stride)
        if squeezes:
            layers["squeeze_excite"] = SqueezeExcite(
                expanded_channels,
                make_divisible(expanded_channels / 4, 4),
                activation=nn.ReLU,
                gate=nn.Hardsigmoid,
            )
        layers["project"] = GhostModule(expanded_channels, out_channels, activation=None)
        self.branch = nn.Sequential(layers)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or in_channels != out_channels:
            self.shortcut = nn.Sequential(
                OrderedDict(
                    depthwise=_depthwise(in_channels, kernel_size, stride),
                    project=ConvNormActivation(in_channels, out_channels, activation=None),
                )
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.branch(x) + self.shortcut(x)
        return out


def ghostnet(
    *, num_classes: int = 1000, in_channels: int = 3, width_multiplier: float = 1.0
) -> ImageClassifier:
    """GhostNet, the first version.

    Parameters
    ----------
    num_classes : int, default=1000
    in_channels : int, default=3
    width_multiplier : float, default=1.0
        Scales the channels of every layer but the last hidden one, to multiples of 4. The paper
        has 0.5, 1.0 and 1.3.

    References
    ----------
    Han et al., GhostNet: More Features from Cheap Operations, 2019, arXiv:1911.11907, table 1, and
    github.com/huawei-noah/ghostnet.
    """

    def scaled(channels: int) -> int:
        return make_divisible(channels * width_multiplier, 4)

    channels = scaled(_STEM_CHANNELS)
    features = nn.Sequential(ConvNormActivation(in_channels, channels, 3, stride=2))
    for row in _BODY:
        out_channels = scaled(row.out_channels)
        features.append(
            GhostBottleneck(
                channels,
                out_channels,
                expanded_channels=scaled(row.expanded_channels),
                kernel_size=row.kernel_size,
                stride=row.stride,
                squeezes=row.squeezes,
            )
        )
        channels = out_channels
    last_channels = scaled(_LAST_CHANNELS)
    features.append(ConvNormActivation(channels, last_channels))
    head = nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(last_channels, _HEAD_CHANNELS, 1), activation=nn.ReLU(inplace=True)
        )
    )
    return ImageClassifier(features, nn.Linear(_HEAD_CHANNELS, num_classes), head=head)


def _depthwise(channels: int, kernel_size: int, stride: int) -> ConvNormActivation:
    return ConvNormActivation(
        channels, channels, kernel_size, stride=stride, groups=channels, activation=None
    )
