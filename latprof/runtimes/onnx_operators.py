"""How each operator is said in ONNX: what PyTorch's own exporter writes for it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from latprof.errors import UnsupportedOp
from latprof.graph import Call, Tensor
from latprof.runtimes.onnx_movements import MOVEMENT_WRITERS
from latprof.runtimes.onnx_nodes import Write, Writer, flat_pads, simple


def _conv(w: Writer, call: Call) -> None:
    a = call.attributes
    kernel = call.input(1).shape[2:]
    ones, none = [1] * len(kernel), [0] * len(kernel)
    settings: dict[str, Any] = {
        "kernel_shape": list(kernel),
        "strides": list(a.get("stride", ones)),
        "dilations": list(a.get("dilation", ones)),
        "group": int(a.get("groups", 1)),
        "pads": flat_pads(a["padding"]) if "padding" in a else none * 2,
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


def _pool(w: Writer, call: Call) -> None:
    a = call.attributes
    none = [0] * len(a["kernel"])
    settings: dict[str, Any] = {
        "kernel_shape": list(a["kernel"]),
        "strides": list(a.get("stride", a["kernel"])),
        "pads": flat_pads(a["padding"]) if "padding" in a else none * 2,
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


def _prelu(w: Writer, call: Call) -> None:
    spread = (-1,) + (1,) * (len(call.input(0).shape) - 2)
    shape = w.constant(f"{call.node.name}/shape", list(spread))
    slope = w.node("Reshape", call, [w.operand(call.input(1)), shape], suffix="/slope")
    w.node("PRelu", call, [w.operand(call.input(0)), slope])


def _logical(op: str) -> Write:
    def write(w: Writer, call: Call) -> None:
        name = {"and": "And", "or": "Or", "xor": "Xor"}[op]
        name = name if call.input(0).dtype == "bool" else f"Bitwise{name}"
        w.node(name, call, w.operands(call))

    return write


def _glu(w: Writer, call: Call) -> None:
    axis, half = int(call.attributes["axis"]), call.outputs[0].shape
    name, x = call.node.name, w.operand(call.input(0))
    axes = w.constant(f"{name}/axis", [axis])
    ends = [w.constant(f"{name}/{i}", [i * half[axis]]) for i in range(3)]
    first, second = (
        w.node("Slice", call, [x, *ends[i : i + 2], axes], suffix=f"/half{i}") for i in range(2)
    )
    gate = w.node("Sigmoid", call, [second], suffix="/gate")
    w.node("Mul", call, [first, gate])


def _norm_weights(w: Writer, call: Call) -> list[Tensor | None]:
    given = list(call.inputs[1:3])
    return given + [None] * (2 - len(given))


def _group_norm(w: Writer, call: Call) -> None:
    """An instance norm of each group, then the scale and shift of each channel."""
    x, groups, name = call.input(0), int(call.attributes["groups"]), call.node.name
    apart = w.constant(f"{name}/apart", [x.shape[0], groups, -1])
    whole = w.constant(f"{name}/whole", list(x.shape))
    ones = w.constant(f"{name}/ones", np.ones(groups), like=x)
    zeros = w.constant(f"{name}/zeros", np.zeros(groups), like=x)
    y = w.node("Reshape", call, [w.operand(x), apart], suffix="/groups")
    eps = float(call.attributes["eps"])
    y = w.node("InstanceNormalization", call, [y, ones, zeros], suffix="/norm", epsilon=eps)
    steps = [("Mul", "/scaled", _norm_weights(w, call)[0]), ("Add", "", _norm_weights(w, call)[1])]
    kept = [(op, suffix, tensor) for op, suffix, tensor in steps if tensor is not None]
    y = w.node("Reshape", call, [y, whole], suffix="/joined" if kept else "")
    for i, (op, suffix, tensor) in enumerate(kept):
        column = [-1, *(1 for _ in x.shape[2:])]
        # Stored as a column: what can be computed while loading costs nothing.
        shape = w.constant(f"{name}/column", column)
        wide = w.node("Reshape", call, [w.operand(tensor), shape], suffix=f"/column{i}")
        y = w.node(op, call, [y, wide], suffix=suffix if i < len(kept) - 1 else "")


def _instance_norm(w: Writer, call: Call) -> None:
    x, name = call.input(0), call.node.name
    neutral = (np.ones(x.shape[1]), np.zeros(x.shape[1]))
    weights = [
        w.operand(tensor) if tensor is not None else w.constant(f"{name}/neutral{i}", plain, like=x)
        for i, (tensor, plain) in enumerate(zip(_norm_weights(w, call), neutral, strict=True))
    ]
    eps = float(call.attributes["eps"])
    w.node("InstanceNormalization", call, [w.operand(x), *weights], epsilon=eps)


def _norm(w: Writer, call: Call) -> None:
    kinds = {1: "ReduceL1", 2: "ReduceL2"}
    _reduce(kinds[call.attributes.get("order", 2)])(w, call)


def _extreme_index(op: str) -> Write:
    def write(w: Writer, call: Call) -> None:
        (axis,) = call.attributes["axes"]  # ONNX finds the place along one axis only
        keep = int(call.attributes.get("keepdims", False))
        w.node(op, call, w.operands(call), axis=int(axis), keepdims=keep)

    return write


def _cumsum(w: Writer, call: Call) -> None:
    axis = w.constant(f"{call.node.name}/axis", int(call.attributes["axis"]))
    w.node("CumSum", call, [w.operand(call.input(0)), axis])


def _topk(w: Writer, call: Call) -> None:
    k = w.constant(f"{call.node.name}/k", [int(call.attributes["k"])])
    axis = int(call.attributes.get("axis", -1))
    w.node("TopK", call, [w.operand(call.input(0)), k], axis=axis)


def _grid_sample(w: Writer, call: Call) -> None:
    mode, corners = str(call.attributes["mode"]), int(call.attributes.get("align_corners", False))
    w.node("GridSample", call, w.operands(call), mode=mode, align_corners=corners)


WRITERS: dict[str, Write] = {
    "conv": _conv,
    "conv_transpose": _conv,
    "linear": _linear,
    "matmul": _matmul,
    "attention": _attention,
    "batch_norm": _batch_norm,
    "layer_norm": _layer_norm,
    "relu": simple("Relu"),
    "relu6": _clip,
    "clip": _clip,
    "leaky_relu": lambda w, c: w.node(
        "LeakyRelu", c, w.operands(c), alpha=float(c.attributes["slope"])
    ),
    "prelu": _prelu,
    "elu": simple("Elu"),
    "sigmoid": simple("Sigmoid"),
    "hard_sigmoid": simple("HardSigmoid", alpha=1.0 / 6.0, beta=0.5),
    "silu": _silu,
    "hard_swish": simple("HardSwish"),
    "gelu": lambda w, c: w.node(
        "Gelu", c, w.operands(c), approximate=str(c.attributes.get("approximate", "none"))
    ),
    "mish": simple("Mish"),
    "softplus": simple("Softplus"),
    "tanh": simple("Tanh"),
    "exp": simple("Exp"),
    "log": simple("Log"),
    "sqrt": simple("Sqrt"),
    "rsqrt": _rsqrt,
    "reciprocal": simple("Reciprocal"),
    "neg": simple("Neg"),
    "abs": simple("Abs"),
    "erf": simple("Erf"),
    "floor": simple("Floor"),
    "round": simple("Round"),
    "sin": simple("Sin"),
    "cos": simple("Cos"),
    "add": simple("Add"),
    "sub": simple("Sub"),
    "mul": simple("Mul"),
    "div": simple("Div"),
    "pow": simple("Pow"),
    "minimum": simple("Min"),
    "maximum": simple("Max"),
    "max_pool": _pool,
    "avg_pool": _pool,
    "adaptive_avg_pool": _adaptive_pool,
    "adaptive_max_pool": _adaptive_pool,
    "mean": _reduce("ReduceMean"),
    "sum": _reduce("ReduceSum"),
    "max": _reduce("ReduceMax"),
    "min": _reduce("ReduceMin"),
    "softmax": lambda w, c: w.node("Softmax", c, w.operands(c), axis=int(c.attributes["axis"])),
    "where": simple("Where"),
    "not": simple("Not"),
    **{op: _logical(op) for op in ("and", "or", "xor")},
    **{
        op: simple(name)
        for op, name in (
            ("greater", "Greater"), ("less", "Less"), ("equal", "Equal"), ("ceil", "Ceil"),
            ("sign", "Sign"), ("tan", "Tan"), ("asin", "Asin"), ("acos", "Acos"),
            ("atan", "Atan"), ("sinh", "Sinh"), ("cosh", "Cosh"), ("isnan", "IsNaN"),
            ("selu", "Selu"), ("softsign", "Softsign"),
        )
    },
    "celu": lambda w, c: w.node(
        "Celu", c, w.operands(c), alpha=float(c.attributes.get("alpha", 1.0))
    ),
    "glu": _glu,
    "group_norm": _group_norm,
    "instance_norm": _instance_norm,
    "log_softmax": lambda w, c: w.node(
        "LogSoftmax", c, w.operands(c), axis=int(c.attributes["axis"])
    ),
    "prod": _reduce("ReduceProd"),
    "norm": _norm,
    "logsumexp": _reduce("ReduceLogSumExp"),
    "argmax": _extreme_index("ArgMax"),
    "argmin": _extreme_index("ArgMin"),
    "cumsum": _cumsum,
    "topk": _topk,
    "einsum": lambda w, c: w.node(
        "Einsum", c, w.operands(c), equation=str(c.attributes["equation"])
    ),
    "grid_sample": _grid_sample,
    **MOVEMENT_WRITERS,
}  # fmt: skip
