"""EfficientNet-B0: inverted residuals with swish and squeeze-excite throughout."""

from __future__ import annotations

from torch import nn

from latprof.zoo.layers import (
    ConvNormActivation,
    ImageClassifier,
    InvertedResidual,
    SqueezeExcite,
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


def efficientnet_b0(*, num_classes: int = 1000, in_channels: int = 3) -> ImageClassifier:
    """EfficientNet-B0, the baseline that B1 to B7 scale up.

    References
    ----------
    Tan & Le, EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, 2019,
    arXiv:1905.11946, table 1.
    """
    features = nn.Sequential(
        ConvNormActivation(in_channels, _STEM_CHANNELS, 3, stride=2, activation=nn.SiLU)
    )
    channels = _STEM_CHANNELS
    for expansion, kernel_size, out_channels, layers, first_stride in _BODY:
        for layer in range(layers):
            expanded_channels = channels * expansion
            features.append(
                InvertedResidual(
                    channels,
                    out_channels,
                    expanded_channels=expanded_channels,
                    kernel_size=kernel_size,
                    stride=first_stride if layer == 0 else 1,
                    activation=nn.SiLU,
                    # A quarter of the channels before expansion, where MobileNetV3 takes a
                    # quarter of those after it.
                    squeeze_excite=SqueezeExcite(
                        expanded_channels, channels // 4, activation=nn.SiLU, gate=nn.Sigmoid
                    ),
                )
            )
            channels = out_channels
    features.append(ConvNormActivation(channels, _HEAD_CHANNELS, activation=nn.SiLU))
    return ImageClassifier(features, nn.Linear(_HEAD_CHANNELS, num_classes))
