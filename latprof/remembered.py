"""What was worked out of a graph, kept for as long as the graph itself is."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable
from typing import TypeVar

from latprof.graph import Graph

T = TypeVar("T")

# Graphs hold what cannot be hashed, so that they are told apart by where they are in memory.
_FOUND: dict[int, tuple[weakref.ref[Graph], dict[Hashable, object]]] = {}


def remembered(graph: Graph, key: Hashable, work_out: Callable[[], T]) -> T:
    """`work_out()`, done once for this very graph and key.

    Graphs are frozen, so that what follows from one never changes.
    """
    place = id(graph)
    entry = _FOUND.get(place)
    if entry is None or entry[0]() is not graph:
        gone = weakref.ref(graph, lambda _: _FOUND.pop(place, None))
        entry = _FOUND[place] = (gone, {})
    found = entry[1]
    if key not in found:
        found[key] = work_out()
    return found[key]  # type: ignore[return-value]
