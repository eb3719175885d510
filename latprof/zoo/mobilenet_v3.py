"""MobileNetV3, Small and Large: searched inverted residuals, some with squeeze-excite."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from torch import nn

from latprof.zoo.layers import (
    ConvNormActivation,
    ImageClassifier,
    InvertedResidual,
    SqueezeExcite,
    make_divisible,
)

_RE = nn.ReLU
_HS = nn.Hardswish


@dataclass(frozen=True)
class _Bottleneck:
    """One "bneck" row of tables 1 and 2, at width 1."""

    kernel_size: int
    expanded_channels: int
    out_channels: int
    squeezes: bool
    activation: type[nn.Module]
    stride: int


_LARGE = (
    _Bottleneck(3, 16, 16, False, _RE, 1),
    _Bottleneck(3, 64, 24, False, _RE, 2),
    _Bottleneck(3, 72, 24, False, _RE, 1),
    _Bottleneck(5, 72, 40, True, _RE, 2),
    _Bottleneck(5, 120, 40, True, _RE, 1),
    _Bottleneck(5, 120, 40, True, _RE, 1),
    _Bottleneck(3, 240, 80, False, _HS, 2),
    _Bottleneck(3, 200, 80, False, _HS, 1),
    _Bottleneck(3, 184, 80, False, _HS, 1),
    _Bottleneck(3, 184, 80, False, _HS, 1),
    _Bottleneck(3, 480, 112, True, _HS, 1),
    _Bottleneck(3, 672, 112, True, _HS, 1),
    _Bottleneck(5, 672, 160, True, _HS, 2),
    _Bottleneck(5, 960, 160, True, _HS, 1),
    _Bottleneck(5, 960, 160, True, _HS, 1),
)

_SMALL = (
    _Bottleneck(3, 16, 16, True, _RE, 2),
    _Bottleneck(3, 72, 24, False, _RE, 2),
    _Bottleneck(3, 88, 24, False, _RE, 1),
    _Bottleneck(5, 96, 40, True, _HS, 2),
    _Bottleneck(5, 240, 40, True, _HS, 1),
    _Bottleneck(5, 240, 40, True, _HS, 1),
    _Bottleneck(5, 120, 48, True, _HS, 1),
    _Bottleneck(5, 144, 48, True, _HS, 1),
    _Bottleneck(5, 288, 96, True, _HS, 2),
    _Bottleneck(5, 576, 96, True, _HS, 1),
    _Bottleneck(5, 576, 96, True, _HS, 1),
)


def mobilenet_v3_large(
    *, num_classes: int = 1000, in_channels: int = 3, width_multiplier: float = 1.0
) -> ImageClassifier:
    """MobileNetV3-Large.

    Parameters
    ----------
    num_classes : int, default=1000
    in_channels : int, default=3
    width_multiplier : float, default=1.0
        Scales the channels of every layer, except that below 1 the last hidden layer keeps its
        1280. The paper has 0.35 to 1.25.

    References
    ----------
    Howard et al., Searching for MobileNetV3, 2019, arXiv:1905.02244, table 1.
    """
    return _mobilenet_v3(
        _LARGE,
        head_channels=960,
        hidden_features=1280,
        num_classes=num_classes,
        in_channels=in_channels,
        width_multiplier=width_multiplier,
    )


def mobilenet_v3_small(
    *, num_classes: int = 1000, in_channels: int = 3, width_multiplier: float = 1.0
) -> ImageClassifier:
    """MobileNetV3-Small.

    Parameters
    ----------
    num_classes : int, default=1000
    in_channels : int, default=3
    width_multiplier : float, default=1.0
        Scales the channels of every layer, except that below 1 the last hidden layer keeps its
        1024. The paper has 0.35 to 1.25.

    Notes
    -----
    Table 2 ticks squeeze-excite for the last 1x1 convolution too. The authors' code has none
    there, and only without it are there the 2.5 M parameters of table 3.

    References
    ----------
    Howard et al., Searching for MobileNetV3, 2019, arXiv:1905.02244, table 2.
    """
    return _mobilenet_v3(
        _SMALL,
        head_channels=576,
        hidden_features=1024,
        num_classes=num_classes,
        in_channels=in_channels,
        width_multiplier=width_multiplier,
    )


def _mobilenet_v3(
    body: tuple[_Bottleneck, ...],
    *,
    head_channels: int,
    hidden_features: int,
    num_classes: int,
    in_channels: int,
    width_multiplier: float,
) -> ImageClassifier:
    base_channels = 16
    channels = make_divisible(base_channels * width_multiplier)
    features = nn.Sequential(ConvNormActivation(in_channels, channels, 3, stride=2, activation=_HS))
    for row in body:
        # As in the authors' code, the multiplier scales what goes in and out of a block, which
        # then expands by the ratio it has at width 1. torchvision scales the expanded channels
        # of the table instead and so gets other networks at every width but 1.
        expanded_channels = make_divisible(channels * row.expanded_channels / base_channels)
        out_channels = make_divisible(row.out_channels * width_multiplier)
        features.append(
            InvertedResidual(
                channels,
                out_channels,
                expanded_channels=expanded_channels,
                kernel_size=row.kernel_size,
                stride=row.stride,
                activation=row.activation,
                squeeze_excite=_squeeze_excite(expanded_channels) if row.squeezes else None,
            )
        )
        base_channels, channels = row.out_channels, out_channels
    scaled_head_channels = make_divisible(head_channels * width_multiplier)
    scaled_hidden_features = make_divisible(hidden_features * max(1.0, width_multiplier))
    features.append(ConvNormActivation(channels, scaled_head_channels, activation=_HS))
    classifier = nn.Sequential(
        OrderedDict(
            # The paper writes these two as 1x1 convolutions on the pooled 1x1 image.
            hidden=nn.Linear(scaled_head_channels, scaled_hidden_features),
            activation=_HS(inplace=True),
            output=nn.Linear(scaled_hidden_features, num_classes),
        )
    )
    return ImageClassifier(features, classifier)


def _squeeze_excite(channels: int) -> SqueezeExcite:
    """Squeeze-excite of section 5.3: to a quarter of the expanded channels."""
    return SqueezeExcite(
        channels, make_divisible(channels / 4), activation=nn.ReLU, gate=nn.Hardsigmoid
    )
