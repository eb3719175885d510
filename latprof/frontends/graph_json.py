"""A graph that latprof saved (`Graph.to_dict` as JSON) → graph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from latprof.errors import ModelError, UnreadableModel
from latprof.frontends.bounded import parse_json, read_file
from latprof.frontends.inputs import InputSpec, require_inputs
from latprof.graph import Graph
from latprof.ops import OPS, infer_shapes


def read(path: Path, *, inputs: Sequence[InputSpec] = (), trust: bool = False) -> Graph:
    """Read the graph in the JSON file at `path`; it keeps the name and source it was saved with."""
    data = parse_json(read_file(path), repr(str(path)))
    if not isinstance(data, dict) or data.get("format") != "latprof graph":
        raise UnreadableModel(
            f"{str(path)!r} is JSON, but not a graph that latprof saved. Give the model itself."
        )
    graph = checked_graph(data, repr(str(path)))
    require_inputs(
        inputs,
        [graph.tensors[name] for name in graph.inputs],
        advice="A saved graph has fixed shapes: capture the model again, or leave --input out.",
    )
    return graph


def checked_graph(data: Any, what: str) -> Graph:
    """The graph that `data` spells, if its operators give the shapes that it says.

    Raises
    ------
    UnreadableModel
        If it is none; `what` names it.
    """
    try:
        graph = Graph.from_dict(data)
    except UnreadableModel as error:
        raise UnreadableModel(f"{what}: {error}") from error
    except RecursionError as error:
        raise UnreadableModel(f"{what}: attributes are nested too deeply.") from error
    _check_operators(graph, what)
    return graph


def _check_operators(graph: Graph, what: str) -> None:
    for call in graph.calls:
        if call.node.op not in OPS:
            continue
        try:
            inferred = infer_shapes(call)
        except ModelError as error:
            raise UnreadableModel(f"{what}: {error}") from error
        said = tuple(tensor.shape for tensor in call.outputs)
        if OPS[call.node.op].bound:
            continue  # its size depends on the data
        if inferred[: len(said)] != said:
            raise UnreadableModel(
                f"{what}: node {call.node.name!r} ({call.node.op}) says that it gives "
                f"{said}, but its inputs make {inferred}. Capture the model again."
            )
