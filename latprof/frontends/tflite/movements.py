"""How TFLite's operators that move or select elements are said in latprof's words."""

from __future__ import annotations

import math

from latprof.errors import ShapeMismatch
from latprof.frontends.tflite import layout
from latprof.frontends.tflite.elementwise import alike
from latprof.frontends.tflite.inline import ALIAS
from latprof.frontends.tflite.layers import Translate, finish
from latprof.frontends.tflite.layout import PLAIN, position
from latprof.frontends.tflite.translator import NotTold, Translator
from latprof.graph import Shape, Tensor


def axis_of(t: Translator, axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise ShapeMismatch(f"{t.call.kind} on axis {axis} of a rank-{rank} tensor.")
    return axis % rank


# Shapes


def _wanted_shape(t: Translator) -> Shape:
    """Where a RESHAPE leads, in the file's order: its second input says, or else an option."""
    elements = math.prod(t.shape(t.call.inputs[0]))
    if len(t.call.inputs) > 1 and t.call.inputs[1] >= 0:
        wanted = t.whole(1)
    else:
        wanted = tuple(t.call.options["new_shape"])
        if wanted == (0,):
            return ()  # how old converters write a lone number (tensorflow/lite/kernels/reshape.cc)
    if wanted.count(-1) == 1:
        rest = math.prod(size for size in wanted if size != -1)
        wanted = tuple(elements // max(1, rest) if size == -1 else size for size in wanted)
    return wanted


def _reshape(t: Translator) -> None:
    shape, said = t.shape(t.call.inputs[0]), t.graph.tensors[t.call.outputs[0]].shape
    try:
        wanted = _wanted_shape(t)
    except NotTold:
        wanted = said
        t.doubt("its shape is computed while running; taken as the file has it")
    if math.prod(wanted) != math.prod(shape):
        raise ShapeMismatch(
            f"the RESHAPE that makes {t.file_name(t.call.outputs[0])!r} cannot bring {shape} to "
            f"{wanted}. The file was made for inputs of another size: convert the model again."
        )
    reshape_to(t, wanted)


def reshape_to(t: Translator, wanted: Shape) -> None:
    """Let the output be the first input in the shape `wanted`, in the file's order."""
    source, out = t.call.inputs[0], t.call.outputs[0]
    name, shape, held = t.image(source)
    spatial = t.spatial(out, len(wanted))
    if wanted == shape and spatial == held:
        t.same(out, source)
        return
    places = held + 1
    if held and held == spatial and shape[:places] == wanted[:places]:
        # Only channels are split or merged; pixels stay where they are.
        t.give(t.reshaped(name, layout.logical(wanted, spatial)), spatial)
        return
    flat = min(len(shape), len(wanted)) <= 2 and shape[:1] == wanted[:1]
    if not flat:
        # Flattened to one row a picture, elements may stand in any order: only the columns of
        # the weight behind it are renamed. Anything else is told apart.
        name = t.relayout(name, shape, held, PLAIN)
        if layout.moves(wanted, layout.order(spatial, len(wanted))):
            name = t.relayout(t.reshaped(name, wanted), wanted, PLAIN, spatial)
    t.give(t.reshaped(name, layout.logical(wanted, spatial)), spatial)


def _squeeze(t: Translator) -> None:
    shape = t.shape(t.call.inputs[0])
    asked = {axis_of(t, axis, len(shape)) for axis in t.call.options["squeeze_dims"]}
    axes = asked or set(range(len(shape)))
    kept = tuple(n for axis, n in enumerate(shape) if axis not in axes or n != 1)
    reshape_to(t, kept)


def _expand_dims(t: Translator) -> None:
    shape, (axis,) = t.shape(t.call.inputs[0]), t.whole(1, 1)
    axis = axis_of(t, axis, len(shape) + 1)
    reshape_to(t, (*shape[:axis], 1, *shape[axis:]))


def _transpose(t: Translator) -> None:
    wanted, (name, shape, held) = t.whole(1), t.image(t.call.inputs[0])
    rank = len(shape)
    if sorted(axis % max(1, rank) for axis in wanted) != list(range(rank)):
        raise ShapeMismatch(f"TRANSPOSE to {wanted} of a rank-{rank} tensor.")
    axes = tuple(axis % rank for axis in wanted)
    spatial = t.spatial(t.call.outputs[0], rank)
    places = position(held, rank)
    order = tuple(places[axes[axis]] for axis in layout.order(spatial, rank))
    if not layout.moves(shape, axes) or rank == 0:
        target = tuple(t.builder.tensor(name).shape[axis] for axis in order)
        t.give(t.reshaped(name, target), spatial)
        return
    if order == tuple(range(rank)):
        # Channels go before or behind the pixels in memory; in our order they stay second.
        t.give(t.emit("copy", [name], file_order=axes), spatial)
        return
    t.give(t.emit("transpose", [name], order=order), spatial)


def _broadcast_to(t: Translator) -> None:
    wanted = t.whole(1)
    spatial = t.spatial(t.call.outputs[0], len(wanted))
    x = t.operand(t.call.inputs[0], spatial, len(wanted))
    t.give(t.emit("expand", [x], shape=layout.logical(wanted, spatial)), spatial)


def _tile(t: Translator) -> None:
    name, shape, spatial = t.image(t.call.inputs[0])
    repeats = t.whole(1, len(shape))
    t.give(t.emit("tile", [name], repeats=layout.logical(repeats, spatial)), spatial)


# Joining and taking apart


def _concat(t: Translator) -> None:
    rank = max((t.rank(i) for i in t.call.inputs), default=0)
    axis = axis_of(t, int(t.call.options["axis"]), rank)
    operands, spatial = alike(t, t.call.inputs)
    if len(operands) == 1:
        finish(t, operands[0], spatial)
        return
    finish(t, t.emit("concat", operands, axis=position(spatial, rank)[axis]), spatial)


def _split(t: Translator) -> None:
    """SPLIT has the axis first; SPLIT_V the sizes second and the axis third."""
    even, parts = t.call.kind == "SPLIT", len(t.call.outputs)
    name, shape, spatial = t.image(t.call.inputs[int(even)])
    (asked,) = t.whole(0 if even else 2, 1)
    axis = axis_of(t, asked, len(shape))
    if even:
        sizes: Shape = (shape[axis] // parts,) * parts
    else:
        found = t.whole(1, parts)
        rest = shape[axis] - sum(size for size in found if size != -1)
        sizes = tuple(rest if size == -1 else size for size in found)
    if min(sizes) < 0:
        raise ShapeMismatch(f"{t.call.kind} of {shape[axis]} into {sizes}.")
    place = position(spatial, len(shape))[axis]
    pieces = t.emit_all("split", [name], dtypes=[""], axis=place, sizes=sizes)
    for number, piece in enumerate(pieces):
        t.give(piece, spatial, number)


def _pack(t: Translator) -> None:
    rank = t.rank(t.call.inputs[0]) + 1
    axis = axis_of(t, int(t.call.options["axis"]), rank)
    spatial = t.spatial(t.call.outputs[0], rank)
    if axis <= spatial:  # stacked among the batch and the pixels: no image comes of that
        spatial = PLAIN
    operands = [t.operand(i, spatial) for i in t.call.inputs]
    t.give(t.emit("stack", operands, axis=position(spatial, rank)[axis]), spatial)


def _unpack(t: Translator) -> None:
    name, shape, spatial = t.image(t.call.inputs[0])
    axis = axis_of(t, int(t.call.options["axis"]), len(shape))
    if shape[axis] != len(t.call.outputs):
        raise ShapeMismatch(f"UNPACK of {shape[axis]} into {len(t.call.outputs)}.")
    if axis <= spatial or len(shape) - 1 < spatial + 2:
        name, spatial = t.relayout(name, shape, spatial, PLAIN), PLAIN
    place = position(spatial, len(shape))[axis]
    for number, each in enumerate(t.emit_all("unbind", [name], dtypes=[""], axis=place)):
        t.give(each, spatial, number)


def _constant(t: Translator) -> None:
    """FILL and ZEROS_LIKE: what depends on no input is stored with the model."""
    wanted = t.whole(0) if t.call.kind == "FILL" else t.shape(t.call.inputs[0])
    spatial = t.spatial(t.call.outputs[0], len(wanted))
    name = t.free_name(f"{t.call.kind.lower()}_{t.call.outputs[0]}")
    dtype = t.dtype(t.call.outputs[0])
    t.builder.add_tensor(Tensor(name, layout.logical(wanted, spatial), dtype, "constant"))
    t.give(name, spatial)


def _alias(t: Translator) -> None:
    t.same(t.call.outputs[0], t.call.inputs[0])


MOVEMENTS: dict[str, Translate] = {
    "RESHAPE": _reshape,
    "SQUEEZE": _squeeze,
    "EXPAND_DIMS": _expand_dims,
    "TRANSPOSE": _transpose,
    "BROADCAST_TO": _broadcast_to,
    "TILE": _tile,
    "CONCATENATION": _concat,
    "SPLIT": _split,
    "SPLIT_V": _split,
    "PACK": _pack,
    "UNPACK": _unpack,
    "FILL": _constant,
    "ZEROS_LIKE": _constant,
    "DENSIFY": _alias,
    ALIAS: _alias,
}
