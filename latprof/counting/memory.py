"""How much memory activations take, and where in the network they take the most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from latprof.graph import Graph, Tensor
from latprof.ops import OPS


@dataclass(frozen=True)
class Peak:
    """The moment at which activations take the most memory.

    Parameters
    ----------
    bytes : int
    node : str
        The node that runs at that moment; empty if the inputs alone are the most.
    module : str
    tensors : tuple of Tensor
        What is alive, largest first.
    """

    bytes: int
    node: str
    module: str
    tensors: tuple[Tensor, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "bytes": self.bytes,
            "node": self.node,
            "module": self.module,
            "tensors": [
                {"name": t.name, "shape": list(t.shape), "dtype": t.dtype, "bytes": t.bytes}
                for t in self.tensors
            ],
        }


def peak_activation_bytes(graph: Graph) -> int:
    """Most bytes of inputs and activations alive at one time, running the nodes in order.

    A tensor lives from the node that gives it to the last that reads it; a view shares the
    memory of what it views; model outputs live to the end. No in-place reuse is assumed.
    """
    return _Lives(graph).peak()[0]


def peak_activations(graph: Graph) -> Peak:
    """The peak of `peak_activation_bytes`, with where it is and what is alive there."""
    lives = _Lives(graph)
    most, index = lives.peak()
    node = graph.nodes[index] if index >= 0 else None
    alive = sorted(lives.alive_at(index), key=lambda tensor: -tensor.bytes)
    return Peak(most, node.name if node else "", node.module if node else "", tuple(alive))


class _Lives:
    """From which node to which node every activation lives."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.owner: dict[str, str] = {}
        for node in graph.nodes:
            if node.op in OPS and OPS[node.op].family == "view" and node.inputs:
                viewed = node.inputs[0]
                self.owner[node.outputs[0]] = self.owner.get(viewed, viewed)
        self.last_read: dict[str, int] = {}
        for index, node in enumerate(graph.nodes):
            for name in (*node.inputs, *node.outputs):
                self.last_read[self.owner.get(name, name)] = index
        for name in graph.outputs:
            self.last_read[self.owner.get(name, name)] = len(graph.nodes)

    def peak(self) -> tuple[int, int]:
        """Most bytes, and the index of the node at which they are first alive; -1 for none."""
        tensors = self.graph.tensors
        dying: dict[int, list[str]] = {}
        for name, index in self.last_read.items():
            dying.setdefault(index, []).append(name)
        alive = sum(tensors[name].bytes for name in self.graph.inputs)
        most, where = alive, -1
        for index, node in enumerate(self.graph.nodes):
            alive += sum(tensors[name].bytes for name in node.outputs if name not in self.owner)
            if alive > most:
                most, where = alive, index
            for name in dying.get(index, ()):
                if name and not tensors[name].is_weight:
                    alive -= tensors[name].bytes
        return most, where

    def alive_at(self, index: int) -> list[Tensor]:
        """Inputs and activations in memory while the node at `index` runs."""
        tensors = self.graph.tensors
        end = len(self.graph.nodes)
        found = [tensors[n] for n in self.graph.inputs if self.last_read.get(n, end) >= index]
        for node in self.graph.nodes[: index + 1]:
            found += [
                tensors[name]
                for name in node.outputs
                if name not in self.owner and self.last_read[name] >= index
            ]
        return found
