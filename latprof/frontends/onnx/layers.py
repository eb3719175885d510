"""ONNX operators that are whole layers: recurrence, attention, detection, selection, einsum."""

from __future__ import annotations

from collections.abc import Mapping

from latprof.errors import ShapeMismatch
from latprof.frontends.onnx.calls import OnnxCall
from latprof.frontends.onnx.movements import axis_of
from latprof.frontends.onnx.translator import Translate, Translator
from latprof.frontends.onnx.values import Value
from latprof.graph import Shape

# A layer without a shape rule of its own is given the shapes that ONNX says.


def _recurrent(op: str) -> Translate:
    def translate(t: Translator, call: OnnxCall) -> None:
        x, weight = call.input(0), call.input(1)
        hidden = call.input(2).shape[2]
        directions = weight.shape[0]
        batch_first = bool(call.whole("layout"))
        steps, batch = (x.shape[1], x.shape[0]) if batch_first else (x.shape[0], x.shape[1])
        state: Shape = (directions, batch, hidden)
        flat: Shape = (*x.shape[:2], directions * hidden)
        found = t.emit_all(
            call,
            op,
            [x, weight, call.input(2), call.get(3)],
            inner="/states",
            shapes=[flat, state, state],
            outputs=3 if op == "lstm" else 2,
            hidden_size=hidden,
            num_layers=1,
            bidirectional=directions == 2,
            batch_first=batch_first,
            bias=call.get(3) is not None,
        )
        for name, value in zip(call.outputs[1:], found[1:], strict=False):
            if name and batch_first:  # latprof's states have the batch second
                value = t.emit(call, "transpose", [value], inner=f"/{name}", order=(1, 0, 2))
            if name:
                t.define(name, value)
        if call.outputs[0]:
            _by_direction(t, call, found[0], steps, batch, directions)

    return translate


def _by_direction(
    t: Translator, call: OnnxCall, y: Value, steps: int, batch: int, directions: int
) -> None:
    """The states of both directions on an axis of their own, where ONNX wants it."""
    hidden = y.shape[-1] // max(directions, 1)
    if call.whole("layout"):
        t.emit(call, "reshape", [y], shape=(batch, steps, directions, hidden))
    elif directions == 1:
        t.emit(call, "reshape", [y], shape=(steps, 1, batch, hidden))
    else:
        apart = (steps, batch, directions, hidden)
        states = t.emit(call, "reshape", [y], inner="/apart", shape=apart)
        t.emit(call, "transpose", [states], order=(0, 2, 1, 3))


def split_heads(t: Translator, call: OnnxCall, x: Value, heads: int, name: str) -> Value:
    """Rows of features as a matrix for each head: (batch, heads, rows, features of a head)."""
    if x.rank == 4:
        return x
    batch, rows, features = x.shape
    if heads <= 0 or features % heads:
        raise ShapeMismatch(f"node {call.name!r}: {features} features do not make {heads} heads.")
    shape = (batch, rows, heads, features // heads)
    apart = t.emit(call, "reshape", [x], inner=f"/{name}/apart", shape=shape)
    return t.emit(call, "transpose", [apart], inner=f"/{name}", order=(0, 2, 1, 3))


def emit_attention(t: Translator, call: OnnxCall, query: Value, key: Value, value: Value,
                   mask: Value | None, *, merge: bool, causal: bool = False) -> None:  # fmt: skip
    """Attention of heads; with `merge` their results side by side again."""
    operands = [query, key, value, mask]
    if not merge:
        t.emit(call, "attention", operands, causal=causal)
        return
    found = t.emit(call, "attention", operands, inner="/heads", causal=causal)
    batch, heads, rows, features = found.shape
    turned = t.emit(call, "transpose", [found], inner="/turned", order=(0, 2, 1, 3))
    t.emit(call, "reshape", [turned], shape=(batch, rows, heads * features))


def _attention(t: Translator, call: OnnxCall) -> None:
    """ONNX's own, since opset 23: three or four axes; a cache of earlier keys comes in front."""
    query, key, value = (call.input(index) for index in range(3))
    merge = query.rank == 3
    heads = call.whole("q_num_heads"), call.whole("kv_num_heads")
    query = split_heads(t, call, query, heads[0], "query")
    cached: list[Value] = []
    for index, (name, part) in enumerate((("key", key), ("value", value))):
        part = split_heads(t, call, part, heads[1], name)
        past = call.get(4 + index)
        if past is not None:
            part = t.emit(call, "concat", [past, part], inner=f"/{name}/all", axis=2)
        cached.append(part)
        if len(call.outputs) > 1 + index and call.outputs[1 + index]:
            t.define(call.outputs[1 + index], part)
    key, value = cached
    causal = bool(call.whole("is_causal"))
    emit_attention(t, call, query, key, value, call.get(3), merge=merge, causal=causal)


def _top_k(t: Translator, call: OnnxCall) -> None:
    x = call.input(0)
    axis = axis_of(call.whole("axis", -1), x.rank, call)
    if call.has("k"):
        k = call.whole("k")
    else:
        found = t.known(call.input(1))
        if found is None:  # often min(k, boxes found): all of them at most
            t.assume("everything may be kept: an upper bound of what TopK gives", call.name)
        k = x.shape[axis] if found is None else int(found.reshape(-1)[0])
    shape = (*x.shape[:axis], k, *x.shape[axis + 1 :])
    t.emit(
        call, "topk", [x], shapes=[shape, shape], outputs=2, dtype=[x.dtype, "int64"], k=k,
        axis=axis,
    )  # fmt: skip


def _nms(t: Translator, call: OnnxCall) -> None:
    boxes, scores = call.input(0), call.input(1)
    batch, classes, count = scores.shape
    asked = t.known(call.get(2))
    most = int(asked.reshape(-1)[0]) if asked is not None and asked.size else 0
    most = min(most, count) if most > 0 else count
    t.assume("as many boxes are kept as may be: an upper bound of what NMS gives", call.name)
    t.emit(
        call, "nms", [boxes, scores], shapes=[(batch * classes * most, 3)], dtype="int64",
        max_outputs=most,
    )  # fmt: skip


def _roi_align(t: Translator, call: OnnxCall) -> None:
    x, rois = call.input(0), call.input(1)
    size = (call.whole("output_height", 1), call.whole("output_width", 1))
    ratio = call.whole("sampling_ratio")
    t.emit(
        call, "roi_align", [x, rois, call.get(2)], shapes=[(rois.shape[0], x.shape[1], *size)],
        output_size=size, sampling_ratio=ratio,
    )  # fmt: skip


def _grid_sample(t: Translator, call: OnnxCall) -> None:
    x, grid = call.input(0), call.input(1)
    mode = call.text("mode", "linear").removeprefix("bi")
    shape = (*x.shape[:2], *grid.shape[1:-1])
    t.emit(call, "grid_sample", [x, grid], shapes=[shape], mode=mode)


def _cumulative_sum(t: Translator, call: OnnxCall) -> None:
    x = call.input(0)
    asked = t.known(call.input(1))  # along which axis makes no difference to the cost
    axis = 0 if asked is None else axis_of(int(asked.reshape(-1)[0]), x.rank, call)
    t.emit(call, "cumsum", [x], shapes=[x.shape], axis=axis)


def _einsum(t: Translator, call: OnnxCall) -> None:
    equation = call.text("equation").replace(" ", "")
    operands = [call.input(index) for index in range(len(call.inputs))]
    t.emit(call, "einsum", operands, equation=equation)


def _fold_columns(t: Translator, call: OnnxCall) -> None:
    """Col2Im."""
    x = call.input(0)
    size, kernel = t.whole(call.input(1), call) or (), t.whole(call.input(2), call) or ()
    ones, none = (1,) * len(kernel), (0,) * len(kernel)
    pads = call.wholes("pads") or none * 2
    channels = x.shape[1]
    for side in kernel:
        channels //= side
    t.emit(
        call,
        "fold",
        [x],
        shapes=[(x.shape[0], channels, *size)],
        output_size=size,
        kernel=kernel,
        stride=call.wholes("strides") or ones,
        padding=tuple(zip(pads[: len(kernel)], pads[len(kernel) :], strict=True)),
        dilation=call.wholes("dilations") or ones,
    )


LAYERS: Mapping[str, Translate] = {
    "LSTM": _recurrent("lstm"),
    "GRU": _recurrent("gru"),
    "RNN": _recurrent("rnn"),
    "Attention": _attention,
    "TopK": _top_k,
    "NonMaxSuppression": _nms,
    "RoiAlign": _roi_align,
    "GridSample": _grid_sample,
    "CumSum": _cumulative_sum,
    "Einsum": _einsum,
    "Col2Im": _fold_columns,
}
