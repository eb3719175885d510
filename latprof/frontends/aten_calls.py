"""A call of an ATen operator, and the graph that such calls grow into."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from latprof.builder import GraphBuilder
from latprof.graph import Graph, Scalar, Tensor


@dataclass(frozen=True)
class Ref:
    """An argument that is a tensor, by its name."""

    name: str


@dataclass(frozen=True)
class AtenCall:
    """One call of an ATen operator.

    Parameters
    ----------
    target : str
        The operator without its namespace: ``conv2d.default``, ``add.Tensor``, ``hardtanh_``.
    arguments : mapping of str to value
        By schema name; tensors are `Ref`, lists of tensors are tuples of `Ref`. Arguments left
        at their default may be absent.
    outputs : tuple of Tensor
    module : str
        Dotted path of the module that made the call.
    """

    target: str
    arguments: Mapping[str, Any]
    outputs: tuple[Tensor, ...]
    module: str = ""

    @property
    def operator(self) -> str:
        """The target without overload and without the mark of in-place forms."""
        return self.target.split(".")[0].removesuffix("_")

    @property
    def in_place(self) -> bool:
        """Whether the call overwrites its first operand (``relu_``, ``add_``)."""
        base = self.target.split(".")[0]
        return base.endswith("_") and not base.endswith("__")

    def get(self, key: str, default: Any = None) -> Any:
        """An argument; `default` where it is absent or None."""
        value = self.arguments.get(key)
        return default if value is None else value


class Translator:
    """Collects ATen calls into a graph.

    Results that only rename a tensor (dropout at inference, detach, contiguous) are resolved
    to the original, so that whoever reads the graph sees who really feeds whom.

    Parameters
    ----------
    name, source : str
        As in `Graph`.
    """

    def __init__(self, name: str, source: str = "") -> None:
        self.builder = GraphBuilder(name, source)
        self._renamed: dict[str, str] = {}
        self._transposed_weights: dict[str, AtenCall] = {}
        self._scalars = 0

    def add_input(self, tensor: Tensor) -> None:
        """Add an input, parameter, buffer or constant of the model."""
        self.builder.add_tensor(tensor)

    def rename(self, new: str, ref: Ref) -> None:
        """Let `new` stand for the tensor behind `ref`."""
        self._renamed[new] = ref.name

    def name_of(self, ref: Ref) -> str:
        """The tensor that `ref` stands for in the graph."""
        name = ref.name
        while name in self._renamed:
            name = self._renamed[name]
        if name in self._transposed_weights and name not in self.builder:
            # Somebody wants the transposed weight itself: only now does it become a node.
            call = self._transposed_weights[name]
            self.emit(call, "transpose", [call.arguments["self"]], order=(1, 0))
        return name

    def tensor(self, ref: Ref) -> Tensor:
        """The tensor behind `ref`."""
        return self.builder.tensor(self.name_of(ref))

    def untransposed(self, ref: Ref) -> Ref | None:
        """The weight whose transpose `ref` is, if it is one."""
        call = self._transposed_weights.get(ref.name)
        return None if call is None else call.arguments["self"]

    def note_transposed_weight(self, call: AtenCall) -> None:
        self._transposed_weights[call.outputs[0].name] = call

    def is_weight(self, ref: Ref) -> bool:
        """Whether `ref` is stored with the model."""
        name = self.name_of(ref)
        return name in self.builder and self.builder.tensor(name).is_weight

    def scalar(self, value: Scalar, like: str = "float32") -> str:
        """A constant holding one number; its name comes back."""
        self._scalars += 1
        dtype = "bool" if isinstance(value, bool) else like
        tensor = Tensor(f"scalar_{self._scalars}", (), dtype, "constant", (value,))
        return self.builder.add_tensor(tensor)

    def emit(self, call: AtenCall, op: str, operands: Iterable[Any], **attributes: Any) -> None:
        """Add one node that computes `call` as `op` of `operands`.

        An operand is a `Ref`, a number, or None for an optional input left out.
        """
        like = call.outputs[0].dtype if call.outputs else "float32"
        inputs = [
            self.name_of(value)
            if isinstance(value, Ref)
            else ("" if value is None else self.scalar(value, like))
            for value in operands
        ]
        while inputs and not inputs[-1]:
            inputs.pop()
        if call.in_place:
            attributes["inplace"] = True
        name = call.outputs[0].name if call.outputs else op
        self.builder.add(
            op, inputs, attributes, name=name, module=call.module, outputs=call.outputs
        )

    def finish(self, outputs: Iterable[str]) -> Graph:
        """The graph, with names resolved."""
        return self.builder.finish(self.name_of(Ref(name)) for name in outputs)
