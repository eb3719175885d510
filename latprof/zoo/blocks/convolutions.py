"""One convolution, in its variants: each with batch norm and ReLU behind it, as networks have it.

MACs are given for C channels in, N out, a k x k kernel and H x W outputs.
"""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from latprof.zoo.blocks.checks import check_multiple, check_not_above, check_odd
from latprof.zoo.layers import ConvNormActivation
from latprof.zoo.shufflenet_v2 import ChannelShuffle


def standard(
    *, channels: int = 64, out_channels: int | None = None, kernel_size: int = 3, stride: int = 1
) -> nn.Module:
    """Every output reads every channel: k² C N H W MACs."""
    check_odd(kernel_size)
    return ConvNormActivation(channels, out_channels or channels, kernel_size, stride=stride)


def depthwise(*, channels: int = 64, kernel_size: int = 3, stride: int = 1) -> nn.Module:
    """Every channel is filtered by itself: k² C H W MACs."""
    check_odd(kernel_size)
    return ConvNormActivation(channels, channels, kernel_size, stride=stride, groups=channels)


def pointwise(*, channels: int = 64, out_channels: int | None = None, stride: int = 1) -> nn.Module:
    """Every pixel is mixed by itself: C N H W MACs."""
    return ConvNormActivation(channels, out_channels or channels, stride=stride)


def separable(
    *, channels: int = 64, out_channels: int | None = None, kernel_size: int = 3, stride: int = 1
) -> nn.Module:
    """Depthwise, then pointwise: (k² + N) C H W MACs, 1/N + 1/k² of a standard convolution's.

    References
    ----------
    Howard et al., MobileNets, 2017, arXiv:1704.04861, section 3.1.
    """
    return nn.Sequential(
        OrderedDict(
            depthwise=depthwise(channels=channels, kernel_size=kernel_size, stride=stride),
            pointwise=pointwise(channels=channels, out_channels=out_channels),
        )
    )


def grouped(
    *,
    channels: int = 64,
    out_channels: int | None = None,
    kernel_size: int = 3,
    stride: int = 1,
    groups: int = 4,
) -> nn.Module:
    """Every output reads the channels of its group: k² C N H W / groups MACs."""
    out_channels = out_channels or channels
    check_odd(kernel_size)
    check_multiple(groups, "the groups", channels=channels, out_channels=out_channels)
    return ConvNormActivation(channels, out_channels, kernel_size, stride=stride, groups=groups)


def grouped_shuffle(
    *,
    channels: int = 64,
    out_channels: int | None = None,
    kernel_size: int = 3,
    stride: int = 1,
    groups: int = 4,
) -> nn.Module:
    """Grouped, then channels of different groups brought together: no more MACs than grouped.

    References
    ----------
    Zhang et al., ShuffleNet, 2017, arXiv:1707.01083, figure 1.
    """
    conv = grouped(
        channels=channels,
        out_channels=out_channels,
        kernel_size=kernel_size,
        stride=stride,
        groups=groups,
    )
    return nn.Sequential(OrderedDict[str, nn.Module](grouped=conv, shuffle=ChannelShuffle(groups)))


def dilated(
    *, channels: int = 64, out_channels: int | None = None, kernel_size: int = 3, dilation: int = 2
) -> nn.Module:
    """Kernel pixels `dilation` apart: a wider view for the k² C N H W MACs of a standard one."""
    check_odd(kernel_size)
    return ConvNormActivation(channels, out_channels or channels, kernel_size, dilation=dilation)


def transposed(
    *, channels: int = 64, out_channels: int | None = None, kernel_size: int = 4, stride: int = 2
) -> nn.Module:
    """An image `stride` times larger: k² C N MACs for each pixel that comes in.

    References
    ----------
    Dumoulin & Visin, A guide to convolution arithmetic for deep learning, 2016, arXiv:1603.07285,
    chapter 4.
    """
    check_not_above("stride", stride, "kernel_size", kernel_size)
    if stride == 1:
        check_odd(kernel_size)
    overlap = kernel_size - stride
    conv = nn.ConvTranspose2d(
        channels,
        out_channels or channels,
        kernel_size,
        stride=stride,
        padding=(overlap + 1) // 2,
        output_padding=overlap % 2,
        bias=False,
    )
    norm = nn.BatchNorm2d(out_channels or channels)
    return nn.Sequential(
        OrderedDict[str, nn.Module](conv=conv, norm=norm, activation=nn.ReLU(inplace=True))
    )
