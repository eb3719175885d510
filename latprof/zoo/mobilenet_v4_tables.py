"""The tables of MobileNetV4's layers, as in the paper."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Conv:
    """A "Conv2D" row."""

    kernel_size: int
    out_channels: int
    stride: int


@dataclass(frozen=True)
class Fused:
    """A "FusedIB" row: a strided 3x3 convolution to four times the channels, then a 1x1 one."""

    out_channels: int


@dataclass(frozen=True)
class UIB:
    """An "ExtraDW", "IB", "ConvNext" or "FFN" row, by the sizes of its depthwise convolutions."""

    start_kernel: int
    middle_kernel: int
    out_channels: int
    expansion: int
    stride: int = 1


@dataclass(frozen=True)
class MQA:
    """A "Mobile-MQA" row."""

    heads: int
    head_channels: int
    key_value_stride: int


Row = Conv | Fused | UIB | MQA


# The tables "Architecture specification of MNv4-..." in the paper's appendix, row by row; times
# and sums of tuples stand for rows that follow one another.
CONV_SMALL: tuple[Row, ...] = (
    Conv(3, 32, 2),
    Conv(3, 32, 2),
    Conv(1, 32, 1),
    Conv(3, 96, 2),
    Conv(1, 64, 1),
    UIB(5, 5, 96, 3, 2),
    *(UIB(0, 3, 96, 2),) * 4,
    UIB(3, 0, 96, 4),
    UIB(3, 3, 128, 6, 2),
    UIB(5, 5, 128, 4),
    UIB(0, 5, 128, 4),
    UIB(0, 5, 128, 3),
    *(UIB(0, 3, 128, 4),) * 2,
    Conv(1, 960, 1),
)

CONV_MEDIUM: tuple[Row, ...] = (
    Conv(3, 32, 2),
    Fused(48),
    UIB(3, 5, 80, 4, 2),
    UIB(3, 3, 80, 2),
    UIB(3, 5, 160, 6, 2),
    *(UIB(3, 3, 160, 4),) * 2,
    UIB(3, 5, 160, 4),
    UIB(3, 3, 160, 4),
    UIB(3, 0, 160, 4),
    UIB(0, 0, 160, 2),
    UIB(3, 0, 160, 4),
    UIB(5, 5, 256, 6, 2),
    UIB(5, 5, 256, 4),
    *(UIB(3, 5, 256, 4),) * 2,
    UIB(0, 0, 256, 4),
    UIB(3, 0, 256, 4),
    UIB(3, 5, 256, 2),
    UIB(5, 5, 256, 4),
    *(UIB(0, 0, 256, 4),) * 2,
    UIB(5, 0, 256, 2),
    Conv(1, 960, 1),
)

_MEDIUM_MQA_STAGE4 = MQA(heads=4, head_channels=64, key_value_stride=2)
_MEDIUM_MQA_STAGE5 = MQA(heads=4, head_channels=64, key_value_stride=1)
HYBRID_MEDIUM: tuple[Row, ...] = (
    Conv(3, 32, 2),
    Fused(48),
    UIB(3, 5, 80, 4, 2),
    UIB(3, 3, 80, 2),
    UIB(3, 5, 160, 6, 2),
    UIB(0, 0, 160, 2),
    UIB(3, 3, 160, 4),
    UIB(3, 5, 160, 4),
    _MEDIUM_MQA_STAGE4,
    UIB(3, 3, 160, 4),
    _MEDIUM_MQA_STAGE4,
    UIB(3, 0, 160, 4),
    _MEDIUM_MQA_STAGE4,
    UIB(3, 3, 160, 4),
    _MEDIUM_MQA_STAGE4,
    UIB(3, 0, 160, 4),
    UIB(5, 5, 256, 6, 2),
    UIB(5, 5, 256, 4),
    *(UIB(3, 5, 256, 4),) * 2,
    UIB(0, 0, 256, 2),
    UIB(3, 5, 256, 2),
    UIB(0, 0, 256, 2),
    UIB(0, 0, 256, 4),
    _MEDIUM_MQA_STAGE5,
    UIB(3, 0, 256, 4),
    _MEDIUM_MQA_STAGE5,
    UIB(5, 5, 256, 4),
    _MEDIUM_MQA_STAGE5,
    UIB(5, 0, 256, 4),
    _MEDIUM_MQA_STAGE5,
    UIB(5, 0, 256, 4),
    Conv(1, 960, 1),
)

# Conv-L and Hybrid-L differ in the second half of their last two stages.
_LARGE_BEGINNING: tuple[Row, ...] = (
    Conv(3, 24, 2),
    Fused(48),
    UIB(3, 5, 96, 4, 2),
    UIB(3, 3, 96, 4),
    UIB(3, 5, 192, 4, 2),
    *(UIB(3, 3, 192, 4),) * 3,
    UIB(3, 5, 192, 4),
    *(UIB(5, 3, 192, 4),) * 2,
)
_LARGE_STAGE5_BEGINNING: tuple[Row, ...] = (
    UIB(5, 5, 512, 4, 2),
    *(UIB(5, 5, 512, 4),) * 3,
    UIB(5, 0, 512, 4),
    UIB(5, 3, 512, 4),
    *(UIB(5, 0, 512, 4),) * 2,
    UIB(5, 3, 512, 4),
    UIB(5, 5, 512, 4),
)
CONV_LARGE: tuple[Row, ...] = (
    *_LARGE_BEGINNING,
    *(UIB(5, 3, 192, 4),) * 3,
    UIB(3, 0, 192, 4),
    *_LARGE_STAGE5_BEGINNING,
    *(UIB(5, 0, 512, 4),) * 3,
    Conv(1, 960, 1),
)
_LARGE_MQA_STAGE4 = MQA(heads=8, head_channels=48, key_value_stride=2)
_LARGE_MQA_STAGE5 = MQA(heads=8, head_channels=64, key_value_stride=1)
HYBRID_LARGE: tuple[Row, ...] = (
    *_LARGE_BEGINNING,
    *(_LARGE_MQA_STAGE4, UIB(5, 3, 192, 4)) * 3,
    _LARGE_MQA_STAGE4,
    UIB(3, 0, 192, 4),
    *_LARGE_STAGE5_BEGINNING,
    *(_LARGE_MQA_STAGE5, UIB(5, 0, 512, 4)) * 4,
    Conv(1, 960, 1),
)
