"""A call of an ATen operator, and the graph that such calls grow into."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from latprof.builder import GraphBuilder
from latprof.graph import Graph, Scalar, Shape, Tensor

# Operators that only run a graph within the graph under some setting (torch.no_grad, autocast):
# their inner calls are read as if they stood outside.
WRAPPERS = ("wrap_with_set_grad_enabled", "wrap_with_autocast")

# What shares the memory of its first operand: writing into the one changes the other.
VIEWS = frozenset(
    {"reshape", "transpose", "expand", "slice", "select", "split", "unbind", "windows",
     "as_strided"}
)  # fmt: skip


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
        As `target_name` gives it: ``conv2d.default``, ``add.Tensor``, ``torchvision.nms.default``.
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
        name = self.target.rpartition(".")[0] or self.target
        # add_, but not __and__
        return name if name.endswith("__") else name.removesuffix("_")

    @property
    def in_place(self) -> bool:
        """Whether the call overwrites its first operand (``relu_``, ``add_``)."""
        base = self.target.split(".")[0]
        return base.endswith("_") and not base.endswith("__")

    def get(self, key: str, default: Any = None) -> Any:
        """An argument; `default` where it is absent or None."""
        value = self.arguments.get(key)
        return default if value is None else value


def target_name(text: str) -> str:
    """An operator's name without its namespace, if that is ATen's or that of control flow.

    >>> target_name("torch.ops.aten.add.Tensor"), target_name("aten.relu_.default")
    ('add.Tensor', 'relu_.default')
    """
    return text.removeprefix("torch.ops.").removeprefix("aten.").removeprefix("higher_order.")


def module_path(path: str) -> str:
    """The dotted path of a module, as torch.export writes it in its various versions."""
    if path.startswith("_empty_nn_module_stack"):
        return ""  # what torch puts where it has lost track
    return path.removeprefix("L__self__").removeprefix("L['self']").removeprefix(".")


class Translator:
    """Collects ATen calls into a graph.

    Results that only rename a tensor (dropout at inference, detach, contiguous) are resolved
    to the original, so that whoever reads the graph sees who really feeds whom.

    A call that overwrites its operand gives, in the graph, a new tensor; whoever reads the operand
    later reads that. Where the operand is a part of another tensor (``y[:, :2] = 0``), a `write`
    node says what the whole has become.

    A tensor's name in the graph may differ from the one that calls know it by: parameters are
    shown by their path, and what would then be called like one is numbered.

    Parameters
    ----------
    name, source : str
        As in `Graph`.
    """

    def __init__(self, name: str, source: str = "") -> None:
        self.builder = GraphBuilder(name, source)
        self._shown: dict[str, str] = {}  # by the names that calls use
        self._same: dict[str, str] = {}  # names that calls use for one piece of memory
        self._wholes: dict[str, str] = {}  # what a view, at any remove, is a view of
        self._transposed_weights: dict[str, AtenCall] = {}
        self._taken: Counter[str] = Counter()
        self._scalars = 0

    def add_input(self, tensor: Tensor, known_as: str = "") -> None:
        """Add an input, parameter, buffer or constant of the model.

        `known_as` is the name that calls use for it, if that is not its own.
        """
        self.builder.add_tensor(self._define(tensor, known_as or tensor.name))

    def rename(self, new: str, ref: Ref, *, copied: bool = False) -> None:
        """Let `new` stand for the tensor behind `ref`; `copied` if it has memory of its own."""
        if copied:
            self._shown[new] = self._shown_as(ref.name)
        else:
            self._same[new] = self._known(ref.name)

    def note_write(self, call: AtenCall) -> None:
        """Let those who read what `call` has overwritten read what it gives, from now on."""
        target = next(iter(call.arguments.values()), None)
        if not isinstance(target, Ref):
            return
        written, output = self._known(target.name), call.outputs[0].name
        if self._known(output) == written:
            return  # it only gives back what it takes
        part = self._shown_as(output)
        self._shown[written], self._same[output] = part, written
        whole = self._wholes.get(written)
        if whole is not None:
            before = self.tensor(Ref(whole))
            known_as = f"{output}:write"
            after = replace(before, name=known_as, role="activation", values=None)
            outputs = [self._define(after, known_as)]
            self.builder.add(
                "write", [before.name, part], name=known_as, module=call.module, outputs=outputs
            )
            self._shown[whole] = outputs[0].name

    def name_of(self, ref: Ref) -> str:
        """The tensor that `ref` stands for in the graph."""
        name = self._shown_as(ref.name)
        if name in self._transposed_weights and name not in self.builder:
            # Somebody wants the transposed weight itself: only now does it become a node.
            call = self._transposed_weights[name]
            source = self.name_of(call.arguments["self"])
            self.builder.add(
                "transpose", [source], {"order": (1, 0)},
                name=name, module=call.module, outputs=call.outputs,
            )  # fmt: skip
        return name

    def tensor(self, ref: Ref) -> Tensor:
        """The tensor behind `ref`."""
        return self.builder.tensor(self.name_of(ref))

    def untransposed(self, ref: Ref) -> Ref | None:
        """The weight whose transpose `ref` is, if it is one."""
        call = self._transposed_weights.get(self._shown_as(ref.name))
        return None if call is None else call.arguments["self"]

    def note_transposed_weight(self, call: AtenCall) -> None:
        """Remember a transposed weight without a node: a linear layer is written with one."""
        (output,) = call.outputs
        name = self._define(output, output.name).name
        renamed = replace(output, name=name)
        self._transposed_weights[name] = replace(call, outputs=(renamed,))

    def is_weight(self, ref: Ref) -> bool:
        """Whether `ref` is stored with the model."""
        name = self._shown_as(ref.name)
        return name in self.builder and self.builder.tensor(name).is_weight

    def scalar(self, value: Scalar, like: str = "float32") -> str:
        """A constant holding one number; its name comes back."""
        self._scalars += 1
        dtype = "bool" if isinstance(value, bool) else like
        name = self._free_name(f"scalar_{self._scalars}")
        return self.builder.add_tensor(Tensor(name, (), dtype, "constant", (value,)))

    def emit(self, call: AtenCall, op: str, operands: Iterable[Any], **attributes: Any) -> None:
        """Add one node that computes `call` as `op` of `operands`.

        An operand is a `Ref`, a number, or None for an optional input left out.
        """
        operands = list(operands)
        like = call.outputs[0].dtype if call.outputs else "float32"
        inputs = [
            self.name_of(value)
            if isinstance(value, Ref)
            else ("" if value is None else self.scalar(value, like))
            for value in operands
        ]
        while inputs and not inputs[-1]:
            inputs.pop()
        outputs = [self._define(tensor, tensor.name) for tensor in call.outputs]
        name = outputs[0].name if outputs else op
        if op in VIEWS and isinstance(operands[0], Ref):
            base = self._known(operands[0].name)
            for tensor in call.outputs:
                self._wholes[tensor.name] = self._wholes.get(base, base)
        self.builder.add(op, inputs, attributes, name=name, module=call.module, outputs=outputs)

    def finish(self, outputs: Iterable[str]) -> Graph:
        """The graph, with names resolved."""
        return self.builder.finish([self.name_of(Ref(name)) for name in outputs])

    def _known(self, name: str) -> str:
        """The name among those for one piece of memory that the others are kept under."""
        return self._same.get(name, name)

    def _shown_as(self, name: str) -> str:
        known = self._known(name)
        return self._shown.get(known, known)

    def _define(self, tensor: Tensor, known_as: str) -> Tensor:
        """`tensor` under a name that is free in the graph; calls know it as `known_as`."""
        name = self._free_name(tensor.name)
        self._shown[known_as] = name
        return tensor if name == tensor.name else replace(tensor, name=name)

    def _free_name(self, wanted: str) -> str:
        name = wanted
        while name in self.builder or name in self._transposed_weights:
            self._taken[wanted] += 1  # remembered: a file may give a million tensors one name
            name = f"{wanted}_{self._taken[wanted]}"
        return name


Translate = Callable[[Translator, AtenCall], None]


def axis_of(axis: int, rank: int) -> int:
    """`axis` counted from the front."""
    return axis % rank if rank else 0


def shape_of(t: Translator, call: AtenCall, key: str = "self") -> Shape:
    """Shape of an argument that is a tensor."""
    return t.tensor(call.arguments[key]).shape


def emit_first(
    t: Translator, call: AtenCall, op: str, operands: Sequence[Any], **settings: Any
) -> None:
    """`op` gives the first output; the rest (indices, saved statistics) are not costed.

    They are nodes of an unknown operator, and fall out of the graph if nobody reads them.
    """
    t.emit(replace(call, outputs=call.outputs[:1]), op, operands, **settings)
    for extra in call.outputs[1:]:
        t.emit(replace(call, outputs=(extra,)), f"aten.{call.operator}", operands[:1])


def step(
    t: Translator,
    call: AtenCall,
    op: str,
    operands: Sequence[Any],
    shape: Shape,
    said: str,
    /,
    **settings: Any,
) -> Ref:
    """One node on the way to what `call` gives, where it takes several; `said` names it."""
    name = f"{call.outputs[0].name}:{said}"
    inner = Tensor(name, tuple(shape), call.outputs[0].dtype)
    t.emit(replace(call, outputs=(inner,)), op, operands, **settings)
    return Ref(name)
