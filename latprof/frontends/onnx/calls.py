"""A node of an ONNX graph with what it reads, and its settings by name and kind."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from latprof.errors import ShapeMismatch, UnreadableModel
from latprof.frontends.onnx.messages import (
    AttributeProto,
    GraphProto,
    NodeProto,
    StringStringEntryProto,
    TensorProto,
)
from latprof.frontends.onnx.values import Value
from latprof.frontends.onnx.wire import Decoder

# AttributeProto.AttributeType, and the field that holds it.
_KINDS = {"f": 1, "i": 2, "s": 3, "t": 4, "g": 5, "floats": 6, "ints": 7, "strings": 8}

OWN_DOMAINS = ("", "ai.onnx")  # whose operators go by their bare names

_SCOPES = b"pkg.torch.onnx.name_scopes"  # where torch's dynamo exporter says whose code a node was


@dataclass(frozen=True, eq=False)
class OnnxCall:
    """One use of an operator.

    Parameters
    ----------
    op : str
        Its name; with its domain in front where that is not ONNX's own.
    name : str
    inputs : tuple of Value or None
    outputs : tuple of str
        Names in the file; empty for an output that nobody wants.
    attributes : mapping of str to AttributeProto
    opset : int
        Version of ONNX's operators that the file was written for.
    module : str
    """

    op: str
    name: str
    inputs: tuple[Value | None, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, AttributeProto] = field(default_factory=dict)
    opset: int = 0
    module: str = ""

    def input(self, index: int) -> Value:
        """The input at `index`, which must be there."""
        value = self.get(index)
        if value is None:
            raise ShapeMismatch(f"node {self.name!r} ({self.op}) lacks its input number {index}.")
        return value

    def get(self, index: int) -> Value | None:
        """The input at `index`, if it is there."""
        return self.inputs[index] if index < len(self.inputs) else None

    def has(self, name: str) -> bool:
        return name in self.attributes

    def whole(self, name: str, default: int = 0) -> int:
        return int(self._held(name, "i", default))

    def real(self, name: str, default: float = 0.0) -> float:
        return float(self._held(name, "f", default))

    def wholes(self, name: str, default: Sequence[int] = ()) -> tuple[int, ...]:
        return tuple(self._held(name, "ints", default))

    def reals(self, name: str, default: Sequence[float] = ()) -> tuple[float, ...]:
        return tuple(self._held(name, "floats", default))

    def text(self, name: str, default: str = "") -> str:
        held = self._held(name, "s", None)
        return default if held is None else bytes(held[:4096]).decode("utf-8", errors="replace")

    def tensor(self, name: str) -> TensorProto | None:
        held: TensorProto | None = self._held(name, "t", None)
        return held

    def graph(self, name: str) -> GraphProto:
        held = self._held(name, "g", None)
        if held is None:
            raise UnreadableModel(f"node {self.name!r} ({self.op}) lacks its {name!r}.")
        assert isinstance(held, GraphProto)
        return held

    def _held(self, name: str, kind: str, default: Any) -> Any:
        attribute = self.attributes.get(name)
        if attribute is None:
            return default
        # Files before IR version 3 do not say the type.
        if attribute.type not in (0, _KINDS[kind]):
            raise UnreadableModel(
                f"the attribute {name!r} of node {self.name!r} ({self.op}) is of the wrong kind."
            )
        return getattr(attribute, kind)


def op_name(node: NodeProto) -> str:
    """The operator of a node, with its domain in front where that is not ONNX's own."""
    return node.op_type if node.domain in OWN_DOMAINS else f"{node.domain}.{node.op_type}"


def module_path(node: NodeProto, producer: str) -> str:
    """Dotted path of the module that a node came from, as far as exporters tell.

    ``/features/features.0/conv/Conv`` (torch.onnx.export) and
    ``StatefulPartitionedCall/model/conv1/Conv2D`` (tf2onnx) end with the operator; a part that
    begins with the one before it stands in its place.
    """
    for held in node.metadata_props:
        if _SCOPES in bytes(held[:80]):
            entry = Decoder().decode(StringStringEntryProto, held)
            scopes = re.findall(r"'([^']*)'", entry.value[:10_000])
            return scopes[-2] if len(scopes) > 1 else ""
    if "/" not in node.name or producer == "latprof":
        return ""
    path: list[str] = []
    for part in node.name[:10_000].strip("/").split("/")[:-1]:
        if path and part.startswith(f"{path[-1]}."):
            path.pop()
        path.append(part)
    if path[:1] in (["StatefulPartitionedCall"], ["PartitionedCall"]):
        path = path[1:]
    return ".".join(path)
