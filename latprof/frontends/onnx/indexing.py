"""How ONNX operators that fetch or place elements by indices are said in latprof's words."""

from __future__ import annotations

from collections.abc import Mapping

from latprof.frontends.onnx.calls import OnnxCall
from latprof.frontends.onnx.movements import axis_of
from latprof.frontends.onnx.translator import Translate, Translator
from latprof.frontends.onnx.values import MAX_KNOWN


def _gather(t: Translator, call: OnnxCall) -> None:
    x, indices = call.input(0), call.input(1)
    axis = axis_of(call.whole("axis"), x.rank, call)
    learned = x.trained or (x.elements > MAX_KNOWN and "float" in x.dtype)
    if x.stored and learned and x.rank == 2 and axis == 0:
        t.emit(call, "embedding", [x, indices])
        return
    numbers = t.known(indices)
    if numbers is not None and numbers.ndim == 0:
        index = int(numbers) % max(x.shape[axis], 1)
        t.emit(call, "select", [x], axis=axis, index=index)
    else:
        t.emit(call, "gather", [x, indices], axis=axis)


def _gather_nd(t: Translator, call: OnnxCall) -> None:
    x, indices = call.input(0), call.input(1)
    batch = call.whole("batch_dims")
    depth = indices.shape[-1]
    shape = (*indices.shape[:-1], *x.shape[batch + depth :])
    t.emit(call, "onnx.GatherND", [x, indices], shapes=[shape])


def _take_along(t: Translator, call: OnnxCall) -> None:
    x, indices = call.input(0), call.input(1)
    axis = axis_of(call.whole("axis"), x.rank, call)
    t.emit(call, "take_along", [x, indices], shapes=[indices.shape], axis=axis)


def _scatter(t: Translator, call: OnnxCall) -> None:
    x = call.input(0)
    axis = axis_of(call.whole("axis"), x.rank, call) if call.op != "ScatterND" else 0
    t.emit(call, "scatter", call.inputs[:3], shapes=[x.shape], axis=axis)


def _trilu(t: Translator, call: OnnxCall) -> None:
    x = call.input(0)
    diagonal = t.whole(call.get(1), call) or (0,)
    upper = bool(call.whole("upper", 1))
    t.emit(call, "trilu", [x], shapes=[x.shape], upper=upper, diagonal=diagonal[0])


def _one_hot(t: Translator, call: OnnxCall) -> None:
    indices, values = call.input(0), call.input(2)
    depth = (t.whole(call.input(1), call) or (0,))[0]
    axis = axis_of(call.whole("axis", -1), indices.rank + 1, call)
    shape = (*indices.shape[:axis], depth, *indices.shape[axis:])
    t.emit(call, "one_hot", [indices], shapes=[shape], dtype=values.dtype, depth=depth, axis=axis)


def _nonzero(t: Translator, call: OnnxCall) -> None:
    x = call.input(0)
    t.assume("every element may be nonzero: an upper bound of the rows found", call.name)
    rows = t.emit(call, "nonzero", [x], inner="/rows", shapes=[(x.elements, x.rank)], dtype="int64")
    t.emit(call, "transpose", [rows], order=(1, 0))


def _compress(t: Translator, call: OnnxCall) -> None:
    x = call.input(0)
    t.assume("every element may be chosen: an upper bound of what Compress gives", call.name)
    shape = x.shape if call.has("axis") else (x.elements,)
    t.emit(call, "onnx.Compress", [x, call.input(1)], shapes=[shape])


def _unique(t: Translator, call: OnnxCall) -> None:
    x = call.input(0)
    t.assume("every element may be unique: an upper bound of what Unique gives", call.name)
    shape = x.shape if call.has("axis") else (x.elements,)
    along = x.shape[axis_of(call.whole("axis"), x.rank, call)] if call.has("axis") else x.elements
    t.emit(
        call, "onnx.Unique", [x], shapes=[shape, (along,), (along,), (along,)],
        dtype=[x.dtype, "int64", "int64", "int64"], outputs=len(call.outputs),
    )  # fmt: skip


INDEXING: Mapping[str, Translate] = {
    "Gather": _gather,
    "GatherND": _gather_nd,
    "GatherElements": _take_along,
    **dict.fromkeys(("Scatter", "ScatterElements", "ScatterND", "TensorScatter"), _scatter),
    "Trilu": _trilu,
    "OneHot": _one_hot,
    "NonZero": _nonzero,
    "Compress": _compress,
    "Unique": _unique,
}
