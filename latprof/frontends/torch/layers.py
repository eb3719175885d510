"""The layers of a network in PyTorch, as far as they tell what goes into it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.nn.parameter import is_lazy

from latprof.frontends.guessing import Layer

# Where layers keep how much they take in.
_CHANNELS = ("in_channels", "in_features", "input_size", "embed_dim")


def layers_of(module: torch.nn.Module) -> Iterator[Layer]:
    """Every layer of `module` that has weights of its own; a script's layers too."""
    for part in module.modules():
        weights = [p for p in part.parameters(recurse=False) if not is_lazy(p)]
        if weights:
            yield Layer(
                weight=tuple(weights[0].shape),
                kind=_kind(part),
                channels=_channels(part),
                batch_first=bool(getattr(part, "batch_first", True)),
            )


def dtype_of(module: torch.nn.Module) -> torch.dtype:
    """The one dtype of all float weights; float32 if there are several, or none."""
    found = {p.dtype for p in module.parameters() if p.is_floating_point()}
    return found.pop() if len(found) == 1 else torch.float32


def _kind(part: torch.nn.Module) -> str:
    if isinstance(part, torch.jit.ScriptModule):
        return str(getattr(part, "original_name", ""))
    bases = type(part).__mro__
    return next((c.__name__ for c in bases if c.__module__.startswith("torch.nn.modules")), "")


def _channels(part: Any) -> int | None:
    for name in _CHANNELS:
        value = getattr(part, name, None)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None
