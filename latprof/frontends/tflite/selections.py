"""How TFLite's operators that select or place elements are said in latprof's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from latprof.errors import ShapeMismatch
from latprof.frontends.tflite import layout
from latprof.frontends.tflite.layers import Translate
from latprof.frontends.tflite.layout import PLAIN, position
from latprof.frontends.tflite.model import MAX_RANK
from latprof.frontends.tflite.movements import axis_of
from latprof.frontends.tflite.translator import NotTold, Translator
from latprof.graph import Shape


def _slice(t: Translator) -> None:
    name, shape, spatial = t.image(t.call.inputs[0])
    begins, sizes = t.whole(1, len(shape)), t.whole(2, len(shape))
    cuts = [
        (max(begin, 0), n if size == -1 else max(min(begin + size, n), 0), 1)
        for begin, size, n in zip(begins, sizes, shape, strict=True)
    ]
    t.give(cut(t, name, shape, spatial, cuts), spatial)


def cut(
    t: Translator, name: str, shape: Shape, spatial: int, cuts: Sequence[tuple[int, int, int]]
) -> str:
    """Begin, end and step for each axis of the file; a node for each axis that is cut."""
    places = position(spatial, len(shape))
    for axis, (begin, end, step) in enumerate(cuts):
        if (begin, end, step) != (0, shape[axis], 1):
            name = t.emit("slice", [name], axis=places[axis], start=begin, stop=end, step=step)
    return name


def strided_cuts(
    shape: Shape,
    begins: Sequence[int],
    ends: Sequence[int],
    steps: Sequence[int],
    options: Mapping[str, int],
) -> tuple[list[tuple[int, int, int]], Shape] | None:
    """Begin, end and step for each axis, and the shape that comes of them; None if malformed.

    Bits of the masks say which entries do not cut: a range left open at one side, an axis
    dropped or added, an ellipsis (tensorflow/lite/kernels/strided_slice.cc; numpy's slicing).
    """  # fmt: skip
    cuts: list[tuple[int, int, int]] = []
    out: list[int] = []
    for i, (begin, end, step) in enumerate(zip(begins, ends, steps, strict=True)):
        bit = 1 << i
        if options["ellipsis_mask"] & bit:
            added = bin(options["new_axis_mask"] >> (i + 1)).count("1")
            rest = len(begins) - i - 1 - min(added, len(begins) - i - 1)
            while len(cuts) < len(shape) - rest:
                cuts.append((0, shape[len(cuts)], 1))
                out.append(cuts[-1][1])
            continue
        if options["new_axis_mask"] & bit:
            out.append(1)
            continue
        if len(cuts) >= len(shape) or step == 0:
            return None
        size = shape[len(cuts)]
        if options["shrink_axis_mask"] & bit:
            at = begin % size if size else 0
            cuts.append((at, at + 1, 1))
            continue
        first = None if options["begin_mask"] & bit else begin
        last = None if options["end_mask"] & bit else (begin + end if options["offset"] else end)
        found = range(size)[slice(first, last, step)]
        cuts.append((found.start, found.stop, step))
        out.append(len(found))
    for size in shape[len(cuts) :]:
        cuts.append((0, size, 1))
        out.append(size)
    return cuts, tuple(out)


def _strided_slice(t: Translator) -> None:
    name, shape, spatial = t.image(t.call.inputs[0])
    begins, ends, steps = t.whole(1), t.whole(2), t.whole(3)
    if not len(begins) == len(ends) == len(steps) <= 2 * MAX_RANK:
        raise ShapeMismatch(
            f"STRIDED_SLICE with {len(begins)} begins, {len(ends)} ends and {len(steps)} steps."
        )
    found = strided_cuts(shape, begins, ends, steps, t.call.options)
    if found is None:
        raise ShapeMismatch(f"STRIDED_SLICE from {begins} to {ends} by {steps} of {shape}.")
    cuts, wanted = found
    # A range that runs backwards to the first element ends before it: said without a stop of -1.
    cuts = [(b, e if e >= 0 else -shape[a] - 1, s) for a, (b, e, s) in enumerate(cuts)]
    name = cut(t, name, shape, spatial, cuts)
    kept = layout.stored(t.builder.tensor(name).shape, spatial)
    if kept == wanted and not _renames_axes(t):
        t.give(name, spatial)
        return
    name = t.relayout(name, kept, spatial, PLAIN)
    t.give(t.reshaped(name, wanted))


def _renames_axes(t: Translator) -> bool:
    return bool(t.call.options["shrink_axis_mask"] or t.call.options["new_axis_mask"])


def _gather(t: Translator) -> None:
    data, indices = t.call.inputs[:2]
    shape, picked = t.shape(data), t.shape(indices)
    axis = axis_of(t, int(t.call.options["axis"]), len(shape))
    if t.call.options["batch_dims"]:
        raise NotTold
    if t.is_stored(data) and len(shape) == 2 and axis == 0 and "float" in t.dtype(data):
        t.give(t.emit("embedding", [t.weight(data, shape), t.operand(indices)]))
        return
    name, _, spatial = t.image(data)
    if len(picked) != 1 or t.spatial(t.call.outputs[0], len(shape)) != spatial:
        name, spatial = t.relayout(name, shape, spatial, PLAIN), PLAIN
    place = position(spatial, len(shape))[axis]
    t.give(t.emit("gather", [name, t.operand(indices)], axis=place), spatial)


def _gather_nd(t: Translator) -> None:
    data, indices = t.call.inputs[:2]
    shape, picked = t.shape(data), t.shape(indices)
    if not picked or not 0 < picked[-1] <= len(shape):
        raise ShapeMismatch(f"GATHER_ND of {shape} with indices of shape {picked}.")
    parts = t.emit_all("unbind", [t.operand(indices)], dtypes=[""], axis=len(picked) - 1)
    name = t.emit("gather_nd", [t.operand(data), *parts], axes=tuple(range(picked[-1])))
    t.give(name)


def _embedding(t: Translator) -> None:
    indices, table = t.call.inputs[:2]
    shape = t.shape(table)
    weight = t.weight(table, shape) if t.is_stored(table) else t.operand(table)
    if len(shape) == 2:
        t.give(t.emit("embedding", [weight, t.operand(indices)]))
    else:
        t.give(t.emit("gather", [weight, t.operand(indices)], axis=0))


def _one_hot(t: Translator) -> None:
    (depth,) = t.whole(1, 1)
    axis = axis_of(t, int(t.call.options["axis"]), t.rank(t.call.inputs[0]) + 1)
    x, dtype = t.operand(t.call.inputs[0]), t.dtype(t.call.outputs[0])
    t.give(t.emit("one_hot", [x], dtype=dtype, depth=max(0, depth), axis=axis))


def _update(t: Translator) -> None:
    """DYNAMIC_UPDATE_SLICE of a state, an update, and where it begins: a cache that grows."""
    name, _, spatial = t.image(t.call.inputs[0])
    update = t.operand(t.call.inputs[1], spatial)
    t.give(t.emit("scatter", [name, t.operand(t.call.inputs[2]), update]), spatial)


def _reverse(t: Translator) -> None:
    name, _, spatial = t.image(t.call.inputs[0])
    t.give(t.emit("copy", [name]), spatial)


SELECTIONS: dict[str, Translate] = {
    "SLICE": _slice,
    "STRIDED_SLICE": _strided_slice,
    "GATHER": _gather,
    "GATHER_ND": _gather_nd,
    "EMBEDDING_LOOKUP": _embedding,
    "ONE_HOT": _one_hot,
    "DYNAMIC_UPDATE_SLICE": _update,
    "REVERSE_V2": _reverse,
}
