"""Launches of a quantized model → kernels: by the tensor they quantize, or by shape.

ONNX Runtime names what it puts in itself: ``Transpose_token_19`` around convolutions,
``relu_q`` and ``relu_dq1`` where it carries quantizing past a pool or reshape, ``/duplicated``
behind the second reader of a tensor (nhwc_transformer.cc, qdq_propagation.cc and
ensure_unique_dq_for_node_unit.cc of 1.31.1); a suffix ``_token_19`` makes a name its only one.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from latprof.kernel import Kernel

_KINDS = {"QuantizeLinear": "quantize", "DequantizeLinear": "dequantize"}
_TOKEN = re.compile(r"_token_\d+$")
_SPREAD = re.compile(r"_d?q\d*$")


def without_token(launch: str) -> str:
    """The name of a launch without the number that made it the only one of its name."""
    return _TOKEN.sub("", launch)


class Conversions:
    """The predicted kernels that quantize, dequantize or turn a tensor, waiting to be found."""

    def __init__(self, kernels: Sequence[Kernel], nodes: Mapping[str, str]) -> None:
        self._nodes = nodes
        self._by_tensor: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._by_shape: dict[tuple[str, tuple[int, ...]], list[str]] = defaultdict(list)
        for kernel in kernels:
            if kernel.op in ("quantize", "dequantize"):
                tensor = kernel.name[: kernel.name.rindex(f"/{kernel.op}")]
                self._by_tensor[kernel.op, tensor].append(kernel.name)
            elif kernel.op in ("reorder_input", "reorder_output"):
                self._by_shape["Transpose", _sizes(kernel)].append(kernel.name)
        self._sizes = {k.name: _sizes(k) for k in kernels}

    def named(self, launch: str, operator: str) -> tuple[bool, str | None]:
        """Whether a launch is named after a tensor of the graph, and the kernel it then is."""
        kind = _KINDS.get(operator)
        if kind is None:
            return False, None
        bare = without_token(launch).replace("/duplicated", "")
        bare = without_token(bare)
        tensor = bare.removesuffix(f"/{kind}") if bare.endswith(f"/{kind}") else _spread(bare)
        if tensor is None:
            return False, None
        waiting = self._by_tensor.get((kind, tensor))
        if waiting:
            return True, waiting.pop(0)
        whole = "/" not in tensor and tensor in self._nodes  # else a step inside a kernel
        return whole, None

    def shaped(self, details: Mapping[Any, Any], shape: tuple[int, ...]) -> str | None:
        """The next kernel of a launch that is named after nothing."""
        operator = str(details.get("op_name"))
        if operator in _KINDS:
            for (kind, _), names in self._by_tensor.items():
                if kind == _KINDS[operator] and names and self._sizes[names[0]] == shape:
                    return names.pop(0)
            return None
        names = self._by_shape.get((operator, shape), [])
        return names.pop(0) if names else None


def _spread(name: str) -> str | None:
    found = _SPREAD.search(name)
    return name[: found.start()].removesuffix("/dequantize") if found else None


def _sizes(kernel: Kernel) -> tuple[int, ...]:
    """Sizes of what comes in, in any order of axes."""
    sizes = (kernel.batch, kernel.in_channels, kernel.in_height, kernel.in_width)
    return tuple(sorted(size for size in sizes if size != 1))
