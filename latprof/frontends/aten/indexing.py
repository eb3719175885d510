"""How ATen's operators that fetch or place elements by index are said in latprof's words."""

from __future__ import annotations

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


def _embedding(t: Translator, call: AtenCall) -> None:
    t.emit(call, "embedding", [call.arguments["weight"], call.arguments["indices"]])


def _index_select(t: Translator, call: AtenCall) -> None:
    axis = axis_of(call.get("dim", 0), len(shape_of(t, call)))
    t.emit(call, "gather", [call.arguments["self"], call.arguments["index"]], axis=axis)


def _index(t: Translator, call: AtenCall) -> None:
    """``x[:, indices]``, and ``x[rows, columns]``; what a mask picks, no operator of ours says."""
    source = call.arguments["self"]
    given = [(axis, ref) for axis, ref in enumerate(call.arguments["indices"]) if ref is not None]
    refs = [ref for _, ref in given]
    if any(t.tensor(ref).dtype == "bool" for ref in refs):
        t.emit(call, "aten.index", [source, *refs])
    elif len(given) == 1:
        t.emit(call, "gather", [source, *refs], axis=given[0][0])
    else:
        t.emit(call, "gather_nd", [source, *refs], axes=tuple(axis for axis, _ in given))


def _take_along(t: Translator, call: AtenCall) -> None:
    index = call.get("index", call.get("indices"))
    axis = axis_of(call.get("dim", 0), len(shape_of(t, call)))
    if t.tensor(index).shape == call.outputs[0].shape:
        t.emit(call, "take_along", [call.arguments["self"], index], axis=axis)
    else:  # take_along_dim stretches what it is given
        t.emit(call, f"aten.{call.operator}", [call.arguments["self"], index])


def _take(t: Translator, call: AtenCall) -> None:
    flat = (t.tensor(call.arguments["self"]).elements,)
    row = step(t, call, "reshape", [call.arguments["self"]], flat, "flat", shape=flat)
    t.emit(call, "gather", [row, call.arguments["index"]], axis=0)


def _scatter(t: Translator, call: AtenCall) -> None:
    axis = axis_of(call.get("dim", 0), len(shape_of(t, call)))
    index = call.get("index", call.get("mask"))
    value = call.get("src", call.get("source", call.get("value")))
    reduce = call.get("reduce", "add" if call.operator.endswith("_add") else None)
    settings = {} if reduce is None else {"reduce": reduce}
    t.emit(call, "scatter", [call.arguments["self"], index, value], axis=axis, **settings)


def _index_put(t: Translator, call: AtenCall) -> None:
    """One write of several indices, which stand behind what is written."""
    given = [(axis, ref) for axis, ref in enumerate(call.arguments["indices"]) if ref is not None]
    settings: dict[str, Any] = {"axis": given[0][0], "axes": tuple(axis for axis, _ in given)}
    if call.get("accumulate", False):
        settings["reduce"] = "add"
    refs = [ref for _, ref in given]
    operands = [call.arguments["self"], refs[0], call.arguments["values"], *refs[1:]]
    t.emit(call, "scatter", operands, **settings)


def _one_hot(t: Translator, call: AtenCall) -> None:
    t.emit(call, "one_hot", [call.arguments["self"]], depth=call.outputs[0].shape[-1], axis=-1)


def _triangle(upper: bool) -> Translate:
    def translate(t: Translator, call: AtenCall) -> None:
        diagonal = call.get("diagonal", 0)
        t.emit(call, "trilu", [call.arguments["self"]], upper=upper, diagonal=diagonal)

    return translate


def _tile(t: Translator, call: AtenCall) -> None:
    repeats = tuple(call.get("repeats", call.get("dims")))
    t.emit(call, "tile", [call.arguments["self"]], repeats=repeats)


def _repeat_interleave(t: Translator, call: AtenCall) -> None:
    source, repeats = call.arguments["self"], call.arguments["repeats"]
    if isinstance(repeats, Ref):  # a number of its own for every element
        t.emit(call, "aten.repeat_interleave", [source, repeats])
        return
    axis = call.get("dim")
    if axis is None:
        flat = (t.tensor(source).elements,)
        source, axis = step(t, call, "reshape", [source], flat, "flat", shape=flat), 0
    axis = axis_of(axis, len(t.tensor(source).shape))
    t.emit(call, "repeat", [source], axis=axis, repeats=repeats)


def _windows(t: Translator, call: AtenCall) -> None:
    axis = axis_of(call.arguments["dimension"], len(shape_of(t, call)))
    size, stride = call.arguments["size"], call.arguments["step"]
    t.emit(call, "windows", [call.arguments["self"]], axis=axis, size=size, step=stride)


def _as_strided(t: Translator, call: AtenCall) -> None:
    t.emit(
        call,
        "as_strided",
        [call.arguments["self"]],
        shape=tuple(call.arguments["size"]),
        strides=tuple(call.arguments["stride"]),
        offset=call.get("storage_offset", 0),
    )


def _patches(op: str) -> Translate:
    """im2col and col2im, which have two numbers for every setting."""

    def translate(t: Translator, call: AtenCall) -> None:
        a = call.arguments
        settings: dict[str, Any] = {
            "kernel": tuple(a["kernel_size"]),
            "stride": tuple(call.get("stride", (1, 1))),
            "padding": tuple((pad, pad) for pad in call.get("padding", (0, 0))),
            "dilation": tuple(call.get("dilation", (1, 1))),
        }
        if op == "fold":
            settings["output_size"] = tuple(a["output_size"])
        source, shape = a["self"], call.outputs[0].shape
        if len(shape_of(t, call)) == (4 if op == "unfold" else 3):
            t.emit(call, op, [source], **settings)
            return
        # Without a batch: one is put before, and taken off.
        batched = (1, *shape_of(t, call))
        one = step(t, call, "reshape", [source], batched, "batched", shape=batched)
        done = step(t, call, op, [one], (1, *shape), op, **settings)
        t.emit(call, "reshape", [done], shape=shape)

    return translate


_MODES = {0: "linear", 1: "nearest", 2: "cubic"}


def _grid_sample(t: Translator, call: AtenCall) -> None:
    mode = call.get("interpolation_mode", 0)
    operands = [call.arguments["input"], call.arguments["grid"]]
    t.emit(
        call,
        "grid_sample",
        operands,
        mode=_MODES[mode],
        align_corners=bool(call.get("align_corners", False)),
    )


def _diff(t: Translator, call: AtenCall) -> None:
    """Each element less the one before it: two slices and what lies between them."""
    source = call.arguments["self"]
    parts = [ref for ref in (call.get("prepend"), source, call.get("append")) if ref is not None]
    axis, size = axis_of(call.get("dim", -1), len(shape_of(t, call))), call.outputs[0].shape
    if call.get("n", 1) != 1 or not size[axis]:
        t.emit(call, "aten.diff", parts)
        return
    if len(parts) > 1:
        whole = (*size[:axis], size[axis] + 1, *size[axis + 1 :])
        source = step(t, call, "concat", parts, whole, "whole", axis=axis)
    later, earlier = (
        step(
            t, call, "slice", [source], size, said, axis=axis, start=i, stop=i + size[axis], step=1
        )
        for i, said in ((1, "later"), (0, "earlier"))
    )
    t.emit(call, "xor" if t.tensor(source).dtype == "bool" else "sub", [later, earlier])


def _write_part(t: Translator, call: AtenCall) -> None:
    """slice_scatter, select_scatter: a part is overwritten."""
    settings = {key: call.get(key) for key in ("start", "end", "step", "index") if call.get(key)}
    axis = axis_of(call.get("dim", 0), len(shape_of(t, call)))
    operands = [call.arguments["self"], None, call.arguments["src"]]
    t.emit(call, "scatter", operands, axis=axis, **settings)


INDEXING: dict[str, Translate] = {
    "embedding": _embedding,
    "index_select": _index_select,
    **dict.fromkeys(("index", "_unsafe_index"), _index),
    **dict.fromkeys(("gather", "take_along_dim"), _take_along),
    "take": _take,
    **dict.fromkeys(
        ("scatter", "scatter_add", "scatter_reduce", "index_add", "index_copy", "index_fill",
         "masked_scatter"),
        _scatter,
    ),
    **dict.fromkeys(("index_put", "_unsafe_index_put", "_index_put_impl"), _index_put),
    **dict.fromkeys(("slice_scatter", "select_scatter"), _write_part),
    "diff": _diff,
    "one_hot": _one_hot,
    "tril": _triangle(False),
    "triu": _triangle(True),
    **dict.fromkeys(("repeat", "tile"), _tile),
    "repeat_interleave": _repeat_interleave,
    "unfold": _windows,
    "as_strided": _as_strided,
    "im2col": _patches("unfold"),
    "col2im": _patches("fold"),
    **dict.fromkeys(("grid_sampler", "grid_sampler_2d", "grid_sampler_3d"), _grid_sample),
}  # fmt: skip
