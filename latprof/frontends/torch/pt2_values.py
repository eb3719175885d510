"""The values in the JSON of a ``.pt2`` archive: arguments of calls, shapes, sizes left open.

References
----------
PyTorch, torch/_export/serde/schema.py: Argument, TensorMeta, SymInt and the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from latprof.errors import CaptureFailed
from latprof.frontends.aten.calls import Ref
from latprof.frontends.torch.pt2_sizes import OpenSizes, UnknownExpression, evaluate
from latprof.graph import Role, Tensor

# ScalarType in the schema. Float8 comes in five flavours of one byte; complex halves and
# 0 ("unknown") have no name in a graph.
_DTYPES = {
    1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32",
    8: "float64", 10: "complex64", 11: "complex128", 12: "bool", 13: "bfloat16", 28: "uint16",
    29: "float8", 30: "float8", 31: "float8", 32: "float8", 33: "float8", 34: "uint32",
    35: "uint64",
}  # fmt: skip

_PLAIN = ("as_int", "as_bool", "as_string", "as_operator")
_PLAIN_LISTS = ("as_ints", "as_bools", "as_strings", "as_int_lists", "as_float_lists")
_SYMBOL = re.compile(r"Symbol\('(\w+)'[^)]*\)")
_UNUSED = re.compile(r"(.+)_unused_(\d+)")


@dataclass(frozen=True, eq=False)
class SubGraph:
    """A graph that is the argument of a call."""

    name: str
    graph: Any


def case(union: Any) -> tuple[str, Any]:
    """Which case of a union is set, and its value.

    Archives may spell the other cases out as null.
    """
    held: list[tuple[str, Any]] = list(union.items())
    if len(held) > 1:
        held = [(key, value) for key, value in held if value is not None]
    if len(held) != 1:
        raise ValueError(f"expected one case of a union, found {list(union)[:5]}")
    return held[0]


def text(value: Any) -> str:
    """`value`, which must be text."""
    if not isinstance(value, str):
        raise TypeError(f"expected text, found {value!r:.80}")
    return value


def tensor_names(outputs: Any) -> Iterator[tuple[str, str]]:
    """Every tensor of a list of outputs: its name in the archive, and the one to show."""
    for output in outputs:
        kind, held = case(output)
        for item in held if kind == "as_tensors" else [held] if kind == "as_tensor" else []:
            name = text(item["name"])
            # An output that nobody reads has no name in memory; torch makes this one up.
            unused = _UNUSED.fullmatch(name)
            yield name, f"{unused[1]}:{unused[2]}" if unused else name


class Values:
    """Looks up what one graph of an archive says about its tensors and sizes.

    Parameters
    ----------
    graph : mapping
    open_sizes : OpenSizes
        What the sizes are that the archive leaves open.
    """

    def __init__(self, graph: Mapping[str, Any], open_sizes: OpenSizes | None = None) -> None:
        self.open_sizes = open_sizes or OpenSizes()
        self._tensors: Mapping[str, Any] = graph["tensor_values"]
        self._symbols: dict[str, Any] = {}
        for group in ("sym_int_values", "sym_float_values", "sym_bool_values"):
            self._symbols |= graph.get(group) or {}

    def tensor(self, name: str, shown: str, role: Role = "activation") -> Tensor:
        """The tensor `name` of the archive, shown as `shown`."""
        meta = self._tensors[name]
        shape = tuple(
            _whole(self._size(size, f"axis {axis} of {name!r}"))
            for axis, size in enumerate(meta["sizes"])
        )
        if meta["dtype"] not in _DTYPES:
            raise ValueError(f"{name!r} has the unknown dtype code {meta['dtype']!r}")
        trainable = role != "parameter" or bool(meta.get("requires_grad", True))
        return Tensor(shown, shape, _DTYPES[meta["dtype"]], role, trainable=trainable)

    def settle(self, name: str, wanted: Sequence[int]) -> bool:
        """Make the input `name` of shape `wanted`, as far as it leaves sizes open; whether it does.

        Sizes that follow from others are for the caller to compare, once all inputs are settled.
        """
        sizes = [case(size) for size in self._tensors[name]["sizes"]]
        if len(sizes) != len(wanted):
            return False
        for axis, ((kind, value), size) in enumerate(zip(sizes, wanted, strict=True)):
            if kind == "as_expr" and (symbol := _symbol(value)):
                self.open_sizes.settle(symbol, size, f"axis {axis} of {name!r}")
        return any(kind == "as_expr" for kind, _ in sizes)

    def settle_as_exported(self, name: str) -> None:
        """Leave the open sizes of the input `name` as they were, unless settled before."""
        for size in self._tensors[name]["sizes"]:
            kind, value = case(size)
            if kind == "as_expr" and (symbol := _symbol(value)) and value.get("hint"):
                self.open_sizes.values.setdefault(symbol, _whole(case(value["hint"])[1]))

    def argument(self, union: Any, prefix: str = "") -> Any:
        """The value of an Argument; tensors become `Ref`, with `prefix` before their names."""
        kind, value = case(union)
        if kind == "as_float":
            return float(value)  # torch spells the infinities as text
        if kind == "as_floats":
            return tuple(float(item) for item in value)
        if kind in _PLAIN:
            return value
        if kind in _PLAIN_LISTS:
            return _tuple(value)
        if kind == "as_tensor":
            return Ref(prefix + text(value["name"]))
        if kind == "as_tensors":
            return tuple(Ref(prefix + text(item["name"])) for item in value)
        if kind == "as_nested_tensors":
            return tuple(tuple(Ref(prefix + text(t["name"])) for t in row) for row in value)
        if kind in ("as_optional_tensor", "as_sym_int", "as_sym_float", "as_sym_bool"):
            return self._item(value, prefix)
        if kind in ("as_optional_tensors", "as_sym_ints", "as_sym_floats", "as_sym_bools"):
            return tuple(self._item(item, prefix) for item in value)
        if kind == "as_scalar_type":
            return f"torch.{_DTYPES.get(value, 'unknown')}"
        if kind == "as_device":
            return text(value["type"])
        if kind == "as_graph":
            return SubGraph(text(value["name"]), value["graph"])
        # None, a layout, a memory format, a custom object: no formula asks for them.
        return None

    def _item(self, union: Any, prefix: str) -> Any:
        """A tensor or nothing; a number, or a symbol for one."""
        kind, value = case(union)
        if kind == "as_none":
            return None
        if kind == "as_tensor":
            return Ref(prefix + text(value["name"]))
        if kind == "as_name":
            return self._size(self._symbols[value], repr(value))
        return value

    def _size(self, union: Any, where: str) -> Any:
        """A number; one left open is taken as it was when the program was exported."""
        kind, value = case(union)
        if kind != "as_expr":
            return value
        written = text(value["expr_str"])
        expression = _SYMBOL.sub(r"\1", written)
        if self.open_sizes.values:
            try:
                return evaluate(written, self.open_sizes.values)
            except UnknownExpression as error:
                raise CaptureFailed(
                    f"{where} has the size {expression[:200]}, which {error}. Leave --input and "
                    "--batch out to take it as it was exported."
                ) from error
        if not value.get("hint"):
            raise CaptureFailed(
                f"{where} has the size {expression[:200]}, and the file says no number for it. "
                "Give the shapes of its inputs with --input; if that is no help, export the model "
                "again for inputs of fixed shape (without dynamic_shapes)."
            )
        size = case(value["hint"])[1]
        if expression.isidentifier():
            said = f"the file leaves {expression} open ({where}); taken as {size}, as exported"
            self.open_sizes.said.setdefault(expression, said)
        return size


def _symbol(size: Any) -> str:
    """The symbol that a size consists of; empty if it is computed from symbols."""
    name = _SYMBOL.sub(r"\1", text(size["expr_str"]))
    return name if name.isidentifier() else ""


def _whole(size: Any) -> int:
    if not isinstance(size, int) or isinstance(size, bool):
        raise TypeError(f"expected a whole number, found {size!r:.80}")
    return size


def _tuple(value: Any) -> Any:
    return tuple(_tuple(item) for item in value) if isinstance(value, list) else value
