"""What a model is: tensors and nodes in running order, free of any framework.

Shapes are logical: channels come second (N, C, ...) whatever the layout a file or a runtime
keeps. A graph is checked when it is made: every name is defined once and before its use.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

from latprof.errors import ShapeMismatch, UnreadableModel

Role = Literal["input", "activation", "parameter", "buffer", "constant"]
Shape = tuple[int, ...]
Scalar = int | float | bool

ROLES: tuple[Role, ...] = ("input", "activation", "parameter", "buffer", "constant")

# Bytes of one element. Names are numpy's; bfloat16 and int4 are the two numpy lacks.
DTYPE_BYTES: Mapping[str, float] = MappingProxyType(
    {
        "float64": 8,
        "float32": 4,
        "float16": 2,
        "bfloat16": 2,
        "float8": 1,
        "int64": 8,
        "int32": 4,
        "int16": 2,
        "int8": 1,
        "uint8": 1,
        "uint16": 2,
        "uint32": 4,
        "uint64": 8,
        "int4": 0.5,
        "bool": 1,
        "complex64": 8,
        "complex128": 16,
    }
)

SCHEMA = 1
MAX_NODES = 1_000_000
MAX_ELEMENTS = 2**48  # 280 T elements: no real tensor is larger; a forged one may be


@dataclass(frozen=True)
class Tensor:
    """One value of a graph: its shape and type, not its contents.

    Parameters
    ----------
    name : str
    shape : tuple of int
        Logical shape, channels second.
    dtype : str
        A key of `DTYPE_BYTES`.
    role : str
        Where it comes from: ``input`` of the model, ``activation`` of a node, trained
        ``parameter``, ``buffer`` (running statistics) or ``constant``.
    values : tuple of numbers, optional
        Contents, row-major, kept only for small constants that steer the network
        (indices, scalars), never for weights.
    trainable : bool
        For a parameter: whether training would change it.
    """

    name: str
    shape: Shape
    dtype: str = "float32"
    role: Role = "activation"
    values: tuple[Scalar, ...] | None = None
    trainable: bool = True

    def __post_init__(self) -> None:
        if self.dtype not in DTYPE_BYTES:
            raise UnreadableModel(f"tensor {self.name!r} has the unknown dtype {self.dtype!r}.")
        if any(size < 0 for size in self.shape):
            raise ShapeMismatch(
                f"tensor {self.name!r} has the shape {self.shape}; no size may be negative."
            )
        if self.elements > MAX_ELEMENTS:
            raise ShapeMismatch(
                f"tensor {self.name!r} of shape {self.shape} would hold {self.elements} elements; "
                "the file is broken or not a real network."
            )
        if self.values is not None and len(self.values) != self.elements:
            raise ShapeMismatch(
                f"tensor {self.name!r} of shape {self.shape} comes with {len(self.values)} values "
                f"instead of {self.elements}."
            )

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        return math.ceil(self.elements * DTYPE_BYTES[self.dtype])

    @property
    def is_weight(self) -> bool:
        """Whether the tensor is stored with the model rather than computed."""
        return self.role in ("parameter", "buffer", "constant")


@dataclass(frozen=True)
class Node:
    """One operation: its operator, what goes in and out, and where the author wrote it.

    Parameters
    ----------
    name : str
        Unique within the graph.
    op : str
        Name of an operator in `latprof.ops`, or any other name for an unknown operator.
    inputs : tuple of str
        Tensor names, in the operator's order; ``""`` stands for an optional input left out.
    outputs : tuple of str
    attributes : mapping
        The operator's settings: numbers, strings, and tuples of them.
    module : str
        Dotted path of the module that contains the operation, for roll-ups.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    module: str = ""

    def __post_init__(self) -> None:
        frozen = MappingProxyType({k: _freeze(v) for k, v in self.attributes.items()})
        object.__setattr__(self, "attributes", frozen)

    def __reduce__(self) -> Any:
        raise TypeError("graphs are saved as JSON (Graph.to_dict), never pickled")


@dataclass(frozen=True)
class Call:
    """A node together with the tensors it takes and gives: what operator formulas read."""

    node: Node
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]

    @property
    def attributes(self) -> Mapping[str, Any]:
        return self.node.attributes

    def input(self, index: int) -> Tensor:
        """The input at `index`, which must be there."""
        tensor = self.inputs[index] if index < len(self.inputs) else None
        if tensor is None:
            raise ShapeMismatch(
                f"node {self.node.name!r} ({self.node.op}) lacks its input number {index}."
            )
        return tensor

    @property
    def activations(self) -> tuple[Tensor, ...]:
        """Inputs computed at run time."""
        return tuple(t for t in self.inputs if t is not None and not t.is_weight)

    @property
    def weights(self) -> tuple[Tensor, ...]:
        """Inputs stored with the model."""
        return tuple(t for t in self.inputs if t is not None and t.is_weight)


@dataclass(frozen=True)
class Graph:
    """A model: nodes in running order and every tensor they touch.

    Parameters
    ----------
    name : str
    nodes : tuple of Node
        In an order in which they can run.
    tensors : mapping of str to Tensor
    inputs, outputs : tuple of str
        Names of the tensors that enter and leave the model.
    source : str
        What the user named: a file, ``zoo:mobilenet_v2``, ...
    assumptions : tuple of str
        What had to be guessed while reading; shown wherever the graph's numbers are.
    """

    name: str
    nodes: tuple[Node, ...]
    tensors: Mapping[str, Tensor]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    source: str = ""
    assumptions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "tensors", MappingProxyType(dict(self.tensors)))
        self._check()

    def _check(self) -> None:
        if len(self.nodes) > MAX_NODES:
            raise UnreadableModel(
                f"{self.name!r} has {len(self.nodes)} nodes; {MAX_NODES} at most."
            )
        known = {t.name for t in self.tensors.values() if t.is_weight} | set(self.inputs)
        names: set[str] = set()
        for node in self.nodes:
            if node.name in names:
                raise UnreadableModel(f"{self.name!r} has two nodes named {node.name!r}.")
            names.add(node.name)
            if not node.outputs:
                raise UnreadableModel(f"node {node.name!r} of {self.name!r} gives no output.")
            for name in node.inputs:
                if name and name not in known:
                    raise UnreadableModel(
                        f"node {node.name!r} of {self.name!r} reads {name!r}, which no earlier "
                        "node, input or weight defines."
                    )
            for name in node.outputs:
                if name in known:
                    raise UnreadableModel(f"tensor {name!r} of {self.name!r} is defined twice.")
                known.add(name)
        missing = {name for name in (*known, *self.outputs) if name not in self.tensors}
        if missing or not set(self.outputs) <= known:
            raise UnreadableModel(
                f"{self.name!r} says nothing about the tensors {sorted(missing)[:3]}."
                if missing
                else f"{self.name!r} has outputs that no node computes."
            )

    @cached_property
    def calls(self) -> tuple[Call, ...]:
        """Every node with its tensors, in running order."""
        return tuple(self.call(node) for node in self.nodes)

    def call(self, node: Node) -> Call:
        """`node` with its tensors."""
        inputs = tuple(self.tensors[name] if name else None for name in node.inputs)
        return Call(node, inputs, tuple(self.tensors[name] for name in node.outputs))

    @cached_property
    def consumers(self) -> Mapping[str, tuple[Node, ...]]:
        """Nodes that read each tensor; a node that reads it twice stands twice."""
        found: dict[str, list[Node]] = {name: [] for name in self.tensors}
        for node in self.nodes:
            for name in node.inputs:
                if name:
                    found[name].append(node)
        return MappingProxyType({name: tuple(nodes) for name, nodes in found.items()})

    @cached_property
    def producers(self) -> Mapping[str, Node]:
        """The node that computes each activation."""
        return MappingProxyType({name: node for node in self.nodes for name in node.outputs})

    def to_dict(self) -> dict[str, Any]:
        """The graph as plain data for JSON; `from_dict` reads it back."""
        return {
            "format": "latprof graph",
            "schema": SCHEMA,
            "name": self.name,
            "source": self.source,
            "assumptions": list(self.assumptions),
            "inputs": list(self.inputs),
            "outputs": list(self.outputs),
            "tensors": [_tensor_to_dict(tensor) for tensor in self.tensors.values()],
            "nodes": [
                {
                    "name": node.name,
                    "op": node.op,
                    "inputs": list(node.inputs),
                    "outputs": list(node.outputs),
                    "attributes": dict(node.attributes),
                    "module": node.module,
                }
                for node in self.nodes
            ],
        }

    @classmethod
    def from_dict(cls, data: Any) -> Graph:
        """Read and check what `to_dict` wrote.

        Raises
        ------
        UnreadableModel
            If `data` is not a graph, or one of a newer schema.
        """
        if not isinstance(data, dict) or data.get("format") != "latprof graph":
            raise UnreadableModel("this JSON is not a latprof graph.")
        if data.get("schema") != SCHEMA:
            raise UnreadableModel(
                f"this graph has schema {data.get('schema')!r}; this latprof reads {SCHEMA}. "
                "Capture the model again, or update latprof."
            )
        try:
            tensors = [_tensor_from_dict(entry) for entry in _list(data["tensors"])]
            nodes = tuple(_node_from_dict(entry) for entry in _list(data["nodes"]))
            if len({tensor.name for tensor in tensors}) != len(tensors):
                raise UnreadableModel("this graph defines a tensor twice.")
            return cls(
                name=_text(data["name"]),
                nodes=nodes,
                tensors={tensor.name: tensor for tensor in tensors},
                inputs=_texts(data["inputs"]),
                outputs=_texts(data["outputs"]),
                source=_text(data["source"]),
                assumptions=_texts(data["assumptions"]),
            )
        except RecursionError as error:
            raise UnreadableModel("attributes of this graph are nested too deeply.") from error
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UnreadableModel(f"this latprof graph is broken: {error!r}.") from error


def _freeze(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return tuple(_freeze(item) for item in value)
    return value


def _tensor_to_dict(tensor: Tensor) -> dict[str, Any]:
    data: dict[str, Any] = {"name": tensor.name, "shape": list(tensor.shape)}
    data |= {"dtype": tensor.dtype, "role": tensor.role}
    if tensor.values is not None:
        data["values"] = list(tensor.values)
    if not tensor.trainable:
        data["trainable"] = False
    return data


def _tensor_from_dict(data: Mapping[str, Any]) -> Tensor:
    if data["role"] not in ROLES:
        raise ValueError(f"unknown role {data['role']!r}")
    values = data.get("values")
    return Tensor(
        name=_text(data["name"]),
        shape=tuple(_whole(size) for size in _list(data["shape"])),
        dtype=_text(data["dtype"]),
        role=data["role"],
        values=None if values is None else tuple(_scalar(value) for value in _list(values)),
        trainable=_flag(data.get("trainable", True)),
    )


def _node_from_dict(data: Mapping[str, Any]) -> Node:
    if not isinstance(data["attributes"], dict):
        raise ValueError("attributes must be an object")
    if any(_holds_an_object(value) for value in data["attributes"].values()):
        raise ValueError("attributes are numbers, text and lists of them, not objects")
    return Node(
        name=_text(data["name"]),
        op=_text(data["op"]),
        inputs=_texts(data["inputs"]),
        outputs=_texts(data["outputs"]),
        attributes=data["attributes"],
        module=_text(data["module"]),
    )


def _holds_an_object(value: Any) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, list) and any(_holds_an_object(item) for item in value)
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected text, found {value!r:.80}")
    return value


def _texts(values: Any) -> tuple[str, ...]:
    return tuple(_text(value) for value in _list(values))


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"expected a list, found {value!r:.80}")
    return value


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"expected a whole number, found {value!r:.80}")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"expected true or false, found {value!r:.80}")
    return value


def _scalar(value: Any) -> Scalar:
    if not isinstance(value, (int, float)):
        raise ValueError(f"expected a number, found {value!r:.80}")
    return value
