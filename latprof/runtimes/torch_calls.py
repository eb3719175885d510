"""How each operator is called in PyTorch: a call of the graph → a function of its inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (the name everybody knows it by)

from latprof.errors import UnsupportedOp
from latprof.graph import Call

Function = Callable[..., Any]
MakeCall = Callable[[Call], Function]
Pads = tuple[tuple[int, int], ...]


def _symmetric(pads: Pads) -> list[int] | None:
    return [pair[0] for pair in pads] if all(a == b for a, b in pads) else None


def _flat(pads: Pads) -> list[int]:
    # torch.nn.functional.pad counts from the last axis.
    return [size for pair in reversed(pads) for size in pair]


def _conv(call: Call) -> Function:
    a, spatial = call.attributes, len(call.input(1).shape) - 2
    stride, dilation = list(a.get("stride", [1] * spatial)), list(a.get("dilation", [1] * spatial))
    groups, pads = int(a.get("groups", 1)), tuple(a.get("padding", ((0, 0),) * spatial))
    even, flat = _symmetric(pads), _flat(pads)
    convolve = (torch.conv1d, torch.conv2d, torch.conv3d)[spatial - 1]
    if call.node.op == "conv_transpose":
        turn = (torch.conv_transpose1d, torch.conv_transpose2d, torch.conv_transpose3d)[spatial - 1]
        extra = list(a.get("output_padding", [0] * spatial))
        if even is not None:
            return lambda x, w, b=None: turn(x, w, b, stride, even, extra, groups, dilation)
        cut = [-size for size in flat]
        return lambda x, w, b=None: F.pad(turn(x, w, b, stride, 0, extra, groups, dilation), cut)
    if even is not None:
        return lambda x, w, b=None: convolve(x, w, b, stride, even, dilation, groups)
    return lambda x, w, b=None: convolve(F.pad(x, flat), w, b, stride, 0, dilation, groups)


def _batch_norm(call: Call) -> Function:
    eps = float(call.attributes.get("eps", 1e-5))
    for stored in (3, 4):  # a norm by the batch's own statistics would be another operator
        call.input(stored)
    return lambda x, w, b, m, v: torch.batch_norm(x, w, b, m, v, False, 0.1, eps, False)


def _layer_norm(call: Call) -> Function:
    shape = list(call.input(0).shape[-int(call.attributes["axes"]) :])
    eps = float(call.attributes["eps"])
    return lambda x, w=None, b=None: torch.layer_norm(x, shape, w, b, eps, False)


def _group_norm(call: Call) -> Function:
    groups, eps = int(call.attributes["groups"]), float(call.attributes["eps"])
    return lambda x, w=None, b=None: torch.group_norm(x, groups, w, b, eps, False)


def _either(plain: Function, in_place: Function) -> MakeCall:
    return lambda call: in_place if call.attributes.get("inplace") else plain


def _clip(call: Call) -> Function:
    relu6 = call.node.op == "relu6"
    low = 0.0 if relu6 else call.attributes.get("low")
    high = 6.0 if relu6 else call.attributes.get("high")
    if low is not None and high is not None:
        if call.attributes.get("inplace"):
            return lambda x: torch.ops.aten.hardtanh_(x, low, high)
        return lambda x: torch.ops.aten.hardtanh(x, low, high)
    return lambda x: torch.clamp(x, low, high)


def _leaky_relu(call: Call) -> Function:
    slope = float(call.attributes["slope"])
    in_place = bool(call.attributes.get("inplace"))
    return lambda x: F.leaky_relu(x, slope, in_place)


def _gelu(call: Call) -> Function:
    approximate = str(call.attributes.get("approximate", "none"))
    return lambda x: F.gelu(x, approximate=approximate)


def _max_pool(call: Call) -> Function:
    a, (pads, ahead) = call.attributes, _pool_pads(call)
    pool = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[len(a["kernel"]) - 1]
    kernel, stride = a["kernel"], a.get("stride", a["kernel"])
    dilation, ceil = a.get("dilation", 1), bool(a.get("ceil_mode"))
    if ahead:
        lowest = float("-inf")
        return lambda x: pool(F.pad(x, ahead, value=lowest), kernel, stride, pads, dilation)
    return lambda x: pool(x, kernel, stride, pads, dilation, ceil)


def _avg_pool(call: Call) -> Function:
    a, (pads, ahead) = call.attributes, _pool_pads(call)
    pool = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[len(a["kernel"]) - 1]
    kernel, stride = a["kernel"], a.get("stride", a["kernel"])
    ceil, count = bool(a.get("ceil_mode")), bool(a.get("count_padding", True))
    if ahead:
        return lambda x: pool(F.pad(x, ahead), kernel, stride, pads)
    return lambda x: pool(x, kernel, stride, pads, ceil, count)


def _pool_pads(call: Call) -> tuple[list[int], list[int]]:
    """Padding that the pool does itself, and padding before it, for pads of two sizes."""
    a = call.attributes
    pads = tuple(a.get("padding", ((0, 0),) * len(a["kernel"])))
    even = _symmetric(pads)
    if even is not None:
        return even, []
    if a.get("ceil_mode") or (call.node.op == "avg_pool" and not a.get("count_padding", True)):
        raise UnsupportedOp(
            f"node {call.node.name!r} pads its pool by {pads}, which PyTorch does only with "
            "ceil_mode off and the padding counted. Run another --runtime."
        )
    return [0] * len(pads), _flat(pads)


def _adaptive(call: Call) -> Function:
    size = tuple(call.attributes["output_size"])
    average = call.node.op == "adaptive_avg_pool"
    kinds = (
        (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)
        if average
        else (F.adaptive_max_pool1d, F.adaptive_max_pool2d, F.adaptive_max_pool3d)
    )
    pool = kinds[len(size) - 1]
    return lambda x: pool(x, size)


def _reduce(function: Function) -> MakeCall:
    def make(call: Call) -> Function:
        axes = list(call.attributes.get("axes", range(len(call.input(0).shape))))
        keep = bool(call.attributes.get("keepdims", False))
        return lambda x: function(x, axes, keepdim=keep)

    return make


def _softmax(call: Call) -> Function:
    axis = int(call.attributes["axis"])
    function = torch.softmax if call.node.op == "softmax" else torch.log_softmax
    return lambda x: function(x, axis)


def _attention(call: Call) -> Function:
    causal = bool(call.attributes.get("causal", False))
    return lambda q, k, v, mask=None: F.scaled_dot_product_attention(
        q, k, v, attn_mask=mask, is_causal=causal
    )


def _matmul(call: Call) -> Function:
    return lambda a, b, c=None: torch.matmul(a, b) if c is None else torch.matmul(a, b) + c


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
        value, flat = call.attributes.get("value", 0.0), _flat(pads)
        return lambda x: F.pad(x, flat, mode, value)
    # The other modes take the spatial axes alone.
    first = next((axis for axis, pair in enumerate(pads) if any(pair)), len(pads))
    inner = _flat(pads[min(first, len(pads) - 1, 2) :])
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


def _plain(function: Function) -> MakeCall:
    return lambda call: function


CALLS: dict[str, MakeCall] = {
    "conv": _conv,
    "conv_transpose": _conv,
    "linear": _plain(F.linear),
    "matmul": _matmul,
    "attention": _attention,
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "group_norm": _group_norm,
    "relu": _either(torch.relu, torch.relu_),
    "relu6": _clip,
    "clip": _clip,
    "leaky_relu": _leaky_relu,
    "prelu": _plain(torch.prelu),
    "elu": _plain(F.elu),
    "sigmoid": _either(torch.sigmoid, torch.sigmoid_),
    "hard_sigmoid": _either(F.hardsigmoid, torch.ops.aten.hardsigmoid_),
    "silu": _either(F.silu, torch.ops.aten.silu_),
    "hard_swish": _either(F.hardswish, torch.ops.aten.hardswish_),
    "gelu": _gelu,
    "mish": _plain(F.mish),
    "softplus": _plain(F.softplus),
    **{
        name: _plain(getattr(torch, name))
        for name in (
            "tanh", "exp", "log", "sqrt", "rsqrt", "reciprocal", "neg", "abs", "erf", "floor",
            "round", "sin", "cos", "sub", "div", "pow", "minimum", "maximum",
        )
    },
    "add": _either(torch.add, torch.Tensor.add_),
    "mul": _either(torch.mul, torch.Tensor.mul_),
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "adaptive_avg_pool": _adaptive,
    "adaptive_max_pool": _adaptive,
    "mean": _reduce(torch.mean),
    "sum": _reduce(torch.sum),
    "max": _reduce(torch.amax),
    "min": _reduce(torch.amin),
    "softmax": _softmax,
    "log_softmax": _softmax,
    "reshape": _reshape,
    "expand": _expand,
    "identity": _plain(lambda x: x),
    "copy": _plain(torch.clone),
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
    "embedding": _plain(lambda weight, index: F.embedding(index, weight)),
    "gather": _gather,
}  # fmt: skip
