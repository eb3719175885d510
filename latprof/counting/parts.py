"""The parts of a network that a quoted figure may hold or leave out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from latprof.graph import Call, Graph
from latprof.ops import OPS
from latprof.ops.kinds import kind_of

# How far to look back from a gate: pool, reduce, activation, expand, gate and some reshaping.
_LONGEST_GATE = 16
_GATES = ("mul",)
_POOLS = ("adaptive_avg_pool", "adaptive_max_pool", "mean", "avg_pool", "max")


@dataclass(frozen=True)
class Parts:
    """Terms that add up to a figure, in operations.

    Parameters
    ----------
    macs : mapping of str to int
        Multiply-accumulates of ``convolutions``, ``linear layers``, ``matrix products``,
        ``attention`` and ``recurrent layers``; those that are not there are left out.
    optional : mapping of str to int
        Multiply-accumulates that are part of `macs` and sometimes left out.
    extra : mapping of str to int
        What is not part of `macs` and sometimes added.
    """

    macs: Mapping[str, int]
    optional: Mapping[str, int]
    extra: Mapping[str, int]

    @property
    def total_macs(self) -> int:
        return sum(self.macs.values())


_NAMES = {
    "conv": "convolutions",
    "conv_transpose": "convolutions",
    "linear": "linear layers",
    "attention": "attention",
    "matmul": "matrix products",
    "einsum": "matrix products",
    "lstm": "recurrent layers",
    "gru": "recurrent layers",
    "rnn": "recurrent layers",
}


def parts_of(graph: Graph) -> Parts:
    """Take a graph apart."""
    macs: dict[str, int] = {}
    biases = batch_norms = other_norms = activations = sums = pools = 0
    depthwise = 0
    for call in graph.calls:
        op = call.node.op
        spec = OPS.get(op)
        if spec is None:
            continue
        here = spec.macs(call)
        if here:
            name = _NAMES.get(op, op)
            macs[name] = macs.get(name, 0) + here
            depthwise += here if kind_of(call) == "depthwise" else 0
        elements = call.outputs[0].elements
        if op in ("conv", "conv_transpose", "linear"):
            biases += elements if len(call.inputs) > 2 and call.inputs[2] is not None else 0
        elif op == "batch_norm":
            batch_norms += elements
        elif spec.family == "norm":
            other_norms += elements
        elif spec.family == "activation":
            activations += elements
        elif spec.family == "elementwise":
            sums += elements
        elif spec.family == "pool":
            pools += spec.elementwise_ops(call)
    elementwise = sum(OPS[c.node.op].elementwise_ops(c) for c in graph.calls if c.node.op in OPS)
    optional = {
        "squeeze-excite": _gate_macs(graph),
        "the classifier": _classifier_macs(graph),
        "linear layers": macs.get("linear layers", 0),
        "attention": macs.get("attention", 0) + macs.get("matrix products", 0),
        "depthwise convolutions": depthwise,
    }
    extra = {
        "biases": biases,
        "batch norms (1 an element)": batch_norms,
        "batch norms (2 an element)": 2 * batch_norms,
        "norms (1 an element)": other_norms + batch_norms if other_norms else 0,
        "activations (1 an element)": activations,
        "additions and products of elements": sums,
        "pools": pools,
        "everything elementwise": elementwise,
    }
    whole = sum(macs.values())
    return Parts(
        macs,
        {name: value for name, value in optional.items() if 0 < value < whole},
        {name: value for name, value in extra.items() if value},
    )


def _classifier_macs(graph: Graph) -> int:
    """Of the last product, if it gives the model's output through nothing but reshaping."""
    producers = graph.producers
    found = 0
    for name in graph.outputs:
        for _ in range(_LONGEST_GATE):
            node = producers.get(name)
            if node is None or node.op not in OPS:
                break
            call = graph.call(node)
            macs = OPS[node.op].macs(call)
            if macs:
                found += macs if _on_one_pixel(call) else 0
                break
            name = node.inputs[0] if node.inputs else ""
    return found


def _gate_macs(graph: Graph) -> int:
    """Of layers between a pool of the whole map and a product with that map (squeeze-excite)."""
    counted: dict[str, int] = {}
    for node in graph.nodes:
        if node.op not in _GATES:
            continue
        sizes = [graph.tensors[name].elements for name in node.inputs if name]
        for name in node.inputs:
            if name and graph.tensors[name].elements < max(sizes):
                counted |= _behind_gate(graph, name)
    return sum(counted.values())


def _behind_gate(graph: Graph, name: str) -> dict[str, int]:
    """Multiply-accumulates by node from a gate back to its pool; nothing if there is no pool."""
    found: dict[str, int] = {}
    for _ in range(_LONGEST_GATE):
        node = graph.producers.get(name)
        if node is None or node.op not in OPS:
            return {}
        if node.op in _POOLS:
            return found
        macs = OPS[node.op].macs(graph.call(node))
        if macs:
            found[node.name] = macs
        name = node.inputs[0] if node.inputs else ""
    return {}


def _on_one_pixel(call: Call) -> bool:
    """Whether a layer works on features rather than on a map."""
    return call.node.op == "linear" or math.prod(call.outputs[0].shape[2:]) == 1
