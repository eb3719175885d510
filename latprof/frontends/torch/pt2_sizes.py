"""Sizes that a ``.pt2`` archive leaves open: what they are for the inputs that are asked for.

A size is written as a sympy expression, in text. It is parsed, never evaluated as Python: numbers,
symbols and a dozen functions are all there is.

References
----------
PyTorch, torch/utils/_sympy/functions.py: FloorDiv and its like. SymPy's `srepr` is the notation.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from latprof.errors import ShapeMismatch

MAX_BITS = 64  # of a size; torch's own have as many
MAX_DEPTH = 100
_CHARACTERS = 100_000


class UnknownExpression(Exception):
    """A size is written in a way that is not understood; says how."""


def evaluate(expression: str, symbols: Mapping[str, int]) -> int:
    """The number that a size stands for.

    Parameters
    ----------
    expression : str
        Such as ``Mul(Integer(2), Symbol('s0', positive=True, integer=True))``.
    symbols : mapping of str to int
        Values of the symbols.

    Raises
    ------
    UnknownExpression
        If it holds something else than sizes are made of, or no whole number comes out.
    """
    if len(expression) > _CHARACTERS:
        raise UnknownExpression("is too long for a size")
    try:
        value = _value(ast.parse(expression, mode="eval").body, symbols, 0)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UnknownExpression("is no expression") from error
    except (TypeError, ArithmeticError, IndexError) as error:
        raise UnknownExpression(f"cannot be worked out: {error}") from error
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int):
        raise UnknownExpression("is no whole number")
    return value


def _value(tree: ast.AST, symbols: Mapping[str, int], depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise UnknownExpression("is nested too deeply for a size")
    if isinstance(tree, ast.Constant) and isinstance(tree.value, (int, float)):
        return _checked(tree.value)
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
        return -_value(tree.operand, symbols, depth + 1)
    if isinstance(tree, ast.BinOp) and type(tree.op) in _OPERATORS:
        left, right = (_value(side, symbols, depth + 1) for side in (tree.left, tree.right))
        return _checked(_OPERATORS[type(tree.op)](left, right))
    if isinstance(tree, ast.Name):
        return _symbol(tree.id, symbols)
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
        name = tree.func.id
        if name == "Symbol" and tree.args and isinstance(tree.args[0], ast.Constant):
            return _symbol(str(tree.args[0].value), symbols)
        if name in _FUNCTIONS:
            given = [_value(argument, symbols, depth + 1) for argument in tree.args]
            return _checked(_FUNCTIONS[name](*given))
        raise UnknownExpression(f"uses {name}")
    raise UnknownExpression(f"uses {type(tree).__name__}")


def _symbol(name: str, symbols: Mapping[str, int]) -> int:
    if name not in symbols:
        raise UnknownExpression(f"depends on {name}, which no input tells")
    return symbols[name]


def _checked(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise UnknownExpression("is no finite number")
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise UnknownExpression("is a number of more than 64 bits")
    return value


def _power(base: Any, exponent: Any) -> Any:
    if isinstance(base, int) and isinstance(exponent, int) and exponent > 0:
        if abs(base) > 1 and base.bit_length() * exponent > 2 * MAX_BITS:
            raise UnknownExpression("is a number of more than 64 bits")
        return base**exponent
    return float(base) ** exponent


def _truncated_mod(left: Any, right: Any) -> Any:
    return left - right * math.trunc(left / right)


# How older versions of torch write a sum or a product.
_OPERATORS: dict[type[ast.operator], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "Integer": int,
    "Float": lambda text, *_: float(text),
    "Rational": operator.truediv,
    "Add": lambda *terms: sum(terms),
    "Mul": lambda *factors: math.prod(factors),
    "Pow": _power,
    "Max": max,
    "Min": min,
    "Abs": abs,
    "Mod": operator.mod,
    "PythonMod": operator.mod,
    "CMod": _truncated_mod,
    "FloorDiv": operator.floordiv,
    "CleanDiv": operator.floordiv,
    "CeilDiv": lambda left, right: -(-left // right),
    "CeilToInt": math.ceil,
    "FloorToInt": math.floor,
    "TruncToInt": math.trunc,
    "ceiling": math.ceil,
    "floor": math.floor,
    "RoundToInt": round,
    "ToFloat": float,
    "IntTrueDiv": operator.truediv,
    "FloatTrueDiv": operator.truediv,
    "PowByNatural": _power,
    "FloatPow": _power,
    "LShift": lambda value, bits: value << min(bits, 2 * MAX_BITS),
    "RShift": operator.rshift,
    "ModularIndexing": lambda base, divisor, modulus: base // divisor % modulus,
    "Identity": lambda value: value,
}


class OpenSizes:
    """Values that the user gives to the symbols of one archive; none for "as exported".

    Parameters
    ----------
    ranges : mapping
        ``range_constraints`` of the program: smallest and largest value of each symbol.

    Attributes
    ----------
    values : dict of str to int
    said : dict of str to str
        What was assumed for each symbol that was taken as exported.
    """

    def __init__(self, ranges: Any = None) -> None:
        self.values: dict[str, int] = {}
        self.said: dict[str, str] = {}
        self._ranges: Mapping[str, Any] = ranges if isinstance(ranges, Mapping) else {}

    def settle(self, symbol: str, size: int, where: str) -> None:
        """Let `symbol` stand for `size` from now on.

        Raises
        ------
        ShapeMismatch
            If the program was not exported for that size, or it has another already.
        """
        held = self.values.setdefault(symbol, size)
        if held != size:
            raise ShapeMismatch(
                f"{where} cannot be {size}: the file says that it is {symbol}, which another "
                f"input makes {held}. Give both the same size."
            )
        bounds = self._ranges.get(symbol)
        low, high = (
            (bounds.get("min_val"), bounds.get("max_val"))
            if isinstance(bounds, Mapping)
            else (None, None)
        )
        below = isinstance(low, int) and size < low
        if below or (isinstance(high, int) and size > high):
            most = f"to {high}" if isinstance(high, int) else "upwards"
            raise ShapeMismatch(
                f"{where} cannot be {size}: the file was exported for sizes from {low} {most}. "
                "Give another, or export it again with other dynamic_shapes."
            )
