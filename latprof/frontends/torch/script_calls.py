"""Calls of a TorchScript graph, made on meta tensors and noted as ATen calls.

What a script computes from sizes alone is computed for real; what it computes from weights and
inputs only takes shape.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from latprof.frontends.aten import AtenCall, Ref, Translator, translate
from latprof.frontends.torch.module import DTYPE_NAMES
from latprof.graph import Role, Tensor

# Numbers of dtypes and memory formats in TorchScript (c10/core/ScalarType.h, MemoryFormat.h).
DTYPE_CODES = {
    torch.uint8: 0, torch.int8: 1, torch.int16: 2, torch.int32: 3, torch.int64: 4,
    torch.float16: 5, torch.float32: 6, torch.float64: 7, torch.complex32: 8,
    torch.complex64: 9, torch.complex128: 10, torch.bool: 11, torch.bfloat16: 15,
}  # fmt: skip
DTYPES = {code: dtype for dtype, code in DTYPE_CODES.items()}
_MEMORY_FORMATS = (
    torch.contiguous_format, torch.preserve_format, torch.channels_last, torch.channels_last_3d,
)  # fmt: skip

# Tensors that a script builds from sizes hold no more numbers than this.
MAX_KNOWN = 64

# Operators that are run for real on such tensors: traced scripts compute sizes with them.
_ARITHMETIC = frozenset(
    ("add", "sub", "rsub", "mul", "div", "true_divide", "floor_divide", "remainder", "fmod",
     "neg", "abs", "floor", "ceil", "trunc", "round", "pow", "sqrt", "minimum", "maximum", "eq",
     "ne", "lt", "le", "gt", "ge", "logical_not", "logical_and", "logical_or", "to", "clone",
     "detach", "item", "select", "slice", "cat", "stack", "squeeze", "unsqueeze", "sum", "prod",
     "max", "min")
)  # fmt: skip

# Operators that take no tensor and may still run. A list of names, because ATen has others that
# open files: from_file creates the one it is given.
_FACTORIES = frozenset(
    ("zeros", "ones", "full", "empty", "arange", "linspace", "eye", "rand", "randn",
     "scalar_tensor")
)  # fmt: skip


class CannotRunError(Exception):
    """A script does what cannot be followed without real weights and inputs; says what."""


class MetaCalls:
    """Runs operators on meta tensors, and gives each call to a `Translator`.

    Tensors are told apart by identity, so that a change in place gives the same tensor a new
    name, and whoever reads it later reads the changed one.

    Parameters
    ----------
    translator : Translator
    names_lost : bool
        Whether the script was frozen, so that its parameters are constants like any other.
    """

    def __init__(self, translator: Translator, *, names_lost: bool = False) -> None:
        self.translator = translator
        self._names_lost = names_lost
        self._names: dict[int, str] = {}
        self._alive: list[torch.Tensor] = []  # an id is only good while its object lives
        self._weights: dict[tuple[Any, ...], torch.Tensor] = {}
        self._constants: dict[tuple[Any, ...], torch.Tensor] = {}
        self._used: Counter[str] = Counter()

    def add(self, tensor: torch.Tensor, name: str, role: Role) -> torch.Tensor:
        """Put an input or constant in the graph; a meta tensor for it comes back."""
        meta = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")
        known_as = f"%{name}"  # cannot be the name of a call
        described = _described(tensor, name, role, names_known=not self._names_lost)
        self.translator.add_input(described, known_as=known_as)
        self._name(meta, known_as)
        return meta

    def add_weight(self, tensor: torch.Tensor, name: str, role: Role) -> torch.Tensor:
        """Put a weight of the model in the graph, once; the meta tensor for it comes back."""
        place = _place(tensor)
        if place not in self._weights or not tensor.numel():
            self._alive.append(tensor)
            self._weights[place] = self.add(tensor, name, role)
        return self._weights[place]

    def weight(self, tensor: torch.Tensor) -> torch.Tensor:
        """The meta tensor that stands for a weight; any other tensor as it is."""
        return self._weights.get(_place(tensor), tensor)

    def described(self, tensor: torch.Tensor) -> Tensor:
        """What the graph holds for a meta tensor."""
        return self.translator.tensor(Ref(self.name_of(tensor)))

    def name_of(self, tensor: torch.Tensor) -> str:
        """The name of a meta tensor that calls know it by."""
        return self._names[id(tensor)]

    def run(self, operator: str, overload: str, values: Sequence[Any], module: str) -> Any:
        """The result of ``aten::operator.overload`` called with `values` in its order.

        Raises
        ------
        CannotRunError
            If there is no such operator, or it does not take these.
        """
        packet = getattr(torch.ops.aten, operator)
        target: Any = getattr(packet, overload or "default")
        tensors = tensors_in(values)
        known = tensors and not any(t.is_meta or t.numel() > MAX_KNOWN for t in tensors)
        if known and operator in _ARITHMETIC:
            return _call(target, _arguments(target, values, on_meta=False))
        if not tensors and operator not in _FACTORIES:
            raise CannotRunError(f"it calls aten::{operator}, which latprof does not run")
        count = self._used[operator]
        self._used[operator] += 1
        name = operator if count == 0 else f"{operator}_{count}"
        arguments = {
            key: self._on_meta(value, operator, f"{name}.{key}")
            for key, value in _arguments(target, values, on_meta=True).items()
        }
        references = {key: self._reference(value) for key, value in arguments.items()}
        result = _call(target, arguments)
        parts = [result] if isinstance(result, torch.Tensor) else result
        if not isinstance(parts, (list, tuple)):
            return result
        names = [name] if parts is not result else [f"{name}:{i}" for i in range(len(parts))]
        outputs = []
        for part, part_name in zip(parts, names, strict=True):
            outputs.append(_described(part, part_name))
            self._name(part, part_name)
        called = f"{operator}.{overload or 'default'}"
        translate(self.translator, AtenCall(called, references, tuple(outputs), module))
        return list(result) if parts is result else result

    def _name(self, tensor: torch.Tensor, name: str) -> None:
        self._names[id(tensor)] = name
        self._alive.append(tensor)

    def _reference(self, value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return Ref(self.name_of(value))
        if isinstance(value, (list, tuple)):
            return tuple(self._reference(item) for item in value)
        return value

    def _on_meta(self, value: Any, operator: str, name: str) -> Any:
        """`value` with every known tensor put into the graph as a constant."""
        if isinstance(value, (list, tuple)):
            return [self._on_meta(v, operator, f"{name}.{i}") for i, v in enumerate(value)]
        if not isinstance(value, torch.Tensor) or id(value) in self._names:
            return value
        if value.is_meta:
            raise CannotRunError(f"aten::{operator} reads a tensor that no call gave")
        place = _place(value)
        if place in self._weights:
            return self._weights[place]
        # Freezing merges constants of equal contents, as all the norms of an untrained network
        # have, so a vector stands for one weight at each use; a larger one that is used twice
        # is a weight that the network shares.
        if place not in self._constants or value.dim() < 2:
            self._alive.append(value)
            role = _frozen_role(value, name) if self._names_lost else "constant"
            self._constants[place] = self.add(value, name, role)
        return self._constants[place]


def _frozen_role(tensor: torch.Tensor, name: str) -> Role:
    """What a constant without a name is likely to be."""
    if name.endswith((".running_mean", ".running_var")):
        return "buffer"
    return "parameter" if tensor.is_floating_point() and tensor.dim() else "constant"


def _place(tensor: torch.Tensor) -> tuple[Any, ...]:
    """Where a tensor lies in memory: a weight may be reached under several names."""
    return tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype


def _described(
    tensor: torch.Tensor, name: str, role: Role = "activation", *, names_known: bool = True
) -> Tensor:
    values = None
    if role == "constant" and not tensor.is_meta and tensor.numel() <= MAX_KNOWN:
        values = tuple(tensor.reshape(-1).tolist())
    dtype = DTYPE_NAMES.get(tensor.dtype, "float32")
    trainable = role != "parameter" or not names_known or tensor.requires_grad
    return Tensor(name, tuple(tensor.shape), dtype, role, values, trainable)


def tensors_in(values: Any) -> list[torch.Tensor]:
    """Every tensor in nested lists."""
    if isinstance(values, torch.Tensor):
        return [values]
    if isinstance(values, (list, tuple)):
        return [tensor for value in values for tensor in tensors_in(value)]
    return []


def _arguments(target: Any, values: Sequence[Any], *, on_meta: bool) -> dict[str, Any]:
    """`values` by the names of the schema, numbers turned into what they stand for."""
    arguments: dict[str, Any] = {}
    for argument, value in zip(target._schema.arguments, values, strict=False):
        kind = str(argument.real_type)
        if "Device" in kind:
            value = "meta" if on_meta else "cpu"
        elif "Layout" in kind or value is None:
            value = None
        elif "MemoryFormat" in kind and isinstance(value, int):
            value = _MEMORY_FORMATS[value]
        elif "ScalarType" in kind and isinstance(value, int):
            value = DTYPES[value]
        arguments[argument.name] = value
    return arguments


def _call(target: Any, arguments: Mapping[str, Any]) -> Any:
    by_name = {a.name for a in target._schema.arguments if a.kwarg_only}
    positional = [value for key, value in arguments.items() if key not in by_name]
    keywords = {key: value for key, value in arguments.items() if key in by_name}
    return target(*positional, **keywords)
