"""How TFLite's operators that move the pixels of an image are said in latprof's words."""

from __future__ import annotations

from collections.abc import Sequence

from latprof.errors import ShapeMismatch
from latprof.frontends.tflite import layout
from latprof.frontends.tflite.layers import Translate
from latprof.frontends.tflite.selections import cut
from latprof.frontends.tflite.translator import Translator
from latprof.graph import Shape


def _pad(t: Translator) -> None:
    name, shape, spatial = t.image(t.call.inputs[0])
    pads = t.whole(1, 2 * len(shape))
    pairs = [(pads[2 * axis], pads[2 * axis + 1]) for axis in layout.order(spatial, len(shape))]
    mode, value = "constant", 0.0
    if t.call.kind == "MIRROR_PAD":
        mode = "symmetric" if t.call.options["mode"] else "reflect"
    elif len(t.call.inputs) > 2:
        given = t.known(t.call.inputs[2])
        value = float(given[0]) if given else 0.0
    t.give(t.emit("pad", [name], padding=tuple(pairs), mode=mode, value=value), spatial)


def _resize(mode: str) -> Translate:
    def translate(t: Translator) -> None:
        x, shape = t.operand(t.call.inputs[0], 2), t.shape(t.call.inputs[0])
        if len(shape) != 4:
            raise ShapeMismatch(f"{t.call.kind} of a tensor of shape {shape}.")
        size = t.whole(1, 2)
        corners = bool(t.call.options["align_corners"])
        t.give(t.emit("resize", [x], size=size, mode=mode, align_corners=corners), 2)

    return translate


def _blocks(t: Translator) -> None:
    """SPACE_TO_DEPTH and DEPTH_TO_SPACE: split, bring the pieces to their place, merge."""
    x = t.operand(t.call.inputs[0], 2)
    shape, b = t.builder.tensor(x).shape, int(t.call.options["block_size"])
    if len(shape) != 4 or b < 1:
        raise ShapeMismatch(f"{t.call.kind} by {b} of a tensor of shape {shape}.")
    batch, channels, height, width = shape
    if t.call.kind == "SPACE_TO_DEPTH":
        split, order = (batch, channels, height // b, b, width // b, b), (0, 3, 5, 1, 2, 4)
        merged = (batch, channels * b * b, height // b, width // b)
    else:
        split, order = (batch, b, b, channels // (b * b), height, width), (0, 3, 4, 1, 5, 2)
        merged = (batch, channels // (b * b), height * b, width * b)
    t.give(_moved(t, x, split, order, merged), 2)


def _moved(t: Translator, x: str, split: Shape, order: Sequence[int], merged: Shape) -> str:
    pieces = t.emit("reshape", [x], shape=split)
    moved = t.emit("transpose", [pieces], order=tuple(order))
    return t.emit("reshape", [moved], shape=merged)


def _space_to_batch(t: Translator) -> None:
    """How older converters write dilation: every pixel of a block goes to a picture of its own."""
    x, (rows, columns), pads = t.operand(t.call.inputs[0], 2), t.whole(1, 2), t.whole(2, 4)
    if any(pads):
        pairs = ((0, 0), (0, 0), tuple(pads[:2]), tuple(pads[2:]))
        x = t.emit("pad", [x], padding=pairs, mode="constant", value=0.0)
    batch, channels, height, width = t.builder.tensor(x).shape
    split = (batch, channels, height // rows, rows, width // columns, columns)
    merged = (batch * rows * columns, channels, height // rows, width // columns)
    t.give(_moved(t, x, split, (3, 5, 0, 1, 2, 4), merged), 2)


def _batch_to_space(t: Translator) -> None:
    x, (rows, columns), crops = t.operand(t.call.inputs[0], 2), t.whole(1, 2), t.whole(2, 4)
    batch, channels, height, width = t.builder.tensor(x).shape
    split = (rows, columns, batch // (rows * columns), channels, height, width)
    merged = (batch // (rows * columns), channels, height * rows, width * columns)
    name = _moved(t, x, split, (2, 3, 4, 0, 5, 1), merged)
    shape = layout.stored(merged, 2)
    cuts = [(0, shape[0], 1)]
    cuts += [(crops[2 * i], shape[1 + i] - crops[2 * i + 1], 1) for i in (0, 1)]
    t.give(cut(t, name, shape, 2, [*cuts, (0, channels, 1)]), 2)


IMAGES: dict[str, Translate] = {
    "PAD": _pad,
    "PADV2": _pad,
    "MIRROR_PAD": _pad,
    "RESIZE_BILINEAR": _resize("linear"),
    "RESIZE_NEAREST_NEIGHBOR": _resize("nearest"),
    "SPACE_TO_DEPTH": _blocks,
    "DEPTH_TO_SPACE": _blocks,
    "SPACE_TO_BATCH_ND": _space_to_batch,
    "BATCH_TO_SPACE_ND": _batch_to_space,
}
