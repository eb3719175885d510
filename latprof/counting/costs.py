"""What each node costs, and sums of that by kind of operator and by module."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from latprof.graph import Call, Graph
from latprof.ops import OPS
from latprof.ops.kinds import kind_of


@dataclass(frozen=True)
class Cost:
    """What one node costs, or several together.

    Parameters
    ----------
    nodes : int
    params : int
        Trained numbers, each tensor with the node that reads it first.
    macs : int
    elementwise_ops : int
        Scalar operations outside the multiply-accumulates, without those of norms.
    norm_ops : int
        Scalar operations of norms.
    bytes_read, bytes_written : int
        Each node on its own: nothing is fused, and nothing stays in a cache. Views move nothing.
    activation_bytes : int
        Memory that the outputs take up; views take none.
    """

    nodes: int = 0
    params: int = 0
    macs: int = 0
    elementwise_ops: int = 0
    norm_ops: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    activation_bytes: int = 0

    @property
    def ops(self) -> int:
        """All arithmetic: a multiply-accumulate is two operations."""
        return 2 * self.macs + self.elementwise_ops + self.norm_ops

    @property
    def bytes_moved(self) -> int:
        return self.bytes_read + self.bytes_written

    @property
    def intensity(self) -> float | None:
        """Operations per byte moved, as a roofline has it; None where nothing moves."""
        return self.ops / self.bytes_moved if self.bytes_moved else None

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in COST_FIELDS}


COST_FIELDS = tuple(Cost.__dataclass_fields__)
_numbers = attrgetter(*COST_FIELDS)


@dataclass(frozen=True)
class NodeCost:
    """One node: what it is, where it stands, what it costs."""

    name: str
    op: str
    module: str
    known: bool
    cost: Cost

    def to_dict(self) -> dict[str, Any]:
        about = {"name": self.name, "op": self.op, "module": self.module, "known": self.known}
        return about | self.cost.to_dict()


@dataclass(frozen=True)
class GroupCost:
    """Nodes of one kind, or below one module."""

    name: str
    cost: Cost
    depth: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "depth": self.depth} | self.cost.to_dict()


def node_costs(graph: Graph) -> tuple[NodeCost, ...]:
    """The cost of every node, in running order.

    An operator without a formula counts its parameters and its bytes, and is not `known`.
    """
    seen: set[str] = set()
    return tuple(_node_cost(call, seen) for call in graph.calls)


def _node_cost(call: Call, seen: set[str]) -> NodeCost:
    spec = OPS.get(call.node.op)
    first = {t.name: t for t in call.weights if t.name not in seen and t.role == "parameter"}
    seen.update(first)
    view = spec is not None and spec.family == "view"
    read = {t.name: t.bytes for t in call.inputs if t is not None}
    written = 0 if view else sum(t.bytes for t in call.outputs)
    other = spec.elementwise_ops(call) if spec else 0
    norm = spec is not None and spec.family == "norm"
    cost = Cost(
        nodes=1,
        params=sum(t.elements for t in first.values()),
        macs=spec.macs(call) if spec else 0,
        elementwise_ops=0 if norm else other,
        norm_ops=other if norm else 0,
        bytes_read=spec.bytes_read(call) if spec else sum(read.values()),
        bytes_written=spec.bytes_written(call) if spec else written,
        activation_bytes=written,
    )
    kind = kind_of(call) if spec else call.node.op
    return NodeCost(call.node.name, kind, call.node.module, spec is not None, cost)


def total(costs: Iterable[Cost]) -> Cost:
    """The sum of costs."""
    return Cost(*map(sum, zip(*map(_numbers, costs), strict=True)))


def by_kind(nodes: Sequence[NodeCost]) -> tuple[GroupCost, ...]:
    """The cost of each kind of operator, the one with the most MACs first, then by bytes."""
    groups: dict[str, list[Cost]] = {}
    for node in nodes:
        groups.setdefault(node.op, []).append(node.cost)
    rows = [GroupCost(kind, total(costs)) for kind, costs in groups.items()]
    return tuple(sorted(rows, key=lambda row: (-row.cost.macs, -row.cost.bytes_moved, row.name)))


def by_module(nodes: Sequence[NodeCost], depth: int) -> tuple[GroupCost, ...]:
    """The cost of every module down to `depth`, the whole first, in the order of running.

    A module's cost includes that of the modules within it. Nodes that stand outside any module
    count for the whole only.
    """
    groups: dict[tuple[str, ...], list[Cost]] = {(): []}
    for node in nodes:
        path = tuple(node.module.split(".", depth)[:depth]) if node.module and depth else ()
        for length in range(len(path) + 1):
            groups.setdefault(path[:length], []).append(node.cost)
    first = {path: index for index, path in enumerate(groups)}
    order = sorted(groups, key=lambda path: [first[path[:i]] for i in range(len(path) + 1)])
    return tuple(GroupCost(".".join(path), total(groups[path]), len(path)) for path in order)
