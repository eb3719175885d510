"""MnasNet A1 and B1: inverted residuals found by search, with and without squeeze-excite."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from latprof.zoo.layers import (
    ConvNormActivation,
    ImageClassifier,
    InvertedResidual,
    SqueezeExcite,
    make_divisible,
)


@dataclass(frozen=True)
class _Stage:
    """One box of figure 7: layers that are alike but for the stride of the first."""

    expansion: int
    kernel_size: int
    out_channels: int
    layers: int
    first_stride: int
    squeezes: bool = False


# The first box is a separable convolution: an inverted residual that does not widen.
_A1 = (
    _Stage(1, 3, 16, 1, 1),
    _Stage(6, 3, 24, 2, 2),
    _Stage(3, 5, 40, 3, 2, squeezes=True),
    _Stage(6, 3, 80, 4, 2),
    _Stage(6, 3, 112, 2, 1, squeezes=True),
    _Stage(6, 5, 160, 3, 2, squeezes=True),
    _Stage(6, 3, 320, 1, 1),
)
_B1 = (
    _Stage(1, 3, 16, 1, 1),
    _Stage(3, 3, 24, 3, 2),
    _Stage(3, 5, 40, 3, 2),
    _Stage(6, 5, 80, 3, 2),
    _Stage(6, 3, 96, 2, 1),
    _Stage(6, 5, 192, 4, 2),
    _Stage(6, 3, 320, 1, 1),
)
_STEM_CHANNELS = 32
_HEAD_CHANNELS = 1280


def mnasnet_a1(
    *, num_classes: int = 1000, in_channels: int = 3, width_multiplier: float = 1.0
) -> ImageClassifier:
    """MnasNet-A1, the paper's baseline, with squeeze-excite in three stages.

    Parameters
    ----------
    num_classes : int, default=1000
    in_channels : int, default=3
    width_multiplier : float, default=1.0
        Scales the channels of every layer but the last convolution, which keeps its 1280. The
        paper calls it depth multiplier and has 0.35 to 1.4.

    References
    ----------
    Tan et al., MnasNet: Platform-Aware Neural Architecture Search for Mobile, 2018,
    arXiv:1807.11626, figure 7, and github.com/tensorflow/tpu, models/official/mnasnet.
    """
    return _mnasnet(_A1, num_classes, in_channels, width_multiplier)


def mnasnet_b1(
    *, num_classes: int = 1000, in_channels: int = 3, width_multiplier: float = 1.0
) -> ImageClassifier:
    """MnasNet-B1, searched for without squeeze-excite.

    Parameters
    ----------
    num_classes : int, default=1000
    in_channels : int, default=3
    width_multiplier : float, default=1.0
        As for `mnasnet_a1`.

    References
    ----------
    Tan et al., MnasNet: Platform-Aware Neural Architecture Search for Mobile, 2018,
    arXiv:1807.11626, section 6.1, and github.com/tensorflow/tpu, models/official/mnasnet.
    """
    return _mnasnet(_B1, num_classes, in_channels, width_multiplier)


def _mnasnet(
    body: tuple[_Stage, ...], num_classes: int, in_channels: int, width_multiplier: float
) -> ImageClassifier:
    channels = make_divisible(_STEM_CHANNELS * width_multiplier)
    features = nn.Sequential(ConvNormActivation(in_channels, channels, 3, stride=2))
    for stage in body:
        out_channels = make_divisible(stage.out_channels * width_multiplier)
        for layer in range(stage.layers):
            expanded_channels = channels * stage.expansion
            squeeze_excite = None
            if stage.squeezes:
                # A quarter of the channels before expansion, as in EfficientNet.
                squeeze_excite = SqueezeExcite(
                    expanded_channels, channels // 4, activation=nn.ReLU, gate=nn.Sigmoid
                )
            features.append(
                InvertedResidual(
                    channels,
                    out_channels,
                    expanded_channels=expanded_channels,
                    kernel_size=stage.kernel_size,
                    stride=stage.first_stride if layer == 0 else 1,
                    activation=nn.ReLU,
                    squeeze_excite=squeeze_excite,
                )
            )
            channels = out_channels
    features.append(ConvNormActivation(channels, _HEAD_CHANNELS))
    return ImageClassifier(features, nn.Linear(_HEAD_CHANNELS, num_classes))
