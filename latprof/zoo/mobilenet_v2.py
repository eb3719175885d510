"""MobileNetV2: inverted residuals with linear bottlenecks."""

from __future__ import annotations

from torch import nn

from latprof.zoo.layers import (
    ConvNormActivation,
    ImageClassifier,
    InvertedResidual,
    make_divisible,
)

# Table 2 of the paper: expansion t, output channels c, repeats n, stride s of the first repeat.
_BODY = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def mobilenet_v2(
    *, num_classes: int = 1000, in_channels: int = 3, width_multiplier: float = 1.0
) -> ImageClassifier:
    """MobileNetV2.

    Parameters
    ----------
    num_classes : int, default=1000
    in_channels : int, default=3
    width_multiplier : float, default=1.0
        Scales the channels of every layer, except that below 1 the last convolution keeps its
        1280 (section 6.1). The paper has 0.35 to 1.4.

    References
    ----------
    Sandler et al., MobileNetV2: Inverted Residuals and Linear Bottlenecks, 2018,
    arXiv:1801.04381, table 2.
    """
    channels = make_divisible(32 * width_multiplier)
    features = nn.Sequential(
        ConvNormActivation(in_channels, channels, 3, stride=2, activation=nn.ReLU6)
    )
    for expansion, base_channels, repeats, first_stride in _BODY:
        out_channels = make_divisible(base_channels * width_multiplier)
        for repeat in range(repeats):
            features.append(
                InvertedResidual(
                    channels,
                    out_channels,
                    expanded_channels=channels * expansion,
                    kernel_size=3,
                    stride=first_stride if repeat == 0 else 1,
                    activation=nn.ReLU6,
                )
            )
            channels = out_channels
    head_channels = make_divisible(1280 * max(1.0, width_multiplier))
    features.append(ConvNormActivation(channels, head_channels, activation=nn.ReLU6))
    return ImageClassifier(features, nn.Linear(head_channels, num_classes))
