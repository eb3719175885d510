"""The graph that the nodes of an ONNX file grow into."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from latprof.builder import GraphBuilder
from latprof.errors import UnreadableModel
from latprof.frontends.onnx.calls import OnnxCall
from latprof.frontends.onnx.messages import FunctionProto
from latprof.frontends.onnx.values import Array, Value, from_numbers, read_numbers
from latprof.graph import Call, Graph, Node, Role, Shape, Tensor
from latprof.ops import OPS, infer_shapes

# What an operator's stored operands are, in its order; the rest goes by `Value.trained`.
_ROLES: Mapping[str, tuple[Role, ...]] = {
    **dict.fromkeys(
        ("conv", "conv_transpose", "linear", "layer_norm", "group_norm", "instance_norm",
         "rms_norm", "lstm", "gru", "rnn", "prelu"),
        ("constant", "parameter", "parameter", "parameter"),
    ),
    "batch_norm": ("constant", "parameter", "parameter", "buffer", "buffer"),
    "embedding": ("parameter", "constant"),
    "matmul": ("parameter", "parameter", "parameter"),
    "quantize": ("constant", "constant", "constant"),
    "dequantize": ("constant", "constant", "constant"),
}  # fmt: skip
_RANK: Mapping[Role, int] = {"constant": 0, "buffer": 1, "parameter": 2}

_SAME_NUMBERS = ("reshape", "transpose", "cast")  # of a stored tensor: it keeps its name

# Work at most, whatever a file asks for: functions that call functions multiply.
MAX_NODES = 100_000
MAX_FOLDED = 20_000_000  # numbers computed while reading
KEPT_VALUES = 64  # numbers of a constant that go into the graph


@dataclass
class Translator:
    """Collects ONNX calls into a graph.

    Parameters
    ----------
    builder : GraphBuilder
    folder : Path
        Where the file is; what it stores outside itself has to be there too.
    declared : mapping of str to (shape or None, dtype)
        What the file says about its tensors.
    functions : mapping of (operator, overload) to FunctionProto
    reshaped : bool
        Whether the inputs differ from what the file says, and `declared` with them.
    """

    builder: GraphBuilder
    folder: Path
    declared: Mapping[str, tuple[Shape | None, str]]
    functions: Mapping[tuple[str, str], FunctionProto]
    opset: int = 0
    producer: str = ""
    reshaped: bool = False

    def __post_init__(self) -> None:
        self._scopes: list[dict[str, Value]] = [{}]
        self._roles: dict[str, Role] = {}
        self._owners: dict[str, Value] = {}  # stored tensors in the graph, by name
        self._turned: dict[Value, Value] = {}
        self._taken: Counter[str] = Counter()
        self._names: set[str] = set()
        self._doubts: dict[str, list[str]] = {}
        self._work_left, self._folds_left = MAX_NODES, MAX_FOLDED

    # Names

    def add_input(self, tensor: Tensor) -> None:
        """Add an input of the model."""
        name = self.free_name(tensor.name)
        self.builder.add_tensor(replace(tensor, name=name))
        self.define(tensor.name, Value(name, tensor.shape, tensor.dtype))

    def define(self, name: str, value: Value) -> None:
        """Let `name` stand for `value` from here on."""
        scope = self._scopes[-1]
        if name in scope:
            raise UnreadableModel(f"the tensor {name!r} is defined twice.")
        scope[name] = value

    def is_defined(self, name: str) -> bool:
        return any(name in scope for scope in self._scopes)

    def value(self, name: str) -> Value | None:
        """What `name` stands for; None for the empty name of an input left out."""
        if not name:
            return None
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        raise UnreadableModel(f"something reads {name!r}, which nothing before it defines.")

    def enter(self, *, sees_outside: bool) -> list[dict[str, Value]]:
        """Open a scope of names; the scopes before it come back, for `leave`."""
        before = self._scopes
        self._scopes = [*(before if sees_outside else ()), {}]
        return before

    def leave(self, before: list[dict[str, Value]]) -> None:
        self._scopes = before

    def free_name(self, wanted: str) -> str:
        """`wanted`, numbered if a tensor has that name already."""
        name = wanted
        while name in self._names or name in self.builder:
            self._taken[wanted] += 1  # remembered: a file may give a million tensors one name
            name = f"{wanted}_{self._taken[wanted]}"
        self._names.add(name)
        return name

    def spend(self, work: int) -> None:
        """Count work, so that no file takes forever."""
        self._work_left -= work
        if self._work_left < 0:
            raise UnreadableModel(
                f"it comes to more than {MAX_NODES:,} nodes, more than any real network has."
            )

    def assume(self, what: str, node: str) -> None:
        """Note a guess; nodes with the same one share a line."""
        self._doubts.setdefault(what, []).append(node)

    # Numbers

    def known(self, value: Value | None) -> Array | None:
        """The numbers of a small stored value."""
        if value is None or not value.stored or value.kept_as != value.dtype:
            return None
        if value.numbers is None and value.proto is not None:
            value.numbers = read_numbers(value.proto, self.folder)
            value.proto = value.proto if value.numbers is None else None
        return value.numbers

    def whole(self, value: Value | None, call: OnnxCall) -> tuple[int, ...] | None:
        """Whole numbers that a node's settings depend on; None if the input was left out.

        Raises
        ------
        UnreadableModel
            If they are known only when the model runs.
        """
        if value is None:
            return None
        numbers = self.known(value)
        if numbers is None:
            why = "is not a short list of numbers" if value.stored else (
                "is computed from the model's input values, so that shapes in this model depend "
                "on its data"
            )  # fmt: skip
            raise UnreadableModel(
                f"node {call.name!r} ({call.op}) takes its sizes from {value.name!r}, which {why}. "
                "Export the model with fixed sizes."
            )
        return tuple(int(number) for number in numbers.reshape(-1).tolist())

    def axes(self, call: OnnxCall, index: int, name: str = "axes") -> tuple[int, ...] | None:
        """A setting that is an attribute in old files, and an input in new ones."""
        if call.has(name):
            return call.wholes(name)
        return self.whole(call.get(index), call)

    def fold(self, call: OnnxCall, arrays: Sequence[Array]) -> None:
        """Define the outputs of `call` by their numbers."""
        self._folds_left -= sum(array.size + 8 for array in arrays)
        if self._folds_left < 0:
            raise UnreadableModel("its constants take too much arithmetic for a real network.")
        for name, array in zip(call.outputs, arrays, strict=False):
            if name:
                self.define(name, from_numbers(array, self.free_name(name)))

    def number(self, number: float, like: Value, name: str) -> Value:
        """A scalar constant of the graph."""
        kind = like.dtype if like.dtype in np.sctypeDict else "float32"
        return from_numbers(np.asarray(number, dtype=kind), self.free_name(name))

    # Nodes

    def emit(
        self,
        call: OnnxCall,
        op: str,
        operands: Iterable[Value | None],
        *,
        inner: str = "",
        shapes: Sequence[Shape] | None = None,
        dtype: str | Sequence[str] = "",
        outputs: int = 1,
        **attributes: Any,
    ) -> Value:
        """Add one node that computes `call`, or a step on the way; its first value comes back.

        Parameters
        ----------
        shapes : sequence of shape, optional
            Of the outputs, for an operator that cannot tell them.
        dtype : str or one for each output, optional
            That of the first operand, if left out.
        outputs : int
            How many outputs of `call` it gives, or how many inner values.
        inner : str
            Suffix for the name of an inner step; its values are not the outputs of `call`.
        """
        found = self.emit_all(
            call, op, operands, inner=inner, shapes=shapes, dtype=dtype, outputs=outputs,
            **attributes,
        )  # fmt: skip
        return found[0]

    def emit_all(
        self,
        call: OnnxCall,
        op: str,
        operands: Iterable[Value | None],
        *,
        inner: str = "",
        shapes: Sequence[Shape] | None = None,
        dtype: str | Sequence[str] = "",
        outputs: int = 1,
        **attributes: Any,
    ) -> list[Value]:
        """As `emit`; all its values come back."""
        given = list(operands)
        while given and given[-1] is None:
            given.pop()
        found = self._shapes(call, op, given, attributes) if op in OPS else shapes
        if found is None:
            found = shapes or ()
        found = found[: max(outputs, 1)]
        dtypes = [dtype] * len(found) if isinstance(dtype, str) else list(dtype)
        like = next((value.dtype for value in given if value is not None), "float32")
        stored = bool(given) and all(value is None or value.stored for value in given)
        values = []
        for index, shape in enumerate(found):
            name = call.outputs[index] if index < len(call.outputs) else ""
            wanted = f"{call.outputs[0] if call.outputs else call.name}{inner}" if inner else name
            value = Value(
                self.free_name(wanted or f"{call.name}:{index}"),
                tuple(shape),
                (dtypes[index] if index < len(dtypes) else "") or like,
                stored=stored,
            )
            values.append(value)
            if name and not inner:
                self.define(name, value)
        if stored:
            _inherit(values, given, op)
        else:
            self._add(call, op, given, attributes, values, inner)
        return values

    def _shapes(
        self, call: OnnxCall, op: str, given: Sequence[Value | None], attributes: Mapping[str, Any]
    ) -> Sequence[Shape]:
        tensors = tuple(
            None if value is None else Tensor(value.name, value.shape, value.kept_as)
            for value in given
        )
        names = tuple("" if tensor is None else tensor.name for tensor in tensors)
        return infer_shapes(Call(Node(call.name, op, names, (), attributes), tensors, ()))

    def _add(
        self,
        call: OnnxCall,
        op: str,
        given: Sequence[Value | None],
        attributes: Mapping[str, Any],
        values: Sequence[Value],
        inner: str,
    ) -> None:
        roles = _ROLES.get(op, ())
        inputs = [
            self.operand(value, roles[index] if index < len(roles) else None)
            for index, value in enumerate(given)
        ]
        tensors = [Tensor(value.name, value.shape, value.dtype) for value in values]
        self.builder.add(
            op, inputs, attributes, name=self._node_name(call, inner), module=call.module,
            outputs=tensors,
        )  # fmt: skip

    def _node_name(self, call: OnnxCall, inner: str) -> str:
        name = wanted = f"{call.name}{inner}"
        while f"node {name}" in self._names:
            self._taken[f"node {wanted}"] += 1
            name = f"{wanted}_{self._taken[f'node {wanted}']}"
        self._names.add(f"node {name}")
        return name

    def operand(self, value: Value | None, role: Role | None = None) -> str:
        """The tensor's name in the graph; a stored tensor enters it when it is first used."""
        if value is None:
            return ""
        if not value.stored:
            return value.name
        role = role or ("parameter" if value.trained else "constant")
        owner = self._owners.get(value.name)
        if owner is not value:
            if owner is not None:  # the same matrix the other way round
                value.name = self.free_name(value.name)
            self._owners[value.name] = value
            self.builder.add_tensor(
                Tensor(value.name, value.shape, value.kept_as, "constant", self._kept(value))
            )
        self._roles[value.name] = max(
            self._roles.get(value.name, role), role, key=lambda each: _RANK[each]
        )
        return value.name

    def _kept(self, value: Value) -> tuple[Any, ...] | None:
        """Numbers of a constant that say how the network is steered."""
        if value.elements > KEPT_VALUES or value.trained or value.kept_as != value.dtype:
            return None
        numbers = self.known(value)
        if numbers is None or numbers.dtype.kind not in "biuf":
            return None
        return tuple(numbers.reshape(-1).tolist())

    def note_stored(self, value: Value | None) -> None:
        """Count a constant that no operator of ours takes, as the scale of a folded weight."""
        if value is not None and value.stored:
            self.operand(value, "constant")

    def turned(self, value: Value) -> Value:
        """The transpose of a stored matrix: the same tensor seen the other way round."""
        if value.transposed is not None:
            return value.transposed
        if value not in self._turned:
            rows, columns = value.shape
            turned = Value(
                value.name, (columns, rows), value.dtype, stored=True, kept_as=value.kept_as,
                trained=value.trained, transposed=value,
            )  # fmt: skip
            self._turned[value] = turned
        return self._turned[value]

    # The end

    def finish(self, outputs: Sequence[Value], assumptions: Iterable[str]) -> Graph:
        """The graph; every stored tensor has its role."""
        for what, nodes in self._doubts.items():
            more = f" and {len(nodes) - 1} more" if len(nodes) > 1 else ""
            self.builder.assumptions.append(f"{what} ({nodes[0]}{more})")
        self.builder.assumptions += assumptions
        graph = self.builder.finish([self.operand(value) for value in outputs])
        tensors = {
            name: replace(tensor, role=self._roles[name]) if name in self._roles else tensor
            for name, tensor in graph.tensors.items()
        }
        return replace(graph, tensors=tensors)


Translate = Callable[[Translator, OnnxCall], None]


def _inherit(values: Sequence[Value], given: Sequence[Value | None], op: str) -> None:
    """What is computed from stored tensors while loading is stored as they are."""
    sources = [value for value in given if value is not None]
    for value in values:
        if sources[0].kept_as != sources[0].dtype and value.dtype == sources[0].dtype:
            value.kept_as = sources[0].kept_as
        value.trained = "float" in value.dtype and any(source.trained for source in sources)
        if op in _SAME_NUMBERS:
            value.name = sources[0].name
