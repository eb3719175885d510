"""TorchScript's operations on plain values: numbers, text, lists and dicts.

Scripts compute sizes with them. They are done by Python here, within bounds: a script comes from
a file, and must be able neither to fill the memory nor to run forever.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

MAX_LENGTH = 1_000_000  # of a list or a text that a script computes
MAX_BITS = 64  # of a number: TorchScript's integers have as many


class TooLargeError(Exception):
    """A script computes something larger than any real network needs."""


def checked(value: Any) -> Any:
    """`value`, if it is of a size that a script may compute."""
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise TooLargeError("it computes a number of more than 64 bits")
    if isinstance(value, (list, str, dict)) and len(value) > MAX_LENGTH:
        raise TooLargeError(f"it computes a list or text longer than {MAX_LENGTH}")
    return value


def _mul(left: Any, right: Any) -> Any:
    for value, times in ((left, right), (right, left)):
        if isinstance(value, (list, str)) and len(value) * times > MAX_LENGTH:
            raise TooLargeError(f"it computes a list or text longer than {MAX_LENGTH}")
    return left * right


def _pow(base: Any, exponent: Any) -> Any:
    if isinstance(base, int) and isinstance(exponent, int):
        if exponent < 0:
            return float(base) ** exponent
        if base.bit_length() * exponent > 2 * MAX_BITS and abs(base) > 1:
            raise TooLargeError("it computes a number of more than 64 bits")
    return base**exponent


def _shift_left(value: int, bits: int) -> int:
    return value << min(bits, 2 * MAX_BITS)


def _slice(value: Any, start: Any = None, end: Any = None, step: Any = 1) -> Any:
    return value[start:end:step]


def _append(items: list[Any], item: Any) -> list[Any]:
    items.append(item)
    return items


def _extend(items: list[Any], more: list[Any]) -> None:
    items.extend(list(more))


def _insert(items: list[Any], index: int, item: Any) -> None:
    items.insert(index, item)


def _set_item(items: Any, key: Any, value: Any) -> Any:
    items[key] = value
    return items


def _format(pattern: str, *values: Any) -> str:
    # Not str.format: a pattern from a file could reach into the attributes of the values.
    for value in values:
        pattern = pattern.replace("{}", str(value), 1)
    return pattern


def _identity(value: Any, *_: Any) -> Any:
    return value


def _nothing(*_: Any) -> None:
    return None


def _range_list(stop: int) -> list[int]:
    if stop > MAX_LENGTH:
        raise TooLargeError(f"it computes a list longer than {MAX_LENGTH}")
    return list(range(stop))


# What is asked of a tensor rather than computed from its contents.
QUESTIONS: dict[str, Callable[..., Any]] = {
    "aten::size": lambda t, axis=None: list(t.shape) if axis is None else t.shape[axis],
    "aten::sym_size": lambda t, axis=None: list(t.shape) if axis is None else t.shape[axis],
    "aten::stride": lambda t, axis=None: list(t.stride()) if axis is None else t.stride(axis),
    "aten::dim": lambda t: t.dim(),
    "aten::numel": lambda t: t.numel(),
    "aten::len": len,
    "aten::is_floating_point": lambda t: t.is_floating_point(),
    "aten::is_complex": lambda t: t.is_complex(),
    "aten::is_contiguous": lambda t, *_: True,
    "aten::requires_grad_": _identity,
    "aten::cpu": _identity,
    "aten::cuda": _identity,
    "prim::data": _identity,
    # As if training: modules then take their plain path, whose operators can be told apart,
    # and not one fused by hand (nn.TransformerEncoderLayer). torch.export takes that path too.
    "prim::requires_grad": lambda t: t.is_floating_point(),
    "aten::is_grad_enabled": lambda: True,
    "prim::layout": lambda t: 0,
    "prim::is_cpu": lambda t: True,
    **{
        f"prim::is_{kind}": lambda t: False
        for kind in ("cuda", "xpu", "mps", "meta", "nested", "quantized", "sparse", "mkldnn")
    },
}

_ATEN: dict[str, Callable[..., Any]] = {
    "add": operator.add, "sub": operator.sub, "mul": _mul, "div": operator.truediv,
    "floordiv": operator.floordiv, "remainder": operator.mod, "fmod": math.fmod,
    "neg": operator.neg, "pow": _pow, "abs": abs, "eq": operator.eq, "ne": operator.ne,
    "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge,
    "__and__": operator.and_, "__or__": operator.or_, "__xor__": operator.xor,
    "__not__": operator.not_, "__is__": operator.is_, "__isnot__": operator.is_not,
    "__lshift__": _shift_left, "__rshift__": operator.rshift,
    "__contains__": operator.contains, "__getitem__": operator.getitem,
    "floor": math.floor, "ceil": math.ceil, "round": lambda x: float(round(x)), "sqrt": math.sqrt,
    "log": math.log, "exp": math.exp,
    "Int": int, "Float": float, "Bool": bool, "IntImplicit": int, "FloatImplicit": float,
    "ScalarImplicit": lambda t: t.item(), "str": str, "format": _format,
    "append": _append, "extend": _extend, "insert": _insert, "slice": _slice,
    "_set_item": _set_item, "list": list, "copy": lambda items: items.copy(),
    "pop": lambda items, index=-1: items.pop(index), "reverse": lambda items: items[::-1],
    "clear": lambda items: items.clear(), "keys": lambda d: list(d.keys()),
    "values": lambda d: list(d.values()), "items": lambda d: [list(p) for p in d.items()],
    "get": lambda d, key, default=None: d.get(key, default),
    "__range_length": lambda low, high, step: len(range(low, high, step)),
    "__derive_index": lambda index, start, step: start + index * step,
    "_unwrap_optional": _identity, "warn": _nothing, "is_scripting": lambda: True,
    "any": any, "all": all, "sorted": sorted, "lower": str.lower, "upper": str.upper,
    "startswith": str.startswith, "endswith": str.endswith, "join": str.join,
    "set_grad_enabled": _nothing, "is_autocast_enabled": lambda *_: False,
    "is_autocast_cpu_enabled": lambda: False,
}  # fmt: skip

PLAIN: dict[str, Callable[..., Any]] = {
    **{f"aten::{name}": function for name, function in _ATEN.items()},
    "prim::abs": abs,
    "prim::min": lambda *values: min(*values),
    "prim::max": lambda *values: max(*values),
    "prim::rangelist": _range_list,
    "prim::TupleIndex": lambda values, index: values[index],
    "prim::unchecked_cast": _identity,
    "prim::unchecked_unwrap_optional": _identity,
    "prim::Print": _nothing,
    "prim::type": lambda device: "cpu",
}
