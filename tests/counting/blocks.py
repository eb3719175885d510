"""Small networks with the operators that the zoo's classifiers lack."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class FusedAttention(nn.Module):
    """Patches, one transformer block with fused attention, a classifier: a small ViT."""

    def __init__(self, width: int = 192, heads: int = 3) -> None:
        super().__init__()
        self.heads = heads
        self.patches = nn.Conv2d(3, width, 16, 16)
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 4 * width)
        self.activation = nn.GELU()
        self.narrow = nn.Linear(4 * width, width)
        self.head = nn.Linear(width, 1000)

    def attend(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return functional.scaled_dot_product_attention(q, k, v)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        batch, tokens, width = x.shape
        qkv = self.qkv(self.norm1(x)).reshape(batch, tokens, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        attended = self.attend(q, k, v).transpose(1, 2).reshape(batch, tokens, width)
        x = x + self.out(attended)
        x = x + self.narrow(self.activation(self.widen(self.norm2(x))))
        return self.head(x.mean(1))


class PlainAttention(FusedAttention):
    """The same with attention written as two products and a softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.softmax = nn.Softmax(dim=-1)

    def attend(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        scores = self.softmax(torch.matmul(q, k.transpose(-2, -1)) * 0.125)
        return torch.matmul(scores, v)


class Decoder(nn.Module):
    """Transposed convolution, resizing, every norm, pools and activations as layers."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, 2, padding=1)
        self.leaky = nn.LeakyReLU()
        self.pool = nn.MaxPool2d(2)
        self.mean = nn.AvgPool2d(2)
        self.groups = nn.GroupNorm(4, 16)
        self.bare = nn.GroupNorm(2, 16, affine=False)
        self.slope = nn.PReLU()
        self.up = nn.ConvTranspose2d(16, 8, 2, 2)
        self.instance = nn.InstanceNorm2d(8, affine=True)
        self.bilinear = nn.Upsample(scale_factor=2.0, mode="bilinear")
        self.nearest = nn.Upsample(scale_factor=2.0)
        self.depthwise = nn.Conv2d(8, 8, (3, 5), padding=(1, 2), groups=8)
        self.norm = nn.BatchNorm2d(8, affine=False)
        self.gate = nn.Sigmoid()
        self.relu = nn.ReLU()
        self.last = nn.AdaptiveAvgPool2d((7, 5))
        self.flat = nn.AdaptiveAvgPool1d(9)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(self.leaky(self.stem(x)))
        x = self.bare(self.groups(self.mean(x)))
        x = self.instance(self.up(self.slope(x)))
        x = self.depthwise(self.nearest(self.bilinear(x)))
        x = self.relu(self.norm(x)) * self.gate(x)
        return self.flat(self.last(x).flatten(1))


class Products(nn.Module):
    """Products written as PyTorch functions, with weights and without."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(24, 40))
        self.bias = nn.Parameter(torch.zeros(40))
        self.plain = nn.Linear(40, 24, bias=False)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        # x: (6, 10, 24)
        y = torch.addmm(self.bias, x[0], self.weight)  # (10, 40)
        z = x @ self.weight  # (6, 10, 40): three axes by two
        w = torch.bmm(z.transpose(1, 2), z)  # (6, 40, 40)
        u = torch.baddbmm(w, z.transpose(1, 2), z)
        return self.plain(u), self.plain(torch.mm(y, w[0]))


BLOCKS: dict[str, tuple[type[nn.Module], tuple[int, ...]]] = {
    "fused_attention": (FusedAttention, (1, 3, 224, 224)),
    "plain_attention": (PlainAttention, (1, 3, 224, 224)),
    "decoder": (Decoder, (1, 3, 64, 48)),
    "products": (Products, (6, 10, 24)),
}
