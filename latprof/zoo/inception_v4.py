"""Inception v4: more and more uniform modules than Inception v3."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from latprof.zoo.branches import Branches
from latprof.zoo.layers import ConvNormActivation, ImageClassifier

_1X7, _7X1, _1X3, _3X1 = (1, 7), (7, 1), (1, 3), (3, 1)
_A_MODULES, _B_MODULES, _C_MODULES = 4, 7, 3


def inception_v4(*, num_classes: int = 1000, in_channels: int = 3) -> ImageClassifier:
    """Inception v4.

    References
    ----------
    Szegedy et al., Inception-v4, Inception-ResNet and the Impact of Residual Connections on
    Learning, 2016, arXiv:1602.07261, figures 3 to 9 and table 1.
    """
    features = nn.Sequential(
        OrderedDict[str, nn.Module](
            conv1=ConvNormActivation(in_channels, 32, 3, stride=2, padding=0),
            conv2=ConvNormActivation(32, 32, 3, padding=0),
            conv3=ConvNormActivation(32, 64, 3),
            mixed1=Branches(
                pool=nn.MaxPool2d(3, stride=2),
                conv3x3=ConvNormActivation(64, 96, 3, stride=2, padding=0),
            ),
            mixed2=_unequal_paths(160),
            mixed3=Branches(
                conv3x3=ConvNormActivation(192, 192, 3, stride=2, padding=0),
                pool=nn.MaxPool2d(3, stride=2),
            ),
        )
    )
    for number in range(1, _A_MODULES + 1):
        features.add_module(f"inception_a{number}", _inception_a(384))
    features.add_module("reduction_a", _reduction_a(384))
    for number in range(1, _B_MODULES + 1):
        features.add_module(f"inception_b{number}", _inception_b(1024))
    features.add_module("reduction_b", _reduction_b(1024))
    for number in range(1, _C_MODULES + 1):
        features.add_module(f"inception_c{number}", _inception_c(1536))
    return ImageClassifier(features, nn.Linear(1536, num_classes))


def _unequal_paths(channels: int) -> Branches:
    """The middle of figure 3: a short and a long way to the same 71x71 image."""
    return Branches(
        conv3x3=nn.Sequential(
            ConvNormActivation(channels, 64), ConvNormActivation(64, 96, 3, padding=0)
        ),
        conv7x7=nn.Sequential(
            ConvNormActivation(channels, 64),
            ConvNormActivation(64, 64, _1X7),
            ConvNormActivation(64, 64, _7X1),
            ConvNormActivation(64, 96, 3, padding=0),
        ),
    )


def _inception_a(channels: int) -> Branches:
    """Figure 4."""
    return Branches(
        pool=_pooled(channels, 96),
        conv1x1=ConvNormActivation(channels, 96),
        conv3x3=nn.Sequential(ConvNormActivation(channels, 64), ConvNormActivation(64, 96, 3)),
        conv3x3_twice=nn.Sequential(
            ConvNormActivation(channels, 64),
            ConvNormActivation(64, 96, 3),
            ConvNormActivation(96, 96, 3),
        ),
    )


def _reduction_a(channels: int) -> Branches:
    """Figure 7, with k, l, m, n = 192, 224, 256, 384 of table 1."""
    return Branches(
        pool=nn.MaxPool2d(3, stride=2),
        conv3x3=ConvNormActivation(channels, 384, 3, stride=2, padding=0),
        conv3x3_twice=nn.Sequential(
            ConvNormActivation(channels, 192),
            ConvNormActivation(192, 224, 3),
            ConvNormActivation(224, 256, 3, stride=2, padding=0),
        ),
    )


def _inception_b(channels: int) -> Branches:
    """Figure 5."""
    return Branches(
        pool=_pooled(channels, 128),
        conv1x1=ConvNormActivation(channels, 384),
        conv7x7=nn.Sequential(
            ConvNormActivation(channels, 192),
            ConvNormActivation(192, 224, _1X7),
            ConvNormActivation(224, 256, _7X1),
        ),
        conv7x7_twice=nn.Sequential(
            ConvNormActivation(channels, 192),
            ConvNormActivation(192, 192, _1X7),
            ConvNormActivation(192, 224, _7X1),
            ConvNormActivation(224, 224, _1X7),
            ConvNormActivation(224, 256, _7X1),
        ),
    )


def _reduction_b(channels: int) -> Branches:
    """Figure 8."""
    return Branches(
        pool=nn.MaxPool2d(3, stride=2),
        conv3x3=nn.Sequential(
            ConvNormActivation(channels, 192),
            ConvNormActivation(192, 192, 3, stride=2, padding=0),
        ),
        conv7x7=nn.Sequential(
            ConvNormActivation(channels, 256),
            ConvNormActivation(256, 256, _1X7),
            ConvNormActivation(256, 320, _7X1),
            ConvNormActivation(320, 320, 3, stride=2, padding=0),
        ),
    )


def _inception_c(channels: int) -> Branches:
    """Figure 6."""
    return Branches(
        pool=_pooled(channels, 256),
        conv1x1=ConvNormActivation(channels, 256),
        conv3x3=nn.Sequential(ConvNormActivation(channels, 384), _fan(384)),
        conv3x3_twice=nn.Sequential(
            ConvNormActivation(channels, 384),
            ConvNormActivation(384, 448, _1X3),
            ConvNormActivation(448, 512, _3X1),
            _fan(512),
        ),
    )


def _fan(channels: int) -> Branches:
    return Branches(
        wide=ConvNormActivation(channels, 256, _1X3), tall=ConvNormActivation(channels, 256, _3X1)
    )


def _pooled(channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.AvgPool2d(3, stride=1, padding=1), ConvNormActivation(channels, out_channels)
    )
