"""Every operator, under every runtime that has it, against a plain torch computation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from latprof.builder import GraphBuilder
from latprof.graph import Graph, Tensor
from latprof.runtimes.onnx_operators import WRITERS
from latprof.runtimes.torch_calls import CALLS
from latprof.runtimes.weights import input_values, norm_scales, weight_values

HAVE = {"onnxruntime": WRITERS, "torch-eager": CALLS}


@dataclass(frozen=True)
class Case:
    """One call.

    `inputs` and `weights` are shapes, in this order the operands of the call and the arguments
    of `expected`; None stands for an operand left out, and a tensor for an input or constant
    that is not plain float32. `after` is an operator that makes the inputs fit, as in log(|x|).
    `gives` is the output's type, where neither the operator nor its inputs tell.
    """

    op: str
    said: str
    expected: Callable[..., Any]
    inputs: Sequence[Any] = ((2, 8, 6, 6),)
    weights: Sequence[Any] = ()
    attributes: dict[str, Any] = field(default_factory=dict)
    after: str = ""
    gives: str = ""


def flags(name: str, shape: tuple[int, ...]) -> Tensor:
    return Tensor(name, shape, "bool", "input")


def indices(*values: int, shape: tuple[int, ...] | None = None) -> Tensor:
    return Tensor("indices", shape or (len(values),), "int64", "constant", values)


def crop(x: torch.Tensor, top: int, bottom: int, left: int, right: int) -> torch.Tensor:
    return x[..., top : x.shape[-2] - bottom, left : x.shape[-1] - right]


X = (2, 8, 6, 6)
ODD = (1, 4, 7, 5)
WINDOW = {"kernel": (3, 3), "stride": (2, 2), "padding": ((1, 1), (1, 1))}
THREE_WIDE = {"stride": (2, 2), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1}
NORM = ((8,), (8,), (8,), (8,))
HEADS = ((1, 2, 5, 8), (1, 2, 7, 8), (1, 2, 7, 4))  # query, key, value

UNARY = {
    "relu": F.relu,
    "relu6": F.relu6,
    "elu": F.elu,
    "sigmoid": torch.sigmoid,
    "hard_sigmoid": F.hardsigmoid,
    "silu": F.silu,
    "hard_swish": F.hardswish,
    "mish": F.mish,
    "softplus": F.softplus,
    "tanh": torch.tanh,
    "exp": torch.exp,
    "neg": torch.neg,
    "abs": torch.abs,
    "erf": torch.erf,
    "floor": torch.floor,
    "round": torch.round,
    "sin": torch.sin,
    "cos": torch.cos,
    "identity": lambda x: x,
    "copy": torch.clone,
}
OF_MAGNITUDES = {
    "log": torch.log,
    "sqrt": torch.sqrt,
    "rsqrt": torch.rsqrt,
    "reciprocal": torch.reciprocal,
}
BINARY = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "minimum": torch.minimum,
    "maximum": torch.maximum,
}
MORE_UNARY = {
    **{
        name: getattr(torch, name)
        for name in (
            "ceil",
            "sign",
            "tan",
            "atan",
            "sinh",
            "cosh",
            "isnan",
            "selu",
        )
    },
    "softsign": F.softsign,
    "log_sigmoid": F.logsigmoid,
}
COMPARED = {"greater": torch.gt, "less": torch.lt, "equal": torch.eq}
LOGIC = {"and": torch.logical_and, "or": torch.logical_or, "xor": torch.logical_xor}
REDUCTIONS = {"mean": torch.mean, "sum": torch.sum, "max": torch.amax, "min": torch.amin}
IN_PLACE = ("relu", "relu6", "sigmoid", "hard_sigmoid", "silu", "hard_swish")

CASES = (
    # Convolutions.
    Case("conv", "3×3, stride 2, bias", lambda x, w, b: F.conv2d(x, w, b, 2, 1),
         weights=((16, 8, 3, 3), (16,)), attributes=THREE_WIDE),
    Case("conv", "settings left out", lambda x, w: F.conv2d(x, w), weights=((4, 8, 3, 3),)),
    Case("conv", "grouped, dilated", lambda x, w: F.conv2d(x, w, None, 1, 2, 2, 4),
         weights=((12, 2, 3, 3),),
         attributes={"stride": (1, 1), "padding": ((2, 2), (2, 2)), "dilation": (2, 2),
                     "groups": 4}),
    Case("conv", "depthwise", lambda x, w: F.conv2d(x, w, None, 1, 1, 1, 8),
         weights=((8, 1, 3, 3),),
         attributes={"stride": (1, 1), "padding": ((1, 1), (1, 1)), "groups": 8}),
    Case("conv", "rectangular", lambda x, w: F.conv2d(x, w, None, (1, 2), (0, 3)),
         weights=((4, 8, 1, 7),), attributes={"stride": (1, 2), "padding": ((0, 0), (3, 3))}),
    Case("conv", "padded unevenly", lambda x, w: F.conv2d(F.pad(x, (1, 2, 0, 1)), w),
         weights=((4, 8, 2, 4),), attributes={"stride": (1, 1), "padding": ((0, 1), (1, 2))}),
    Case("conv", "1-D", lambda x, w: F.conv1d(x, w, None, 2, 1), [(2, 8, 9)], ((4, 8, 3),),
         {"stride": (2,), "padding": ((1, 1),)}),
    Case("conv", "3-D", lambda x, w: F.conv3d(x, w, None, 1, 1), [(1, 2, 4, 5, 6)],
         ((4, 2, 3, 3, 3),), {"stride": (1, 1, 1), "padding": ((1, 1),) * 3}),
    Case("conv_transpose", "stride 2, output padding",
         lambda x, w, b: F.conv_transpose2d(x, w, b, 2, 1, 1), weights=((8, 4, 3, 3), (4,)),
         attributes=THREE_WIDE | {"output_padding": (1, 1)}),
    Case("conv_transpose", "grouped, dilated",
         lambda x, w: F.conv_transpose2d(x, w, None, 1, 0, 0, 2, 2), weights=((8, 3, 2, 2),),
         attributes={"stride": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (2, 2),
                     "groups": 2}),
    Case("conv_transpose", "padded unevenly",
         lambda x, w: crop(F.conv_transpose2d(x, w, None, 2), 0, 1, 1, 0),
         weights=((8, 4, 3, 3),), attributes={"stride": (2, 2), "padding": ((0, 1), (1, 0))}),
    Case("conv_transpose", "1-D", lambda x, w: F.conv_transpose1d(x, w, None, 2), [(2, 8, 9)],
         ((8, 4, 3),), {"stride": (2,), "padding": ((0, 0),)}),
    # Matrix products and attention.
    Case("linear", "of rows", F.linear, [(5, 16)], ((10, 16), (10,))),
    Case("linear", "of rows, no bias", F.linear, [(5, 16)], ((10, 16),)),
    Case("linear", "of tokens", F.linear, [(2, 5, 16)], ((10, 16), (10,))),
    Case("linear", "with a computed weight", F.linear, [(2, 5, 16), (10, 16)], ((10,),)),
    Case("matmul", "of activations", torch.matmul, [(2, 3, 5, 4), (2, 3, 4, 6)]),
    Case("matmul", "broadcast", torch.matmul, [(2, 3, 5, 4), (4, 6)]),
    Case("matmul", "with a bias", lambda a, b, c: a @ b + c, [(5, 4), (4, 6), (6,)]),
    Case("attention", "plain", F.scaled_dot_product_attention, HEADS, attributes={"causal": False}),
    Case("attention", "causal", lambda q, k, v: F.scaled_dot_product_attention(
        q, k, v, is_causal=True), HEADS, attributes={"causal": True}),
    Case("attention", "with something added to the scores", F.scaled_dot_product_attention,
         [*HEADS, (1, 1, 5, 7)]),
    Case("attention", "masked", F.scaled_dot_product_attention,
         [*HEADS, Tensor("mask", (5, 7), "bool", "constant", (True, False, True, True, True) * 7)]),
    # Norms.
    Case("batch_norm", "", lambda x, w, b, m, v: F.batch_norm(x, m, v, w, b), weights=NORM,
         attributes={"eps": 1e-5}),
    Case("batch_norm", "large eps", lambda x, w, b, m, v: F.batch_norm(x, m, v, w, b, eps=0.5),
         weights=NORM, attributes={"eps": 0.5}),
    Case("batch_norm", "without scale and shift",
         lambda x, w, b, m, v: F.batch_norm(x, m, v, w, b), weights=(None, None, (8,), (8,))),
    Case("layer_norm", "last axis", lambda x, w, b: F.layer_norm(x, (16,), w, b, 1e-6),
         [(2, 5, 16)], ((16,), (16,)), {"axes": 1, "eps": 1e-6}),
    Case("layer_norm", "three axes", lambda x, w, b: F.layer_norm(x, (8, 6, 6), w, b),
         weights=((8, 6, 6), (8, 6, 6)), attributes={"axes": 3, "eps": 1e-5}),
    Case("layer_norm", "without weights", lambda x: F.layer_norm(x, (6,)),
         attributes={"axes": 1, "eps": 1e-5}),
    Case("layer_norm", "scale alone", lambda x, w: F.layer_norm(x, (6,), w), weights=((6,),),
         attributes={"axes": 1, "eps": 1e-5}),
    Case("layer_norm", "shift alone", lambda x, w, b: F.layer_norm(x, (6,), w, b),
         weights=(None, (6,)), attributes={"axes": 1, "eps": 1e-5}),
    Case("group_norm", "", lambda x, w, b: F.group_norm(x, 4, w, b), weights=((8,), (8,)),
         attributes={"groups": 4, "eps": 1e-5}),
    # Activations and arithmetic.
    *(Case(op, "", function) for op, function in UNARY.items()),
    *(Case(op, "in place", UNARY[op], attributes={"inplace": True}) for op in IN_PLACE),
    *(Case(op, "of magnitudes", lambda x, f=f: f(x.abs()), after="abs")
      for op, f in OF_MAGNITUDES.items()),
    Case("gelu", "exact", F.gelu, attributes={"approximate": "none"}),
    Case("gelu", "by tanh", lambda x: F.gelu(x, approximate="tanh"),
         attributes={"approximate": "tanh"}),
    Case("leaky_relu", "", lambda x: F.leaky_relu(x, 0.2), attributes={"slope": 0.2}),
    Case("leaky_relu", "in place", lambda x: F.leaky_relu(x, 0.2),
         attributes={"slope": 0.2, "inplace": True}),
    Case("prelu", "a slope for each channel", F.prelu, weights=((8,),)),
    Case("prelu", "one slope", F.prelu, weights=((1,),)),
    Case("prelu", "of rows", F.prelu, [(5, 8)], ((8,),)),
    Case("clip", "two bounds", lambda x: x.clamp(-0.5, 0.75),
         attributes={"low": -0.5, "high": 0.75}),
    Case("clip", "in place", lambda x: x.clamp(-0.5, 0.75),
         attributes={"low": -0.5, "high": 0.75, "inplace": True}),
    Case("clip", "from below", lambda x: x.clamp(min=-0.5), attributes={"low": -0.5}),
    Case("clip", "from above", lambda x: x.clamp(max=0.5), attributes={"high": 0.5}),
    *(Case(op, "two maps", function, [X, X]) for op, function in BINARY.items()),
    *(Case(op, "broadcast", function, [X, (2, 8, 1, 1)]) for op, function in BINARY.items()),
    Case("add", "in place", torch.add, [X, X], attributes={"inplace": True}),
    Case("mul", "in place, broadcast", torch.mul, [X, (8, 1, 1)], attributes={"inplace": True}),
    Case("mul", "by a number", lambda x, c: x * c,
         weights=(Tensor("three", (), "float32", "constant", (3.0,)),)),
    Case("pow", "square", lambda x, c: x**2,
         weights=(Tensor("two", (), "float32", "constant", (2.0,)),)),
    *(Case(op, "", function) for op, function in MORE_UNARY.items()),
    *(Case(op, "two maps", function, [X, X]) for op, function in COMPARED.items()),
    *(Case(op, "of flags", function, [flags("a", X), flags("b", X)])
      for op, function in LOGIC.items()),
    Case("not", "of flags", torch.logical_not, [flags("a", X)]),
    Case("where", "", torch.where, [flags("a", X), X, X]),
    Case("where", "a number elsewhere", torch.where,
         [flags("a", (2, 1, 6, 6)), X], [Tensor("zero", (), "float32", "constant", (0.0,))]),
    *(Case(op, "", function, [X, X, X]) for op, function in
      (("addcmul", torch.addcmul), ("lerp", torch.lerp))),
    Case("addcdiv", "of magnitudes", lambda a, b, c: torch.addcdiv(a.abs(), b.abs(), c.abs()),
         [X, X, X], after="abs"),
    Case("celu", "", lambda x: F.celu(x, 0.5), attributes={"alpha": 0.5}),
    Case("glu", "", lambda x: F.glu(x, 1), attributes={"axis": 1}),
    Case("instance_norm", "", lambda x, w, b: F.instance_norm(x, weight=w, bias=b),
         weights=((8,), (8,)), attributes={"eps": 1e-5}),
    Case("instance_norm", "without weights", lambda x: F.instance_norm(x),
         attributes={"eps": 1e-5}),
    Case("group_norm", "without weights", lambda x: F.group_norm(x, 4),
         attributes={"groups": 4, "eps": 1e-5}),
    Case("rms_norm", "", lambda x, w: F.rms_norm(x, (6,), w, 1e-5), weights=((6,),),
         attributes={"axes": 1, "eps": 1e-5}),
    Case("cast", "to whole numbers", lambda x: x.to(torch.int32),
         attributes={}, gives="int32"),
    *(Case(op, "of sines", lambda x, f=f: f(x.sin()), after="sin")
      for op, f in (("asin", torch.asin), ("acos", torch.acos))),
    # Pools and reductions.
    Case("max_pool", "padded", lambda x: F.max_pool2d(x, 3, 2, 1), attributes=WINDOW),
    Case("max_pool", "stride left out", lambda x: F.max_pool2d(x, 2),
         attributes={"kernel": (2, 2)}),
    Case("max_pool", "rounded up", lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True), [(1, 4, 8, 7)],
         attributes={"kernel": (3, 3), "stride": (2, 2), "padding": ((0, 0), (0, 0)),
                     "ceil_mode": True}),
    Case("max_pool", "rounded up, last window in the padding dropped",
         lambda x: F.max_pool2d(x, 2, 2, 1, ceil_mode=True), [ODD],
         attributes={"kernel": (2, 2), "stride": (2, 2), "padding": ((1, 1), (1, 1)),
                     "ceil_mode": True}),
    Case("max_pool", "dilated", lambda x: F.max_pool2d(x, 2, 1, 0, 2),
         attributes={"kernel": (2, 2), "stride": (1, 1), "padding": ((0, 0), (0, 0)),
                     "dilation": (2, 2)}),
    Case("max_pool", "padded unevenly",
         lambda x: F.max_pool2d(F.pad(x, (0, 1, 0, 1), value=float("-inf")), 3, 2),
         attributes=WINDOW | {"padding": ((0, 1), (0, 1))}),
    Case("max_pool", "1-D", lambda x: F.max_pool1d(x, 3, 2), [(2, 8, 9)],
         attributes={"kernel": (3,), "stride": (2,), "padding": ((0, 0),)}),
    Case("avg_pool", "padding counted", lambda x: F.avg_pool2d(x, 3, 2, 1),
         attributes=WINDOW | {"count_padding": True}),
    Case("avg_pool", "padding not counted",
         lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
         attributes=WINDOW | {"count_padding": False}),
    Case("avg_pool", "rounded up, padding counted",
         lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True), [(1, 4, 8, 6)],
         attributes=WINDOW | {"ceil_mode": True, "count_padding": True}),
    Case("avg_pool", "rounded up, padding not counted",
         lambda x: F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False),
         [(1, 4, 8, 6)], attributes=WINDOW | {"ceil_mode": True, "count_padding": False}),
    Case("avg_pool", "padded unevenly", lambda x: F.avg_pool2d(F.pad(x, (0, 1, 0, 1)), 3, 2),
         attributes=WINDOW | {"padding": ((0, 1), (0, 1)), "count_padding": True}),
    Case("adaptive_avg_pool", "to one pixel", lambda x: F.adaptive_avg_pool2d(x, 1),
         attributes={"output_size": (1, 1)}),
    Case("adaptive_avg_pool", "to 3×2", lambda x: F.adaptive_avg_pool2d(x, (3, 2)),
         attributes={"output_size": (3, 2)}),
    Case("adaptive_avg_pool", "1-D", lambda x: F.adaptive_avg_pool1d(x, 1), [(2, 8, 9)],
         attributes={"output_size": (1,)}),
    Case("adaptive_max_pool", "to one pixel", lambda x: F.adaptive_max_pool2d(x, 1),
         attributes={"output_size": (1, 1)}),
    Case("adaptive_max_pool", "to 2×3", lambda x: F.adaptive_max_pool2d(x, (2, 3)),
         attributes={"output_size": (2, 3)}),
    *(Case(op, "over pixels", lambda x, f=f: f(x, (2, 3)), attributes={"axes": (2, 3)})
      for op, f in REDUCTIONS.items()),
    *(Case(op, "keeping the axis", lambda x, f=f: f(x, (1,), keepdim=True),
           attributes={"axes": (1,), "keepdims": True}) for op, f in REDUCTIONS.items()),
    *(Case(op, "over everything", lambda x, f=f: f(x, (0, 1, 2, 3))) for op, f in
      REDUCTIONS.items()),
    Case("softmax", "over channels", lambda x: x.softmax(1), attributes={"axis": 1}),
    Case("softmax", "over the last axis", lambda x: x.softmax(3), attributes={"axis": 3}),
    Case("log_softmax", "", lambda x: x.log_softmax(1), attributes={"axis": 1}),
    Case("prod", "", lambda x: x.prod(3).prod(2), attributes={"axes": (2, 3)}),
    Case("norm", "", lambda x: x.norm(dim=1), attributes={"axes": (1,), "order": 2}),
    Case("norm", "of magnitudes", lambda x: x.norm(p=1, dim=1),
         attributes={"axes": (1,), "order": 1}),
    Case("logsumexp", "", lambda x: x.logsumexp((2, 3)), attributes={"axes": (2, 3)}),
    Case("var", "", lambda x: x.var((2, 3)), attributes={"axes": (2, 3)}),
    Case("std", "", lambda x: x.std((2, 3)), attributes={"axes": (2, 3)}),
    Case("argmax", "", lambda x: x.argmax(1), attributes={"axes": (1,)}),
    Case("argmin", "keeping the axis", lambda x: x.argmin(1, keepdim=True),
         attributes={"axes": (1,), "keepdims": True}),
    Case("cumsum", "", lambda x: x.cumsum(1), attributes={"axis": 1}),
    Case("topk", "", lambda x: x.topk(3, 1), attributes={"k": 3, "axis": 1}),
    Case("sort", "", lambda x: x.sort(3), attributes={"axis": 3}),
    Case("einsum", "", lambda a, b: torch.einsum("bchw,dc->bdhw", a, b), [X, (5, 8)],
         attributes={"equation": "bchw,dc->bdhw"}),
    Case("grid_sample", "", lambda x, g: F.grid_sample(x, g, align_corners=False),
         [X, (2, 3, 4, 2)], attributes={"mode": "linear", "align_corners": False}),
    # What moves elements.
    Case("copy", "flipped", lambda x: x.flip(2, 3), attributes={"kind": "flip", "dims": (2, 3)}),
    Case("copy", "rolled", lambda x: x.roll((1, -2), (2, 3)),
         attributes={"kind": "roll", "shifts": (1, -2), "dims": (2, 3)}),
    Case("tile", "", lambda x: x.repeat(1, 2, 1, 1), attributes={"repeats": (1, 2, 1, 1)}),
    Case("tile", "with a new axis", lambda x: x.repeat(3, 1, 1, 1, 2),
         attributes={"repeats": (3, 1, 1, 1, 2)}),
    Case("repeat", "", lambda x: x.repeat_interleave(2, 1),
         attributes={"axis": 1, "repeats": 2}),
    Case("trilu", "lower", lambda x: x.tril(1), attributes={"upper": False, "diagonal": 1}),
    Case("trilu", "upper", torch.triu, attributes={"upper": True}),
    Case("windows", "", lambda x: x.unfold(2, 3, 2),
         attributes={"axis": 2, "size": 3, "step": 2}),
    Case("unfold", "", lambda x: F.unfold(x, 3, 1, 1, 2),
         attributes={"kernel": (3, 3), "stride": (2, 2), "padding": ((1, 1), (1, 1))}),
    Case("fold", "", lambda x: F.fold(x, (6, 6), 2, 1, 0, 2), [(2, 32, 9)],
         attributes={"kernel": (2, 2), "stride": (2, 2), "output_size": (6, 6)}),
    Case("take_along", "", lambda x, i: x.gather(0, i), [(3, 2)],
         [indices(1, 0, 2, 1, shape=(2, 2))], {"axis": 0}),
    Case("gather_nd", "", lambda x, i, j: x[:, i, j], [(2, 8, 6)],
         [indices(1, 0, 2), Tensor("others", (3,), "int64", "constant", (5, 4, 0))],
         {"axes": (1, 2)}),
    Case("one_hot", "", lambda i: F.one_hot(i, 10), [], [indices(7, 0, 9)], {"depth": 10}),
    Case("reshape", "", lambda x: x.reshape(2, 288), attributes={"shape": (2, -1)}),
    Case("expand", "", lambda x: x.expand(2, 8, 3, 6), [(2, 1, 1, 6)],
         attributes={"shape": (2, 8, 3, 6)}),
    Case("transpose", "", lambda x: x.permute(0, 2, 3, 1), attributes={"order": (0, 2, 3, 1)}),
    Case("channel_shuffle", "", lambda x: F.channel_shuffle(x, 4), attributes={"groups": 4}),
    Case("concat", "", lambda *parts: torch.cat(parts, 1), [X, (2, 3, 6, 6), X],
         attributes={"axis": 1}),
    Case("stack", "first", lambda *parts: torch.stack(parts), [X, X], attributes={"axis": 0}),
    Case("stack", "last", lambda *parts: torch.stack(parts, 4), [X, X], attributes={"axis": 4}),
    Case("split", "", lambda x: x.split((3, 5), 1), attributes={"axis": 1, "sizes": (3, 5)}),
    Case("split", "into one", lambda x: x.split((8,), 1), attributes={"axis": 1, "sizes": (8,)}),
    Case("unbind", "", lambda x: x.unbind(0), attributes={"axis": 0}),
    Case("slice", "with a step", lambda x: x[:, 1:7:2],
         attributes={"axis": 1, "start": 1, "stop": 7, "step": 2}),
    Case("select", "", lambda x: x[:, :, 4], attributes={"axis": 2, "index": 4}),
    Case("pad", "with a number", lambda x: F.pad(x, (1, 2, 3, 0), value=1.5),
         attributes={"padding": ((0, 0), (0, 0), (3, 0), (1, 2)), "mode": "constant",
                     "value": 1.5}),
    Case("pad", "channels", lambda x: F.pad(x, (0, 0, 0, 0, 0, 2)),
         attributes={"padding": ((0, 0), (0, 2), (0, 0), (0, 0)), "mode": "constant",
                     "value": 0.0}),
    *(Case("pad", mode, lambda x, mode=mode: F.pad(x, (1, 2, 3, 0), mode=mode),
           attributes={"padding": ((0, 0), (0, 0), (3, 0), (1, 2)), "mode": mode})
      for mode in ("reflect", "replicate", "circular")),
    Case("pad", "reflect, one side of rows", lambda x: F.pad(x, (0, 0, 2, 0), mode="reflect"),
         attributes={"padding": ((0, 0), (0, 0), (2, 0), (0, 0)), "mode": "reflect"}),
    Case("pad", "reflect, 1-D", lambda x: F.pad(x, (2, 1), mode="reflect"), [(2, 8, 9)],
         attributes={"padding": ((0, 0), (0, 0), (2, 1)), "mode": "reflect"}),
    Case("resize", "nearest", lambda x: F.interpolate(x, (12, 18)),
         attributes={"size": (12, 18), "mode": "nearest"}),
    Case("resize", "nearest, smaller", lambda x: F.interpolate(x, (3, 4)),
         attributes={"size": (3, 4), "mode": "nearest"}),
    Case("resize", "nearest, 1-D", lambda x: F.interpolate(x, 18), [(2, 8, 9)],
         attributes={"size": (18,), "mode": "nearest"}),
    *(Case("resize", f"{mode}, corners {'' if corners else 'not '}aligned",
           lambda x, name=name, corners=corners: F.interpolate(
               x, (9, 12), mode=name, align_corners=corners),
           attributes={"size": (9, 12), "mode": mode, "align_corners": corners})
      for mode, name in (("linear", "bilinear"), ("cubic", "bicubic"))
      for corners in (False, True)),
    Case("resize", "linear, 1-D", lambda x: F.interpolate(x, 18, mode="linear"), [(2, 8, 9)],
         attributes={"size": (18,), "mode": "linear"}),
    Case("resize", "linear, 3-D", lambda x: F.interpolate(x, (6, 4, 9), mode="trilinear"),
         [(1, 2, 3, 4, 5)], attributes={"size": (6, 4, 9), "mode": "linear"}),
    Case("embedding", "", lambda w, i: F.embedding(i, w), [], ((10, 4), indices(7, 0, 9, 7))),
    Case("embedding", "of a batch", lambda w, i: F.embedding(i, w), [],
         ((10, 4), indices(7, 0, 9, 7, 1, 2, shape=(2, 3)))),
    Case("gather", "channels", lambda x, i: x[:, i], weights=(indices(5, 0, 5),),
         attributes={"axis": 1}),
    Case("gather", "a table of channels", lambda x, i: x[:, i],
         weights=(indices(5, 0, 5, 1, shape=(2, 2)),), attributes={"axis": 1}),
)  # fmt: skip


def graph_of(case: Case) -> Graph:
    """The call alone in a graph."""
    builder, operands = GraphBuilder("one-call"), []
    for i, given in enumerate(case.inputs):
        if not isinstance(given, Tensor):
            operands.append(builder.input(given, name=f"x{i}"))
            if case.after:
                operands[-1] = builder.add_one(case.after, operands[-1:])
        else:
            operands.append(builder.add_tensor(given))
    for i, given in enumerate(case.weights):
        if given is None:
            operands.append("")
        elif isinstance(given, Tensor):
            operands.append(builder.add_tensor(given))
        else:
            operands.append(builder.parameter(f"w{i}", given))
    outputs = None
    if case.gives:
        outputs = [Tensor("out", builder.tensor(operands[0]).shape, case.gives)]
    return builder.finish(builder.add(case.op, operands, case.attributes, outputs=outputs))


def expected_of(case: Case, graph: Graph) -> list[np.ndarray]:
    """What torch says, on the same stand-in numbers."""
    names = [tensor.name for tensor in graph.tensors.values() if tensor.role != "activation"]
    positive = norm_scales(graph)
    numbers = iter(
        torch.from_numpy(
            weight_values(graph.tensors[name], positive=name in positive)
            if graph.tensors[name].is_weight
            else input_values(graph.tensors[name])
        )
        for name in names
    )
    operands = [next(numbers) for _ in case.inputs]
    operands += [None if given is None else next(numbers) for given in case.weights]
    found = case.expected(*operands)
    return [t.numpy() for t in (found if isinstance(found, (tuple, list)) else [found])]


@pytest.mark.parametrize(
    ("runtime", "case"),
    [
        pytest.param(runtime, case, id=f"{runtime}-{case.op} {case.said}".strip())
        for case in CASES
        for runtime, known in HAVE.items()
        if case.op in known
    ],
)
def test_an_operator_computes_what_torch_computes(run_once, assert_close, runtime, case):
    graph = graph_of(case)

    outputs = run_once(graph, runtime)

    expected = expected_of(case, graph)
    assert len(outputs) == len(expected)
    for name, got, wanted in zip(graph.outputs, outputs, expected, strict=True):
        assert got.shape == graph.tensors[name].shape  # what latprof.ops infers
        assert_close(got, wanted)


def test_no_operator_of_a_runtime_goes_untested():
    assert {case.op for case in CASES} == WRITERS.keys() | CALLS.keys()
