"""Arithmetic on shapes, done while reading: what it gives is known before the model runs.

Converters write the sizes of a model with an open batch as operators: SHAPE, STRIDED_SLICE,
PACK, then RESHAPE. Only whole numbers and truth values are folded, so that no weight is lost
from the count, and only vectors and lone numbers, which shapes are made of.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence

from latprof.frontends.tflite.model import MAX_STEERING_VALUES
from latprof.frontends.tflite.selections import strided_cuts
from latprof.frontends.tflite.translator import Translator
from latprof.graph import Scalar, Shape, Tensor

Values = tuple[Scalar, ...]

_WHOLE = ("int32", "int64", "bool")
_LARGEST = 2**63  # beyond it the model itself would wrap around


def _divide(a: Scalar, b: Scalar) -> int:
    return int(a / b) if abs(a) < 2**53 else int(a // b)


_BINARY: Mapping[str, Callable[[Scalar, Scalar], Scalar]] = {
    "ADD": operator.add,
    "SUB": operator.sub,
    "MUL": operator.mul,
    "DIV": _divide,
    "FLOOR_DIV": operator.floordiv,
    "FLOOR_MOD": operator.mod,
    "MAXIMUM": max,
    "MINIMUM": min,
    "GREATER": operator.gt,
    "GREATER_EQUAL": operator.ge,
    "LESS": operator.lt,
    "LESS_EQUAL": operator.le,
    "EQUAL": operator.eq,
    "NOT_EQUAL": operator.ne,
}
_UNARY: Mapping[str, Callable[[Scalar], Scalar]] = {
    "NEG": operator.neg,
    "ABS": abs,
    "CAST": int,
    "SQUARE": lambda value: value * value,
}
_REDUCTIONS: Mapping[str, Callable[[Values], Scalar]] = {
    "REDUCE_PROD": math.prod,
    "SUM": sum,
    "REDUCE_MAX": max,
    "REDUCE_MIN": min,
}


def fold(t: Translator) -> bool:
    """Work out the current call, if that can be done without the model's input.

    Whether it could; if not, nothing has happened.
    """
    call = t.call
    if call.kind in ("SHAPE", "RANK") and call.inputs and len(call.outputs) == 1:
        shape = t.shape(call.inputs[0])
        if call.kind == "SHAPE":
            t.learn(call.outputs[0], (len(shape),), shape)
        else:
            t.learn(call.outputs[0], (), (len(shape),))
        return True
    if call.kind == "RANGE":
        return _range(t)
    if not all(t.dtype(i) in _WHOLE for i in (*call.inputs, *call.outputs) if i >= 0):
        return False
    operands = [t.known(i) for i in call.inputs]
    if not operands or call.inputs[0] < 0 or any(values is None for values in operands):
        return False
    known = [values for values in operands if values is not None]
    shapes = [t.shape(i) for i in call.inputs]
    if max(len(shape) for shape in shapes) > 1 or sum(map(len, known)) > MAX_STEERING_VALUES:
        return False
    t.spend(sum(map(len, known)))
    try:
        results = _work_out(t, known, shapes)
    except (ArithmeticError, ValueError, IndexError, TypeError):
        return False
    if results is None or len(results) != len(call.outputs):
        return False
    if any(abs(value) >= _LARGEST for _, values in results for value in values):
        return False
    for index, (shape, values) in zip(call.outputs, results, strict=True):
        t.learn(index, shape, values)
    return True


def _range(t: Translator) -> bool:
    bounds = [t.known(i) for i in t.call.inputs]
    if len(bounds) != 3 or len(t.call.outputs) != 1:
        return False
    if any(values is None or len(values) != 1 for values in bounds):
        return False
    start, limit, step = (values[0] for values in bounds if values)
    if not all(map(math.isfinite, (start, limit, step))) or step == 0:
        return False
    exact = (limit - start) / step
    if not abs(exact) < 2**31:
        return False
    count, out = max(0, math.ceil(exact)), t.call.outputs[0]
    if count <= MAX_STEERING_VALUES:
        t.learn(out, (count,), [start + step * i for i in range(count)])
    else:
        name = t.free_name(f"range_{out}")
        t.builder.add_tensor(Tensor(name, (count,), t.dtype(out), "constant"))
        t.give(name)
    return True


def _work_out(
    t: Translator, known: Sequence[Values], shapes: Sequence[Shape]
) -> list[tuple[Shape, Values]] | None:
    """Shape and contents of each result; None for what is not folded."""
    kind, options, first = t.call.kind, t.call.options, known[0]
    if kind in _BINARY and len(known) == 2:
        return _stretched(_BINARY[kind], known, shapes)
    if kind in _UNARY:
        return [(shapes[0], tuple(_UNARY[kind](value) for value in first))]
    if kind in _REDUCTIONS and len(known) == 2 and len(known[1]) == 1 and len(shapes[0]) == 1:
        kept: Shape = (1,) if options["keep_dims"] else ()
        return [(kept, (_REDUCTIONS[kind](first),))]
    if kind == "RESHAPE" and len(first) == 1:
        wanted = tuple(int(n) for n in (known[1] if len(known) > 1 else options["new_shape"]))
        return [(tuple(1 for _ in wanted), first)] if set(wanted) <= {1, -1} else None
    if kind == "EXPAND_DIMS" and not shapes[0]:
        return [((1,), first)]
    if kind == "SQUEEZE" and len(first) == 1:
        return [((), first)]
    if kind == "PACK" and not any(shapes) and options["axis"] in (0, -1):
        return [((len(known),), tuple(values[0] for values in known))]
    if kind == "CONCATENATION" and all(len(shape) == 1 for shape in shapes):
        joined = tuple(value for values in known for value in values)
        return [((len(joined),), joined)]
    if kind == "UNPACK" and len(shapes[0]) == 1:
        return [((), (value,)) for value in first]
    if kind == "GATHER" and len(shapes[0]) == 1 and not options["batch_dims"]:
        return [(shapes[1], tuple(first[int(i)] for i in known[1] if i > -1 or _outside()))]
    if kind == "SLICE" and len(known) == 3 and len(shapes[0]) == len(known[1]) == 1:
        begin, size = int(known[1][0]), int(known[2][0])
        found = first[begin:] if size == -1 else first[begin : begin + size]
        return [((len(found),), found)]
    if kind == "STRIDED_SLICE" and len(known) == 4 and len(shapes[0]) == 1:
        return _cut(t, known)
    if kind == "FILL" and len(known[1]) == 1 and 0 <= math.prod(first) <= MAX_STEERING_VALUES:
        wanted = tuple(int(n) for n in first)
        t.check_rank(len(wanted))
        return [(wanted, known[1] * math.prod(wanted))]
    if kind in ("SELECT", "SELECT_V2") and len(first) == 1 and shapes[1] == shapes[2]:
        return [(shapes[1], known[1] if first[0] else known[2])]
    if kind == "BROADCAST_ARGS" and len(known) == 2:
        a, b = ((1,) * (max(map(len, known)) - len(values)) + values for values in known)
        sizes = tuple(y if x == 1 else x for x, y in zip(a, b, strict=True))
        return [((len(sizes),), sizes)]
    return None


def _outside() -> bool:
    raise IndexError("an index below zero")


def _stretched(
    compute: Callable[[Scalar, Scalar], Scalar], known: Sequence[Values], shapes: Sequence[Shape]
) -> list[tuple[Shape, Values]]:
    count = len(known[0]) if len(known[1]) == 1 else len(known[1])
    left, right = (values * count if len(values) == 1 else values for values in known)
    values = tuple(compute(a, b) for a, b in zip(left, right, strict=True))
    return [(max(shapes, key=len) if count == 1 else (count,), values)]


def _cut(t: Translator, known: Sequence[Values]) -> list[tuple[Shape, Values]] | None:
    values = known[0]
    begins, ends, steps = ([int(n) for n in bounds] for bounds in known[1:])
    found = strided_cuts((len(values),), begins, ends, steps, t.call.options)
    if found is None:
        return None
    ((begin, end, step),), shape = found
    kept = tuple(values[i] for i in range(begin, end, step))
    return [(shape, kept)] if math.prod(shape) == len(kept) else None
