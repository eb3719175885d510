"""Ways to look at a zoo model without giving it weights."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from latprof.zoo import build


@pytest.fixture
def build_on_meta() -> Callable[[str], tuple[nn.Module, torch.Tensor]]:
    """Model and input of a reference, both without data."""
    return _build_on_meta


@pytest.fixture
def count() -> Callable[[str], tuple[int, int]]:
    """Params and convolution + linear MACs of a reference, counted by torch and not by us."""
    return _count


@functools.cache
def _build_on_meta(reference: str) -> tuple[nn.Module, torch.Tensor]:
    with torch.device("meta"):
        model, input_shape = build(reference)
        return model, torch.empty(input_shape)


def _count(reference: str) -> tuple[int, int]:
    model, x = _build_on_meta(reference)
    with FlopCounterMode(display=False) as counter:
        model(x)
    flops = counter.get_total_flops()
    assert flops % 2 == 0
    return sum(parameter.numel() for parameter in model.parameters()), flops // 2
