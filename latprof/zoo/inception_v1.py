"""Inception v1 (GoogLeNet): convolutions of three sizes and a pool side by side."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from torch import nn

from latprof.errors import BadReference
from latprof.zoo.branches import Branches
from latprof.zoo.layers import ConvNormActivation, ImageClassifier


@dataclass(frozen=True)
class Widths:
    """One row of table 1: output channels of the convolutions of a module."""

    conv1x1: int
    reduce3x3: int
    conv3x3: int
    reduce5x5: int
    conv5x5: int
    pool_projection: int

    @property
    def total(self) -> int:
        return self.conv1x1 + self.conv3x3 + self.conv5x5 + self.pool_projection


# Table 1 of the paper; the modules named in `_POOLS_AFTER` are followed by a max pool.
_MODULES = {
    "inception_3a": Widths(64, 96, 128, 16, 32, 32),
    "inception_3b": Widths(128, 128, 192, 32, 96, 64),
    "inception_4a": Widths(192, 96, 208, 16, 48, 64),
    "inception_4b": Widths(160, 112, 224, 24, 64, 64),
    "inception_4c": Widths(128, 128, 256, 24, 64, 64),
    "inception_4d": Widths(112, 144, 288, 32, 64, 64),
    "inception_4e": Widths(256, 160, 320, 32, 128, 128),
    "inception_5a": Widths(256, 160, 320, 32, 128, 128),
    "inception_5b": Widths(384, 192, 384, 48, 128, 128),
}
_POOLS_AFTER = {"inception_3b": "pool3", "inception_4e": "pool4"}


class InceptionModule(Branches):
    """1x1, 3x3 and 5x5 convolutions and a max pool of the same input, joined (figure 2b).

    Parameters
    ----------
    in_channels : int
    widths : Widths
    batch_norm : bool, default=False
        Whether a norm takes the place of each convolution's bias.
    largest_kernel_size : {5, 3}, default=5
        Size of the "5x5" convolution.
    """

    def __init__(
        self,
        in_channels: int,
        widths: Widths,
        *,
        batch_norm: bool = False,
        largest_kernel_size: int = 5,
    ) -> None:
        super().__init__(
            conv1x1=_conv(in_channels, widths.conv1x1, 1, batch_norm=batch_norm),
            conv3x3=nn.Sequential(
                OrderedDict(
                    reduce=_conv(in_channels, widths.reduce3x3, 1, batch_norm=batch_norm),
                    spatial=_conv(widths.reduce3x3, widths.conv3x3, 3, batch_norm=batch_norm),
                )
            ),
            conv5x5=nn.Sequential(
                OrderedDict(
                    reduce=_conv(in_channels, widths.reduce5x5, 1, batch_norm=batch_norm),
                    spatial=_conv(
                        widths.reduce5x5, widths.conv5x5, largest_kernel_size, batch_norm=batch_norm
                    ),
                )
            ),
            pool=nn.Sequential(
                OrderedDict[str, nn.Module](
                    pool=nn.MaxPool2d(3, stride=1, padding=1),
                    project=_conv(in_channels, widths.pool_projection, 1, batch_norm=batch_norm),
                )
            ),
        )


def inception_v1(
    *,
    num_classes: int = 1000,
    in_channels: int = 3,
    batch_norm: bool = False,
    largest_kernel_size: int = 5,
) -> ImageClassifier:
    """Inception v1, without the two auxiliary classifiers, which act in training only.

    Parameters
    ----------
    num_classes : int, default=1000
    in_channels : int, default=3
    batch_norm : bool, default=False
        The paper has biases and, early on, local response norms; most later implementations have
        batch norm after every convolution instead.
    largest_kernel_size : {5, 3}, default=5
        Size of the "5x5" convolutions; torchvision's are 3x3.

    References
    ----------
    Szegedy et al., Going Deeper with Convolutions, 2014, arXiv:1409.4842, table 1 and figure 3.
    """
    if largest_kernel_size not in (3, 5):
        raise BadReference(
            f"Inception v1 has no largest_kernel_size={largest_kernel_size}. Give 5, as in the "
            "paper, or 3, as in torchvision."
        )
    features = nn.Sequential(
        OrderedDict[str, nn.Module](
            conv1=_conv(in_channels, 64, 7, stride=2, batch_norm=batch_norm),
            pool1=_pool(),
            norm1=_response_norm(batch_norm),
            reduce2=_conv(64, 64, 1, batch_norm=batch_norm),
            conv2=_conv(64, 192, 3, batch_norm=batch_norm),
            norm2=_response_norm(batch_norm),
            pool2=_pool(),
        )
    )
    channels = 192
    for name, widths in _MODULES.items():
        features.add_module(
            name,
            InceptionModule(
                channels,
                widths,
                batch_norm=batch_norm,
                largest_kernel_size=largest_kernel_size,
            ),
        )
        channels = widths.total
        if name in _POOLS_AFTER:
            features.add_module(_POOLS_AFTER[name], _pool())
    return ImageClassifier(features, nn.Linear(channels, num_classes))


def _conv(
    in_channels: int, out_channels: int, kernel_size: int, *, stride: int = 1, batch_norm: bool
) -> nn.Sequential:
    if batch_norm:
        return ConvNormActivation(in_channels, out_channels, kernel_size, stride=stride)
    conv = nn.Conv2d(
        in_channels, out_channels, kernel_size, stride=stride, padding=kernel_size // 2
    )
    return nn.Sequential(OrderedDict[str, nn.Module](conv=conv, activation=nn.ReLU(inplace=True)))


def _pool() -> nn.MaxPool2d:
    # Halves 112, 56, 28 and 14 without padding only if sizes round up, as they do in Caffe.
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)


def _response_norm(batch_norm: bool) -> nn.Module:
    return nn.Identity() if batch_norm else nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75)
