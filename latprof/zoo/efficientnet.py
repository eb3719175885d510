"""EfficientNet B0 to B7 and Lite0 to Lite4: one network, scaled in width, depth and image."""

from __future__ import annotations

import math

from torch import nn

from latprof.zoo.layers import (
    ConvNormActivation,
    ImageClassifier,
    InvertedResidual,
    SqueezeExcite,
    make_divisible,
)

# Table 1 of the paper, stages 2 to 8: expansion, kernel size, output channels, layers, and the
# stride of the first layer (the table gives a stage's input size, so its stride shows a row later).
_BODY = (
    (1, 3, 16, 1, 1),
    (6, 3, 24, 2, 2),
    (6, 5, 40, 2, 2),
    (6, 3, 80, 3, 2),
    (6, 5, 112, 3, 1),
    (6, 5, 192, 4, 2),
    (6, 3, 320, 1, 1),
)
_STEM_CHANNELS = 32
_HEAD_CHANNELS = 1280


def efficientnet(
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    width_multiplier: float = 1.0,
    depth_multiplier: float = 1.0,
) -> ImageClassifier:
    """EfficientNet: swish and squeeze-excite throughout. B0 is the one with both multipliers 1.

    Parameters
    ----------
    num_classes : int, default=1000
    in_channels : int, default=3
    width_multiplier : float, default=1.0
        Scales the channels of every layer.
    depth_multiplier : float, default=1.0
        Scales the layers of every stage, rounded up.

    Notes
    -----
    The authors' convolutions of stride 2 pad one side more than the other ("SAME"). Ours pad both
    alike; outputs have the same sizes either way, at odd sizes too, and so do the counts.

    References
    ----------
    Tan & Le, EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, 2019,
    arXiv:1905.11946, table 1. The multipliers of B1 to B7 are in the authors' code only:
    github.com/tensorflow/tpu, models/official/efficientnet/efficientnet_builder.py.
    """
    return _efficientnet(
        stem_channels=make_divisible(_STEM_CHANNELS * width_multiplier),
        head_channels=make_divisible(_HEAD_CHANNELS * width_multiplier),
        repeats_by_stage=[math.ceil(layers * depth_multiplier) for *_, layers, _ in _BODY],
        width_multiplier=width_multiplier,
        activation=nn.SiLU,
        squeezes=True,
        num_classes=num_classes,
        in_channels=in_channels,
    )


def efficientnet_lite(
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    width_multiplier: float = 1.0,
    depth_multiplier: float = 1.0,
) -> ImageClassifier:
    """EfficientNet-Lite: ReLU6 for swish and no squeeze-excite, for integer arithmetic.

    Parameters
    ----------
    num_classes : int, default=1000
    in_channels : int, default=3
    width_multiplier : float, default=1.0
        Scales the channels of every layer but the first and the last convolution.
    depth_multiplier : float, default=1.0
        Scales the layers of every stage but the first and the last, rounded up.

    References
    ----------
    Tan & Le, EfficientNet, 2019, arXiv:1905.11946, table 1, with the changes and multipliers of
    github.com/tensorflow/tpu, models/official/efficientnet/lite.
    """
    repeats = [math.ceil(layers * depth_multiplier) for *_, layers, _ in _BODY]
    repeats[0] = repeats[-1] = 1
    return _efficientnet(
        stem_channels=_STEM_CHANNELS,
        head_channels=_HEAD_CHANNELS,
        repeats_by_stage=repeats,
        width_multiplier=width_multiplier,
        activation=nn.ReLU6,
        squeezes=False,
        num_classes=num_classes,
        in_channels=in_channels,
    )


def _efficientnet(
    *,
    stem_channels: int,
    head_channels: int,
    repeats_by_stage: list[int],
    width_multiplier: float,
    activation: type[nn.Module],
    squeezes: bool,
    num_classes: int,
    in_channels: int,
) -> ImageClassifier:
    features = nn.Sequential(
        ConvNormActivation(in_channels, stem_channels, 3, stride=2, activation=activation)
    )
    channels = stem_channels
    for stage, repeats in zip(_BODY, repeats_by_stage, strict=True):
        expansion, kernel_size, base_channels, _, first_stride = stage
        out_channels = make_divisible(base_channels * width_multiplier)
        for repeat in range(repeats):
            expanded_channels = channels * expansion
            squeeze_excite = None
            if squeezes:
                # A quarter of the channels before expansion, where MobileNetV3 takes a quarter of
                # those after it.
                squeeze_excite = SqueezeExcite(
                    expanded_channels, channels // 4, activation=activation, gate=nn.Sigmoid
                )
            features.append(
                InvertedResidual(
                    channels,
                    out_channels,
                    expanded_channels=expanded_channels,
                    kernel_size=kernel_size,
                    stride=first_stride if repeat == 0 else 1,
                    activation=activation,
                    squeeze_excite=squeeze_excite,
                )
            )
            channels = out_channels
    features.append(ConvNormActivation(channels, head_channels, activation=activation))
    return ImageClassifier(features, nn.Linear(head_channels, num_classes))
