"""How each operator is called in PyTorch: a call of the graph → a function of its inputs."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 (the name everybody knows it by)

from latprof.errors import UnsupportedOp
from latprof.graph import Call
from latprof.runtimes.torch_movements import (
    MOVEMENT_CALLS,
    Function,
    MakeCall,
    Pads,
    flat_pads,
    plain,
)


def _symmetric(pads: Pads) -> list[int] | None:
    return [pair[0] for pair in pads] if all(a == b for a, b in pads) else None


def _conv(call: Call) -> Function:
    a, spatial = call.attributes, len(call.input(1).shape) - 2
    stride, dilation = list(a.get("stride", [1] * spatial)), list(a.get("dilation", [1] * spatial))
    groups, pads = int(a.get("groups", 1)), tuple(a.get("padding", ((0, 0),) * spatial))
    even, flat = _symmetric(pads), flat_pads(pads)
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
    return [0] * len(pads), flat_pads(pads)


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


def _reduce_each(function: Function) -> MakeCall:
    """A reduction that takes one axis at a time."""

    def make(call: Call) -> Function:
        axes = call.attributes.get("axes", range(len(call.input(0).shape)))
        keep = bool(call.attributes.get("keepdims", False))

        def reduce(x: torch.Tensor) -> torch.Tensor:
            for axis in sorted(axes, reverse=True):
                x = function(x, axis, keepdim=keep)
            return x

        return reduce

    return make


def _extreme_index(function: Function) -> MakeCall:
    def make(call: Call) -> Function:
        axes = tuple(call.attributes.get("axes", range(len(call.input(0).shape))))
        keep = bool(call.attributes.get("keepdims", False))
        if len(axes) == 1:
            return lambda x: function(x, axes[0], keepdim=keep)
        shape = list(call.outputs[0].shape)
        return lambda x: function(x).reshape(shape)  # PyTorch finds it in all axes or in one

    return make


def _norm(call: Call) -> Function:
    order = call.attributes.get("order", 2)
    axes = list(call.attributes.get("axes", range(len(call.input(0).shape))))
    keep = bool(call.attributes.get("keepdims", False))
    return lambda x: torch.linalg.vector_norm(x, order, axes, keepdim=keep)


def _instance_norm(call: Call) -> Function:
    eps = float(call.attributes["eps"])
    return lambda x, w=None, b=None: F.instance_norm(x, weight=w, bias=b, eps=eps)


def _rms_norm(call: Call) -> Function:
    shape = list(call.input(0).shape[-int(call.attributes["axes"]) :])
    eps = float(call.attributes["eps"])
    return lambda x, w=None: F.rms_norm(x, shape, w, eps)


def _topk(call: Call) -> Function:
    k, axis = int(call.attributes["k"]), int(call.attributes.get("axis", -1))
    return lambda x: torch.topk(x, k, axis)


def _grid_sample(call: Call) -> Function:
    mode = {"linear": "bilinear", "cubic": "bicubic"}.get(str(call.attributes["mode"]), "nearest")
    align = bool(call.attributes.get("align_corners", False))
    return lambda x, grid: F.grid_sample(x, grid, mode=mode, align_corners=align)


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


CALLS: dict[str, MakeCall] = {
    "conv": _conv,
    "conv_transpose": _conv,
    "linear": plain(F.linear),
    "matmul": _matmul,
    "attention": _attention,
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "group_norm": _group_norm,
    "relu": _either(torch.relu, torch.relu_),
    "relu6": _clip,
    "clip": _clip,
    "leaky_relu": _leaky_relu,
    "prelu": plain(torch.prelu),
    "elu": plain(F.elu),
    "sigmoid": _either(torch.sigmoid, torch.sigmoid_),
    "hard_sigmoid": _either(F.hardsigmoid, torch.ops.aten.hardsigmoid_),
    "silu": _either(F.silu, torch.ops.aten.silu_),
    "hard_swish": _either(F.hardswish, torch.ops.aten.hardswish_),
    "gelu": _gelu,
    "mish": plain(F.mish),
    "softplus": plain(F.softplus),
    **{
        name: plain(getattr(torch, name))
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
    "where": plain(torch.where),
    "greater": plain(torch.gt),
    "less": plain(torch.lt),
    "equal": plain(torch.eq),
    "not": plain(torch.logical_not),
    "and": plain(torch.logical_and),
    "or": plain(torch.logical_or),
    "xor": plain(torch.logical_xor),
    **{
        name: plain(getattr(torch, name))
        for name in (
            "ceil", "sign", "tan", "asin", "acos", "atan", "sinh", "cosh", "isnan", "selu",
            "addcmul", "addcdiv", "lerp",
        )
    },
    "softsign": plain(F.softsign),
    "log_sigmoid": plain(F.logsigmoid),
    "celu": lambda call: lambda x: F.celu(x, float(call.attributes.get("alpha", 1.0))),
    "glu": lambda call: lambda x: F.glu(x, int(call.attributes["axis"])),
    "instance_norm": _instance_norm,
    "rms_norm": _rms_norm,
    "prod": _reduce_each(torch.prod),
    "argmax": _extreme_index(torch.argmax),
    "argmin": _extreme_index(torch.argmin),
    "norm": _norm,
    "var": _reduce(torch.var),
    "std": _reduce(torch.std),
    "logsumexp": _reduce(torch.logsumexp),
    "cumsum": lambda call: lambda x: torch.cumsum(x, int(call.attributes["axis"])),
    "topk": _topk,
    "sort": lambda call: lambda x: torch.sort(x, int(call.attributes.get("axis", -1))),
    "einsum": lambda call: lambda *x: torch.einsum(str(call.attributes["equation"]), *x),
    "grid_sample": _grid_sample,
    **MOVEMENT_CALLS,
}  # fmt: skip
