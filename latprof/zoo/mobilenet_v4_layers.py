"""The two blocks of MobileNetV4: universal inverted bottleneck and multi-query attention."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from latprof.zoo.layers import ConvNormActivation, make_divisible


class LayerScale(nn.Module):
    """Channels times one learned number each.

    They start at 1. Training starts them at 1e-5, but then random weights leave nothing of the
    block behind them once they are halved or quantized, and what is timed is not the network.

    References
    ----------
    Touvron et al., Going deeper with Image Transformers, 2021, arXiv:2103.17239, section 2.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.weight


class UniversalInvertedBottleneck(nn.Sequential):
    """Inverted residual whose depthwise convolution is in the middle, before it, both or neither.

    Parameters
    ----------
    in_channels, out_channels : int
    start_kernel, middle_kernel : int
        Sizes of the depthwise convolutions before the expansion and after it; 0 for none. Both make
        the paper's "ExtraDW", the middle one alone "IB", the start one alone "ConvNext", and none
        "FFN".
    expansion : float
        Channels between the two 1x1 convolutions, per input channel.
    stride : int
        Of the middle depthwise convolution, or of the one before where there is no middle one.
    activation : type of nn.Module
    scales_layer : bool
        Whether a `LayerScale` ends the block, as in the hybrid networks.

    References
    ----------
    Qin et al., MobileNetV4: Universal Models for the Mobile Ecosystem, 2024, arXiv:2404.10518,
    figure 4. Norms and activations are as in the authors' code: github.com/tensorflow/models,
    official/vision/modeling/layers/nn_blocks.py.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        start_kernel: int,
        middle_kernel: int,
        expansion: float,
        stride: int,
        activation: type[nn.Module],
        scales_layer: bool,
    ) -> None:
        super().__init__()
        self.adds_input = stride == 1 and in_channels == out_channels
        expanded_channels = make_divisible(in_channels * expansion)
        if start_kernel:
            self.start = _depthwise(
                in_channels, start_kernel, stride=1 if middle_kernel else stride, activation=None
            )
        self.expand = ConvNormActivation(in_channels, expanded_channels, activation=activation)
        if middle_kernel:
            self.middle = _depthwise(
                expanded_channels, middle_kernel, stride=stride, activation=activation
            )
        self.project = ConvNormActivation(expanded_channels, out_channels, activation=None)
        if scales_layer:
            self.scale = LayerScale(out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = x
        for layer in self:
            out = layer(out)
        return x + out if self.adds_input else out


class MobileAttention(nn.Module):
    """Multi-query attention over the pixels of an image, added to it.

    Every head has its own queries, and all heads share one set of keys and values, which come from
    a smaller image where `key_value_stride` is above 1.

    Parameters
    ----------
    channels : int
        Channels that come in and go out.
    heads : int
    head_channels : int
        Channels of a query, of a key and of a value.
    key_value_stride : int
        Stride of the depthwise 3x3 convolutions before the keys and before the values.

    References
    ----------
    Qin et al., MobileNetV4: Universal Models for the Mobile Ecosystem, 2024, arXiv:2404.10518,
    section 3.2.
    """

    def __init__(
        self, channels: int, *, heads: int, head_channels: int, key_value_stride: int
    ) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.BatchNorm2d(channels)
        self.query = nn.Conv2d(channels, heads * head_channels, 1, bias=False)
        self.key = _shared_by_heads(channels, head_channels, key_value_stride)
        self.value = _shared_by_heads(channels, head_channels, key_value_stride)
        self.project = nn.Conv2d(heads * head_channels, channels, 1, bias=False)
        self.scale = LayerScale(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, _, height, width = x.shape
        normed = self.norm(x)
        queries = self.query(normed).reshape(batch, self.heads, -1, height * width)
        # Keys and values are the same for all heads, so the queries of all stand under one another
        # as those of one: a single product with the keys, which are not copied for each head.
        queries = queries.transpose(2, 3).reshape(batch, 1, self.heads * height * width, -1)
        attended = functional.scaled_dot_product_attention(
            queries, _rows_of_pixels(self.key(normed)), _rows_of_pixels(self.value(normed))
        )
        attended = attended.reshape(batch, self.heads, height * width, -1).transpose(2, 3)
        out: torch.Tensor = self.scale(self.project(attended.reshape(batch, -1, height, width)))
        return x + out


def _rows_of_pixels(image: torch.Tensor) -> torch.Tensor:
    """Image as (batch, 1, pixels, channels)."""
    batch, channels, height, width = image.shape
    return image.reshape(batch, 1, channels, height * width).transpose(2, 3)


def _shared_by_heads(channels: int, head_channels: int, stride: int) -> nn.Sequential:
    """Keys or values: a depthwise convolution where they are fewer than pixels, and a 1x1 one."""
    layers = nn.Sequential()
    if stride > 1:
        layers.add_module("reduce", _depthwise(channels, 3, stride=stride, activation=None))
    layers.add_module("project", nn.Conv2d(channels, head_channels, 1, bias=False))
    return layers


def _depthwise(
    channels: int, kernel_size: int, *, stride: int, activation: type[nn.Module] | None
) -> ConvNormActivation:
    return ConvNormActivation(
        channels, channels, kernel_size, stride=stride, groups=channels, activation=activation
    )
