"""How each ATen operator that moves or selects elements is said in latprof's words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from latprof.frontends.aten.calls import (
    AtenCall,
    Ref,
    Translate,
    Translator,
    axis_of,
    shape_of,
    step,
)


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
    refs, name = call.arguments["tensors"], call.operator
    rank = len(t.tensor(refs[0]).shape)
    if name == "stack" or (name in ("vstack", "row_stack", "column_stack") and rank == 1):
        given = 1 if name == "column_stack" else call.get("dim", 0)
        t.emit(call, "stack", refs, axis=axis_of(given, rank + 1))
    else:
        given = min(1, rank - 1) if name in ("hstack", "column_stack") else call.get("dim", 0)
        t.emit(call, "concat", refs, axis=axis_of(given, rank))


def _split(t: Translator, call: AtenCall) -> None:
    rank = len(shape_of(t, call))
    given = {"hsplit": min(1, rank - 1), "dsplit": 2}.get(call.operator, call.get("dim", 0))
    axis = axis_of(given, rank)
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
    start, stop, stride = wanted.indices(shape[axis])
    source = call.arguments["self"]
    if (start, stop, stride) == (0, shape[axis], 1):
        t.rename(call.outputs[0].name, source)
    else:
        t.emit(call, "slice", [source], axis=axis, start=start, stop=stop, step=stride)


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
    source = call.get("self", call.get("input"))
    t.rename(call.outputs[0].name, source, copied=call.operator == "clone")


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
    pieces = step(t, call, "reshape", [call.arguments["self"]], split, "split", shape=split)
    turned = tuple(split[axis] for axis in order)
    moved = step(t, call, "transpose", [pieces], turned, "moved", order=order)
    t.emit(call, "reshape", [moved], shape=output.shape)


def _copy(t: Translator, call: AtenCall) -> None:
    """Every element moves to another place, none is computed."""
    settings = {key: call.get(key) for key in ("shifts", "dims", "k") if call.get(key) is not None}
    t.emit(call, "copy", [call.arguments["self"]], kind=call.operator, **settings)


def _overwrite(t: Translator, call: AtenCall) -> None:
    """The source takes over; it stretches to what it overwrites."""
    source = call.arguments["src"]
    if t.tensor(source).shape == call.outputs[0].shape:
        t.emit(call, "copy", [source])
    else:
        t.emit(call, "expand", [source], shape=call.outputs[0].shape)


def _fill(t: Translator, call: AtenCall) -> None:
    """One number everywhere, whatever was there."""
    value = call.get("value", 0)
    operand = value if isinstance(value, Ref) else Ref(t.scalar(value, call.outputs[0].dtype))
    t.emit(call, "expand", [operand], shape=call.outputs[0].shape)


def _meshgrid(t: Translator, call: AtenCall) -> None:
    """Every line of coordinates stretched over the whole grid."""
    rank = len(call.outputs)
    lines = call.arguments["tensors"]
    for i, (output, line) in enumerate(zip(call.outputs, lines, strict=True)):
        # indexing="xy" exchanges the first two axes.
        place = 1 - i if call.get("indexing", "ij") == "xy" and i < 2 and rank > 1 else i
        shape = tuple(output.shape[place] if axis == place else 1 for axis in range(rank))
        one = replace(call, outputs=(output,))
        stood = step(t, one, "reshape", [line], shape, "stood", shape=shape)
        t.emit(one, "expand", [stood], shape=output.shape)


def _broadcast(t: Translator, call: AtenCall) -> None:
    for output, ref in zip(call.outputs, call.arguments["tensors"], strict=True):
        _expand(t, replace(call, arguments={"self": ref}, outputs=(output,)))


def _constant(t: Translator, call: AtenCall) -> None:
    """zeros, arange: what depends on no input is stored with the model."""
    (output,) = call.outputs
    value = call.arguments.get("fill_value")
    values = (value,) if value is not None and not output.shape else None
    t.add_input(replace(output, role="constant", values=values))


MOVEMENTS: dict[str, Translate] = {
    **dict.fromkeys(
        ("t", "transpose", "permute", "swapaxes", "swapdims", "numpy_T", "mT", "mH", "adjoint",
         "movedim", "moveaxis"),
        _transpose,
    ),
    **dict.fromkeys(
        ("view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "_unsafe_view",
         "view_as", "reshape_as", "ravel", "atleast_1d", "atleast_2d", "atleast_3d"),
        _reshape,
    ),
    **dict.fromkeys(("expand", "expand_as", "broadcast_to"), _expand),
    **dict.fromkeys(
        ("cat", "concat", "concatenate", "stack", "hstack", "vstack", "row_stack",
         "column_stack"),
        _concat,
    ),
    **dict.fromkeys(
        ("split", "split_with_sizes", "chunk", "tensor_split", "unsafe_chunk", "unsafe_split",
         "hsplit", "vsplit", "dsplit"),
        _split,
    ),
    "unbind": _unbind,
    **dict.fromkeys(("slice", "narrow"), _slice),
    "select": _select,
    **dict.fromkeys(("pad", "constant_pad_nd"), _pad),
    **dict.fromkeys(
        ("upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d", "upsample_linear1d",
         "upsample_bilinear2d", "upsample_bicubic2d", "upsample_trilinear3d",
         "_upsample_nearest_exact1d", "_upsample_nearest_exact2d", "_upsample_nearest_exact3d",
         "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa",
         "interpolate"),
        _resize,
    ),
    "meshgrid": _meshgrid,
    "broadcast_tensors": _broadcast,
    **dict.fromkeys(("channel_shuffle", "native_channel_shuffle"), _shuffle),
    **dict.fromkeys(("pixel_shuffle", "pixel_unshuffle"), _pixel_shuffle),
    **dict.fromkeys(("roll", "flip", "fliplr", "flipud", "rot90"), _copy),
    "copy": _overwrite,
    **dict.fromkeys(("fill", "zero"), _fill),
    **dict.fromkeys(
        ("zeros", "ones", "full", "empty", "arange", "eye", "linspace", "scalar_tensor",
         "zeros_like", "ones_like", "full_like", "empty_like", "new_zeros", "new_ones",
         "new_full", "new_empty", "empty_permuted", "empty_strided", "new_empty_strided",
         "tril_indices", "triu_indices", "logspace", "hann_window"),
        _constant,
    ),
    **dict.fromkeys(
        ("dropout", "native_dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout",
         "detach", "contiguous", "clone", "alias", "lift_fresh_copy", "identity", "positive",
         "resolve_conj", "resolve_neg"),
        _rename,
    ),
    **dict.fromkeys(("to", "_to_copy", "type_as", "float", "half"), _cast),
}  # fmt: skip
