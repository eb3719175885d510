"""Weights that no operation reads: they are stored with the model all the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from latprof.graph import Graph, Tensor

_SHOWN = 3


def with_unread(graph: Graph, stored: Iterable[Tensor]) -> Graph:
    """`graph` with every weight that the model stores, and a word about those nobody reads.

    An auxiliary head that only runs in training, a layer whose result is thrown away: a runtime
    never touches their weights, but they are parameters of the model and take memory with it.
    """
    stored = list(stored)
    tensors = {**graph.tensors, **{tensor.name: tensor for tensor in stored}}
    read = {name for node in graph.nodes for name in node.inputs} | set(graph.outputs)
    unread = [t for t in stored if t.role == "parameter" and t.name not in read]
    said = (_sentence(unread),) if unread else ()
    return replace(graph, tensors=tensors, assumptions=(*graph.assumptions, *said))


def _sentence(unread: Sequence[Tensor]) -> str:
    names = ", ".join(tensor.name for tensor in unread[:_SHOWN])
    names += ", ..." if len(unread) > _SHOWN else ""
    params = sum(tensor.elements for tensor in unread)
    weights = f"{len(unread)} weight{'s' if len(unread) > 1 else ''}"
    return (
        f"no operation reads {weights} of the model ({names}): {params:,} parameters, counted "
        "with it all the same"
    )
