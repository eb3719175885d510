"""The table of operators: what one costs and what shape it gives.

Adding an operator is one `register` call in one file of this folder.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from latprof.errors import BadReference, ShapeMismatch
from latprof.graph import Call, Shape

Family = Literal[
    "convolution",
    "matmul",
    "recurrent",
    "norm",
    "activation",
    "elementwise",
    "pool",
    "reduction",
    "ordering",
    "movement",
    "view",
]


def _nothing(call: Call) -> int:
    return 0


@dataclass(frozen=True)
class OpSpec:
    """One operator.

    Parameters
    ----------
    name : str
    family : str
        ``view`` operators move no bytes; ``movement`` operators do nothing else;
        ``ordering`` ones compare.
    shapes : callable
        Output shapes of a call, from its inputs and attributes.
    macs : callable
        Multiply-accumulates of a call, bias excluded.
    elementwise_ops : callable
        Scalar operations outside the multiply-accumulates: one per arithmetic operation of
        the defining formula, whatever the hardware makes of it.
    dtypes : tuple of str or int
        Type of each output, where that is not the first input's: by name, or as the number of
        the input that has it.
    bound : str
        Where size and cost depend on the numbers that pass through, and what is told is the
        most it can be: what was taken for granted, as in "as if no element were zero".
    """

    name: str
    family: Family
    shapes: Callable[[Call], tuple[Shape, ...]]
    macs: Callable[[Call], int] = _nothing
    elementwise_ops: Callable[[Call], int] = _nothing
    dtypes: tuple[str | int, ...] = ()
    bound: str = ""

    def dtype(self, call: Call, output: int) -> str:
        """Type of an output of `call`, as far as its inputs tell."""
        said = self.dtypes[output] if output < len(self.dtypes) else ""
        if isinstance(said, str) and said:
            return said
        if isinstance(said, int) and said < len(call.inputs):
            tensor = call.inputs[said]
            return "float32" if tensor is None else tensor.dtype
        return next((t.dtype for t in call.inputs if t is not None), "float32")

    def bytes_read(self, call: Call) -> int:
        """Bytes of activations and weights read, each tensor once."""
        if self.family == "view":
            return 0
        return sum({t.name: t.bytes for t in call.inputs if t is not None}.values())

    def bytes_written(self, call: Call) -> int:
        """Bytes of activations written."""
        return 0 if self.family == "view" else sum(t.bytes for t in call.outputs)


OPS: dict[str, OpSpec] = {}


def register(spec: OpSpec) -> OpSpec:
    """Put an operator in the table.

    Raises
    ------
    BadReference
        If an operator of that name is there already.
    """
    if spec.name in OPS:
        raise BadReference(f"an operator named {spec.name!r} is registered already.")
    OPS[spec.name] = spec
    return spec


def infer_shapes(call: Call) -> tuple[Shape, ...]:
    """Output shapes of `call`.

    Raises
    ------
    ShapeMismatch
        If the operator is unknown, or its inputs do not fit each other.
    """
    spec = OPS.get(call.node.op)
    if spec is None:
        raise ShapeMismatch(f"node {call.node.name!r}: unknown operator {call.node.op!r}.")
    try:
        return spec.shapes(call)
    except (ValueError, IndexError, KeyError, TypeError, ArithmeticError) as error:
        shapes = ", ".join("none" if t is None else str(t.shape) for t in call.inputs)
        raise ShapeMismatch(
            f"node {call.node.name!r} ({call.node.op}) cannot take inputs of shape {shapes}: "
            f"{error}"
        ) from error


def same_shape(call: Call) -> tuple[Shape, ...]:
    """Shape rule of operators whose output is shaped like their first input."""
    return (call.input(0).shape,)


def output_elements(call: Call) -> int:
    """Elements of all outputs."""
    return sum(tensor.elements for tensor in call.outputs)


def axis_of(call: Call, key: str = "axis", default: int = 0) -> int:
    """Attribute `key` as a non-negative axis of the first input."""
    rank = len(call.input(0).shape)
    axis = int(call.attributes.get(key, default))
    if not -rank <= axis < rank:
        raise ShapeMismatch(f"node {call.node.name!r}: axis {axis} of a rank-{rank} tensor.")
    return axis % rank
