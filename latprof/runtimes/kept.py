"""What graphs were turned into, kept for when the same graph is opened again.

A network is opened plain and profiled, and in a sweep at every visit; writing its file, with all
its weights, costs more than loading it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from latprof.graph import Graph

T = TypeVar("T")

ROOM_BYTES = 2**28


class Kept(Generic[T]):
    """The files of graphs opened lately, the latest last.

    Parameters
    ----------
    size : callable
        Bytes that one of them takes.
    room_bytes : int
        Of all together; the latest is kept however large it is.
    """

    def __init__(self, size: Callable[[T], int], room_bytes: int = ROOM_BYTES) -> None:
        self._size = size
        self._room_bytes = room_bytes
        # By the graph itself, not its name: two graphs may share one.
        self._files: list[tuple[Graph, str, T]] = []

    def of(self, graph: Graph, dtype: str, write: Callable[[], T]) -> T:
        """That of `graph` in `dtype`, written if it is not there."""
        for index, (known, in_dtype, file) in enumerate(self._files):
            if known is graph and in_dtype == dtype:
                self._files.append(self._files.pop(index))
                return file
        weights = sum(t.bytes for t in graph.tensors.values() if t.is_weight)
        self._make_room(weights, fewest=0)  # two large ones at once may be one too many
        file = write()
        self._files.append((graph, dtype, file))
        self._make_room(0, fewest=1)
        return file

    def _make_room(self, coming_bytes: int, fewest: int) -> None:
        used = coming_bytes + sum(self._size(file) for _, _, file in self._files)
        while used > self._room_bytes and len(self._files) > fewest:
            used -= self._size(self._files.pop(0)[2])
