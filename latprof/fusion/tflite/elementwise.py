"""Arithmetic, activations, norms and reductions, as a converter to TensorFlow Lite writes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from latprof.fusion.launches import Launch
from latprof.fusion.tflite.convolutions import ACTIVATIONS, norm_factors
from latprof.fusion.tflite.plan import (
    Array,
    Constant,
    Operand,
    Order,
    Plan,
    Stored,
    Value,
    number,
    stored,
    whole_numbers,
)
from latprof.graph import Tensor

Convert = Callable[[Plan, Launch], None]


def unary(kind: str) -> Convert:
    """An operator that TensorFlow Lite has under a name of its own."""

    def convert(plan: Plan, launch: Launch) -> None:
        x = plan.value(launch.main.input(0))
        settings: dict[str, Any] = {}
        if kind == "LEAKY_RELU":
            settings["alpha"] = float(launch.main.attributes["slope"])
        if kind == "GELU":
            settings["approximate"] = launch.main.attributes.get("approximate") == "tanh"
        plan.give(plan.add(kind, [x], x.shape, x.order, **settings))

    return convert


def binary(kind: str) -> Convert:
    """An operator with two operands, the smaller spread over the larger."""
    activates = kind in ("ADD", "SUB", "MUL", "DIV")

    def convert(plan: Plan, launch: Launch) -> None:
        call = launch.main
        rank = len(call.outputs[0].shape)
        largest = max(call.activations, key=lambda t: (t.elements, len(t.shape)))
        order = with_rank(plan, plan.value(largest), rank).order
        operands = [_operand(plan, call.input(index), rank, order) for index in (0, 1)]
        shape = tuple(call.outputs[0].shape[axis] for axis in order)
        settings: dict[str, Any] = (
            {"activation": ACTIVATIONS[launch.activation]} if activates else {}
        )
        plan.give(plan.add(kind, operands, shape, order, **settings))

    return convert


def _operand(plan: Plan, tensor: Tensor, rank: int, order: Order) -> Value | Constant:
    if tensor.is_weight:
        return stored(tensor, rank, order)
    return plan.ordered(with_rank(plan, plan.value(tensor), rank), order)


def with_rank(plan: Plan, value: Value, rank: int) -> Value:
    """`value` with axes of one before its own."""
    more = rank - len(value.order)
    if more <= 0:
        return value
    order = (*range(more), *(axis + more for axis in value.order))
    return plan.reshaped(value, (1,) * more + value.shape, order, step=f"{value.name}/spread")


def clip(plan: Plan, launch: Launch) -> None:
    x = plan.value(launch.main.input(0))
    bounds = [("MAXIMUM", launch.main.attributes.get("low")),
              ("MINIMUM", launch.main.attributes.get("high"))]  # fmt: skip
    kept = [(kind, bound) for kind, bound in bounds if bound is not None]
    for i, (kind, bound) in enumerate(kept):
        step = "" if i == len(kept) - 1 else "bounded"
        x = plan.add(kind, [x, number(float(bound))], x.shape, x.order, step=step)
    plan.give(x)


def hard_sigmoid(plan: Plan, launch: Launch) -> None:
    """relu6(x + 3) / 6; behind a convolution its bias takes the three and it the clamp."""
    x = plan.value(launch.main.input(0))
    if launch not in plan.shared.bare:
        settings: dict[str, Any] = {"activation": ACTIVATIONS["relu6"]}
        x = plan.add("ADD", [x, number(3.0)], x.shape, x.order, step="three", **settings)
    plan.give(plan.add("MUL", [x, number(1 / 6)], x.shape, x.order))


def silu(plan: Plan, launch: Launch) -> None:
    x = plan.value(launch.main.input(0))
    gate = plan.add("LOGISTIC", [x], x.shape, x.order, step="gate")
    plan.give(plan.add("MUL", [x, gate], x.shape, x.order))


def softplus(plan: Plan, launch: Launch) -> None:
    plan.give(_softplus(plan, plan.value(launch.main.input(0)), step=""))


def _softplus(plan: Plan, x: Value, step: str) -> Value:
    y = plan.add("EXP", [x], x.shape, x.order, step="exp")
    y = plan.add("ADD", [y, number(1.0)], x.shape, x.order, step="one")
    return plan.add("LOG", [y], x.shape, x.order, step=step)


def mish(plan: Plan, launch: Launch) -> None:
    x = plan.value(launch.main.input(0))
    y = _softplus(plan, x, step="softplus")
    y = plan.add("TANH", [y], x.shape, x.order, step="tanh")
    plan.give(plan.add("MUL", [x, y], x.shape, x.order))


def reciprocal(plan: Plan, launch: Launch) -> None:
    x = plan.value(launch.main.input(0))
    plan.give(plan.add("DIV", [number(1.0), x], x.shape, x.order))


def softmax(plan: Plan, launch: Launch) -> None:
    axis = int(launch.main.attributes["axis"])
    x = plan.value(launch.main.input(0))
    rank = len(x.order)
    if x.place(axis) != rank - 1:
        x = plan.ordered(x, (*(a for a in range(rank) if a != axis % rank), axis % rank))
    plan.give(plan.add("SOFTMAX", [x], x.shape, x.order, beta=1.0))


def batch_norm(plan: Plan, launch: Launch) -> None:
    """A factor and an offset of each channel."""
    call, x = launch.main, plan.value(launch.main.input(0))
    channels, place = call.input(0).shape[1], x.place(1)
    shape = tuple(channels if p == place else 1 for p in range(len(x.shape)))
    shape = shape[place:] if all(size == 1 for size in shape[:place]) else shape

    def constant(which: int) -> Constant:
        def make(numbers: Stored) -> Array:
            return norm_factors(call, numbers)[which].reshape(shape)

        return Constant(f"norm{which}:{call.node.name}", shape, make)

    y = plan.add("MUL", [x, constant(0)], x.shape, x.order, step="scaled")
    settings: dict[str, Any] = {"activation": ACTIVATIONS[launch.activation]}
    plan.give(plan.add("ADD", [y, constant(1)], x.shape, x.order, **settings))


def layer_norm(plan: Plan, launch: Launch) -> None:
    """x·r − mean·r, then scale and shift unless the linear layer behind takes them.

    As litert-torch 0.10 writes it.
    """
    call = launch.main
    axes = int(call.attributes["axes"])
    eps = float(call.attributes["eps"])
    x = plan.with_last(plan.value(call.input(0)), axes)
    rank = len(x.shape)
    places = whole_numbers(range(rank - axes, rank))
    few = (*x.shape[: rank - axes], *(1 for _ in range(axes)))

    def add(kind: str, inputs: list[Value | Constant], step: str, **settings: Any) -> Value:
        wide = any(isinstance(i, Value) and i.shape == x.shape for i in inputs)
        shape = few if kind == "MEAN" or not wide else x.shape
        return plan.add(kind, inputs, shape, x.order, step=step, **settings)

    mean = add("MEAN", [x, places], "mean", keep_dims=True)
    y = add("SQUARED_DIFFERENCE", [x, mean], "squares")
    y = add("MEAN", [y, places], "variance", keep_dims=True)
    y = add("RSQRT", [add("ADD", [y, number(eps)], "eps")], "inverse")
    offset = add("SUB", [number(0.0), add("MUL", [mean, y], "shift")], "offset")
    y = add("MUL", [x, y], "scaled")
    weights = (
        []
        if launch in plan.shared.bare
        else list(zip(("MUL", "ADD"), call.inputs[1:3], strict=False))
    )
    steps = [(kind, tensor) for kind, tensor in weights if tensor is not None]
    y = add("ADD", [y, offset], "centred" if steps else "")
    for i, (kind, tensor) in enumerate(steps):
        last = i == len(steps) - 1
        operand = stored(tensor, len(tensor.shape), tuple(range(len(tensor.shape))))
        y = add(kind, [y, operand], "" if last else "weighted")
    plan.give(y)


def reduce(kind: str) -> Convert:
    def convert(plan: Plan, launch: Launch) -> None:
        call, a = launch.main, launch.main.attributes
        x = plan.value(call.input(0))
        rank = len(x.order)
        axes = {axis % rank for axis in a.get("axes", range(rank))}
        keep = bool(a.get("keepdims", False))
        if call.node.op.startswith("adaptive_"):
            axes, keep = set(range(rank - len(a["output_size"]), rank)), True
        places = sorted(x.place(axis) for axis in axes)
        if keep:
            shape = tuple(1 if p in places else size for p, size in enumerate(x.shape))
            order = x.order
        else:
            left = [axis for axis in range(rank) if axis not in axes]
            shape = tuple(size for p, size in enumerate(x.shape) if p not in places)
            order = tuple(left.index(axis) for axis in x.order if axis not in axes)
        inputs: list[Operand] = [x, whole_numbers(places)]
        plan.give(plan.add(kind, inputs, shape, order, keep_dims=keep))

    return convert


CONVERTERS: dict[str, Convert] = {
    **{
        op: unary(kind)
        for op, kind in (
            ("relu", "RELU"), ("relu6", "RELU6"), ("sigmoid", "LOGISTIC"), ("tanh", "TANH"),
            ("hard_swish", "HARD_SWISH"), ("gelu", "GELU"), ("leaky_relu", "LEAKY_RELU"),
            ("elu", "ELU"), ("exp", "EXP"), ("log", "LOG"), ("sqrt", "SQRT"), ("rsqrt", "RSQRT"),
            ("neg", "NEG"), ("abs", "ABS"), ("floor", "FLOOR"), ("ceil", "CEIL"),
            ("round", "ROUND"), ("sin", "SIN"), ("cos", "COS"), ("sign", "SIGN"),
        )
    },
    **{
        op: binary(kind)
        for op, kind in (
            ("add", "ADD"), ("sub", "SUB"), ("mul", "MUL"), ("div", "DIV"), ("pow", "POW"),
            ("minimum", "MINIMUM"), ("maximum", "MAXIMUM"),
        )
    },
    "clip": clip,
    "hard_sigmoid": hard_sigmoid,
    "silu": silu,
    "softplus": softplus,
    "mish": mish,
    "reciprocal": reciprocal,
    "softmax": softmax,
    "batch_norm": batch_norm,
    "layer_norm": layer_norm,
    "mean": reduce("MEAN"),
    "sum": reduce("SUM"),
    "max": reduce("REDUCE_MAX"),
    "min": reduce("REDUCE_MIN"),
}  # fmt: skip
