"""How each ATen operator that moves or selects elements is said in latprof's words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from latprof.frontends.aten_calls import AtenCall, Ref, Translator
from latprof.graph import Shape, Tensor

Translate = Callable[[Translator, AtenCall], None]


def axis_of(axis: int, rank: int) -> int:
    """`axis` counted from the front."""
    return axis % rank if rank else 0


def shape_of(t: Translator, call: AtenCall, key: str = "self") -> Shape:
    """Shape of an argument that is a tensor."""
    return t.tensor(call.arguments[key]).shape


def _transpose(t: Translator, call: AtenCall) -> None:
    rank = len(shape_of(t, call))
    if call.operator == "permute":
        order = tuple(axis_of(axis, rank) for axis in call.arguments["dims"])
    elif call.operator == "numpy_T":
        order = tuple(reversed(range(rank)))
    elif call.operator in ("movedim", "moveaxis"):
        order = _moved(call.arguments["source"], call.arguments["destination"], rank)
    else:
        axes = list(range(rank))
        first = call.get("dim0", call.get("axis0", -2))
        a, b = axis_of(first, rank), axis_of(call.get("dim1", call.get("axis1", -1)), rank)
        axes[a], axes[b] = axes[b], axes[a]
        order = tuple(axes)
    source = call.arguments["self"]
    if order == (1, 0) and t.is_weight(source):
        t.note_transposed_weight(call)
    else:
        t.emit(call, "transpose", [source], order=order)


def _moved(source: Any, destination: Any, rank: int) -> tuple[int, ...]:
    """The order of axes after `source` went to `destination` and the rest closed up."""
    pairs = [
        [axis_of(axis, rank) for axis in ((given,) if isinstance(given, int) else given)]
        for given in (source, destination)
    ]
    rest = iter([axis for axis in range(rank) if axis not in pairs[0]])
    found = dict(zip(pairs[1], pairs[0], strict=True))
    return tuple(found[axis] if axis in found else next(rest) for axis in range(rank))


def _reshape(t: Translator, call: AtenCall) -> None:
    source = call.arguments["self"]
    if t.is_weight(source) or call.outputs[0].shape != t.tensor(source).shape:
        t.emit(call, "reshape", [source], shape=call.outputs[0].shape)
    else:
        t.rename(call.outputs[0].name, source)


def _expand(t: Translator, call: AtenCall) -> None:
    source = call.arguments["self"]
    if call.outputs[0].shape == t.tensor(source).shape:
        t.rename(call.outputs[0].name, source)
    else:
        t.emit(call, "expand", [source], shape=call.outputs[0].shape)


def _concat(t: Translator, call: AtenCall) -> None:
    refs = call.arguments["tensors"]
    if call.operator == "stack":
        rank = len(call.outputs[0].shape)
        t.emit(call, "stack", refs, axis=axis_of(call.get("dim", 0), rank))
    else:
        t.emit(call, "concat", refs, axis=axis_of(call.get("dim", 0), len(t.tensor(refs[0]).shape)))


def _split(t: Translator, call: AtenCall) -> None:
    axis = axis_of(call.get("dim", 0), len(shape_of(t, call)))
    sizes = tuple(tensor.shape[axis] for tensor in call.outputs)
    t.emit(call, "split", [call.arguments["self"]], axis=axis, sizes=sizes)


def _unbind(t: Translator, call: AtenCall) -> None:
    axis = axis_of(call.get("dim", 0), len(shape_of(t, call)))
    t.emit(call, "unbind", [call.arguments["self"]], axis=axis)


def _slice(t: Translator, call: AtenCall) -> None:
    shape = shape_of(t, call)
    axis = axis_of(call.get("dim", 0), len(shape))
    stop = call.get("end")
    if call.operator == "narrow":
        stop = call.arguments["start"] % shape[axis] + call.arguments["length"]
    wanted = slice(call.get("start"), stop, call.get("step", 1))
    start, stop, step = wanted.indices(shape[axis])
    if (start, stop, step) == (0, shape[axis], 1):
        t.rename(call.outputs[0].name, call.arguments["self"])
    else:
        t.emit(
            call, "slice", [call.arguments["self"]], axis=axis, start=start, stop=stop, step=step
        )


def _select(t: Translator, call: AtenCall) -> None:
    shape = shape_of(t, call)
    axis = axis_of(call.get("dim", 0), len(shape))
    index = call.arguments["index"] % shape[axis]
    t.emit(call, "select", [call.arguments["self"]], axis=axis, index=index)


def _pad(t: Translator, call: AtenCall) -> None:
    rank, flat = len(shape_of(t, call)), list(call.arguments["pad"])
    # Listed from the last axis backwards, two numbers an axis (torch.nn.functional.pad).
    pairs = [tuple(flat[i : i + 2]) for i in range(0, len(flat), 2)]
    pads = [(0, 0)] * (rank - len(pairs)) + pairs[::-1]
    t.emit(
        call,
        "pad",
        [call.arguments["self"]],
        padding=tuple(pads),
        mode=call.get("mode", "constant"),
        value=call.get("value", 0.0),
    )


def _resize(t: Translator, call: AtenCall) -> None:
    mode = "nearest" if "nearest" in call.operator else "linear"
    mode = "cubic" if "bicubic" in call.operator else mode
    t.emit(
        call,
        "resize",
        [call.get("self", call.get("input"))],
        size=call.outputs[0].shape[2:],
        mode=mode,
        align_corners=call.get("align_corners", False),
    )


def _shuffle(t: Translator, call: AtenCall) -> None:
    t.emit(call, "channel_shuffle", [call.arguments["self"]], groups=call.arguments["groups"])


def _rename(t: Translator, call: AtenCall) -> None:
    t.rename(call.outputs[0].name, call.get("self", call.get("input")))


def _cast(t: Translator, call: AtenCall) -> None:
    source = call.get("self")
    if t.tensor(source).dtype == call.outputs[0].dtype:
        t.rename(call.outputs[0].name, source)
    else:
        t.emit(call, "cast", [source])


def _pixel_shuffle(t: Translator, call: AtenCall) -> None:
    """Three steps: split the channels, bring the pieces beside the pixels, merge."""
    (output,) = call.outputs
    *batch, channels, height, width = shape_of(t, call)
    r = call.arguments.get("upscale_factor", call.arguments.get("downscale_factor"))
    n = len(batch)
    if call.operator == "pixel_shuffle":
        split = (*batch, channels // r**2, r, r, height, width)
        order = (*range(n), n, n + 3, n + 1, n + 4, n + 2)
    else:
        split = (*batch, channels, height // r, r, width // r, r)
        order = (*range(n), n, n + 2, n + 4, n + 1, n + 3)
    pieces = Tensor(f"{output.name}:split", split, output.dtype)
    moved = Tensor(f"{output.name}:moved", tuple(split[axis] for axis in order), output.dtype)
    t.emit(replace(call, outputs=(pieces,)), "reshape", [call.arguments["self"]], shape=split)
    t.emit(replace(call, outputs=(moved,)), "transpose", [Ref(pieces.name)], order=order)
    t.emit(call, "reshape", [Ref(moved.name)], shape=output.shape)


def _copy(t: Translator, call: AtenCall) -> None:
    """roll, flip: every element moves, none is computed. copy_: the source takes over."""
    t.emit(call, "copy", [call.arguments["src" if call.operator == "copy" else "self"]])


def _index_select(t: Translator, call: AtenCall) -> None:
    axis = axis_of(call.get("dim", 0), len(shape_of(t, call)))
    t.emit(call, "gather", [call.arguments["self"], call.arguments["index"]], axis=axis)


def _index(t: Translator, call: AtenCall) -> None:
    """``x[:, indices]``; with several index tensors no operator of ours says it."""
    given = [(axis, ref) for axis, ref in enumerate(call.arguments["indices"]) if ref is not None]
    axis, ref = given[0]
    if len(given) == 1 and t.tensor(ref).dtype != "bool":
        t.emit(call, "gather", [call.arguments["self"], ref], axis=axis)
    else:
        t.emit(call, "aten.index", [call.arguments["self"], *(ref for _, ref in given)])


def _constant(t: Translator, call: AtenCall) -> None:
    """zeros, arange: what depends on no input is stored with the model."""
    (output,) = call.outputs
    value = call.arguments.get("fill_value")
    values = (value,) if value is not None and not output.shape else None
    t.add_input(replace(output, role="constant", values=values))


MOVEMENTS: dict[str, Translate] = {
    **dict.fromkeys(
        ("t", "transpose", "permute", "swapaxes", "swapdims", "numpy_T", "mT", "movedim",
         "moveaxis"),
        _transpose,
    ),
    **dict.fromkeys(
        ("view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "_unsafe_view",
         "view_as", "reshape_as", "ravel"),
        _reshape,
    ),
    **dict.fromkeys(("expand", "expand_as", "broadcast_to"), _expand),
    **dict.fromkeys(("cat", "concat", "concatenate", "stack"), _concat),
    **dict.fromkeys(
        ("split", "split_with_sizes", "chunk", "tensor_split", "unsafe_chunk", "unsafe_split"),
        _split,
    ),
    "unbind": _unbind,
    **dict.fromkeys(("slice", "narrow"), _slice),
    "select": _select,
    **dict.fromkeys(("pad", "constant_pad_nd"), _pad),
    **dict.fromkeys(
        ("upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d", "upsample_linear1d",
         "upsample_bilinear2d", "upsample_bicubic2d", "upsample_trilinear3d",
         "_upsample_nearest_exact2d", "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa",
         "interpolate"),
        _resize,
    ),
    "channel_shuffle": _shuffle,
    **dict.fromkeys(("pixel_shuffle", "pixel_unshuffle"), _pixel_shuffle),
    **dict.fromkeys(("roll", "flip", "copy"), _copy),
    "index_select": _index_select,
    "index": _index,
    **dict.fromkeys(
        ("zeros", "ones", "full", "empty", "arange", "eye", "linspace", "scalar_tensor",
         "zeros_like", "ones_like", "full_like", "empty_like", "new_zeros", "new_ones",
         "new_full", "new_empty"),
        _constant,
    ),
    **dict.fromkeys(
        ("dropout", "feature_dropout", "alpha_dropout", "detach", "contiguous", "clone", "alias",
         "lift_fresh_copy", "identity"),
        _rename,
    ),
    **dict.fromkeys(("to", "_to_copy", "type_as", "float", "half"), _cast),
}  # fmt: skip
