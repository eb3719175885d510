"""A TensorFlow Lite network in the making: operators, and where each tensor keeps its axes.

Shapes in our graphs are logical, channels second. A tensor here is stored in some order of these
axes, feature maps channels last; a transpose then merely gives axes other names, and is done, as
an operator, where somebody needs the axes in another order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from latprof.fusion.launches import Launch
from latprof.fusion.tflite.grouping import Shared
from latprof.graph import Call, Shape, Tensor

Array = np.ndarray[Any, Any]
Stored = Callable[[Tensor], Array]  # the numbers of a stored tensor, in its logical shape
Order = tuple[int, ...]

CHANNELS_LAST: Order = (0, 2, 3, 1)


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor that passes through the network.

    Parameters
    ----------
    name : str
    shape : tuple of int
        As stored.
    order : tuple of int
        Which logical axis is stored in each place.
    dtype : str
    turned : Launch, optional
        The transpose that gave the axes their names and is still to be done, if one is.
    """

    name: str
    shape: Shape
    order: Order
    dtype: str = "float32"
    turned: Launch | None = None

    @property
    def logical(self) -> Shape:
        """The shape as our graphs tell it."""
        return tuple(self.shape[self.order.index(axis)] for axis in range(len(self.order)))

    def place(self, axis: int) -> int:
        """Where a logical axis is stored."""
        return self.order.index(axis % len(self.order))

    @property
    def is_plain(self) -> bool:
        return self.order == tuple(range(len(self.order)))


@dataclass(frozen=True, eq=False)
class Constant:
    """Numbers stored with the network, made when it is written.

    Parameters
    ----------
    name : str
        The same name stands for the same numbers.
    shape : tuple of int
        As stored.
    make : callable
        The numbers, given those of our stored tensors.
    dtype : str
    axis : int, optional
        Where the output channels of a filter are stored; None for what is no filter.
    """

    name: str
    shape: Shape
    make: Callable[[Stored], Array]
    dtype: str = "float32"
    axis: int | None = None


Operand = Value | Constant | None


@dataclass(frozen=True, eq=False)
class Op:
    """One operator of the network.

    Parameters
    ----------
    kind : str
        As in the schema: ``CONV_2D``.
    inputs, outputs : tuple
    launch : Launch
        The nodes it computes, or helps to.
    part : str
        What it does beside these nodes: ``turn`` for a change of the stored order; else empty.
    options : mapping
        Settings, named as in `latprof.frontends.tflite.schema`.
    """

    kind: str
    inputs: tuple[Operand, ...]
    outputs: tuple[Value, ...]
    launch: Launch
    part: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kernel(self) -> str:
        """Name of the kernel it belongs to."""
        return f"{self.outputs[0].name}/{self.part}" if self.part else self.launch.main.node.name


class Plan:
    """Collects operators in running order.

    Parameters
    ----------
    name : str
        Of the graph.
    shared : Shared
        Who does a part of whose work.

    Attributes
    ----------
    ops : list of Op
    values : dict of str to Value
        Where each activation of the graph is now.
    inputs, outputs : list of Value
    unknown : list of (Call, str)
        Nodes that have no form here, and why.
    """

    def __init__(self, name: str, shared: Shared) -> None:
        self.name = name
        self.shared = shared
        self.ops: list[Op] = []
        self.values: dict[str, Value] = {}
        self.inputs: list[Value] = []
        self.outputs: list[Value] = []
        self.unknown: list[tuple[Call, str]] = []
        self.launch: Launch  # what is being converted
        self._turned: dict[tuple[str, Order], Value] = {}

    def value(self, tensor: Tensor) -> Value:
        return self.values[tensor.name]

    def add(
        self,
        kind: str,
        inputs: Sequence[Operand],
        shape: Sequence[int],
        order: Order | None = None,
        *,
        step: str = "",
        dtype: str = "",
        **options: Any,
    ) -> Value:
        """Append an operator of the node being converted.

        Parameters
        ----------
        kind : str
        inputs : sequence of Value, Constant or None
        shape : sequence of int
            Of its output, as stored.
        order : tuple of int, optional
            Plain unless said.
        step : str
            Names what an inner step gives; empty for the node's own output.
        dtype : str
            That of the first value unless said.
        """
        launch = self.launch
        output = launch.calls[-1].outputs[0].name if not step else ""
        name = output or f"{launch.main.node.name}/{step}"
        first = next(i for i in inputs if isinstance(i, Value))
        value = Value(name, tuple(shape), order or tuple(range(len(shape))), dtype or first.dtype)
        self.ops.append(Op(kind, tuple(inputs), (value,), launch, options=options))
        return value

    def give(self, value: Value, output: int = 0) -> None:
        """Say that `value` is what the launch being converted gives."""
        call = self.launch.calls[-1]
        self.values[call.outputs[output].name] = value

    def ordered(self, value: Value, order: Order) -> Value:
        """`value` stored in another order; a transpose where numbers have to move."""
        if value.order == order:
            return value
        key = (value.name, tuple(value.order.index(axis) for axis in order))
        if key in self._turned:
            known = self._turned[key]
            return Value(known.name, known.shape, order, known.dtype)
        places = key[1]
        shape = tuple(value.shape[place] for place in places)
        name = f"{value.name}/{'x'.join(map(str, places))}"
        moved = Value(name, shape, order, value.dtype)
        wide = [place for place in places if value.shape[place] != 1]
        if wide == sorted(wide):  # only axes of one change places
            inputs: tuple[Operand, ...] = (value, whole_numbers(shape))
            self.ops.append(Op("RESHAPE", inputs, (moved,), self.launch))
        else:
            launch, part = (value.turned, "") if value.turned else (self.launch, "turn")
            inputs = (value, whole_numbers(places))
            self.ops.append(Op("TRANSPOSE", inputs, (moved,), launch, part))
        self._turned[key] = moved
        return moved

    def plain(self, value: Value) -> Value:
        """`value` stored as its axes are named."""
        return self.ordered(value, tuple(range(len(value.order))))

    def with_last(self, value: Value, count: int) -> Value:
        """`value` with its last `count` logical axes stored last."""
        rank = len(value.order)
        if value.order[rank - count :] == tuple(range(rank - count, rank)):
            return value
        return self.plain(value)

    def reshaped(self, value: Value, shape: Sequence[int], order: Order, step: str = "") -> Value:
        """`value` under another stored shape; no operator where it has that shape already."""
        shape = tuple(shape)
        if shape == value.shape:
            return Value(value.name, shape, order, value.dtype, value.turned)
        return self.add("RESHAPE", [value, whole_numbers(shape)], shape, order, step=step)


def whole_numbers(values: Sequence[Any], shape: Shape | None = None) -> Constant:
    """Shapes, axes and bounds, as operators take them."""
    array = np.array(values, dtype=np.int32)
    array = array if shape is None else array.reshape(shape)
    name = f"int32:{array.tolist()}"
    return Constant(name, array.shape, lambda _: array, "int32")


def number(value: float) -> Constant:
    """One number."""
    return Constant(f"float32:{value!r}", (), lambda _: np.array(value, np.float32))


def stored(tensor: Tensor, rank: int, order: Order) -> Constant:
    """A stored tensor, as an operand of one with `rank` axes stored in `order`."""
    logical: Shape = ()
    if math.prod(tensor.shape) == 1:
        order = ()
    else:
        logical = (1,) * (rank - len(tensor.shape)) + tensor.shape
    shape = tuple(logical[axis] for axis in order)

    def make(numbers: Stored) -> Array:
        return numbers(tensor).reshape(logical).transpose(order)

    return Constant(f"weight:{tensor.name}:{order}", shape, make, stored_dtype(tensor))


def stored_dtype(tensor: Tensor) -> str:
    """TensorFlow Lite counts in 32 bits."""
    return {"float64": "float32", "int64": "int32"}.get(tensor.dtype, tensor.dtype)
