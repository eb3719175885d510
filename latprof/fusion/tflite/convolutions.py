"""Convolutions, matrix products and attention, as a converter to TensorFlow Lite writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from latprof.fusion.launches import Launch
from latprof.fusion.tflite.grouping import Shared
from latprof.fusion.tflite.plan import (
    CHANNELS_LAST,
    Array,
    Constant,
    Operand,
    Plan,
    Stored,
    Value,
    number,
    stored,
    whole_numbers,
)
from latprof.graph import Call, Tensor

SAME, VALID = 0, 1
ACTIVATIONS = {"": 0, "relu": 1, "relu_n1_to_1": 2, "relu6": 3}


def window(
    sizes: Sequence[int],
    out_sizes: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[Sequence[int]],
    dilation: Sequence[int],
) -> tuple[int, list[tuple[int, int]]]:
    """SAME or VALID, and what has to be padded by an operator before it.

    SAME puts half of the border that it needs, rounded down, before the map; only where that is
    what the model says does it stand for the model's padding.
    """
    same, valid, pads = True, True, []
    for size, out, k, step, (before, after), spread in zip(
        sizes, out_sizes, kernel, stride, padding, dilation, strict=True
    ):
        reach = (k - 1) * spread + 1
        needed = (out - 1) * step + reach - size
        same &= out == -(-size // step) and before == max(needed, 0) // 2
        valid &= before == 0 and needed <= 0 and out == (size - reach) // step + 1
        pads.append((before, max(after, needed - before)))
    if valid:
        return VALID, []
    return (SAME, []) if same else (VALID, pads)


def padded(plan: Plan, x: Value, pads: Sequence[tuple[int, int]], lowest: float = 0.0) -> Value:
    """A map with a border; of zeros unless a lowest number is said."""
    if not pads:
        return x
    every = [(0, 0), *pads, (0, 0)]
    shape = [size + sum(pair) for size, pair in zip(x.shape, every, strict=True)]
    border = whole_numbers(every)
    if lowest:
        inputs: list[Operand] = [x, border, number(lowest)]
        return plan.add("PADV2", inputs, shape, x.order, step="padded")
    return plan.add("PAD", [x, border], shape, x.order, step="padded")


def scale_and_shift(launch: Launch, shared: Shared, numbers: Stored) -> tuple[Array, Array]:
    """What is folded into a filter: output channels are multiplied by the one, then added to."""
    call = launch.main
    channels = launch.main.outputs[0].shape[1 if call.node.op != "linear" else -1]
    scale, shift = np.ones(channels, np.float32), np.zeros(channels, np.float32)
    if len(call.inputs) > 2 and call.inputs[2] is not None:
        shift = shift + numbers(call.inputs[2])
    for after in launch.calls[launch.calls.index(call) + 1 :]:
        if after.node.op == "batch_norm":
            factor, offset = norm_factors(after, numbers)
        elif after.node.op in ("mul", "add") and after.weights:
            flat = numbers(after.weights[0]).reshape(-1)
            none, one = np.zeros_like(flat), np.ones_like(flat)
            factor, offset = (flat, none) if after.node.op == "mul" else (one, flat)
        else:
            continue
        scale, shift = scale * factor, shift * factor + offset
    if launch in shared.norms and (norm := shared.norms[launch]) and len(norm.inputs) > 2:
        bias = norm.inputs[2]
        shift = shift if bias is None else shift + numbers(call.input(1)) @ numbers(bias)
    if launch in shared.threes:
        shift = shift + 3
    return scale, shift


def norm_factors(call: Call, numbers: Stored) -> tuple[Array, Array]:
    """A batch norm as factor and offset of each channel."""
    mean, variance = numbers(call.input(3)), numbers(call.input(4))
    weight, bias = call.inputs[1], call.inputs[2]
    factor = 1 / np.sqrt(variance + np.float32(call.attributes.get("eps", 1e-5)))
    factor = factor * numbers(weight) if weight is not None else factor
    offset = -mean * factor
    return factor, offset + numbers(bias) if bias is not None else offset


def conv(plan: Plan, launch: Launch) -> None:
    call, a, shared = launch.main, launch.main.attributes, plan.shared
    weight, out = call.input(1), call.outputs[0]
    if len(weight.shape) != 4 or not weight.is_weight:
        raise ValueError("only 2-D convolutions with stored weights")
    x = plan.ordered(plan.value(call.input(0)), CHANNELS_LAST)
    groups = int(a.get("groups", 1))
    stride, dilation = tuple(a.get("stride", (1, 1))), tuple(a.get("dilation", (1, 1)))
    kernel = weight.shape[2:]
    no_padding = ((0, 0), (0, 0))
    padding, pads = window(
        call.input(0).shape[2:], out.shape[2:], kernel, stride, a.get("padding", no_padding),
        dilation,
    )  # fmt: skip
    x = padded(plan, x, pads)
    depthwise = groups > 1 and weight.shape[1] == 1
    places = (1, 2, 3, 0) if depthwise else (0, 2, 3, 1)
    shape = tuple(weight.shape[p] for p in places)

    def make_filter(numbers: Stored) -> Array:
        scale, _ = scale_and_shift(launch, shared, numbers)
        return (numbers(weight) * scale.reshape(-1, 1, 1, 1)).transpose(places)

    settings: dict[str, Any] = {
        "padding": padding, "stride_h": stride[0], "stride_w": stride[1],
        "dilation_h": dilation[0], "dilation_w": dilation[1],
        "activation": ACTIVATIONS[launch.activation],
    }  # fmt: skip
    if depthwise:
        settings["depth_multiplier"] = out.shape[1] // groups
    filters = Constant(f"filter:{call.node.name}", shape, make_filter, axis=3 if depthwise else 0)
    kind = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
    stored_shape = tuple(out.shape[axis] for axis in CHANNELS_LAST)
    plan.give(
        plan.add(
            kind,
            [x, filters, _bias(plan, launch, out.shape[1])],
            stored_shape,
            CHANNELS_LAST,
            **settings,
        )
    )


def _bias(plan: Plan, launch: Launch, channels: int) -> Constant:
    """Converters write one even where the model has none."""
    name, shared = f"bias:{launch.main.node.name}", plan.shared
    return Constant(name, (channels,), lambda numbers: scale_and_shift(launch, shared, numbers)[1])


def conv_transpose(plan: Plan, launch: Launch) -> None:
    call, a, shared = launch.main, launch.main.attributes, plan.shared
    weight, out = call.input(1), call.outputs[0]
    dilated = tuple(a.get("dilation", (1, 1))) != (1, 1)
    if len(weight.shape) != 4 or int(a.get("groups", 1)) > 1 or dilated or not weight.is_weight:
        raise ValueError("only plain 2-D transposed convolutions with stored weights")
    x = plan.ordered(plan.value(call.input(0)), CHANNELS_LAST)
    stride = tuple(a.get("stride", (1, 1)))
    sizes, kernel = call.input(0).shape[2:], weight.shape[2:]
    pads = a.get("padding", ((0, 0), (0, 0)))
    spare = [(n - 1) * s + k - o for n, s, k, o in zip(sizes, stride, kernel, out.shape[2:],
                                                       strict=True)]  # fmt: skip
    same = all(o == n * s for o, n, s in zip(out.shape[2:], sizes, stride, strict=True)) and all(
        extra >= 0 and before == extra // 2 for (before, _), extra in zip(pads, spare, strict=True)
    )
    valid = all(extra == 0 for extra in spare) and not any(map(any, pads))
    if not same and not valid:
        raise ValueError("a padding that is neither SAME nor VALID")
    stored_shape = tuple(out.shape[axis] for axis in CHANNELS_LAST)
    places = (1, 2, 3, 0)

    def make_filter(numbers: Stored) -> Array:
        scale, _ = scale_and_shift(launch, shared, numbers)
        return (numbers(weight) * scale.reshape(1, -1, 1, 1)).transpose(places)

    shape = tuple(weight.shape[p] for p in places)
    filters = Constant(f"filter:{call.node.name}", shape, make_filter, axis=0)
    inputs: list[Operand] = [
        whole_numbers(stored_shape),
        filters,
        x,
        _bias(plan, launch, out.shape[1]),
    ]
    plan.give(
        plan.add(
            "TRANSPOSE_CONV", inputs, stored_shape, CHANNELS_LAST,
            padding=VALID if valid else SAME, stride_h=stride[0], stride_w=stride[1],
            activation=ACTIVATIONS[launch.activation],
        )
    )  # fmt: skip


def linear(plan: Plan, launch: Launch) -> None:
    call, shared = launch.main, plan.shared
    weight = call.input(1)
    if not weight.is_weight:
        raise ValueError("a matrix that is not stored")
    x = plan.with_last(plan.value(call.input(0)), 1)

    def make_filter(numbers: Stored) -> Array:
        scale, _ = scale_and_shift(launch, shared, numbers)
        columns = shared.norms[launch].inputs[1] if launch in shared.norms else None
        product = numbers(weight) * scale.reshape(-1, 1)
        return product if columns is None else product * numbers(columns)

    filters = Constant(f"filter:{call.node.name}", weight.shape, make_filter, axis=0)
    plan.give(
        plan.add(
            "FULLY_CONNECTED", [x, filters, _bias(plan, launch, weight.shape[0])],
            (*x.shape[:-1], weight.shape[0]), x.order,
            keep_num_dims=len(x.shape) != 2, activation=ACTIVATIONS[launch.activation],
        )
    )  # fmt: skip


def matmul(plan: Plan, launch: Launch) -> None:
    call = launch.main
    if len(call.inputs) > 2 and call.inputs[2] is not None:
        raise ValueError("a product with a bias")
    rank = max(len(call.input(0).shape), len(call.input(1).shape))
    left, right = (_factor(plan, call.input(index), rank) for index in (0, 1))
    plan.give(plan.add("BATCH_MATMUL", [left, right], call.outputs[0].shape))


def _factor(plan: Plan, tensor: Tensor, rank: int) -> Value | Constant:
    if tensor.is_weight:
        return stored(tensor, len(tensor.shape), tuple(range(len(tensor.shape))))
    return plan.plain(plan.value(tensor))


def attention(plan: Plan, launch: Launch) -> None:
    """Scaled products, as litert-torch writes them: queries and keys by the root of the scale."""
    call = launch.main
    query, key, values = (call.input(index) for index in range(3))
    if len(call.inputs) > 3 or call.attributes.get("causal", False):
        raise ValueError("a mask")
    root = number(float(query.shape[-1] ** -0.25))
    scaled = []
    for tensor, step in ((query, "query"), (key, "key")):
        x = plan.value(tensor)
        y = plan.add("MUL", [x, root], x.shape, x.order, step=step)
        scaled.append(Value(y.name, y.shape, y.order, y.dtype, x.turned))
    left = plan.plain(scaled[0])
    # Keys are wanted turned: as another name of their axes, moved together with the rest.
    rank = len(key.shape)
    swap = {rank - 1: rank - 2, rank - 2: rank - 1}
    turned = tuple(swap.get(axis, axis) for axis in scaled[1].order)
    k = Value(scaled[1].name, scaled[1].shape, turned, scaled[1].dtype, scaled[1].turned)
    right = _key(plan, k)
    scores = (*query.shape[:-1], key.shape[-2])
    y = plan.add("BATCH_MATMUL", [left, right], scores, step="scores")
    y = plan.add("SOFTMAX", [y], scores, step="softmax", beta=1.0)
    v = plan.plain(plan.value(values))
    plan.give(plan.add("BATCH_MATMUL", [y, v], call.outputs[0].shape))


def _key(plan: Plan, key: Value) -> Value:
    """Keys as the product takes them; turned by attention itself where no transpose waits."""
    if key.turned is not None or key.is_plain:
        return plan.plain(key)
    places = [key.order.index(axis) for axis in range(len(key.order))]
    shape = [key.shape[place] for place in places]
    return plan.add("TRANSPOSE", [key, whole_numbers(places)], shape, step="turned_key")
