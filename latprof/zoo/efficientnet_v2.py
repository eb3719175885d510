"""EfficientNetV2-S: full convolutions in place of depthwise ones in the first three stages."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from latprof.zoo.layers import (
    ConvNormActivation,
    FusedInvertedResidual,
    ImageClassifier,
    InvertedResidual,
    SqueezeExcite,
)


@dataclass(frozen=True)
class _Stage:
    """One row of table 4; its kernels are all 3x3."""

    fused: bool
    expansion: int
    out_channels: int
    layers: int
    first_stride: int


_BODY = (
    _Stage(True, 1, 24, 2, 1),
    _Stage(True, 4, 48, 4, 2),
    _Stage(True, 4, 64, 4, 2),
    _Stage(False, 4, 128, 6, 2),
    _Stage(False, 6, 160, 9, 1),
    _Stage(False, 6, 256, 15, 2),
)
_STEM_CHANNELS = 24
_HEAD_CHANNELS = 1280


def efficientnet_v2_s(*, num_classes: int = 1000, in_channels: int = 3) -> ImageClassifier:
    """EfficientNetV2-S.

    References
    ----------
    Tan & Le, EfficientNetV2: Smaller Models and Faster Training, 2021, arXiv:2104.00298, table 4.
    """
    features = nn.Sequential(
        ConvNormActivation(in_channels, _STEM_CHANNELS, 3, stride=2, activation=nn.SiLU)
    )
    channels = _STEM_CHANNELS
    for stage in _BODY:
        for layer in range(stage.layers):
            features.append(_block(stage, channels, stage.first_stride if layer == 0 else 1))
            channels = stage.out_channels
    features.append(ConvNormActivation(channels, _HEAD_CHANNELS, activation=nn.SiLU))
    return ImageClassifier(features, nn.Linear(_HEAD_CHANNELS, num_classes))


def _block(stage: _Stage, channels: int, stride: int) -> nn.Module:
    expanded_channels = channels * stage.expansion
    if stage.fused:
        return FusedInvertedResidual(
            channels,
            stage.out_channels,
            expanded_channels=expanded_channels,
            kernel_size=3,
            stride=stride,
            activation=nn.SiLU,
        )
    return InvertedResidual(
        channels,
        stage.out_channels,
        expanded_channels=expanded_channels,
        kernel_size=3,
        stride=stride,
        activation=nn.SiLU,
        # A quarter of the channels before expansion, as in EfficientNet.
        squeeze_excite=SqueezeExcite(
            expanded_channels, channels // 4, activation=nn.SiLU, gate=nn.Sigmoid
        ),
    )
