"""MobileNetV4, Conv-S/M/L and Hybrid-M/L: inverted bottlenecks of every kind, and attention.

References
----------
Qin et al., MobileNetV4: Universal Models for the Mobile Ecosystem, 2024, arXiv:2404.10518. What the
paper leaves open (norms, biases, the multiplier) is as in the authors' code:
github.com/tensorflow/models, official/vision/modeling/backbones/mobilenet.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from latprof.zoo.layers import (
    ConvNormActivation,
    FusedInvertedResidual,
    ImageClassifier,
    make_divisible,
)
from latprof.zoo.mobilenet_v4_layers import MobileAttention, UniversalInvertedBottleneck
from latprof.zoo.mobilenet_v4_tables import (
    CONV_LARGE,
    CONV_MEDIUM,
    CONV_SMALL,
    HYBRID_LARGE,
    HYBRID_MEDIUM,
    MQA,
    UIB,
    Conv,
    Fused,
    Row,
)

_HEAD_CHANNELS = 1280


class _GELU(nn.GELU):
    """GELU for layers that ask for an activation in place, of which torch has none."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()


def mobilenet_v4_conv_small(
    *, num_classes: int = 1000, in_channels: int = 3, width_multiplier: float = 1.0
) -> ImageClassifier:
    """MobileNetV4-Conv-S.

    Parameters
    ----------
    num_classes : int, default=1000
    in_channels : int, default=3
    width_multiplier : float, default=1.0
        Scales the channels of every layer, except that below 1 the last convolution keeps its 1280
        and that attention heads are left alone. The paper has 1.0 only.
    """
    return _mobilenet_v4(CONV_SMALL, num_classes, in_channels, width_multiplier)


def mobilenet_v4_conv_medium(
    *, num_classes: int = 1000, in_channels: int = 3, width_multiplier: float = 1.0
) -> ImageClassifier:
    """MobileNetV4-Conv-M.

    Its parameters are those of `mobilenet_v4_conv_small`.
    """
    return _mobilenet_v4(CONV_MEDIUM, num_classes, in_channels, width_multiplier)


def mobilenet_v4_conv_large(
    *, num_classes: int = 1000, in_channels: int = 3, width_multiplier: float = 1.0
) -> ImageClassifier:
    """MobileNetV4-Conv-L.

    Its parameters are those of `mobilenet_v4_conv_small`.
    """
    return _mobilenet_v4(CONV_LARGE, num_classes, in_channels, width_multiplier)


def mobilenet_v4_hybrid_medium(
    *, num_classes: int = 1000, in_channels: int = 3, width_multiplier: float = 1.0
) -> ImageClassifier:
    """MobileNetV4-Hybrid-M: Conv-M with attention in its last two stages.

    Its parameters are those of `mobilenet_v4_conv_small`.
    """
    return _mobilenet_v4(
        HYBRID_MEDIUM,
        num_classes,
        in_channels,
        width_multiplier,
        scales_layers=True,
    )


def mobilenet_v4_hybrid_large(
    *, num_classes: int = 1000, in_channels: int = 3, width_multiplier: float = 1.0
) -> ImageClassifier:
    """MobileNetV4-Hybrid-L: Conv-L with attention in its last two stages, and GELU for ReLU.

    Its parameters are those of `mobilenet_v4_conv_small`.
    """
    return _mobilenet_v4(
        HYBRID_LARGE,
        num_classes,
        in_channels,
        width_multiplier,
        scales_layers=True,
        activation=_GELU,
    )


def _mobilenet_v4(
    table: Sequence[Row],
    num_classes: int,
    in_channels: int,
    width_multiplier: float,
    *,
    activation: type[nn.Module] = nn.ReLU,
    scales_layers: bool = False,
) -> ImageClassifier:
    features = nn.Sequential()
    channels = in_channels
    for row in table:
        if isinstance(row, MQA):
            features.append(
                MobileAttention(
                    channels,
                    heads=row.heads,
                    head_channels=row.head_channels,
                    key_value_stride=row.key_value_stride,
                )
            )
            continue
        out_channels = make_divisible(row.out_channels * width_multiplier)
        features.append(_convolutions(row, channels, out_channels, activation, scales_layers))
        channels = out_channels
    head_channels = make_divisible(_HEAD_CHANNELS * max(1.0, width_multiplier))
    return ImageClassifier(
        features,
        nn.Linear(head_channels, num_classes),
        head=ConvNormActivation(channels, head_channels, activation=activation),
    )


def _convolutions(
    row: Conv | Fused | UIB,
    in_channels: int,
    out_channels: int,
    activation: type[nn.Module],
    scales_layers: bool,
) -> nn.Module:
    match row:
        case Conv():
            return ConvNormActivation(
                in_channels,
                out_channels,
                row.kernel_size,
                stride=row.stride,
                activation=activation,
            )
        case Fused():
            return FusedInvertedResidual(
                in_channels,
                out_channels,
                expanded_channels=4 * in_channels,
                kernel_size=3,
                stride=2,
                activation=activation,
            )
        case UIB():
            return UniversalInvertedBottleneck(
                in_channels,
                out_channels,
                start_kernel=row.start_kernel,
                middle_kernel=row.middle_kernel,
                expansion=row.expansion,
                stride=row.stride,
                activation=activation,
                scales_layer=scales_layers,
            )
