"""Layers that are products of matrices: `Dense`, `EinsumDense`, `Embedding`, `Dot`.

References
----------
Keras, keras/src/layers/core/: dense.py, einsum_dense.py, embedding.py, reversible_embedding.py.
Keras, keras/src/layers/merging/dot.py.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import chain

from latprof.errors import ShapeMismatch, UnreadableModel
from latprof.frontends.keras.activations import activate
from latprof.frontends.keras.config import axis_number, dtypes, shown, text, whole
from latprof.frontends.keras.translator import Handler, LayerCall, Result, Translator, Value
from latprof.graph import Shape

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def kernel(t: Translator, call: LayerCall, name: str, shape: Shape, scale: Shape) -> str:
    """A weight that Keras may have quantised, with its scale."""
    mode = dtypes(call.layer.config.get("dtype"))[2]
    if call.layer.config.get("lora_rank"):
        t.note(f"layer {call.path!r} has a low-rank adapter, counted as merged into its weight")
    if mode in ("int8", "int4"):
        t.weight(call, f"{name}_scale", scale, role="constant")
        t.note(
            f"layer {call.path!r} holds its weight as {mode}; what it takes to quantise its input "
            "as it runs is not counted"
        )
        return t.weight(replace(call, trainable=False), name, shape, dtype=mode)
    if mode:
        t.note(f"layer {call.path!r} is quantised as {mode}, which is counted as not quantised")
    return t.weight(call, name, shape)


def linear(
    t: Translator, call: LayerCall, value: Value, features: int, *, part: str = "",
    prefix: str = "", bias: bool = True,
) -> Value:  # fmt: skip
    """A linear layer over the last axis of Keras's order."""
    x = t.plain(value)
    inner = t.shape(x)[-1]
    weight = kernel(t, call, f"{prefix}kernel", (features, inner), (features,))
    operands = [x.name, weight]
    if bias:
        operands.append(t.weight(call, f"{prefix}bias", (features,)))
    return Value(t.emit(call, "linear", operands, part=part))


def _dense(t: Translator, call: LayerCall) -> Result:
    value = t.floating(call, call.value)
    if not t.shape(value):
        raise ShapeMismatch(f"layer {call.path!r} is given a lone number.")
    units = whole(call.get("units"), "units", least=1)
    return activate(t, call, linear(t, call, value, units, bias=bool(call.get("use_bias", True))))


def _einsum_dense(t: Translator, call: LayerCall) -> Result:
    value = t.plain(t.floating(call, call.value))
    left, weights, right = _equation(call, t.shape(value))
    known = dict(zip(left, t.shape(value), strict=True))
    asked = call.get("output_shape")
    asked = list(asked) if isinstance(asked, (list, tuple)) else [asked]
    for label, size in zip(reversed(right), reversed(asked), strict=False):
        if size is not None and label not in known:
            known[label] = whole(size, "output_shape", least=1)
    if any(label not in known for label in (*weights, *right)):
        raise UnreadableModel(f"layer {call.path!r} leaves a size of its weight open.")
    bias = ""
    axes = call.layer.config.get("bias_axes")
    if axes:
        axes = text(axes, "bias_axes")
        first = min(right.index(label) for label in axes)
        shape = tuple(known[label] if label in axes else 1 for label in right[first:])
        bias = t.weight(call, "bias", shape)
    found = _product(t, call, value, left, weights, right, known, bias)
    return activate(t, call, found)


def _product(
    t: Translator, call: LayerCall, value: Value, left: str, weights: str, right: str,
    known: dict[str, int], bias: str,
) -> Value:  # fmt: skip
    """The einsum of a value and a weight: as a linear layer, where it is one."""
    summed = [label for label in left if label not in right]
    added = [label for label in right if label not in left]
    kept = [label for label in left if label in right]
    is_linear = (
        bool(summed) and bool(added)
        and left == "".join(kept + summed) and right == "".join(kept + added)
        and sorted(weights) == sorted(summed + added)
    )  # fmt: skip
    whole_bias = bias and t.builder.tensor(bias).elements == math.prod(known[a] for a in added)
    if is_linear and (not bias or whole_bias):
        rows = tuple(known[label] for label in kept)
        inner = math.prod(known[label] for label in summed)
        features = math.prod(known[label] for label in added)
        x = t.reshaped(call, value, (*rows, inner), part="rows")
        weight = kernel(t, call, "kernel", (features, inner), (features,))
        # The bias is held as the file has it; as many numbers as features, one way or other.
        operands = [x.name, weight, *([bias] if bias else [])]
        name = t.emit(call, "linear", operands)
        return t.reshaped(call, Value(name), (*rows, *(known[a] for a in added)), part="columns")
    shape = tuple(known[label] for label in weights)
    weight = kernel(t, call, "kernel", shape, (1,))
    equation = f"{left},{weights}->{right}"
    outputs = [tuple(known[label] for label in right)]
    (name,) = t.emit_all(call, "einsum", [value, weight], shapes=outputs, equation=equation)
    return t.elementwise(call, Value(name), "add", [bias], part="bias") if bias else Value(name)


def _equation(call: LayerCall, shape: Shape) -> tuple[str, str, str]:
    """The three terms of ``ab,bc->ac``, with labels of their own for what ``...`` stands for."""
    equation = text(call.get("equation"), "equation").replace(" ", "")
    operands, arrow, right = equation.partition("->")
    terms = operands.split(",")
    if not arrow or len(terms) != 2:
        raise UnreadableModel(f"layer {call.path!r} has the equation {shown(equation)}.")
    left, weights = terms
    spread = len(shape) - len(left.replace("...", ""))
    free = [letter for letter in _LETTERS if letter not in equation]
    dots = "".join(free[: max(spread, 0)]) if "..." in left else ""
    left, right = left.replace("...", dots), right.replace("...", dots)
    fits = len(left) == len(shape) and all(
        term.isalpha() and len(set(term)) == len(term) for term in (left, weights, right)
    )
    if not fits:
        raise ShapeMismatch(
            f"layer {call.path!r}: the equation {shown(equation)} does not fit the shape {shape}."
        )
    return left, weights, right


def _embedding(t: Translator, call: LayerCall) -> Result:
    rows = whole(call.get("input_dim"), "input_dim", least=1)
    columns = whole(call.get("output_dim"), "output_dim", least=1)
    table = kernel(t, call, "embeddings", (rows, columns), (rows,))
    compute = dtypes(call.layer.config.get("dtype"))[1]
    if call.layer.kind == "ReversibleEmbedding" and call.argument(1, "reverse", False) is True:
        x = t.plain(t.floating(call, call.value))
        if not call.get("tie_weights", True):
            table = t.weight(call, "reverse_embeddings", (rows, columns))
        return Value(t.emit(call, "linear", [x.name, table]))
    value = t.plain(call.value)
    if "int" not in t.stored(value).dtype:
        value = t.cast(call, value, "int32")
    return Value(t.emit(call, "embedding", [table, value], dtype=compute))


def _dot(t: Translator, call: LayerCall) -> Result:
    """The product of two inputs over one axis of each."""
    values = [t.plain(value) for value in call.values]
    if len(values) != 2:
        raise ShapeMismatch(f"layer {call.path!r} takes two tensors, not {len(values)}.")
    shapes = [t.shape(value) for value in values]
    held = call.get("axes")
    asked = list(held) if isinstance(held, (list, tuple)) else [held, held]
    if len(asked) != 2:
        raise UnreadableModel(f"layer {call.path!r} has the axes {shown(held)}.")
    axes = [
        axis_number(axis, len(shape), "axes") for axis, shape in zip(asked, shapes, strict=True)
    ]
    if call.get("normalize", False):
        values = [
            t.elementwise(call, value, "l2_norm", part=f"normalize{i}", axes=(axis,))
            for i, (value, axis) in enumerate(zip(values, axes, strict=True))
        ]
    letters = iter(_LETTERS[2:])
    terms = [["a"] + [next(letters) for _ in shape[1:]] for shape in shapes]
    for term, axis in zip(terms, axes, strict=True):
        term[axis] = "b"
    if 0 in axes:
        raise ShapeMismatch(f"layer {call.path!r} sums over the batch.")
    right = [label for term in (terms[0], terms[1][1:]) for label in term if label != "b"]
    known = dict(zip(chain(*terms), chain(*shapes), strict=True))
    equation = f"{''.join(terms[0])},{''.join(terms[1])}->{''.join(right)}"
    shape = tuple(known[label] for label in right)
    if [s[a] for s, a in zip(shapes, axes, strict=True)] != [known["b"]] * 2:
        raise ShapeMismatch(f"layer {call.path!r}: {shapes[0]} and {shapes[1]} do not fit.")
    (name,) = t.emit_all(call, "einsum", values, shapes=[shape], equation=equation)
    whole_shape = (*shape, 1) if len(shape) == 1 else shape
    return t.reshaped(call, Value(name), whole_shape, part="column")


LAYERS: dict[str, Handler] = {
    "Dense": _dense,
    "EinsumDense": _einsum_dense,
    "Embedding": _embedding,
    "ReversibleEmbedding": _embedding,
    "Dot": _dot,
}
