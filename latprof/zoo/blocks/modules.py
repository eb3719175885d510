"""Several convolutions that belong together: the repeated parts of well-known networks."""

from __future__ import annotations

from torch import nn

from latprof.errors import BadReference
from latprof.zoo.blocks.checks import check_multiple, check_not_above, check_odd
from latprof.zoo.ghostnet import GhostModule
from latprof.zoo.inception_v1 import InceptionModule, Widths
from latprof.zoo.layers import (
    FusedInvertedResidual,
    InvertedResidual,
    SqueezeExcite,
    make_divisible,
)
from latprof.zoo.resnet import Bottleneck
from latprof.zoo.shufflenet_v1 import ShuffleUnit
from latprof.zoo.shufflenet_v2 import DownsamplingShuffleBlock, ShuffleBlock
from latprof.zoo.xception import MiddleBlock


def bottleneck(
    *, channels: int = 256, out_channels: int | None = None, stride: int = 1
) -> nn.Module:
    """Bottleneck of ResNet v1.5: 1x1 to a quarter of the channels out, 3x3, 1x1, added.

    References
    ----------
    He et al., Deep Residual Learning for Image Recognition, 2015, arXiv:1512.03385, figure 5.
    """
    out_channels = out_channels or channels
    check_multiple(Bottleneck.widening, "the widening", out_channels=out_channels)
    return Bottleneck(channels, out_channels // Bottleneck.widening, stride=stride)


def inverted_residual(
    *,
    channels: int = 64,
    out_channels: int | None = None,
    kernel_size: int = 3,
    stride: int = 1,
    expansion: float = 6.0,
) -> nn.Module:
    """Inverted residual of MobileNetV2: 1x1 to `expansion` times the channels, depthwise, 1x1.

    References
    ----------
    Sandler et al., MobileNetV2, 2018, arXiv:1801.04381, table 1.
    """
    check_odd(kernel_size)
    return InvertedResidual(
        channels,
        out_channels or channels,
        expanded_channels=_expanded(channels, expansion),
        kernel_size=kernel_size,
        stride=stride,
        activation=nn.ReLU6,
    )


def inverted_residual_se(
    *,
    channels: int = 64,
    out_channels: int | None = None,
    kernel_size: int = 3,
    stride: int = 1,
    expansion: float = 6.0,
    reduction: int = 4,
) -> nn.Module:
    """Inverted residual of MobileNetV3: with squeeze-excite to 1 / `reduction` of the expansion.

    References
    ----------
    Howard et al., Searching for MobileNetV3, 2019, arXiv:1905.02244, figure 4.
    """
    check_odd(kernel_size)
    expanded_channels = _expanded(channels, expansion)
    squeeze_excite = SqueezeExcite(
        expanded_channels,
        make_divisible(expanded_channels / reduction),
        activation=nn.ReLU,
        gate=nn.Hardsigmoid,
    )
    return InvertedResidual(
        channels,
        out_channels or channels,
        expanded_channels=expanded_channels,
        kernel_size=kernel_size,
        stride=stride,
        activation=nn.Hardswish,
        squeeze_excite=squeeze_excite,
    )


def fused_mbconv(
    *,
    channels: int = 64,
    out_channels: int | None = None,
    kernel_size: int = 3,
    stride: int = 1,
    expansion: float = 4.0,
) -> nn.Module:
    """Fused-MBConv of EfficientNetV2: a full convolution widens, a 1x1 narrows again.

    References
    ----------
    Tan & Le, EfficientNetV2: Smaller Models and Faster Training, 2021, arXiv:2104.00298, figure 2.
    """
    check_odd(kernel_size)
    return FusedInvertedResidual(
        channels,
        out_channels or channels,
        expanded_channels=_expanded(channels, expansion),
        kernel_size=kernel_size,
        stride=stride,
        activation=nn.SiLU,
    )


def squeeze_excite(*, channels: int = 64, reduction: int = 16) -> nn.Module:
    """Squeeze-excite alone: channels scaled by a gate that is computed from their means.

    References
    ----------
    Hu, Shen & Sun, Squeeze-and-Excitation Networks, 2017, arXiv:1709.01507, figure 2.
    """
    check_not_above("reduction", reduction, "channels", channels)
    return SqueezeExcite(channels, channels // reduction, activation=nn.ReLU, gate=nn.Sigmoid)


def inception(
    *,
    channels: int = 192,
    conv1x1: int = 64,
    reduce3x3: int = 96,
    conv3x3: int = 128,
    reduce5x5: int = 16,
    conv5x5: int = 32,
    pool_projection: int = 32,
) -> nn.Module:
    """Inception v1 module, without norms; the widths are those of a row of table 1, here 3a.

    References
    ----------
    Szegedy et al., Going Deeper with Convolutions, 2014, arXiv:1409.4842, figure 2b.
    """
    widths = Widths(conv1x1, reduce3x3, conv3x3, reduce5x5, conv5x5, pool_projection)
    return InceptionModule(channels, widths)


def xception(*, channels: int = 728, kernel_size: int = 3) -> nn.Module:
    """Block of Xception's middle flow: three separable convolutions, added to their input.

    References
    ----------
    Chollet, Xception, 2016, arXiv:1610.02357, figure 5.
    """
    check_odd(kernel_size)
    return MiddleBlock(channels, kernel_size)


def shuffle_v1(*, channels: int = 240, stride: int = 1, groups: int = 3) -> nn.Module:
    """ShuffleNetV1 unit; at stride 2 twice the channels come out.

    References
    ----------
    Zhang et al., ShuffleNet, 2017, arXiv:1707.01083, figure 2.
    """
    _check_one_or_two(stride)
    check_multiple(4 * groups, "four times the groups", channels=channels)
    return ShuffleUnit(
        channels, stride * channels, stride=stride, groups=groups, reduce_groups=groups
    )


def ghost(*, channels: int = 64, out_channels: int | None = None) -> nn.Module:
    """Ghost module of GhostNet: half of its channels are made from the other half, depthwise.

    References
    ----------
    Han et al., GhostNet: More Features from Cheap Operations, 2019, arXiv:1911.11907, figure 1b.
    """
    out_channels = out_channels or channels
    check_multiple(2, "as half of them are made from the other", out_channels=out_channels)
    return GhostModule(channels, out_channels, activation=nn.ReLU)


def shuffle_v2(*, channels: int = 116, stride: int = 1) -> nn.Module:
    """ShuffleNetV2 unit; at stride 2 twice the channels come out.

    References
    ----------
    Ma et al., ShuffleNet V2, 2018, arXiv:1807.11164, figures 3c and 3d.
    """
    _check_one_or_two(stride)
    check_multiple(2, "as half of them pass by", channels=channels)
    if stride == 2:
        return DownsamplingShuffleBlock(channels, 2 * channels)
    return ShuffleBlock(channels)


def _expanded(channels: int, expansion: float) -> int:
    return max(1, round(channels * expansion))


def _check_one_or_two(stride: int) -> None:
    if stride not in (1, 2):
        raise BadReference(f"this block has no stride={stride}. Give stride=1 or stride=2.")
