"""How each operator is said in ONNX: what PyTorch's own exporter writes for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from latprof.errors import UnsupportedOp
from latprof.graph import Call, Tensor
from latprof.runtimes.onnx_nodes import Writer

Write = Callable[[Writer, Call], object]


def _flat_pads(pads: Sequence[Sequence[int]]) -> list[int]:
    # ONNX lists all beginnings, then all ends.
    return [pair[0] for pair in pads] + [pair[1] for pair in pads]


def _conv(w: Writer, call: Call) -> None:
    a = call.attributes
    kernel = call.input(1).shape[2:]
    ones, none = [1] * len(kernel), [0] * len(kernel)
    settings: dict[str, Any] = {
        "kernel_shape": list(kernel),
        "strides": list(a.get("stride", ones)),
        "dilations": list(a.get("dilation", ones)),
        "group": int(a.get("groups", 1)),
        "pads": _flat_pads(a["padding"]) if "padding" in a else none * 2,
    }
    if call.node.op == "conv_transpose":
        settings["output_padding"] = list(a.get("output_padding", none))
    w.node(
        "Conv" if call.node.op == "conv" else "ConvTranspose", call, w.operands(call), **settings
    )


def _linear(w: Writer, call: Call) -> None:
    x, weight = call.input(0), call.input(1)
    bias = call.inputs[2] if len(call.inputs) > 2 else None
    if len(x.shape) == 2 and weight.is_weight:
        inputs = [w.operand(x), w.operand(weight)] + ([w.operand(bias)] if bias else [])
        w.node("Gemm", call, inputs, transB=1)
        return
    # The exporter stores the weight transposed when rows come in batches.
    if weight.is_weight:
        turned = w.weight(weight, transposed=True)
    else:
        name = w.operand(weight)
        turned = w.node("Transpose", call, [name], suffix="/transposed", perm=[1, 0])
    _maybe_add(w, call, "MatMul", [w.operand(x), turned], bias)


def _matmul(w: Writer, call: Call) -> None:
    bias = call.inputs[2] if len(call.inputs) > 2 else None
    _maybe_add(w, call, "MatMul", w.operands(call)[:2], bias)


def _maybe_add(w: Writer, call: Call, op: str, inputs: list[str], bias: Tensor | None) -> None:
    if bias is None:
        w.node(op, call, inputs)
    else:
        product = w.node(op, call, inputs, suffix="/product")
        w.node("Add", call, [product, w.operand(bias)])


def _attention(w: Writer, call: Call) -> None:
    query, key = call.input(0), call.input(1)
    rank = len(query.shape)
    # Query and key are each scaled by the square root of the scale, as PyTorch's exporter does.
    root = w.constant(f"{call.node.name}/root", query.shape[-1] ** -0.25, like=query)
    order = [*range(rank - 2), rank - 1, rank - 2]
    turned = w.node("Transpose", call, [w.operand(key)], suffix="/turned", perm=order)
    left = w.node("Mul", call, [w.operand(query), root], suffix="/query")
    right = w.node("Mul", call, [turned, root], suffix="/key")
    scores = w.node("MatMul", call, [left, right], suffix="/scores")
    mask = call.inputs[3] if len(call.inputs) > 3 else None
    if call.attributes.get("causal", False):
        above = np.triu(np.full((query.shape[-2], key.shape[-2]), -np.inf), k=1)
        name = w.constant(f"{call.node.name}/causal", above, like=query)
        scores = w.node("Add", call, [scores, name], suffix="/causal_scores")
    if mask is not None and mask.dtype == "bool":
        never = w.constant(f"{call.node.name}/never", -np.inf, like=query)
        scores = w.node("Where", call, [w.operand(mask), scores, never], suffix="/masked")
    elif mask is not None:
        scores = w.node("Add", call, [scores, w.operand(mask)], suffix="/masked")
    weights = w.node("Softmax", call, [scores], suffix="/softmax", axis=-1)
    w.node("MatMul", call, [weights, w.operand(call.input(2))])


def _batch_norm(w: Writer, call: Call) -> None:
    x, mean, variance = (call.input(index) for index in (0, 3, 4))
    inputs = [w.operand(x)]
    for index, neutral in ((1, 1.0), (2, 0.0)):
        tensor = call.inputs[index]
        name = f"{call.node.name}/neutral{index}"
        inputs.append(
            w.operand(tensor)
            if tensor is not None
            else w.constant(name, np.full(x.shape[1], neutral), like=x)
        )
    inputs += [w.operand(mean), w.operand(variance)]
    w.node("BatchNormalization", call, inputs, epsilon=float(call.attributes.get("eps", 1e-5)))


def _layer_norm(w: Writer, call: Call) -> None:
    axes = int(call.attributes["axes"])
    x, scale = call.input(0), call.inputs[1] if len(call.inputs) > 1 else None
    if scale is None:
        ones = w.constant(f"{call.node.name}/scale", np.ones(x.shape[-axes:]), like=x)
        inputs = [w.operand(x), ones]
    else:
        inputs = [w.operand(x), w.operand(scale)]
    if len(call.inputs) > 2 and call.inputs[2] is not None:
        inputs.append(w.operand(call.inputs[2]))
    w.node("LayerNormalization", call, inputs, axis=-axes, epsilon=float(call.attributes["eps"]))


def _clip(w: Writer, call: Call) -> None:
    low, high = call.attributes.get("low"), call.attributes.get("high")
    if call.node.op == "relu6":
        low, high = 0.0, 6.0
    x = call.input(0)
    inputs = [w.operand(x)]
    for side, bound in (("low", low), ("high", high)):
        name = f"{call.node.name}/{side}"
        inputs.append("" if bound is None else w.constant(name, bound, like=x))
    w.node("Clip", call, inputs)


def _silu(w: Writer, call: Call) -> None:
    x = w.operand(call.input(0))
    w.node("Mul", call, [x, w.node("Sigmoid", call, [x], suffix="/sigmoid")])


def _rsqrt(w: Writer, call: Call) -> None:
    w.node("Reciprocal", call, [w.node("Sqrt", call, w.operands(call), suffix="/sqrt")])


def _simple(op: str, **attributes: Any) -> Write:
    return lambda w, call: w.node(op, call, w.operands(call), **attributes)


def _pool(w: Writer, call: Call) -> None:
    a = call.attributes
    none = [0] * len(a["kernel"])
    settings: dict[str, Any] = {
        "kernel_shape": list(a["kernel"]),
        "strides": list(a.get("stride", a["kernel"])),
        "pads": _flat_pads(a["padding"]) if "padding" in a else none * 2,
        "ceil_mode": int(a.get("ceil_mode", False)),
    }
    if call.node.op == "max_pool":
        settings["dilations"] = list(a.get("dilation", [1] * len(a["kernel"])))
        w.node("MaxPool", call, w.operands(call), **settings)
    else:
        settings["count_include_pad"] = int(a.get("count_padding", True))
        w.node("AveragePool", call, w.operands(call), **settings)


def _adaptive_pool(w: Writer, call: Call) -> None:
    size = tuple(call.attributes["output_size"])
    sizes_in = call.input(0).shape[-len(size) :]
    average = call.node.op == "adaptive_avg_pool"
    if math.prod(size) == 1:
        # torch.onnx.export writes ReduceMean, not GlobalAveragePool, for an output of one pixel.
        axes = w.constant(f"{call.node.name}/axes", list(range(-len(size), 0)))
        op = "ReduceMean" if average else "ReduceMax"
        w.node(op, call, [w.operand(call.input(0)), axes], keepdims=1)
        return
    if any(big % small for big, small in zip(sizes_in, size, strict=True)):
        raise UnsupportedOp(
            f"node {call.node.name!r} pools {sizes_in} to {size}, which is no whole-numbered "
            "window; ONNX has no operator for that. Use an input size that divides evenly."
        )
    window = [big // small for big, small in zip(sizes_in, size, strict=True)]
    op = "AveragePool" if average else "MaxPool"
    w.node(op, call, w.operands(call), kernel_shape=window, strides=window)


def _reduce(op: str) -> Write:
    def write(w: Writer, call: Call) -> None:
        every = range(len(call.input(0).shape))
        axes = w.constant(f"{call.node.name}/axes", list(call.attributes.get("axes", every)))
        keep = int(call.attributes.get("keepdims", False))
        w.node(op, call, [w.operand(call.input(0)), axes], keepdims=keep)

    return write


def _reshape(w: Writer, call: Call) -> None:
    shape = w.constant(f"{call.node.name}/shape", list(call.outputs[0].shape))
    w.node("Reshape", call, [w.operand(call.input(0)), shape])


def _expand(w: Writer, call: Call) -> None:
    shape = w.constant(f"{call.node.name}/shape", list(call.outputs[0].shape))
    w.node("Expand", call, [w.operand(call.input(0)), shape])


def _transpose(w: Writer, call: Call) -> None:
    w.node("Transpose", call, w.operands(call), perm=list(call.attributes["order"]))


def _shuffle(w: Writer, call: Call) -> None:
    batch, channels, *rest = call.input(0).shape
    groups = int(call.attributes["groups"])
    name = call.node.name
    split = w.constant(f"{name}/split", [batch, groups, channels // groups, *rest])
    whole = w.constant(f"{name}/whole", [batch, channels, *rest])
    order = [0, 2, 1, *range(3, 3 + len(rest))]
    apart = w.node("Reshape", call, [w.operand(call.input(0)), split], suffix="/apart")
    turned = w.node("Transpose", call, [apart], suffix="/turned", perm=order)
    w.node("Reshape", call, [turned, whole])


def _concat(w: Writer, call: Call) -> None:
    w.node("Concat", call, w.operands(call), axis=int(call.attributes["axis"]))


def _stack(w: Writer, call: Call) -> None:
    axis = w.constant(f"{call.node.name}/axis", [int(call.attributes["axis"])])
    parts = [
        w.node("Unsqueeze", call, [name, axis], suffix=f"/part{i}")
        for i, name in enumerate(w.operands(call))
    ]
    w.node("Concat", call, parts, axis=int(call.attributes["axis"]))


def _split(w: Writer, call: Call) -> None:
    sizes = w.constant(f"{call.node.name}/sizes", list(call.attributes["sizes"]))
    axis = int(call.attributes["axis"])
    w.node("Split", call, [w.operand(call.input(0)), sizes], axis=axis)


def _slice(w: Writer, call: Call) -> None:
    a, name = call.attributes, call.node.name
    bounds = [
        w.constant(f"{name}/{key}", [int(a[key])]) for key in ("start", "stop", "axis", "step")
    ]
    w.node("Slice", call, [w.operand(call.input(0)), *bounds])


def _select(w: Writer, call: Call) -> None:
    index = w.constant(f"{call.node.name}/index", int(call.attributes["index"]))
    axis = int(call.attributes["axis"])
    w.node("Gather", call, [w.operand(call.input(0)), index], axis=axis)


_PAD_MODES = {
    "constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap",
}  # fmt: skip


def _pad(w: Writer, call: Call) -> None:
    a, name = call.attributes, call.node.name
    pads = w.constant(f"{name}/pads", _flat_pads(a["padding"]))
    mode = _PAD_MODES[a.get("mode", "constant")]
    x = call.input(0)
    inputs = [w.operand(x), pads]
    if mode == "constant":
        inputs.append(w.constant(f"{name}/value", a.get("value", 0.0), like=x))
    w.node("Pad", call, inputs, mode=mode)


def _resize(w: Writer, call: Call) -> None:
    a, name = call.attributes, call.node.name
    sizes = w.constant(f"{name}/sizes", list(call.outputs[0].shape))
    how = "align_corners" if a.get("align_corners") else "pytorch_half_pixel"
    if a["mode"] == "nearest":
        how = "asymmetric"
    w.node(
        "Resize",
        call,
        [w.operand(call.input(0)), "", "", sizes],
        mode=a["mode"],
        coordinate_transformation_mode=how,
        nearest_mode="floor",
    )


def _gather(w: Writer, call: Call) -> None:
    w.node("Gather", call, w.operands(call)[:2], axis=int(call.attributes.get("axis", 0)))


def _prelu(w: Writer, call: Call) -> None:
    spread = (-1,) + (1,) * (len(call.input(0).shape) - 2)
    shape = w.constant(f"{call.node.name}/shape", list(spread))
    slope = w.node("Reshape", call, [w.operand(call.input(1)), shape], suffix="/slope")
    w.node("PRelu", call, [w.operand(call.input(0)), slope])


WRITERS: dict[str, Write] = {
    "conv": _conv,
    "conv_transpose": _conv,
    "linear": _linear,
    "matmul": _matmul,
    "attention": _attention,
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "relu": _simple("Relu"),
    "relu6": _clip,
    "clip": _clip,
    "leaky_relu": lambda w, c: w.node(
        "LeakyRelu", c, w.operands(c), alpha=float(c.attributes["slope"])
    ),
    "prelu": _prelu,
    "elu": _simple("Elu"),
    "sigmoid": _simple("Sigmoid"),
    "hard_sigmoid": _simple("HardSigmoid", alpha=1.0 / 6.0, beta=0.5),
    "silu": _silu,
    "hard_swish": _simple("HardSwish"),
    "gelu": lambda w, c: w.node(
        "Gelu", c, w.operands(c), approximate=str(c.attributes.get("approximate", "none"))
    ),
    "mish": _simple("Mish"),
    "softplus": _simple("Softplus"),
    "tanh": _simple("Tanh"),
    "exp": _simple("Exp"),
    "log": _simple("Log"),
    "sqrt": _simple("Sqrt"),
    "rsqrt": _rsqrt,
    "reciprocal": _simple("Reciprocal"),
    "neg": _simple("Neg"),
    "abs": _simple("Abs"),
    "erf": _simple("Erf"),
    "floor": _simple("Floor"),
    "round": _simple("Round"),
    "sin": _simple("Sin"),
    "cos": _simple("Cos"),
    "add": _simple("Add"),
    "sub": _simple("Sub"),
    "mul": _simple("Mul"),
    "div": _simple("Div"),
    "pow": _simple("Pow"),
    "minimum": _simple("Min"),
    "maximum": _simple("Max"),
    "max_pool": _pool,
    "avg_pool": _pool,
    "adaptive_avg_pool": _adaptive_pool,
    "adaptive_max_pool": _adaptive_pool,
    "mean": _reduce("ReduceMean"),
    "sum": _reduce("ReduceSum"),
    "max": _reduce("ReduceMax"),
    "min": _reduce("ReduceMin"),
    "softmax": lambda w, c: w.node("Softmax", c, w.operands(c), axis=int(c.attributes["axis"])),
    "reshape": _reshape,
    "expand": _expand,
    "identity": _simple("Identity"),
    "copy": _simple("Identity"),
    "transpose": _transpose,
    "channel_shuffle": _shuffle,
    "concat": _concat,
    "stack": _stack,
    "split": _split,
    "slice": _slice,
    "select": _select,
    "pad": _pad,
    "resize": _resize,
    "embedding": _gather,
    "gather": _gather,
}
