"""Pools, and whatever moves or selects elements, as a converter to TensorFlow Lite writes it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from latprof.fusion.launches import Launch
from latprof.fusion.tflite.convolutions import ACTIVATIONS, VALID, padded, window
from latprof.fusion.tflite.elementwise import Convert, reduce
from latprof.fusion.tflite.plan import (
    CHANNELS_LAST,
    Constant,
    Operand,
    Order,
    Plan,
    Value,
    number,
    stored,
    whole_numbers,
)
from latprof.graph import Shape, Tensor

_LOWEST = -3.4028234663852886e38  # of float32: what a maximum never takes


def pool(plan: Plan, launch: Launch) -> None:
    call, a = launch.main, launch.main.attributes
    rank, kernel = len(call.input(0).shape), tuple(a["kernel"])
    if rank == 5:
        _pool_along_one(plan, launch)
        return
    if rank != 4 or set(a.get("dilation", (1,))) != {1}:
        raise ValueError("only 2-D pools without dilation")
    x = plan.ordered(plan.value(call.input(0)), CHANNELS_LAST)
    stride = tuple(a.get("stride", kernel))
    padding = tuple(a.get("padding", ((0, 0), (0, 0))))
    sizes, out = call.input(0).shape[2:], call.outputs[0].shape[2:]
    kind, pads = window(sizes, out, kernel, stride, padding, (1, 1))
    if call.node.op == "max_pool":
        x = padded(plan, x, pads, _LOWEST)
    elif any(map(any, padding)):
        # A border that counts is an operator; SAME and a border at the end alone do not count it.
        if not a.get("count_padding", True) and not pads:
            pads = []
        elif a.get("count_padding", True) and all(
            (o - 1) * s + k <= n + sum(p)
            for o, s, k, n, p in zip(out, stride, kernel, sizes, padding, strict=True)
        ):
            kind, pads = VALID, list(padding)
        else:
            raise ValueError("an average over a border that counts in part")
        x = padded(plan, x, pads)
    elif pads:
        raise ValueError("an average over a border that counts in part")
    shape = tuple(call.outputs[0].shape[axis] for axis in CHANNELS_LAST)
    plan.give(
        plan.add(
            "MAX_POOL_2D" if call.node.op == "max_pool" else "AVERAGE_POOL_2D", [x], shape,
            CHANNELS_LAST, padding=kind, stride_h=stride[0], stride_w=stride[1],
            filter_h=kernel[0], filter_w=kernel[1], activation=ACTIVATIONS[launch.activation],
        )
    )  # fmt: skip


def _pool_along_one(plan: Plan, launch: Launch) -> None:
    """A 3-D average whose window is wide along one axis alone (a norm over near channels)."""
    call, a = launch.main, launch.main.attributes
    kernel, stride = tuple(a["kernel"]), tuple(a.get("stride", a["kernel"]))
    wide = [i for i, size in enumerate(kernel) if size > 1]
    padding = a.get("padding", ((0, 0),))
    if call.node.op != "avg_pool" or len(wide) != 1 or set(stride) != {1} or any(map(any, padding)):
        raise ValueError("only 3-D averages along one axis")
    x = plan.value(call.input(0))
    place = x.place(2 + wide[0])
    lead, trail = math.prod(x.shape[:place]), math.prod(x.shape[place + 1 :])
    left = x.shape[place] - kernel[wide[0]] + 1
    order = (0, 1, 2, 3)
    y = plan.reshaped(x, (lead, x.shape[place], 1, trail), order, step="rows")
    y = plan.add(
        "AVERAGE_POOL_2D", [y], (lead, left, 1, trail), order, step="means", padding=VALID,
        stride_h=1, stride_w=1, filter_h=kernel[wide[0]], filter_w=1,
    )  # fmt: skip
    shape = (*x.shape[:place], left, *x.shape[place + 1 :])
    plan.give(plan.reshaped(y, shape, x.order))


def adaptive_pool(plan: Plan, launch: Launch) -> None:
    call = launch.main
    average = call.node.op == "adaptive_avg_pool"
    size = tuple(call.attributes["output_size"])
    if math.prod(size) == 1:
        reduce("MEAN" if average else "REDUCE_MAX")(plan, launch)
        return
    sizes = call.input(0).shape[-len(size) :]
    if len(size) != 2 or any(big % small for big, small in zip(sizes, size, strict=True)):
        raise ValueError(f"pools {sizes} to {size}, which is no whole-numbered window")
    x = plan.ordered(plan.value(call.input(0)), CHANNELS_LAST)
    step = [big // small for big, small in zip(sizes, size, strict=True)]
    shape = tuple(call.outputs[0].shape[axis] for axis in CHANNELS_LAST)
    plan.give(
        plan.add(
            "AVERAGE_POOL_2D" if average else "MAX_POOL_2D", [x], shape, CHANNELS_LAST,
            padding=VALID, stride_h=step[0], stride_w=step[1], filter_h=step[0], filter_w=step[1],
        )
    )  # fmt: skip


def transpose(plan: Plan, launch: Launch) -> None:
    """Other names for the axes; whoever needs them stored so has them moved."""
    x = plan.value(launch.main.input(0))
    names = tuple(launch.main.attributes["order"])
    order = tuple(names.index(axis) for axis in x.order)
    plan.give(Value(x.name, x.shape, order, x.dtype, x.turned or launch))


def reshape(plan: Plan, launch: Launch) -> None:
    x = plan.value(launch.main.input(0))
    shape = launch.main.outputs[0].shape
    groups = axis_groups(x.logical, shape)
    sequence = [axis for axis in x.order if x.logical[axis] != 1]
    wanted = _kept_together(sequence, groups)
    if wanted != sequence:
        ones = [axis for axis in range(len(x.order)) if axis not in wanted]
        x = plan.ordered(x, (*ones, *wanted))
    of_axis = {group[0][0]: group for group in groups if group[0]}
    big = [axis for first in wanted if first in of_axis for axis in of_axis[first][1]]
    order = _with_ones(big, len(shape))
    y = plan.reshaped(x, [shape[axis] for axis in order], order)
    plan.give(Value(y.name, y.shape, y.order, y.dtype, x.turned if y.name == x.name else None))


def axis_groups(before: Shape, after: Shape) -> list[tuple[list[int], list[int]]]:
    """Axes that a reshape makes into which others, fewest at a time; axes of one left out."""
    left = [axis for axis, size in enumerate(before) if size != 1]
    right = [axis for axis, size in enumerate(after) if size != 1]
    groups: list[tuple[list[int], list[int]]] = []
    while left and right:
        ours, theirs = [left.pop(0)], [right.pop(0)]
        while (a := math.prod(before[i] for i in ours)) != (
            b := math.prod(after[i] for i in theirs)
        ):
            if a < b:
                ours.append(left.pop(0))
            else:
                theirs.append(right.pop(0))
        groups.append((ours, theirs))
    return groups


def _kept_together(
    sequence: Sequence[int], groups: Sequence[tuple[list[int], list[int]]]
) -> list[int]:
    """Stored axes with those of each group in a row, a group where its last axis is."""
    firsts = sorted((ours for ours, _ in groups), key=lambda ours: max(map(sequence.index, ours)))
    return [axis for ours in firsts for axis in ours]


def _with_ones(big: list[int], rank: int) -> Order:
    """An order in which the axes in `big` stand as they do there; a usual one where it fits."""
    for usual in (CHANNELS_LAST if rank == 4 else (), tuple(range(rank))):
        if len(usual) == rank and [axis for axis in usual if axis in big] == big:
            return usual
    return (*(axis for axis in range(rank) if axis not in big), *big)


def channel_shuffle(plan: Plan, launch: Launch) -> None:
    """A transpose between two reshapes."""
    groups = int(launch.main.attributes["groups"])
    x = plan.value(launch.main.input(0))
    place = x.place(1)
    each = x.shape[place] // groups
    before, after = x.shape[:place], x.shape[place + 1 :]
    y = plan.reshaped(x, (*before, groups, each, *after), tuple(range(len(x.shape) + 1)), "groups")
    perm = list(range(len(y.shape)))
    perm[place : place + 2] = place + 1, place
    shape = (*before, each, groups, *after)
    y = plan.add("TRANSPOSE", [y, whole_numbers(perm)], shape, step="mixed")
    plan.give(plan.reshaped(y, x.shape, x.order))


def concat(plan: Plan, launch: Launch) -> None:
    call = launch.main
    largest = max(call.activations, key=lambda tensor: tensor.elements)
    order = plan.value(largest).order
    operands = [_joined(plan, call.input(i), order) for i in range(len(call.inputs))]
    axis = order.index(int(call.attributes["axis"]) % len(order))
    shape = tuple(call.outputs[0].shape[a] for a in order)
    plan.give(plan.add("CONCATENATION", operands, shape, order, axis=axis))


def _joined(plan: Plan, tensor: Tensor, order: Order) -> Value | Constant:
    if tensor.is_weight:
        return stored(tensor, len(order), order)
    return plan.ordered(plan.value(tensor), order)


def split(plan: Plan, launch: Launch) -> None:
    """A slice for each part, as litert-torch writes it."""
    axis, start = int(launch.main.attributes["axis"]), 0
    x = plan.value(launch.main.input(0))
    place = x.place(axis)
    for index, tensor in enumerate(launch.main.outputs):
        stop = start + tensor.shape[axis]
        part = _slice(plan, x, place, start, stop, step=f"part{index}")
        plan.give(part, index)
        start = stop


def _slice(plan: Plan, x: Value, place: int, start: int, stop: int, step: str = "") -> Value:
    begin = [start if p == place else 0 for p in range(len(x.shape))]
    size = [stop - start if p == place else n for p, n in enumerate(x.shape)]
    inputs: list[Operand] = [x, whole_numbers(begin), whole_numbers(size)]
    return plan.add("SLICE", inputs, size, x.order, step=step)


def slice_(plan: Plan, launch: Launch) -> None:
    a = launch.main.attributes
    x = plan.value(launch.main.input(0))
    place, size = x.place(int(a["axis"])), launch.main.input(0).shape[int(a["axis"])]
    start, stop, step = slice(int(a["start"]), int(a["stop"]), int(a.get("step", 1))).indices(size)
    if step == 1:
        plan.give(_slice(plan, x, place, start, stop))
        return
    if step < 0:
        raise ValueError("a slice that runs backwards")
    every = range(len(x.shape))
    bounds = [
        whole_numbers([value if p == place else rest for p in every])
        for value, rest in ((start, 0), (stop, 0), (step, 1))
    ]
    open_ended = sum(1 << p for p in every if p != place)
    shape = [len(range(start, stop, step)) if p == place else n for p, n in enumerate(x.shape)]
    plan.give(plan.add("STRIDED_SLICE", [x, *bounds], shape, x.order, end_mask=open_ended))


def select(plan: Plan, launch: Launch) -> None:
    """A slice, then a reshape without its axis."""
    x = plan.value(launch.main.input(0))
    axis = int(launch.main.attributes["axis"]) % len(x.order)
    place, size = x.place(axis), launch.main.input(0).shape[axis]
    index = int(launch.main.attributes["index"]) % size
    y = _slice(plan, x, place, index, index + 1, step="slice")
    shape = (*y.shape[:place], *y.shape[place + 1 :])
    order = tuple(a - (a > axis) for a in x.order if a != axis)
    plan.give(plan.reshaped(y, shape, order))


def pad(plan: Plan, launch: Launch) -> None:
    a = launch.main.attributes
    x = plan.value(launch.main.input(0))
    pairs = [tuple(pair) for pair in a["padding"]]
    if a.get("mode", "constant") != "constant" or min(map(min, pairs)) < 0:
        raise ValueError("only borders of one number")
    pairs = [pairs[axis] for axis in x.order]
    value = float(a.get("value", 0.0))
    inputs: list[Operand] = [x, whole_numbers(pairs)]
    shape = [size + sum(pair) for size, pair in zip(x.shape, pairs, strict=True)]
    if value:
        plan.give(plan.add("PADV2", [*inputs, number(value)], shape, x.order))
    else:
        plan.give(plan.add("PAD", inputs, shape, x.order))


def resize(plan: Plan, launch: Launch) -> None:
    a, out = launch.main.attributes, launch.main.outputs[0]
    if len(out.shape) != 4 or a["mode"] not in ("nearest", "linear"):
        raise ValueError("only nearest or linear interpolation of maps")
    x = plan.ordered(plan.value(launch.main.input(0)), CHANNELS_LAST)
    corners = bool(a.get("align_corners", False))
    nearest = a["mode"] == "nearest"
    settings: dict[str, Any] = {
        "align_corners": corners,
        "half_pixel_centers": not corners and not nearest,
    }
    shape = tuple(out.shape[axis] for axis in CHANNELS_LAST)
    inputs: list[Operand] = [x, whole_numbers(out.shape[2:])]
    kind = "RESIZE_NEAREST_NEIGHBOR" if nearest else "RESIZE_BILINEAR"
    plan.give(plan.add(kind, inputs, shape, CHANNELS_LAST, **settings))


def gather(plan: Plan, launch: Launch) -> None:
    """Rows of a table, or elements along an axis by stored indices."""
    call = launch.main
    table, index = call.input(0), call.input(1)
    axis = int(call.attributes.get("axis", 0)) % len(table.shape)
    if call.node.op == "embedding":
        axis = 0
    operands = [
        stored(t, len(t.shape), tuple(range(len(t.shape)))) if t.is_weight
        else plan.plain(plan.value(t))
        for t in (table, index)
    ]  # fmt: skip
    shape = (*table.shape[:axis], *index.shape, *table.shape[axis + 1 :])
    plan.give(plan.add("GATHER", operands, shape, dtype=call.outputs[0].dtype, axis=axis))


def copy(plan: Plan, launch: Launch) -> None:
    x = plan.value(launch.main.input(0))
    plan.give(plan.add("RESHAPE", [x, whole_numbers(x.shape)], x.shape, x.order))


CONVERTERS: dict[str, Convert] = {
    "max_pool": pool,
    "avg_pool": pool,
    "adaptive_avg_pool": adaptive_pool,
    "adaptive_max_pool": adaptive_pool,
    "transpose": transpose,
    "reshape": reshape,
    "channel_shuffle": channel_shuffle,
    "concat": concat,
    "split": split,
    "slice": slice_,
    "select": select,
    "pad": pad,
    "resize": resize,
    "gather": gather,
    "embedding": gather,
    "copy": copy,
}
