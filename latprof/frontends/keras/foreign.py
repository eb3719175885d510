"""Layers that latprof does not look into: classes and functions of the user's own.

Keras's safe mode refuses to load what holds Python code (``Lambda`` with a lambda), and classes
that nobody registered; it would run them. latprof runs none of it, with or without ``--trust``:
such a layer stays in the graph as an operator without a formula, in the shapes that the layers
around it were saved with.
"""

from __future__ import annotations

from latprof.errors import UnreadableModel
from latprof.frontends.keras.translator import LayerCall, Result, Translator, fill
from latprof.graph import Shape

_MANY_OUTPUTS = 1000


def foreign(t: Translator, call: LayerCall, *, why: str, kind: str = "") -> Result:
    """An unknown operator for the layer, and why it is one."""
    inputs = call.values
    like = t.shape(inputs[0]) if inputs else None
    outputs = max(call.given, default=0) + 1
    if outputs > _MANY_OUTPUTS:
        raise UnreadableModel(f"layer {call.path!r} gives {outputs} outputs.")
    shapes: list[Shape] = []
    guessed = False
    for output in range(outputs):
        given = call.given.get(output)
        shape = None if given is None else fill(given, like)
        if shape is None:
            if like is None:
                raise UnreadableModel(
                    f"layer {call.path!r} {why}, and the file does not tell its output's shape."
                )
            guessed, shape = True, like
        shapes.append(shape)
    if guessed:
        why += "; its output is taken to be shaped like its input"
    return t.unknown(call, kind or call.layer.kind, shapes, why)


def lambda_layer(t: Translator, call: LayerCall) -> Result:
    """A function as a layer."""
    return foreign(t, call, why="is a Lambda layer: its Python code is not run, so not counted")


def custom(t: Translator, call: LayerCall) -> Result:
    """A class that Keras does not have."""
    kind = call.layer.kind
    return foreign(
        t, call, why=f"is of the class {kind!r}, which Keras does not have: its code is not run, "
        "so neither its work nor its weights are counted",
    )  # fmt: skip


def no_formula(t: Translator, call: LayerCall) -> Result:
    """A layer of Keras that latprof has no translation for."""
    return foreign(
        t, call, why=f"is a {call.layer.kind}, which latprof has no formula for: neither its work "
        "nor its weights are counted",
    )  # fmt: skip


def operation(t: Translator, call: LayerCall) -> Result:
    """An operation of `keras.ops` that latprof has no translation for."""
    return foreign(
        t, call, why=f"is the operation {call.layer.kind!r}, which latprof has no formula for"
    )
