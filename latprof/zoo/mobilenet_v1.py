"""MobileNetV1: a stack of depthwise separable convolutions."""

from __future__ import annotations

from torch import nn

from latprof.zoo.layers import ConvNormActivation, ImageClassifier, make_divisible

# Table 1 of the paper: output channels and stride of each depthwise separable convolution. The
# table gives the last depthwise stride 2 too, but its own output sizes (7x7 in, 7x7 out) and the
# authors' code say 1.
_BODY = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (1024, 2),
    (1024, 1),
)


class DepthwiseSeparable(nn.Sequential):
    """3x3 depthwise convolution, then a 1x1 convolution; each with norm and ReLU."""

    def __init__(self, in_channels: int, out_channels: int, *, stride: int) -> None:
        super().__init__()
        self.depthwise = ConvNormActivation(
            in_channels, in_channels, 3, stride=stride, groups=in_channels
        )
        self.pointwise = ConvNormActivation(in_channels, out_channels)


def mobilenet_v1(
    *, num_classes: int = 1000, in_channels: int = 3, width_multiplier: float = 1.0
) -> ImageClassifier:
    """MobileNetV1, with ReLU as in the paper (the authors' later code has ReLU6).

    Parameters
    ----------
    num_classes : int, default=1000
    in_channels : int, default=3
    width_multiplier : float, default=1.0
        Scales the channels of every layer; the paper has 1.0, 0.75, 0.5 and 0.25.

    References
    ----------
    Howard et al., MobileNets: Efficient Convolutional Neural Networks for Mobile Vision
    Applications, 2017, arXiv:1704.04861, table 1.
    """
    channels = make_divisible(32 * width_multiplier)
    features = nn.Sequential(ConvNormActivation(in_channels, channels, 3, stride=2))
    for base_channels, stride in _BODY:
        out_channels = make_divisible(base_channels * width_multiplier)
        features.append(DepthwiseSeparable(channels, out_channels, stride=stride))
        channels = out_channels
    return ImageClassifier(features, nn.Linear(channels, num_classes))
