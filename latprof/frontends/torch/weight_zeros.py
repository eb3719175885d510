"""Zeros among the weights of a network in memory."""

from __future__ import annotations

import torch

from latprof.counting.sparsity import WeightZeros
from latprof.errors import BadReference
from latprof.frontends.zeros.array_zeros import zeros_in


def zeros_of_module(module: torch.nn.Module) -> dict[str, WeightZeros]:
    """The zeros of every parameter, by its path.

    A parameter that `torch.nn.utils.prune` masks is counted with its mask.

    Raises
    ------
    BadReference
        If the module is on the meta device, where weights have no values.
    """
    buffers = dict(module.named_buffers())
    found = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        if parameter.is_meta:
            raise BadReference(
                f"the weights of this {type(module).__name__} are on the meta device and have no "
                "values; load them before their zeros are counted."
            )
        mask = buffers.get(f"{name.removesuffix('_orig')}_mask") if name.endswith("_orig") else None
        found[name] = zeros_in(_array(parameter), None if mask is None else _array(mask))
    return found


def _array(tensor: torch.Tensor) -> object:
    held = tensor.detach().cpu()
    # NumPy lacks some types; a number is zero or not whichever way it is kept.
    plain = (torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2)
    return (held.float() if held.dtype in plain else held).numpy()
