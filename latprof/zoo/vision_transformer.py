"""Vision transformers: an image as a sequence of patches."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional

from latprof.errors import BadReference

_PATCH_SIZE = 16
_BLOCKS = 12
_WIDENING = 4  # hidden channels of the MLP per channel
_EPS = 1e-6  # of the norms, as in the authors' code


class Attention(nn.Module):
    """Every token reads every token; queries, keys and values come from one linear layer."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_key_value = nn.Linear(channels, 3 * channels)
        self.project = nn.Linear(channels, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, tokens, channels = x.shape
        by_head = (batch, tokens, self.heads, channels // self.heads)
        query, key, value = (
            part.reshape(by_head).transpose(1, 2)
            for part in self.query_key_value(x).chunk(3, dim=-1)
        )
        attended = functional.scaled_dot_product_attention(query, key, value)
        out: torch.Tensor = self.project(attended.transpose(1, 2).reshape(batch, tokens, channels))
        return out


class Block(nn.Module):
    """Attention and an MLP, each after a norm and added to its input (figure 1, right)."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(channels, eps=_EPS)
        self.attention = Attention(channels, heads)
        self.norm2 = nn.LayerNorm(channels, eps=_EPS)
        self.mlp = nn.Sequential(
            OrderedDict[str, nn.Module](
                expand=nn.Linear(channels, _WIDENING * channels),
                activation=nn.GELU(),
                project=nn.Linear(_WIDENING * channels, channels),
            )
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.norm1(x))
        out: torch.Tensor = x + self.mlp(self.norm2(x))
        return out


class VisionTransformer(nn.Module):
    """Patches and a class token, a stack of blocks, and a classifier on the class token."""

    def __init__(
        self,
        *,
        channels: int,
        heads: int,
        num_classes: int,
        in_channels: int,
        image_size: tuple[int, int],
    ) -> None:
        super().__init__()
        height, width = image_size
        if height % _PATCH_SIZE or width % _PATCH_SIZE:
            raise BadReference(
                f"an image of {height}x{width} has no whole number of patches of {_PATCH_SIZE}x"
                f"{_PATCH_SIZE}. Give multiples of {_PATCH_SIZE}, such as size=224."
            )
        self.image_size = image_size
        patches = (height // _PATCH_SIZE) * (width // _PATCH_SIZE)
        self.embed = nn.Conv2d(in_channels, channels, _PATCH_SIZE, stride=_PATCH_SIZE)
        self.class_token = nn.Parameter(torch.empty(1, 1, channels))
        self.position = nn.Parameter(torch.empty(1, 1 + patches, channels))
        for embedding in (self.class_token, self.position):
            nn.init.trunc_normal_(embedding, std=0.02)
        self.blocks = nn.Sequential(*(Block(channels, heads) for _ in range(_BLOCKS)))
        self.norm = nn.LayerNorm(channels, eps=_EPS)
        self.classifier = nn.Linear(channels, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if tuple(x.shape[2:]) != self.image_size:
            height, width = self.image_size
            raise BadReference(
                f"the position embedding is for images of {height}x{width}, and these are "
                f"{x.shape[2]}x{x.shape[3]}. Put the size into the name: ?size={x.shape[2]}, or "
                f"?input=1x3x{x.shape[2]}x{x.shape[3]}."
            )
        patches = self.embed(x).flatten(2).transpose(1, 2)
        tokens = torch.cat((self.class_token.expand(x.shape[0], -1, -1), patches), dim=1)
        tokens = self.norm(self.blocks(tokens + self.position))
        logits: torch.Tensor = self.classifier(tokens[:, 0])
        return logits


def vit_tiny(
    *, num_classes: int = 1000, in_channels: int = 3, image_size: tuple[int, int] = (224, 224)
) -> VisionTransformer:
    """ViT-Ti/16: 192 channels, 3 heads, 12 blocks; DeiT-Ti is the same network.

    Parameters
    ----------
    num_classes : int, default=1000
    in_channels : int, default=3
    image_size : tuple of int, default=(224, 224)
        Height and width, multiples of 16: there is a position embedding for each patch.

    References
    ----------
    Dosovitskiy et al., An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale,
    2020, arXiv:2010.11929, figure 1.

    Touvron et al., Training data-efficient image transformers & distillation through attention,
    2020, arXiv:2012.12877, table 1, for the size.
    """
    return VisionTransformer(
        channels=192,
        heads=3,
        num_classes=num_classes,
        in_channels=in_channels,
        image_size=image_size,
    )


def vit_small(
    *, num_classes: int = 1000, in_channels: int = 3, image_size: tuple[int, int] = (224, 224)
) -> VisionTransformer:
    """ViT-S/16: 384 channels, 6 heads, 12 blocks; DeiT-S is the same network. See `vit_tiny`."""
    return VisionTransformer(
        channels=384,
        heads=6,
        num_classes=num_classes,
        in_channels=in_channels,
        image_size=image_size,
    )
