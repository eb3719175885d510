"""Layers that more than one family of the zoo is built from.

Two things hold for every network here:

- Weights are torch's default random ones, and *no norm scale starts at zero*. Zeroing the last
  norm of a residual block helps training, but a runtime that folds constants then deletes every
  convolution behind it and "ResNet-50" runs in a seventh of its time.
- Dropout and stochastic depth are left out: they act in training only, and nothing of them is
  left in a network that is deployed.
"""

from __future__ import annotations

import torch
from torch import nn

from latprof.errors import BadReference


def make_divisible(channels: float, divisor: int = 8) -> int:
    """Channel count nearest to `channels` that `divisor` divides.

    Halves round up. Where the nearest one would lose more than a tenth of the channels, it is the
    next one up. This is how the MobileNet and EfficientNet authors' code rounds scaled widths.
    """
    if channels <= 0:
        raise BadReference(
            f"a layer cannot have {channels:g} channels. Give a width multiplier above 0, such as "
            "width_multiplier=0.5."
        )
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * channels else rounded + divisor


class ConvNormActivation(nn.Sequential):
    """Convolution, batch norm and, unless `activation` is None, an activation.

    The convolution has no bias (the norm brings one) and, unless `padding` says otherwise, pads so
    that stride 1 keeps the size.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int] = 1,
        *,
        stride: int = 1,
        groups: int = 1,
        activation: type[nn.Module] | None = nn.ReLU,
        dilation: int = 1,
        padding: int | None = None,
    ) -> None:
        super().__init__()
        sides = (kernel_size, kernel_size) if isinstance(kernel_size, int) else kernel_size
        keeping = (dilation * (sides[0] // 2), dilation * (sides[1] // 2))
        self.conv = nn.Conv2d(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=keeping if padding is None else padding,
            dilation=dilation,
            groups=groups,
            bias=False,
        )
        self.norm = nn.BatchNorm2d(out_channels)
        if activation is not None:
            self.activation = activation(inplace=True)


class SqueezeExcite(nn.Module):
    """Channels scaled by a gate that two 1x1 convolutions compute from their means.

    Parameters
    ----------
    channels : int
        Channels that come in and go out.
    squeezed_channels : int
        Channels between the two convolutions.
    activation, gate : type of nn.Module
        What follows the first and the second convolution.

    References
    ----------
    Hu, Shen & Sun, Squeeze-and-Excitation Networks, 2017, arXiv:1709.01507.
    """

    def __init__(
        self,
        channels: int,
        squeezed_channels: int,
        *,
        activation: type[nn.Module],
        gate: type[nn.Module],
    ) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.reduce = nn.Conv2d(channels, squeezed_channels, 1)
        self.activation = activation(inplace=True)
        self.expand = nn.Conv2d(squeezed_channels, channels, 1)
        self.gate = gate()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        squeezed = self.activation(self.reduce(self.pool(x)))
        scale: torch.Tensor = self.gate(self.expand(squeezed))
        return x * scale


class InvertedResidual(nn.Sequential):
    """1x1 expansion, depthwise convolution, optional squeeze-excite, linear 1x1 projection.

    There is no expansion where it would not widen (`expanded_channels == in_channels`), and the
    input is added to the output wherever the two have the same shape.

    References
    ----------
    Sandler et al., MobileNetV2: Inverted Residuals and Linear Bottlenecks, 2018,
    arXiv:1801.04381, section 3.3 and table 1.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        expanded_channels: int,
        kernel_size: int,
        stride: int,
        activation: type[nn.Module],
        squeeze_excite: SqueezeExcite | None = None,
    ) -> None:
        super().__init__()
        self.adds_input = stride == 1 and in_channels == out_channels
        if expanded_channels != in_channels:
            self.expand = ConvNormActivation(in_channels, expanded_channels, activation=activation)
        self.depthwise = ConvNormActivation(
            expanded_channels,
            expanded_channels,
            kernel_size,
            stride=stride,
            groups=expanded_channels,
            activation=activation,
        )
        if squeeze_excite is not None:
            self.squeeze_excite = squeeze_excite
        self.project = ConvNormActivation(expanded_channels, out_channels, activation=None)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = x
        for layer in self:
            out = layer(out)
        return x + out if self.adds_input else out


class FusedInvertedResidual(nn.Sequential):
    """Inverted residual with one full convolution for the expansion and the depthwise one.

    Where it would not widen (`expanded_channels == in_channels`), the full convolution is all there
    is and gives the output channels. The input is added as in `InvertedResidual`.

    References
    ----------
    Tan & Le, EfficientNetV2: Smaller Models and Faster Training, 2021, arXiv:2104.00298, figure 2.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        expanded_channels: int,
        kernel_size: int,
        stride: int,
        activation: type[nn.Module],
    ) -> None:
        super().__init__()
        self.adds_input = stride == 1 and in_channels == out_channels
        widens = expanded_channels != in_channels
        self.expand = ConvNormActivation(
            in_channels,
            expanded_channels if widens else out_channels,
            kernel_size,
            stride=stride,
            activation=activation,
        )
        if widens:
            self.project = ConvNormActivation(expanded_channels, out_channels, activation=None)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = x
        for layer in self:
            out = layer(out)
        return x + out if self.adds_input else out


class ImageClassifier(nn.Module):
    """Features, their mean over the image, and a classifier: the frame of every network here.

    Parameters
    ----------
    features : nn.Module
        Maps (batch, in_channels, height, width) to (batch, channels, a smaller height and width).
    classifier : nn.Module
        Maps (batch, channels) to (batch, num_classes).
    head : nn.Module, optional
        Convolutions between the two, on means that are still an image of one pixel.
    """

    def __init__(
        self, features: nn.Module, classifier: nn.Module, *, head: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.features = features
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Identity() if head is None else head  # a lone `if` would not script
        self.classifier = classifier

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pooled = self.head(self.pool(self.features(x)))
        logits: torch.Tensor = self.classifier(torch.flatten(pooled, start_dim=1))
        return logits
