"""Shapes of operands that stretch to fit each other."""

from __future__ import annotations

from latprof.errors import ShapeMismatch
from latprof.graph import Shape


def broadcast(*shapes: Shape) -> Shape:
    """The shape that `shapes` stretch to (numpy's rule, shared by every framework).

    Raises
    ------
    ShapeMismatch
        If two sizes differ and neither is 1.
    """
    rank = max((len(shape) for shape in shapes), default=0)
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    result = []
    for sizes in zip(*padded, strict=True):
        wide = {size for size in sizes if size != 1}
        if len(wide) > 1:
            raise ShapeMismatch(f"shapes {', '.join(map(str, shapes))} do not fit each other.")
        result.append(wide.pop() if wide else 1)
    return tuple(result)
