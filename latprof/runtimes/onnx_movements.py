"""How each operator that moves or selects elements is said in ONNX."""

from __future__ import annotations

from latprof.graph import Call
from latprof.runtimes.onnx_nodes import ONNX_TYPES, Write, Writer, flat_pads, simple


def _reshape(w: Writer, call: Call) -> None:
    shape = w.constant(f"{call.node.name}/shape", list(call.outputs[0].shape))
    w.node("Reshape", call, [w.operand(call.input(0)), shape])


def _expand(w: Writer, call: Call) -> None:
    shape = w.constant(f"{call.node.name}/shape", list(call.outputs[0].shape))
    w.node("Expand", call, [w.operand(call.input(0)), shape])


def _transpose(w: Writer, call: Call) -> None:
    w.node("Transpose", call, w.operands(call), perm=list(call.attributes["order"]))


def _shuffle(w: Writer, call: Call) -> None:
    batch, channels, *rest = call.input(0).shape
    groups = int(call.attributes["groups"])
    name = call.node.name
    split = w.constant(f"{name}/split", [batch, groups, channels // groups, *rest])
    whole = w.constant(f"{name}/whole", [batch, channels, *rest])
    order = [0, 2, 1, *range(3, 3 + len(rest))]
    apart = w.node("Reshape", call, [w.operand(call.input(0)), split], suffix="/apart")
    turned = w.node("Transpose", call, [apart], suffix="/turned", perm=order)
    w.node("Reshape", call, [turned, whole])


def _concat(w: Writer, call: Call) -> None:
    w.node("Concat", call, w.operands(call), axis=int(call.attributes["axis"]))


def _stack(w: Writer, call: Call) -> None:
    axis = w.constant(f"{call.node.name}/axis", [int(call.attributes["axis"])])
    parts = [
        w.node("Unsqueeze", call, [name, axis], suffix=f"/part{i}")
        for i, name in enumerate(w.operands(call))
    ]
    w.node("Concat", call, parts, axis=int(call.attributes["axis"]))


def _split(w: Writer, call: Call) -> None:
    sizes = w.constant(f"{call.node.name}/sizes", list(call.attributes["sizes"]))
    axis = int(call.attributes["axis"])
    w.node("Split", call, [w.operand(call.input(0)), sizes], axis=axis)


def _slice(w: Writer, call: Call) -> None:
    a, name = call.attributes, call.node.name
    bounds = [
        w.constant(f"{name}/{key}", [int(a[key])]) for key in ("start", "stop", "axis", "step")
    ]
    w.node("Slice", call, [w.operand(call.input(0)), *bounds])


def _select(w: Writer, call: Call) -> None:
    index = w.constant(f"{call.node.name}/index", int(call.attributes["index"]))
    axis = int(call.attributes["axis"])
    w.node("Gather", call, [w.operand(call.input(0)), index], axis=axis)


_PAD_MODES = {
    "constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap",
}  # fmt: skip


def _pad(w: Writer, call: Call) -> None:
    a, name = call.attributes, call.node.name
    pads = w.constant(f"{name}/pads", flat_pads(a["padding"]))
    mode = _PAD_MODES[a.get("mode", "constant")]
    x = call.input(0)
    inputs = [w.operand(x), pads]
    if mode == "constant":
        inputs.append(w.constant(f"{name}/value", a.get("value", 0.0), like=x))
    w.node("Pad", call, inputs, mode=mode)


def _resize(w: Writer, call: Call) -> None:
    a, name = call.attributes, call.node.name
    sizes = w.constant(f"{name}/sizes", list(call.outputs[0].shape))
    how = "align_corners" if a.get("align_corners") else "pytorch_half_pixel"
    if a["mode"] == "nearest":
        how = "asymmetric"
    w.node(
        "Resize",
        call,
        [w.operand(call.input(0)), "", "", sizes],
        mode=a["mode"],
        coordinate_transformation_mode=how,
        nearest_mode="floor",
    )


def _gather(w: Writer, call: Call) -> None:
    w.node("Gather", call, w.operands(call)[:2], axis=int(call.attributes.get("axis", 0)))


def _unbind(w: Writer, call: Call) -> None:
    """A slice of one, squeezed, for each part."""
    axis, name = int(call.attributes["axis"]), call.node.name
    axes = w.constant(f"{name}/axis", [axis])
    for i in range(len(call.outputs)):
        start, stop = (w.constant(f"{name}/{i + j}", [i + j]) for j in (0, 1))
        inputs = [w.operand(call.input(0)), start, stop, axes]
        part = w.node("Slice", call, inputs, suffix=f"/part{i}")
        w.node("Squeeze", call, [part, axes], suffix=f"/squeezed{i}", output=i)


def _copy(w: Writer, call: Call) -> None:
    kind, x = call.attributes.get("kind"), w.operand(call.input(0))
    if kind == "flip":
        axes = [int(axis) for axis in call.attributes["dims"]]
        _slices(w, call, x, [-1] * len(axes), [-(2**31)] * len(axes), axes, [-1] * len(axes))
    elif kind == "roll" and "dims" in call.attributes:
        _roll(w, call, x)
    elif kind is None:
        w.node("Identity", call, [x])
    else:
        raise ValueError(f"elements moved by {kind}")


def _roll(w: Writer, call: Call, x: str) -> None:
    """Each axis cut in two, and joined the other way round."""
    shifts, dims = call.attributes["shifts"], call.attributes["dims"]
    for i, (shift, axis) in enumerate(zip(shifts, dims, strict=True)):
        size = call.input(0).shape[axis]
        cut = (size - int(shift) % size) % size
        ends = ((0, cut, f"/front{i}"), (cut, size, f"/back{i}"))
        front, back = (
            _slices(w, call, x, [start], [stop], [int(axis)], [1], suffix=suffix)
            for start, stop, suffix in ends
        )
        last = i == len(dims) - 1
        x = w.node(
            "Concat", call, [back, front], suffix="" if last else f"/roll{i}", axis=int(axis)
        )


def _slices(
    w: Writer, call: Call, x: str, starts: list[int], stops: list[int], axes: list[int],
    steps: list[int], *, suffix: str = "",
) -> str:  # fmt: skip
    bounds = (("starts", starts), ("stops", stops), ("axes", axes), ("steps", steps))
    names = [w.constant(f"{call.node.name}{suffix}/{said}", values) for said, values in bounds]
    return w.node("Slice", call, [x, *names], suffix=suffix)


def _tile(w: Writer, call: Call) -> None:
    x, repeats = call.input(0), list(call.attributes["repeats"])
    name, source = call.node.name, w.operand(x)
    if len(repeats) > len(x.shape):
        whole = [1] * (len(repeats) - len(x.shape)) + list(x.shape)
        source = w.node(
            "Reshape", call, [source, w.constant(f"{name}/whole", whole)], suffix="/raised"
        )
    w.node("Tile", call, [source, w.constant(f"{name}/repeats", repeats)])


def _take_along(w: Writer, call: Call) -> None:
    w.node("GatherElements", call, w.operands(call)[:2], axis=int(call.attributes["axis"]))


def _cast(w: Writer, call: Call) -> None:
    w.node("Cast", call, w.operands(call)[:1], to=ONNX_TYPES[call.outputs[0].dtype])


def _triangle(w: Writer, call: Call) -> None:
    diagonal = w.constant(f"{call.node.name}/diagonal", int(call.attributes.get("diagonal", 0)))
    upper = int(call.attributes.get("upper", False))
    w.node("Trilu", call, [w.operand(call.input(0)), diagonal], upper=upper)


MOVEMENT_WRITERS: dict[str, Write] = {
    "reshape": _reshape,
    "expand": _expand,
    "identity": simple("Identity"),
    "copy": _copy,
    "cast": _cast,
    "transpose": _transpose,
    "channel_shuffle": _shuffle,
    "concat": _concat,
    "stack": _stack,
    "split": _split,
    "unbind": _unbind,
    "slice": _slice,
    "select": _select,
    "pad": _pad,
    "resize": _resize,
    "embedding": _gather,
    "gather": _gather,
    "take_along": _take_along,
    "tile": _tile,
    "trilu": _triangle,
}
