"""A decoder of 7 billion parameters, in plain torch: what `benchmarks/capture.py` captures.

Sizes are those of LLaMA-7B (Touvron et al., LLaMA, arXiv:2302.13971, table 2: 32 layers, 32
heads, 4,096 wide), with its gated feed-forward of 11,008 and 32,000 words: 6,738,415,616
parameters. Layers are written from the paper; no weight of anybody's is used.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class Attention(nn.Module):
    """Causal attention of several heads, with positions turned into queries and keys."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.head_width = heads, width // heads
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width, bias=False)
        self.output = nn.Linear(width, width, bias=False)

    def forward(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        batch, length, width = x.shape
        split = (batch, length, self.heads, self.head_width)
        query = rotate(self.query(x).view(split).transpose(1, 2), cos, sin)
        key = rotate(self.key(x).view(split).transpose(1, 2), cos, sin)
        value = self.value(x).view(split).transpose(1, 2)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.output(mixed.transpose(1, 2).reshape(batch, length, width))


class FeedForward(nn.Module):
    """Two projections up, one of them a gate, and one down."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.gate = nn.Linear(width, inner, bias=False)
        self.up = nn.Linear(width, inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(functional.silu(self.gate(x)) * self.up(x))


class Block(nn.Module):
    """Attention and feed-forward, each with a norm before it and a way around it."""

    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__()
        self.attention_norm, self.attention = nn.RMSNorm(width), Attention(width, heads)
        self.feed_norm, self.feed = nn.RMSNorm(width), FeedForward(width, inner)

    def forward(self, x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.attention_norm(x), cos, sin)
        return x + self.feed(self.feed_norm(x))


class Decoder(nn.Module):
    """From words to scores of the next word."""

    def __init__(self, layers: int, width: int, heads: int, inner: int, words: int) -> None:
        super().__init__()
        self.words = nn.Embedding(words, width)
        self.blocks = nn.ModuleList(Block(width, heads, inner) for _ in range(layers))
        self.norm = nn.RMSNorm(width)
        self.head = nn.Linear(width, words, bias=False)
        steps = torch.arange(0, width // heads, 2)
        self.register_buffer("frequencies", 10_000.0 ** (-steps / (width // heads)))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        angles = torch.outer(torch.arange(tokens.shape[1]), self.frequencies)
        angles = torch.cat((angles, angles), -1)
        cos, sin = angles.cos(), angles.sin()
        x = self.words(tokens)
        for block in self.blocks:
            x = block(x, cos, sin)
        return self.head(self.norm(x))


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Turn each pair of numbers by its angle (Su et al., RoFormer, arXiv:2104.09864)."""
    half = x.shape[-1] // 2
    return x * cos + torch.cat((-x[..., half:], x[..., :half]), -1) * sin


def seven_billion() -> Decoder:
    """The decoder of the table above; build it on the meta device."""
    return Decoder(layers=32, width=4096, heads=32, inner=11_008, words=32_000)


def small() -> Decoder:
    """The same in small."""
    return Decoder(layers=2, width=64, heads=4, inner=160, words=100)
