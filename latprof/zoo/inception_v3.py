"""Inception v3: large kernels factored into small and into one-dimensional ones."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from latprof.zoo.branches import Branches
from latprof.zoo.layers import ConvNormActivation, ImageClassifier

_1X7, _7X1, _1X3, _3X1 = (1, 7), (7, 1), (1, 3), (3, 1)


class InceptionV3(ImageClassifier):
    """The network, and perhaps a second classifier in its middle.

    Where there is one, the answer is a pair: the logits, and those of the second classifier.
    """

    def __init__(
        self, features: nn.Module, classifier: nn.Module, auxiliary: nn.Module | None
    ) -> None:
        super().__init__(features, classifier)
        self.auxiliary = auxiliary

    def forward(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:  # type: ignore[override]
        if self.auxiliary is None:
            return super().forward(x)
        for name, layer in self.features.named_children():
            x = layer(x)
            if name == "mixed_6e":
                middle = x
        logits = self.classifier(torch.flatten(self.pool(x), start_dim=1))
        return logits, self.auxiliary(middle)


def inception_v3(
    *, num_classes: int = 1000, in_channels: int = 3, auxiliary_head: bool = False
) -> ImageClassifier:
    """Inception v3; layers are named as in the authors' code, ``mixed_5b`` and so on.

    Parameters
    ----------
    num_classes : int, default=1000
    in_channels : int, default=3
    auxiliary_head : bool, default=False
        Whether the auxiliary classifier (section 4) is there and computed. It is meant for
        training; torchvision's is there by default, and computed in training only.

    References
    ----------
    Szegedy et al., Rethinking the Inception Architecture for Computer Vision, 2015,
    arXiv:1512.00567, table 1 and figures 5 to 7 and 10. The table counts the layers of the first
    version and gives few widths: those are the authors' code's,
    github.com/tensorflow/models, research/slim/nets/inception_v3.py.
    """
    features = nn.Sequential(
        OrderedDict[str, nn.Module](
            conv_1a=ConvNormActivation(in_channels, 32, 3, stride=2, padding=0),
            conv_2a=ConvNormActivation(32, 32, 3, padding=0),
            conv_2b=ConvNormActivation(32, 64, 3),
            pool_3a=nn.MaxPool2d(3, stride=2),
            conv_3b=ConvNormActivation(64, 80),
            conv_4a=ConvNormActivation(80, 192, 3, padding=0),
            pool_5a=nn.MaxPool2d(3, stride=2),
            mixed_5b=_five_by_five(192, pooled_channels=32),
            mixed_5c=_five_by_five(256, pooled_channels=64),
            mixed_5d=_five_by_five(288, pooled_channels=64),
            mixed_6a=_first_reduction(288),
            mixed_6b=_seven_by_seven(768, 128),
            mixed_6c=_seven_by_seven(768, 160),
            mixed_6d=_seven_by_seven(768, 160),
            mixed_6e=_seven_by_seven(768, 192),
            mixed_7a=_second_reduction(768),
            mixed_7b=_fanned_out(1280),
            mixed_7c=_fanned_out(2048),
        )
    )
    auxiliary = _auxiliary_head(num_classes) if auxiliary_head else None
    return InceptionV3(features, nn.Linear(2048, num_classes), auxiliary)


def _five_by_five(channels: int, *, pooled_channels: int) -> Branches:
    """Figure 5: one 5x5 kept, the other made of two 3x3."""
    return Branches(
        conv1x1=ConvNormActivation(channels, 64),
        conv5x5=nn.Sequential(ConvNormActivation(channels, 48), ConvNormActivation(48, 64, 5)),
        conv3x3=nn.Sequential(
            ConvNormActivation(channels, 64),
            ConvNormActivation(64, 96, 3),
            ConvNormActivation(96, 96, 3),
        ),
        pool=_pooled(channels, pooled_channels),
    )


def _first_reduction(channels: int) -> Branches:
    """Figure 10: a smaller image without a bottleneck in what it can represent."""
    return Branches(
        conv3x3=ConvNormActivation(channels, 384, 3, stride=2, padding=0),
        conv3x3_twice=nn.Sequential(
            ConvNormActivation(channels, 64),
            ConvNormActivation(64, 96, 3),
            ConvNormActivation(96, 96, 3, stride=2, padding=0),
        ),
        pool=nn.MaxPool2d(3, stride=2),
    )


def _seven_by_seven(channels: int, inner: int) -> Branches:
    """Figure 6 with n = 7: 7x7 convolutions factored into 1x7 and 7x1."""
    return Branches(
        conv1x1=ConvNormActivation(channels, 192),
        conv7x7=nn.Sequential(
            ConvNormActivation(channels, inner),
            ConvNormActivation(inner, inner, _1X7),
            ConvNormActivation(inner, 192, _7X1),
        ),
        conv7x7_twice=nn.Sequential(
            ConvNormActivation(channels, inner),
            ConvNormActivation(inner, inner, _7X1),
            ConvNormActivation(inner, inner, _1X7),
            ConvNormActivation(inner, inner, _7X1),
            ConvNormActivation(inner, 192, _1X7),
        ),
        pool=_pooled(channels, 192),
    )


def _second_reduction(channels: int) -> Branches:
    return Branches(
        conv3x3=nn.Sequential(
            ConvNormActivation(channels, 192),
            ConvNormActivation(192, 320, 3, stride=2, padding=0),
        ),
        conv7x7=nn.Sequential(
            ConvNormActivation(channels, 192),
            ConvNormActivation(192, 192, _1X7),
            ConvNormActivation(192, 192, _7X1),
            ConvNormActivation(192, 192, 3, stride=2, padding=0),
        ),
        pool=nn.MaxPool2d(3, stride=2),
    )


def _fanned_out(channels: int) -> Branches:
    """Figure 7: on the smallest image, branches that end side by side."""
    return Branches(
        conv1x1=ConvNormActivation(channels, 320),
        conv3x3=nn.Sequential(ConvNormActivation(channels, 384), _fan(384)),
        conv3x3_twice=nn.Sequential(
            ConvNormActivation(channels, 448), ConvNormActivation(448, 384, 3), _fan(384)
        ),
        pool=_pooled(channels, 192),
    )


def _fan(channels: int) -> Branches:
    return Branches(
        wide=ConvNormActivation(channels, 384, _1X3), tall=ConvNormActivation(channels, 384, _3X1)
    )


def _pooled(channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.AvgPool2d(3, stride=1, padding=1), ConvNormActivation(channels, out_channels)
    )


def _auxiliary_head(num_classes: int) -> nn.Sequential:
    """Classifier on the 17x17 image; any other is pooled to 5x5 as that one is."""
    return nn.Sequential(
        OrderedDict[str, nn.Module](
            pool=nn.AvgPool2d(5, stride=3),
            reduce=ConvNormActivation(768, 128),
            spatial=ConvNormActivation(128, 768, 5, padding=0),
            mean=nn.AdaptiveAvgPool2d(1),
            flatten=nn.Flatten(),
            classifier=nn.Linear(768, num_classes),
        )
    )
