"""Zeros among the weights, and what they would save."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from latprof.graph import Call, Graph
from latprof.ops import OPS
from latprof.ops.kinds import kind_of

_DEEPEST = 8  # keys before the name of a weight

NO_GAIN = (
    "a dense runtime multiplies zeros like any other number: scattered zeros save it nothing, and "
    "only whole channels that are taken out make it faster"
)


@dataclass(frozen=True)
class WeightZeros:
    """The zeros of one stored tensor.

    Parameters
    ----------
    shape : tuple of int
    zeros : int
    zero_rows : int
        Slices along the first axis that hold nothing but zeros.
    zero_columns : int
        Slices along the second axis that hold nothing but zeros; 0 without one.
    """

    shape: tuple[int, ...]
    zeros: int
    zero_rows: int
    zero_columns: int


@dataclass(frozen=True)
class LayerSparsity:
    """What the zeros of one layer's weight would save.

    Parameters
    ----------
    name, weight, op, module : str
    elements, zeros : int
    zero_outputs, outputs, zero_inputs, inputs : int
        Channels whose weights are all zero, of how many. Input channels of a grouped
        convolution belong to a group each, and are not looked at.
    macs, nonzero_macs, kept_macs : int
        Multiply-accumulates: all, those with a weight that is not zero, and those left when
        channels of zeros are taken out.
    """

    name: str
    weight: str
    op: str
    module: str
    elements: int
    zeros: int
    zero_outputs: int
    outputs: int
    zero_inputs: int
    inputs: int
    macs: int
    nonzero_macs: int
    kept_macs: int

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True)
class Sparsity:
    """Zeros among a network's parameters.

    Parameters
    ----------
    elements, zeros : int
        Of all parameters whose values were read.
    unread : tuple of str
        Parameters whose values were not found.
    layers : tuple of LayerSparsity
    macs, nonzero_macs, kept_macs : int
        As in `LayerSparsity`, for the whole network; products without stored weights stay as
        they are.
    """

    elements: int
    zeros: int
    unread: tuple[str, ...]
    layers: tuple[LayerSparsity, ...]
    macs: int
    nonzero_macs: int
    kept_macs: int

    def to_dict(self) -> dict[str, Any]:
        return {
            "elements": self.elements,
            "zeros": self.zeros,
            "zero_fraction": self.zeros / self.elements if self.elements else 0.0,
            "macs": self.macs,
            "nonzero_macs": self.nonzero_macs,
            "kept_macs": self.kept_macs,
            "unread": list(self.unread),
            "layers": [layer.to_dict() for layer in self.layers],
            "note": NO_GAIN,
        }


def sparsity_of(graph: Graph, zeros: Mapping[str, WeightZeros]) -> Sparsity:
    """What the zeros in `graph`'s weights would save.

    A weight masked as `torch.nn.utils.prune` does it counts the zeros of the masked weight.
    `zeros` may hold the weights below a key, as a checkpoint does, or in a wrapper.
    """
    zeros = _by_graph_names(graph, zeros)
    layers = []
    macs = nonzero = kept = 0
    for call in graph.calls:
        spec = OPS.get(call.node.op)
        here = spec.macs(call) if spec else 0
        macs += here
        weight = _weight_of(graph, call)
        found = zeros.get(weight) if here and weight else None
        if found is not None and found.shape[::-1] == call.input(1).shape != found.shape:
            found = _transposed(found)  # as some formats keep the matrix of a linear layer
        if found is None or found.shape != call.input(1).shape:
            nonzero += here
            kept += here
            continue
        layer = _layer(call, weight, found, here)
        layers.append(layer)
        nonzero += layer.nonzero_macs
        kept += layer.kept_macs
    parameters = [t for t in graph.tensors.values() if t.role == "parameter"]
    read = [(t, zeros[t.name]) for t in parameters if t.name in zeros]
    return Sparsity(
        elements=sum(t.elements for t, _ in read),
        zeros=sum(found.zeros for _, found in read),
        unread=tuple(t.name for t in parameters if t.name not in zeros),
        layers=tuple(layers),
        macs=macs,
        nonzero_macs=nonzero,
        kept_macs=kept,
    )


def _by_graph_names(graph: Graph, zeros: Mapping[str, WeightZeros]) -> Mapping[str, WeightZeros]:
    """`zeros` without what stands before the names of most of the graph's parameters."""
    wanted = {tensor.name for tensor in graph.tensors.values() if tensor.role == "parameter"}
    before: Counter[str] = Counter()
    for name in zeros:
        parts = name.split(".")
        # A wrapped network stands a few keys deep; names themselves may be much deeper.
        for index in range(min(len(parts), _DEEPEST)):
            if ".".join(parts[index:]) in wanted:
                before[name.removesuffix(".".join(parts[index:]))] += 1
    ((prefix, _),) = before.most_common(1) or (("", 0),)
    return {n.removeprefix(prefix): held for n, held in zeros.items() if n.startswith(prefix)}


def _transposed(found: WeightZeros) -> WeightZeros:
    columns = found.zero_columns if len(found.shape) == 2 else 0
    rows = found.zero_rows if len(found.shape) == 2 else 0
    return WeightZeros(found.shape[::-1], found.zeros, columns, rows)


def _weight_of(graph: Graph, call: Call) -> str:
    """The stored weight of a layer: its second input, or what that masks."""
    weight = call.inputs[1] if len(call.inputs) > 1 else None
    if weight is None or weight.is_weight:
        return weight.name if weight else ""
    maker = graph.producers.get(weight.name)
    if maker is None or maker.op != "mul":
        return ""
    masked = [graph.tensors[name] for name in maker.inputs if name]
    return next((t.name for t in masked if t.role == "parameter"), "")


def _layer(call: Call, weight: str, found: WeightZeros, macs: int) -> LayerSparsity:
    shape: tuple[int, ...] = found.shape
    elements = call.input(1).elements
    groups = int(call.attributes.get("groups", 1))
    rows, columns = (found.zero_rows, shape[0]), (found.zero_columns, (*shape, 1)[1])
    # The weight of a transposed convolution has its inputs first, as the right side of a product.
    swapped = call.node.op in ("conv_transpose", "matmul")
    if call.node.op == "matmul" and len(shape) != 2:
        rows, columns = (0, 1), (0, 1)
    if groups > 1:  # the second axis counts within a group
        columns = (0, columns[1])
    outputs, inputs = (columns, rows) if swapped else (rows, columns)
    kept = macs * (outputs[1] - outputs[0]) * (inputs[1] - inputs[0])
    return LayerSparsity(
        name=call.node.name,
        weight=weight,
        op=kind_of(call),
        module=call.node.module,
        elements=elements,
        zeros=found.zeros,
        zero_outputs=outputs[0],
        outputs=outputs[1],
        zero_inputs=inputs[0],
        inputs=inputs[1],
        macs=macs,
        nonzero_macs=macs * (elements - found.zeros) // elements if elements else 0,
        kept_macs=kept // (outputs[1] * inputs[1]) if outputs[1] * inputs[1] else 0,
    )
