"""A model counted: parameters, arithmetic and memory, by kind and by module."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from latprof.answers import Answer, heading
from latprof.counting import ModelFacts, Peak, peak_activations
from latprof.counting import count as count_graph
from latprof.counting.conventions import ConventionTotal, find_convention, totals
from latprof.counting.costs import Cost, NodeCost, by_kind, by_module, node_costs, total
from latprof.counting.explanation import Explained, explain
from latprof.counting.quoted import Quoted, parse_quoted
from latprof.counting.sparsity import Sparsity, WeightZeros, sparsity_of
from latprof.counting.weights import WeightFacts, weight_facts
from latprof.graph import Graph, Shape

if TYPE_CHECKING:
    import pandas as pd

DEPTH = 1


@dataclass(frozen=True)
class Count(Answer):
    """What ``latprof count`` answers.

    Parameters
    ----------
    model : ModelFacts
        What every answer says of a model; its numbers can be asked of the count itself.
    weights : WeightFacts
    peak : Peak
        Where activations take the most memory.
    nodes : tuple of NodeCost
        In running order.
    conventions : tuple of ConventionTotal
        The same network by every convention.
    depth : int
        How deep the tree of modules goes.
    convention : str
        The convention asked for; empty for all.
    explained : Explained or None
        Where a quoted figure comes from, if one was given.
    sparsity : Sparsity or None
        Zeros among the weights, if asked for.
    command : str
    """

    model: ModelFacts
    weights: WeightFacts
    peak: Peak
    nodes: tuple[NodeCost, ...]
    conventions: tuple[ConventionTotal, ...]
    depth: int = DEPTH
    convention: str = ""
    explained: Explained | None = None
    sparsity: Sparsity | None = None
    command: str = ""

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def inputs(self) -> tuple[Shape, ...]:
        return self.model.inputs

    @property
    def params(self) -> int:
        return self.model.params

    @property
    def macs(self) -> int:
        """Multiply-accumulates, without those that unknown operators may hide."""
        return self.model.macs

    @property
    def flops(self) -> int:
        return self.model.flops

    @property
    def elementwise_ops(self) -> int:
        """Everything else that computes, norms included."""
        return self.model.elementwise_ops

    @property
    def weight_bytes(self) -> int:
        return self.model.weight_bytes

    @property
    def peak_activation_bytes(self) -> int:
        return self.model.peak_activation_bytes

    @property
    def unknown_ops(self) -> Mapping[str, int]:
        return self.model.unknown_ops

    @cached_property
    def cost(self) -> Cost:
        """Everything together."""
        return total(node.cost for node in self.nodes)

    def by_convention(self) -> dict[str, int | None]:
        """The total under every convention."""
        return {counted.convention.name: counted.total for counted in self.conventions}

    def to_dict(self) -> dict[str, Any]:
        cost = self.cost
        return heading("count", self.command) | {
            "model": self.model.to_dict(),
            "parameters": self.weights.to_dict(),
            "cost": cost.to_dict()
            | {"ops": cost.ops, "bytes_moved": cost.bytes_moved, "ops_per_byte": cost.intensity},
            "peak": self.peak.to_dict(),
            "kinds": [row.to_dict() for row in by_kind(self.nodes)],
            "depth": self.depth,
            "modules": [row.to_dict() for row in by_module(self.nodes, self.depth)],
            "convention": self.convention,
            "conventions": [counted.to_dict() for counted in self.conventions],
            "explained": self.explained.to_dict() if self.explained else None,
            "sparsity": self.sparsity.to_dict() if self.sparsity else None,
            "nodes": [node.to_dict() for node in self.nodes],
        }

    def to_frame(self) -> pd.DataFrame:
        """One row for each node."""
        import pandas as pd

        return pd.DataFrame([node.to_dict() for node in self.nodes])


def account(
    graph: Graph,
    *,
    depth: int = DEPTH,
    convention: str = "",
    explain_figure: str | Quoted = "",
    recapture: Callable[[int], Graph | None] | None = None,
    zeros: Mapping[str, WeightZeros] | None = None,
    command: str = "",
) -> Count:
    """Count a graph.

    Parameters
    ----------
    graph : Graph
    depth : int, default=1
        How deep the tree of modules goes; 0 for none.
    convention : str, optional
        A convention to show term by term.
    explain_figure : str, optional
        A figure that somebody quoted, to be explained: ``"0.39G"``.
    recapture : callable, optional
        Gives the same network for images of another size; see `explain`.
    zeros : mapping of str to WeightZeros, optional
        The zeros in each stored tensor, by its name in the graph.
    command : str, optional

    Raises
    ------
    UnknownName
        If there is no such convention.
    BadReference
        If the quoted figure cannot be read.
    """
    if convention:
        find_convention(convention)
    quoted = parse_quoted(explain_figure) if isinstance(explain_figure, str) and explain_figure \
        else explain_figure  # fmt: skip
    counted = totals(graph)
    explained = None
    if isinstance(quoted, Quoted):
        explained = explain(graph, quoted, recapture, counted=counted)
    return Count(
        model=count_graph(graph),
        weights=weight_facts(graph),
        peak=peak_activations(graph),
        nodes=node_costs(graph),
        conventions=counted,
        depth=depth,
        convention=convention,
        explained=explained,
        sparsity=None if zeros is None else sparsity_of(graph, zeros),
        command=command,
    )
