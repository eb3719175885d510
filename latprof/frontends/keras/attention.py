"""Attention: of many heads, of grouped queries, and the two plain forms.

References
----------
Keras, keras/src/layers/attention/: multi_head_attention.py, grouped_query_attention.py,
attention.py, additive_attention.py.
"""

from __future__ import annotations

import math
from typing import Any

from latprof.errors import ShapeMismatch
from latprof.frontends.keras.config import axis_numbers, whole
from latprof.frontends.keras.dense import linear
from latprof.frontends.keras.translator import Handler, LayerCall, Result, Translator, Value


def attend(
    t: Translator, call: LayerCall, query: str, key: str, value: str, mask: str = "", *,
    causal: bool, scores: bool,
) -> tuple[str, str]:  # fmt: skip
    """softmax(query · keyᵀ) · value over the last two axes, and the scores where asked for."""
    if not scores:
        operands = [query, key, value, *([mask] if mask else [])]
        return t.emit(call, "attention", operands, part="attend", causal=causal), ""
    rank = len(t.builder.tensor(key).shape)
    order = (*range(rank - 2), rank - 1, rank - 2)
    turned = t.emit(call, "transpose", [key], part="keys", order=order)
    found = t.emit(call, "matmul", [query, turned], part="scores")
    found = t.emit(call, "softmax", [found], part="softmax", axis=rank - 1)
    return t.emit(call, "matmul", [found, value], part="combine"), found


def _heads(t: Translator, call: LayerCall, value: Value, heads: int, width: int, part: str) -> str:
    """(batch, tokens, heads · width) as (batch, heads, tokens, width)."""
    batch, tokens = t.shape(value)[:2]
    shape = (batch, tokens, heads, width)
    split = t.emit(call, "reshape", [value], part=f"{part}_heads", shape=shape)
    return t.emit(call, "transpose", [split], part=f"{part}_turned", order=(0, 2, 1, 3))


def _tokens(t: Translator, call: LayerCall, value: Value, part: str) -> Value:
    """A value of any number of axes as (batch, tokens, features)."""
    shape = t.shape(value)
    if len(shape) < 3:
        raise ShapeMismatch(f"layer {call.path!r} attends over {shape}, which has no tokens.")
    return t.plain(
        t.reshaped(call, value, (shape[0], math.prod(shape[1:-1]), shape[-1]), part=part)
    )


def _inputs(t: Translator, call: LayerCall) -> tuple[Value, Value, Value]:
    query, value = call.argument(0, "query"), call.argument(1, "value")
    key = call.argument(2, "key")
    if not isinstance(query, Value) or not isinstance(value, Value):
        raise ShapeMismatch(f"layer {call.path!r} needs a query and a value.")
    return query, key if isinstance(key, Value) else value, value


def _multi_head(t: Translator, call: LayerCall) -> Result:
    heads = whole(call.get("num_heads"), "num_heads", least=1)
    width = whole(call.get("key_dim"), "key_dim", least=1)
    depth = whole(call.get("value_dim", width), "value_dim", least=1)
    return _project_and_attend(t, call, heads, heads, width, depth)


def _grouped(t: Translator, call: LayerCall) -> Result:
    heads = whole(call.get("num_query_heads"), "num_query_heads", least=1)
    pairs = whole(call.get("num_key_value_heads"), "num_key_value_heads", least=1)
    width = whole(call.get("head_dim"), "head_dim", least=1)
    if heads % pairs:
        raise ShapeMismatch(f"layer {call.path!r}: {heads} heads do not share {pairs}.")
    return _project_and_attend(t, call, heads, pairs, width, width)


def _project_and_attend(
    t: Translator, call: LayerCall, heads: int, pairs: int, width: int, depth: int
) -> Result:
    query, key, value = _inputs(t, call)
    shape, bias = t.shape(query), bool(call.get("use_bias", True))
    axes = call.get("attention_axes")
    if axes is not None and axis_numbers(axes, len(shape), "attention_axes") != tuple(
        range(1, len(shape) - 1)
    ):
        return _over_some_axes(t, call, query, heads, width, depth)
    held = [
        _tokens(t, call, each, f"{part}_tokens")
        for each, part in ((query, "query"), (key, "key"), (value, "value"))
    ]

    def project(x: Value, part: str, count: int, size: int) -> Value:
        return linear(t, call, x, count * size, part=part, prefix=f"{part}/", bias=bias)

    q = _heads(t, call, project(held[0], "query", heads, width), heads, width, "query")
    k = _heads(t, call, project(held[1], "key", pairs, width), pairs, width, "key")
    v = _heads(t, call, project(held[2], "value", pairs, depth), pairs, depth, "value")
    if pairs != heads:
        k, v = (_shared(t, call, each, heads, part) for each, part in ((k, "key"), (v, "value")))
    wants_scores = call.kwargs.get("return_attention_scores") is True
    mask = call.kwargs.get("attention_mask")
    found, scores = attend(
        t, call, q, k, v, _mask(t, call, mask), causal=call.kwargs.get("use_causal_mask") is True,
        scores=wants_scores,
    )  # fmt: skip
    batch, _, tokens, _ = t.builder.tensor(found).shape
    found = t.emit(call, "transpose", [found], part="merge", order=(0, 2, 1, 3))
    merged = Value(
        t.emit(call, "reshape", [found], part="merged", shape=(batch, tokens, heads * depth))
    )
    if call.get("use_gate", False):
        gate = project(held[0], "gate", heads, depth)
        gate = t.elementwise(call, gate, "sigmoid", part="gate_sigmoid")
        merged = t.elementwise(call, merged, "mul", [gate.name], part="gated")
    asked = call.layer.config.get("output_shape") or shape[-1]
    ends = tuple(
        whole(size, "output_shape", least=1)
        for size in (asked if isinstance(asked, (list, tuple)) else [asked])
    )
    features = math.prod(ends)
    out = linear(
        t, call, merged, features, part="attention_output", prefix="attention_output/", bias=bias
    )
    out = t.reshaped(call, out, (*shape[:-1], *ends), part="output_shape")
    return [out, Value(scores)] if wants_scores else out


def _shared(t: Translator, call: LayerCall, held: str, heads: int, part: str) -> str:
    """Every key or value once for each query that shares it."""
    batch, pairs, tokens, width = t.builder.tensor(held).shape
    times = heads // pairs
    column = t.emit(
        call, "reshape", [held], part=f"{part}_pairs", shape=(batch, pairs, 1, tokens, width)
    )
    wide = t.emit(
        call, "expand", [column], part=f"{part}_shared", shape=(batch, pairs, times, tokens, width)
    )
    shape = (batch, heads, tokens, width)
    return t.emit(call, "reshape", [wide], part=f"{part}_all", shape=shape)


def _mask(t: Translator, call: LayerCall, mask: Any) -> str:
    """A mask with an axis for the heads."""
    if not isinstance(mask, Value):
        return ""
    shape = t.shape(mask)
    if len(shape) == 3:
        mask = t.reshaped(call, t.plain(mask), (shape[0], 1, *shape[1:]), part="mask")
    return t.plain(mask).name


def _over_some_axes(
    t: Translator, call: LayerCall, query: Value, heads: int, width: int, depth: int
) -> Result:
    """Attention along some axes only: its weights are counted, its products are not."""
    inner, sizes = t.shape(query)[-1], {"query": width, "key": width, "value": depth}
    for part, size in sizes.items():
        t.weight(call, f"{part}/kernel", (heads * size, inner))
        if call.get("use_bias", True):
            t.weight(call, f"{part}/bias", (heads * size,))
    t.weight(call, "attention_output/kernel", (inner, heads * depth))
    if call.get("use_bias", True):
        t.weight(call, "attention_output/bias", (inner,))
    why = "attends along some axes only, which latprof does not count"
    return t.unknown(call, call.layer.kind, [t.shape(query)], why)


def _dot_product(t: Translator, call: LayerCall) -> Result:
    """`Attention`: one head, without projections."""
    values = [t.plain(value) for value in call.values[:3]]
    if len(values) < 2:
        raise ShapeMismatch(f"layer {call.path!r} needs a query and a value.")
    query, value = values[:2]
    key = values[2] if len(values) > 2 else value
    if call.get("score_mode", "dot") == "concat":
        weight = t.weight(call, "concat_score_weight", ())
        scale = t.weight(call, "scale", ()) if call.get("use_scale", False) else ""
        return _additive_scores(t, call, query, key, value, weight, scale, last="mul")
    if call.get("use_scale", False):
        query = t.elementwise(call, query, "mul", [t.weight(call, "scale", ())], part="scale")
    scores = call.kwargs.get("return_attention_scores") is True
    found, held = attend(
        t, call, query.name, key.name, value.name,
        causal=call.kwargs.get("use_causal_mask") is True, scores=scores,
    )  # fmt: skip
    return [Value(found), Value(held)] if scores else Value(found)


def _additive(t: Translator, call: LayerCall) -> Result:
    values = [t.plain(value) for value in call.values[:3]]
    if len(values) < 2:
        raise ShapeMismatch(f"layer {call.path!r} needs a query and a value.")
    query, value = values[:2]
    key = values[2] if len(values) > 2 else value
    scaled = call.get("use_scale", True)
    scale = t.weight(call, "scale", (t.shape(query)[-1],)) if scaled else ""
    return _additive_scores(t, call, query, key, value, scale, "", last="")


def _additive_scores(
    t: Translator, call: LayerCall, query: Value, key: Value, value: Value, weight: str,
    scale: str, *, last: str,
) -> Result:  # fmt: skip
    """softmax(Σ tanh(query + key)) · value, every query beside every key."""
    batch, rows, width = t.shape(query)
    columns = t.shape(key)[1]
    q = t.emit(call, "reshape", [query], part="rows", shape=(batch, rows, 1, width))
    k = t.emit(call, "reshape", [key], part="columns", shape=(batch, 1, columns, width))
    found = t.emit(call, "add", [q, k], part="pairs")
    if scale:
        found = t.emit(call, "mul", [found, scale], part="scale")
    found = t.emit(call, "tanh", [found], part="tanh")
    if weight and not last:
        found = t.emit(call, "mul", [found, weight], part="weigh")
    found = t.emit(call, "sum", [found], part="sum", axes=(3,), keepdims=False)
    if weight and last:
        found = t.emit(call, last, [found, weight], part="weigh")
    scores = t.emit(call, "softmax", [found], part="softmax", axis=2)
    out = Value(t.emit(call, "matmul", [scores, value], part="combine"))
    asked = call.kwargs.get("return_attention_scores") is True
    return [out, Value(scores)] if asked else out


LAYERS: dict[str, Handler] = {
    "MultiHeadAttention": _multi_head,
    "GroupedQueryAttention": _grouped,
    "GroupQueryAttention": _grouped,
    "Attention": _dot_product,
    "AdditiveAttention": _additive,
}
