"""What a device runs: one launch of one fused operation.

The fields of `Kernel` are the columns of a device table and the inputs of a cost model's
features: the three speak the same names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class Kernel:
    """One launch.

    Spatial fields describe the last two spatial axes; an operation without them has 1.
    A spatial axis before these is folded into the batch.

    Parameters
    ----------
    name : str
        Name of the node that gives the kernel its character.
    op : str
        What runs: a convolution is told apart as ``conv``, ``pointwise``, ``depthwise`` or
        ``grouped``; anything else is named like its operator.
    batch, in_channels, in_height, in_width : int
    out_channels, out_height, out_width : int
        For ``linear`` and ``matmul`` rows × inner · inner × columns: `out_height` is rows,
        `in_channels` inner and `out_channels` columns.
    kernel_height, kernel_width, stride_height, stride_width, dilation, groups : int
    operands : int
        Activations that come in.
    activation : str
        Fused into the launch; empty for none.
    residual : bool
        Whether an addition of a second activation is fused in.
    inplace : bool
        Whether the result overwrites the input.
    layout : str
        What the runtime keeps the activation in, where that matters: ``nchw``, ``blocked``, or
        ``from_plain`` when it reads the one and writes the other.
    dtype : str
    macs, elementwise_ops : int
    params : int
        Trained numbers read.
    weight_bytes, bytes_read, bytes_written : int
        `bytes_read` includes the weights.
    nodes : tuple of str
        Every graph node that this launch computes.
    module : str
        Dotted path of the module that wrote the main node.
    """

    name: str
    op: str
    batch: int = 1
    in_channels: int = 1
    in_height: int = 1
    in_width: int = 1
    out_channels: int = 1
    out_height: int = 1
    out_width: int = 1
    kernel_height: int = 1
    kernel_width: int = 1
    stride_height: int = 1
    stride_width: int = 1
    dilation: int = 1
    groups: int = 1
    operands: int = 1
    activation: str = ""
    residual: bool = False
    inplace: bool = False
    layout: str = "nchw"
    dtype: str = "float32"
    macs: int = 0
    elementwise_ops: int = 0
    params: int = 0
    weight_bytes: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    nodes: tuple[str, ...] = field(default=(), compare=False)
    module: str = field(default="", compare=False)

    @property
    def bytes_moved(self) -> int:
        return self.bytes_read + self.bytes_written

    @cached_property
    def signature(self) -> tuple[Any, ...]:
        """Everything that can change the time: two launches of one signature are the same."""
        return tuple(getattr(self, name) for name in SIGNATURE)

    @property
    def shape_text(self) -> str:
        """The shape as a person says it: ``32→96 ch, 112²→56², 3×3/2``."""
        if self.op in ("linear", "matmul", "attention"):
            return f"{self.batch * self.out_height}×{self.in_channels} · →{self.out_channels}"
        channels = _arrow(str(self.in_channels), str(self.out_channels))
        sizes = _arrow(_size(self.in_height, self.in_width), _size(self.out_height, self.out_width))
        text = f"{channels} ch, {sizes}"
        if (self.kernel_height, self.kernel_width) != (1, 1) or self.op in CONVOLUTIONS:
            text += f", {self.kernel_height}×{self.kernel_width}"
            stride = max(self.stride_height, self.stride_width)
            text += f"/{stride}" if stride > 1 else ""
        if self.groups > 1 and self.op == "grouped":
            text += f", {self.groups} groups"
        return text + (f", dilation {self.dilation}" if self.dilation > 1 else "")


def labels(kernels: Sequence[Kernel]) -> tuple[str, ...]:
    """A name for each kernel that says where in the model it is; no two are the same.

    The module that wrote the kernel, where it wrote only one; else module and node.
    """
    places = [f"{k.module}/{k.op}" if k.op.startswith("reorder_") else k.module for k in kernels]
    often = Counter(places)
    found = []
    for kernel, place in zip(kernels, places, strict=True):
        node = kernel.name.split("/")[0]
        if not kernel.module:
            found.append(kernel.name)
        elif often[place] == 1:
            found.append(place)
        else:
            found.append(f"{kernel.module}:{node}" + place.removeprefix(kernel.module))
    return tuple(found)


CONVOLUTIONS = ("conv", "pointwise", "depthwise", "grouped", "conv_transpose")
_NAMES = ("name", "nodes", "module")
COLUMNS = tuple(f.name for f in fields(Kernel) if f.name not in _NAMES)
# Derived fields (macs, bytes) follow from the rest, but cost little and catch a mismatch.
SIGNATURE = COLUMNS


def _size(height: int, width: int) -> str:
    return f"{height}²" if height == width else f"{height}×{width}"


def _arrow(before: str, after: str) -> str:
    return before if before == after else f"{before}→{after}"
