"""How each operator that moves or selects elements is called in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (the name everybody knows it by)

from latprof.graph import Call

Function = Callable[..., Any]
MakeCall = Callable[[Call], Function]
Pads = tuple[tuple[int, int], ...]


def plain(function: Function) -> MakeCall:
    """A call that has no settings."""
    return lambda call: function


def flat_pads(pads: Pads) -> list[int]:
    """Pads as torch.nn.functional.pad lists them: from the last axis."""
    return [size for pair in reversed(pads) for size in pair]


def _reshape(call: Call) -> Function:
    shape = list(call.outputs[0].shape)
    return lambda x: torch.reshape(x, shape)


def _expand(call: Call) -> Function:
    shape = list(call.outputs[0].shape)
    return lambda x: x.expand(shape)


def _transpose(call: Call) -> Function:
    order = list(call.attributes["order"])
    return lambda x: torch.permute(x, order)


def _shuffle(call: Call) -> Function:
    groups = int(call.attributes["groups"])
    return lambda x: torch.channel_shuffle(x, groups)


def _concat(call: Call) -> Function:
    axis = int(call.attributes["axis"])
    join = torch.cat if call.node.op == "concat" else torch.stack
    return lambda *parts: join(parts, axis)


def _split(call: Call) -> Function:
    sizes, axis = list(call.attributes["sizes"]), int(call.attributes["axis"])
    return lambda x: torch.split(x, sizes, axis)


def _unbind(call: Call) -> Function:
    axis = int(call.attributes["axis"])
    return lambda x: torch.unbind(x, axis)


def _slice(call: Call) -> Function:
    a = call.attributes
    axis, start, stop, step = (int(a[key]) for key in ("axis", "start", "stop", "step"))
    return lambda x: torch.ops.aten.slice(x, axis, start, stop, step)


def _select(call: Call) -> Function:
    axis, index = int(call.attributes["axis"]), int(call.attributes["index"])
    return lambda x: torch.select(x, axis, index)


def _pad(call: Call) -> Function:
    pads, mode = tuple(call.attributes["padding"]), str(call.attributes.get("mode", "constant"))
    if mode == "constant":
        value, flat = call.attributes.get("value", 0.0), flat_pads(pads)
        return lambda x: F.pad(x, flat, mode, value)
    # The other modes take the spatial axes alone.
    first = next((axis for axis, pair in enumerate(pads) if any(pair)), len(pads))
    inner = flat_pads(pads[min(first, len(pads) - 1, 2) :])
    return lambda x: F.pad(x, inner, mode)


def _resize(call: Call) -> Function:
    a = call.attributes
    size = list(a["size"])
    linear = ("linear", "bilinear", "trilinear")[len(size) - 1]
    mode = {"nearest": "nearest", "linear": linear, "cubic": "bicubic"}[str(a["mode"])]
    align = None if mode == "nearest" else bool(a.get("align_corners", False))
    return lambda x: F.interpolate(x, size, mode=mode, align_corners=align)


def _gather(call: Call) -> Function:
    axis = int(call.attributes.get("axis", 0))
    shape = list(call.outputs[0].shape)
    if len(call.input(1).shape) == 1:
        return lambda x, index: torch.index_select(x, axis, index)
    return lambda x, index: torch.index_select(x, axis, index.reshape(-1)).reshape(shape)


def _gather_nd(call: Call) -> Function:
    axes = tuple(call.attributes["axes"])
    rank = len(call.input(0).shape)

    def pick(x: torch.Tensor, *indices: torch.Tensor) -> torch.Tensor:
        by_axis = dict(zip(axes, indices, strict=True))
        return x[tuple(by_axis.get(axis, slice(None)) for axis in range(rank))]

    return pick


def _copy(call: Call) -> Function:
    a, kind = call.attributes, call.attributes.get("kind")
    if kind == "flip":
        dims = list(a["dims"])
        return lambda x: torch.flip(x, dims)
    if kind == "roll":
        shifts, dims = list(a["shifts"]), list(a.get("dims", ()))
        return lambda x: torch.roll(x, shifts, dims)
    return torch.clone


def _cast(call: Call) -> Function:
    dtype: torch.dtype = getattr(torch, call.outputs[0].dtype)
    return lambda x: x.to(dtype)


def _tile(call: Call) -> Function:
    repeats = list(call.attributes["repeats"])
    return lambda x: torch.tile(x, repeats)


def _repeat(call: Call) -> Function:
    axis, times = int(call.attributes["axis"]), int(call.attributes["repeats"])
    return lambda x: torch.repeat_interleave(x, times, axis)


def _take_along(call: Call) -> Function:
    axis = int(call.attributes["axis"])
    return lambda x, index: torch.gather(x, axis, index)


def _triangle(call: Call) -> Function:
    diagonal = int(call.attributes.get("diagonal", 0))
    function = torch.triu if call.attributes.get("upper") else torch.tril
    return lambda x: function(x, diagonal)


def _one_hot(call: Call) -> Function:
    depth = int(call.attributes["depth"])
    return lambda x: F.one_hot(x, depth)


def _patches(call: Call) -> Function:
    a, ones = call.attributes, (1, 1)
    pads = [pair[0] for pair in a.get("padding", ((0, 0), (0, 0)))]
    settings: tuple[Any, ...] = (a["kernel"], a.get("dilation", ones), pads, a.get("stride", ones))
    if call.node.op == "unfold":
        return lambda x: F.unfold(x, *settings)
    size = a["output_size"]
    return lambda x: F.fold(x, size, *settings)


def _windows(call: Call) -> Function:
    a = call.attributes
    axis, size, stride = int(a["axis"]), int(a["size"]), int(a["step"])
    return lambda x: x.unfold(axis, size, stride)


MOVEMENT_CALLS: dict[str, MakeCall] = {
    "reshape": _reshape,
    "expand": _expand,
    "identity": plain(lambda x: x),
    "copy": _copy,
    "cast": _cast,
    "transpose": _transpose,
    "channel_shuffle": _shuffle,
    "concat": _concat,
    "stack": _concat,
    "split": _split,
    "unbind": _unbind,
    "slice": _slice,
    "select": _select,
    "pad": _pad,
    "resize": _resize,
    "embedding": plain(lambda weight, index: F.embedding(index, weight)),
    "gather": _gather,
    "gather_nd": _gather_nd,
    "take_along": _take_along,
    "tile": _tile,
    "repeat": _repeat,
    "trilu": _triangle,
    "one_hot": _one_hot,
    "unfold": _patches,
    "fold": _patches,
    "windows": _windows,
}
