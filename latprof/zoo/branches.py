"""Branches side by side, as every Inception network has them."""

from __future__ import annotations

import torch
from torch import nn


class Branches(nn.Module):
    """Modules that read the same input; what they give is joined along the channels."""

    def __init__(self, **branches: nn.Module) -> None:
        super().__init__()
        for name, branch in branches.items():
            self.add_module(name, branch)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([branch(x) for branch in self.children()], dim=1)
