"""A user's own .onnx file under ONNX Runtime: what its profile says → kernels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from latprof.graph import DTYPE_BYTES, Graph, Shape
from latprof.runtimes.onnxruntime_profile import launches_of, node_behind
from latprof.runtimes.opened import Launched, kernels_of_file
from latprof.runtimes.protocol import Observed

# As ONNX Runtime's profile calls types of numbers.
_DTYPES = {"float": "float32", "double": "float64"}


def kernels_as_run(events: Iterable[Any], graph: Graph) -> Observed:
    """Every launch as a kernel, with the nodes of the file that it computes.

    Parameters
    ----------
    events : iterable
        The profile as read from JSON.
    graph : Graph
        What the reader made of the file: nodes have the names that they have there.

    Raises
    ------
    MeasurementError
        If the profile cannot be read.
    """
    by_launch, details = launches_of(events)
    nodes = {node.name: node.name for node in graph.nodes}
    launched = []
    for launch, times_ms in by_launch.items():
        node = node_behind(launch, nodes)
        dtype, takes = _first(details[launch], "input_type_shape")
        launched.append(
            Launched(
                name=launch,
                kind=str(details[launch].get("op_name")),
                times_ms=tuple(times_ms),
                nodes=(node,) if node is not None else (),
                dtype=dtype,
                takes=takes,
                gives=_first(details[launch], "output_type_shape")[1],
            )
        )
    return Observed(kernels_of_file(graph, launched))


def _first(details: Mapping[Any, Any], side: str) -> tuple[str, Shape]:
    """Type and shape of the first of a list like ``[{"float": [1, 64, 7, 7]}]``."""
    try:
        ((kind, sizes),) = details[side][0].items()
        dtype = _DTYPES.get(kind, str(kind))
        shape = tuple(max(int(size), 0) for size in sizes)
        return (dtype if dtype in DTYPE_BYTES else ""), shape
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError):
        return "", ()
