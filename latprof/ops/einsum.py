"""Einstein summation: products of any number of tensors, summed over named axes."""

from __future__ import annotations

import math
import re

from latprof.errors import ShapeMismatch
from latprof.graph import Call, Shape
from latprof.ops.spec import OpSpec, register

Labels = tuple[str, ...]
_TERM = re.compile(r"[A-Za-z]*(\.\.\.)?[A-Za-z]*")


def parse_equation(equation: str, shapes: list[Shape]) -> tuple[list[Labels], Labels]:
    """The labels of every operand's axes, and of the result's.

    Axes behind ``...`` are labelled by how far they stand from its end, so that they meet as in
    broadcasting. Without ``->`` the result has the labels that occur once, in alphabetical order
    (numpy.einsum's rule).

    >>> parse_equation("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)])
    ([('b', 'i', 'j'), ('b', 'j', 'k')], ('b', 'i', 'k'))
    """
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(shapes) or not all(_TERM.fullmatch(term) for term in (*terms, right)):
        raise ShapeMismatch(f"equation {equation!r} does not fit {len(shapes)} operands.")
    operands, most = [], 0
    for term, shape in zip(terms, shapes, strict=True):
        spread = len(shape) - len(term.replace("...", ""))
        if spread < 0 or (spread and "..." not in term):
            raise ShapeMismatch(f"equation {equation!r}: {term!r} does not label {shape}.")
        operands.append(_spread(term, spread))
        most = max(most, spread if "..." in term else 0)
    if arrow:
        return operands, _spread(right, most)
    every = [label for labels in operands for label in labels]
    once = sorted(label for label in set(every) if label.isalpha() and every.count(label) == 1)
    return operands, (*_spread("...", most), *once)


def _spread(term: str, count: int) -> Labels:
    before, dots, after = term.partition("...")
    return (*before, *(str(i) for i in range(count, 0, -1)), *after) if dots else tuple(term)


def _read(call: Call) -> tuple[list[Labels], Labels, dict[str, int]]:
    shapes = [call.input(i).shape for i in range(max(1, len(call.inputs)))]
    operands, result = parse_equation(str(call.attributes["equation"]), shapes)
    sizes: dict[str, int] = {}
    for labels, shape in zip(operands, shapes, strict=True):
        for label, size in zip(labels, shape, strict=True):
            if size != 1 and sizes.get(label, 1) not in (1, size):
                raise ShapeMismatch(
                    f"node {call.node.name!r}: {label!r} of {call.attributes['equation']!r} is "
                    f"both {sizes[label]} and {size}."
                )
            sizes[label] = max(size, sizes.get(label, size)) if size else 0
    return operands, result, sizes


def _shapes(call: Call) -> tuple[Shape, ...]:
    _, result, sizes = _read(call)
    return (tuple(sizes[label] for label in result),)


def _costs(call: Call) -> tuple[int, int]:
    """MACs and elementwise operations.

    Operands are joined by pairs from left to right, as torch.einsum does unless told otherwise.
    An axis that one operand has alone and nobody needs later is summed away first. A pair that
    sums over an axis costs one MAC for each choice of its labels (a matrix product's rows ×
    inner × columns); one that sums nothing is a product of elements.
    """
    operands, result, sizes = _read(call)

    def elements(labels: set[str]) -> int:
        return math.prod(sizes[label] for label in labels)

    macs = elementwise = 0
    kept, after = set(operands[0]), operands[1:]
    for i, labels in enumerate(after):
        later = set(result).union(*after[i + 1 :])
        right, left = set(labels), kept
        for mine, other in ((left, right), (right, left)):
            alone = mine - other - later
            if elements(alone) > 1:
                elementwise += elements(mine)
            mine -= alone
        joined = left | right
        kept = joined & later
        if elements(joined - kept) > 1:
            macs += elements(joined)
        else:
            elementwise += elements(joined)
    if elements(kept - set(result)) > 1:
        elementwise += elements(kept)
    return macs, elementwise


def _macs(call: Call) -> int:
    return _costs(call)[0]


def _elementwise(call: Call) -> int:
    return _costs(call)[1]


register(OpSpec("einsum", "matmul", _shapes, _macs, _elementwise))
