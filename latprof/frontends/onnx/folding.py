"""Arithmetic on shapes: nodes whose inputs are all known are computed while reading.

Exporters spell out sizes that depend on the input (``Shape``, ``Gather``, ``Concat``, ...). Their
results steer ``Reshape``, ``Resize`` or ``Slice`` and are never run by a runtime either.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from latprof.errors import ModelError, ShapeMismatch
from latprof.frontends.onnx.calls import OnnxCall
from latprof.frontends.onnx.translator import Translator
from latprof.frontends.onnx.values import DTYPES, MAX_KNOWN, Array, read_numbers
from latprof.graph import Shape
from latprof.ops.broadcasting import broadcast

Inputs = Sequence[Array | None]
Fold = Callable[[OnnxCall, Inputs], Sequence[Any] | Any]

# More floats than these, with learned values, are weights: they stay what they are.
MAX_STEERING_FLOATS = 8


class _NotFolded(Exception):
    """The result is too large to be a shape, or of a kind that shapes are not made of."""


def try_fold(t: Translator, call: OnnxCall) -> bool:
    """Compute `call` if everything it reads is known; False if it has to be translated."""
    if call.op in ("Shape", "Size"):
        _fold_shape(t, call)
        return True
    rule = FOLDS.get(call.op)
    if rule is None:
        return False
    arrays: list[Array | None] = []
    for value in call.inputs:
        if value is None:
            arrays.append(None)
            continue
        if not value.stored or (value.trained and value.elements > MAX_STEERING_FLOATS):
            return False
        if value.kept_as != value.dtype or (numbers := t.known(value)) is None:
            return False
        arrays.append(numbers)
    try:
        with np.errstate(all="ignore"):
            found = rule(call, arrays)
    except _NotFolded:
        return False
    except ModelError:
        raise
    except (ValueError, IndexError, TypeError, ArithmeticError, MemoryError) as error:
        raise ShapeMismatch(
            f"node {call.name!r} ({call.op}) cannot be computed from its constants: {error}."
        ) from error
    results = [np.asarray(array) for array in (found if isinstance(found, list) else [found])]
    if any(array.size > MAX_KNOWN or array.ndim > 32 for array in results):
        return False
    t.fold(call, results)
    return True


def _fold_shape(t: Translator, call: OnnxCall) -> None:
    shape = call.input(0).shape
    if call.op == "Size":
        t.fold(call, [np.asarray(math.prod(shape), dtype=np.int64)])
    else:
        end = call.whole("end", len(shape)) if call.has("end") else None
        t.fold(call, [np.asarray(shape[call.whole("start") : end], dtype=np.int64)])


def _given(array: Array | None) -> Array:
    if array is None:
        raise ValueError("one of them is missing")
    return array


def _small(shape: Sequence[Any]) -> Shape:
    """A shape that may be filled with numbers."""
    sizes = tuple(int(size) for size in shape)
    if any(size < 0 for size in sizes):
        raise ValueError(f"a shape of {sizes}")
    if math.prod(sizes) > MAX_KNOWN or len(sizes) > 32:
        raise _NotFolded
    return sizes


def _ints(array: Array | None) -> list[int]:
    return [int(number) for number in _given(array).reshape(-1).tolist()]


def _elementwise(function: Callable[..., Any]) -> Fold:
    def fold(call: OnnxCall, inputs: Inputs) -> Any:
        operands = [_given(array) for array in inputs]
        _small(broadcast(*(array.shape for array in operands)))
        found = np.asarray(function(*operands))
        # NumPy would widen; ONNX keeps the first operand's dtype.
        return found if found.dtype == np.bool_ else found.astype(operands[0].dtype)

    return fold


def _divide(a: Array, b: Array) -> Array:
    if a.dtype.kind == "f":
        return np.asarray(a / b)
    if not b.all():
        raise ValueError("division by zero")
    quotient = np.abs(a) // np.abs(b)  # ONNX rounds towards zero
    return np.asarray(np.where((a < 0) != (b < 0), -quotient, quotient))


def _mod(call: OnnxCall, inputs: Inputs) -> Any:
    return _elementwise(np.fmod if call.whole("fmod") else np.mod)(call, inputs)


def _cumulative_sum(call: OnnxCall, inputs: Inputs) -> Any:
    if call.whole("exclusive") or call.whole("reverse"):
        raise _NotFolded
    data = _given(inputs[0])
    return np.cumsum(data, axis=_ints(inputs[1])[0], dtype=data.dtype)


def _many(function: Callable[[Array, Array], Any]) -> Fold:
    def fold(call: OnnxCall, inputs: Inputs) -> Any:
        operands = [_given(array) for array in inputs]
        _small(broadcast(*(array.shape for array in operands)))
        found = operands[0]
        for other in operands[1:]:
            found = function(found, other)
        return found

    return fold


def _cast(call: OnnxCall, inputs: Inputs) -> Any:
    dtype = DTYPES.get(call.whole("to"), "")
    if not hasattr(np, dtype) and dtype != "bool":
        raise _NotFolded
    return _given(inputs[0]).astype(dtype)


def _concat(call: OnnxCall, inputs: Inputs) -> Any:
    if not inputs or sum(_given(array).size for array in inputs) > MAX_KNOWN:
        raise _NotFolded
    return np.concatenate([_given(array) for array in inputs], axis=call.whole("axis", 1))


def _gather(call: OnnxCall, inputs: Inputs) -> Any:
    data, indices, axis = _given(inputs[0]), _given(inputs[1]), call.whole("axis")
    if indices.size * data.size > MAX_KNOWN * MAX_KNOWN:
        raise _NotFolded
    _small((*data.shape[:axis], *indices.shape, *data.shape[axis:][1:]))
    return np.take(data, indices, axis=axis)


def _gather_elements(call: OnnxCall, inputs: Inputs) -> Any:
    return np.take_along_axis(_given(inputs[0]), _given(inputs[1]), axis=call.whole("axis"))


def _slice(call: OnnxCall, inputs: Inputs) -> Any:
    data = _given(inputs[0])
    if call.has("starts"):  # before opset 10
        starts, ends = list(call.wholes("starts")), list(call.wholes("ends"))
        axes, steps = list(call.wholes("axes", range(len(starts)))), [1] * len(starts)
    else:
        starts, ends = _ints(inputs[1]), _ints(inputs[2])
        given = [_ints(array) if array is not None else None for array in inputs[3:5]] + [None] * 2
        axes = given[0] or list(range(len(starts)))
        steps = given[1] or [1] * len(starts)
    wanted = [slice(None)] * data.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        wanted[axis] = slice_of(start, end, step, data.shape[axis])
    return data[tuple(wanted)]


def slice_of(start: int, end: int, step: int, size: int) -> slice:
    """ONNX's bounds as Python's: going back, an end before the first element takes it too."""
    if step > 0:
        return slice(start, end, step)
    return slice(start, None if end < -size else end, step)


def _squeeze(call: OnnxCall, inputs: Inputs) -> Any:
    data = _given(inputs[0])
    axes = _ints(inputs[1]) if len(inputs) > 1 and inputs[1] is not None else call.wholes("axes")
    return np.squeeze(data, axis=tuple(axes) or None)


def _unsqueeze(call: OnnxCall, inputs: Inputs) -> Any:
    axes = _ints(inputs[1]) if len(inputs) > 1 else list(call.wholes("axes"))
    if len(axes) > 32:
        raise ValueError("too many axes")
    return np.expand_dims(_given(inputs[0]), tuple(axes))


def _reshape(call: OnnxCall, inputs: Inputs) -> Any:
    data = _given(inputs[0])
    wanted = _ints(inputs[1]) if len(inputs) > 1 else list(call.wholes("shape"))
    if not call.whole("allowzero"):
        wanted = [data.shape[i] if size == 0 else size for i, size in enumerate(wanted)]
    return data.reshape(wanted)


def _transpose(call: OnnxCall, inputs: Inputs) -> Any:
    return np.transpose(_given(inputs[0]), call.wholes("perm") or None)


def _constant_of_shape(call: OnnxCall, inputs: Inputs) -> Any:
    filled = call.tensor("value")
    shape = _small(_ints(inputs[0]))
    if filled is None:
        return np.zeros(shape, dtype=np.float32)
    numbers = read_numbers(filled, Path())
    if numbers is None or numbers.size != 1:
        raise _NotFolded
    return np.full(shape, numbers.reshape(-1)[0])


def _range(call: OnnxCall, inputs: Inputs) -> Any:
    start, limit, delta = (_given(array).reshape(-1)[0] for array in inputs)
    if delta == 0:
        raise ValueError("steps of zero")
    count = float(limit - start) / float(delta)
    if not count < MAX_KNOWN:
        raise _NotFolded
    return np.arange(start, limit, delta, dtype=_given(inputs[0]).dtype)


def _expand(call: OnnxCall, inputs: Inputs) -> Any:
    data = _given(inputs[0])
    shape = _small(broadcast(data.shape, tuple(_ints(inputs[1]))))
    return np.broadcast_to(data, shape).copy()


def _tile(call: OnnxCall, inputs: Inputs) -> Any:
    data, repeats = _given(inputs[0]), _ints(inputs[1])
    _small([size * times for size, times in zip(data.shape, repeats, strict=True)])
    return np.tile(data, repeats)


def _split(call: OnnxCall, inputs: Inputs) -> Any:
    data, axis = _given(inputs[0]), call.whole("axis")
    parts = len(call.outputs)
    sizes = _ints(inputs[1]) if len(inputs) > 1 else list(call.wholes("split"))
    if not sizes:
        each = -(-data.shape[axis] // parts)
        sizes = [each] * parts
    return list(np.split(data, np.cumsum(sizes)[:-1], axis=axis))


def _where(call: OnnxCall, inputs: Inputs) -> Any:
    condition, a, b = (_given(array) for array in inputs)
    _small(broadcast(condition.shape, a.shape, b.shape))
    return np.where(condition, a, b)


def _reduce(function: Callable[..., Any]) -> Fold:
    def fold(call: OnnxCall, inputs: Inputs) -> Any:
        data = _given(inputs[0])
        given = inputs[1] if len(inputs) > 1 else None
        axes = tuple(_ints(given)) if given is not None else call.wholes("axes")
        found = function(data, axis=axes or None, keepdims=bool(call.whole("keepdims", 1)))
        return np.asarray(found).astype(data.dtype)

    return fold


def _scatter_nd(call: OnnxCall, inputs: Inputs) -> Any:
    data, indices, updates = (_given(array) for array in inputs)
    if call.text("reduction", "none") != "none":
        raise _NotFolded
    changed = data.copy()
    changed[tuple(np.moveaxis(indices, -1, 0))] = updates
    return changed


def _nonzero(call: OnnxCall, inputs: Inputs) -> Any:
    return np.asarray(np.nonzero(np.atleast_1d(_given(inputs[0]))), dtype=np.int64)


FOLDS: Mapping[str, Fold] = {
    "Add": _elementwise(np.add),
    "Sub": _elementwise(np.subtract),
    "Mul": _elementwise(np.multiply),
    "Div": _elementwise(_divide),
    "Mod": _mod,
    "Pow": _elementwise(np.power),
    "Neg": _elementwise(np.negative),
    "Abs": _elementwise(np.abs),
    "Sqrt": _elementwise(np.sqrt),
    "Floor": _elementwise(np.floor),
    "Ceil": _elementwise(np.ceil),
    "Round": _elementwise(np.round),
    "Sign": _elementwise(np.sign),
    "Not": _elementwise(np.logical_not),
    "And": _elementwise(np.logical_and),
    "Or": _elementwise(np.logical_or),
    "Equal": _elementwise(np.equal),
    "Greater": _elementwise(np.greater),
    "GreaterOrEqual": _elementwise(np.greater_equal),
    "Less": _elementwise(np.less),
    "LessOrEqual": _elementwise(np.less_equal),
    "Max": _many(np.maximum),
    "Min": _many(np.minimum),
    "Identity": lambda call, inputs: _given(inputs[0]),
    "Cast": _cast,
    "Concat": _concat,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Reshape": _reshape,
    "Transpose": _transpose,
    "ConstantOfShape": _constant_of_shape,
    "Range": _range,
    "Expand": _expand,
    "Tile": _tile,
    "Split": _split,
    "Where": _where,
    "NonZero": _nonzero,
    "ScatterND": _scatter_nd,
    "ReduceProd": _reduce(np.prod),
    "ReduceSum": _reduce(np.sum),
    "ReduceMax": _reduce(np.max),
    "ReduceMin": _reduce(np.min),
    "CumSum": _cumulative_sum,
}
