"""Scales for a network in int8, from one run of it in float32.

A converter calibrates on a user's data; with drawn weights, the one input that is measured with
does: what matters is that numbers fill their eight bits without all of them being clipped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from latprof.fusion.tflite import Constant, Op, Plan, Value
from latprof.fusion.tflite.quantization import Sharing
from latprof.graph import Graph, Tensor
from latprof.runtimes.litert_file import Scales
from latprof.runtimes.litert_library import CompiledModel
from latprof.runtimes.weights import input_values

Array = np.ndarray[Any, Any]
Range = tuple[float, float]

_LEVELS = 255  # of int8, from -128 to 127
_LIMIT = 2**31 - 1  # of a bias
_MOST_MULTIPLIED = 200  # XNNPACK multiplies by less than 256
_BORDER = -1e30
_SMALLEST = 1e-6  # range of a tensor: XNNPACK wants normal numbers as scales


def ranges_of(graph: Graph, model: bytes, inputs: list[Value], every: list[Value]) -> dict[
    str, Range
]:  # fmt: skip
    """Least and largest number of each tensor in a run on the input measured with.

    Parameters
    ----------
    graph : Graph
    model : bytes
        A file in float32 that gives back each tensor it computes.
    inputs, every : list of Value
        What goes in, and what it gives back.
    """
    fed = {}
    for value in inputs:
        numbers = input_values(graph.tensors[value.name]).transpose(value.order)
        fed[value.name] = np.ascontiguousarray(numbers.astype(value.dtype, copy=False))
    rooms = [np.empty(value.shape, value.dtype) for value in every]
    compiled = CompiledModel(model, list(fed.values()), rooms, threads=1, profiled=False)
    compiled.run()
    given = dict(zip((v.name for v in every), compiled.results(), strict=True)) | fed
    compiled.close()
    return {name: _range(numbers) for name, numbers in given.items() if numbers.size}


def _range(numbers: Array) -> Range:
    """Least and largest, less the border that a maximum never takes."""
    real = numbers[numbers > _BORDER] if numbers.min() <= _BORDER else numbers
    return float(real.min(initial=0.0)), float(real.max(initial=0.0))


class Quantizer:
    """Gives every tensor of a plan in int8 its scale and, if it is stored, its numbers.

    Parameters
    ----------
    plan : Plan
        In int8.
    sharing : Sharing
    ranges : mapping of str to (float, float)
        Of the tensors of the plan in float32.
    numbers : callable
        The numbers of a stored tensor.
    """

    def __init__(
        self,
        plan: Plan,
        sharing: Sharing,
        ranges: Mapping[str, Range],
        numbers: Callable[[Tensor], Array],
    ) -> None:
        self._sharing, self._numbers = sharing, numbers
        self._filters: dict[str, Array] = {}
        joined: dict[str, Range] = {}
        values = {v.name: v for op in plan.ops for v in (*op.outputs, *_values(op))}
        for name, value in values.items():
            if value.dtype != "int8":
                continue
            low, high = ranges.get(name.partition("/rescaled:")[0], (0.0, 0.0))
            leader = sharing.find(name)
            before = joined.get(leader, (0.0, 0.0))
            joined[leader] = min(before[0], low), max(before[1], high)
        self._scales = {leader: affine(*extent) for leader, extent in joined.items()}
        for leader, (scale, zero) in sharing.fixed.items():
            self._scales[leader] = Scales(np.array([scale], np.float32), zero)
        for op in plan.ops:
            self._widen(op)

    def _widen(self, op: Op) -> None:
        """Make the result's scale so wide that XNNPACK can multiply by what leads to it.

        Where large numbers meet a clamp, as before a hard sigmoid, the result's own range can be
        too narrow for that.
        """
        output = op.outputs[0]
        leader = self._sharing.find(output.name)
        if output.dtype != "int8" or leader in self._sharing.fixed:
            return
        found = [self.of(value) for value in _values(op)]
        taken = [float(scales.scale[0]) for scales in found if scales is not None]
        filters = [i for i in op.inputs if isinstance(i, Constant) and i.axis is not None]
        if filters:
            taken = [taken[0] * float(self._channel_scales(filters[0]).max())]
        elif op.kind in ("MUL", "BATCH_MATMUL"):
            taken = [float(np.prod(taken))]
        least = max(taken, default=0.0) / _MOST_MULTIPLIED
        held = self._scales[leader]
        if held.scale[0] < least:
            self._scales[leader] = Scales(np.array([least], np.float32), held.zero)

    def _channel_scales(self, filters: Constant) -> Array:
        if filters.name not in self._filters:
            assert filters.axis is not None
            self._filters[filters.name] = by_channel(
                filters.make(self._numbers), filters.axis
            ).scale
        return self._filters[filters.name]

    def of(self, value: Value) -> Scales | None:
        """Scale of a tensor that passes through; None for one that is not int8."""
        return self._scales[self._sharing.find(value.name)] if value.dtype == "int8" else None

    def stored(self, op: Op, constant: Constant) -> tuple[Array, Scales | None]:
        """The numbers of a constant as `op` takes them, and their scale."""
        real = constant.make(self._numbers)
        if constant.dtype != "float32" or not any(v.dtype == "int8" for v in op.outputs):
            return real.astype(constant.dtype, copy=False), None
        if constant.axis is not None:
            scales = by_channel(real, constant.axis)
            shape = [-1 if i == constant.axis else 1 for i in range(real.ndim)]
            spread = Scales(scales.scale.reshape(shape))
            return spread.quantized(real), scales
        if constant.name.startswith("bias:"):
            return self._bias(op, real)
        if op.kind == "PADV2":
            border = self.of(op.outputs[0])
            assert border is not None
            return border.quantized(np.maximum(real, _BORDER)), border
        scales = affine(min(0.0, float(real.min())), max(0.0, float(real.max())))
        if op.kind == "CONCATENATION":
            scales = self.of(op.outputs[0]) or scales
        return scales.quantized(real), scales

    def _bias(self, op: Op, real: Array) -> tuple[Array, Scales | None]:
        filters = next(i for i in op.inputs if isinstance(i, Constant) and i.axis is not None)
        taken = self.of(next(_values(op)))
        assert taken is not None
        step = self._channel_scales(filters) * taken.scale
        whole = np.clip(np.rint(real / step.astype(float)), -_LIMIT, _LIMIT).astype(np.int32)
        return whole, Scales(step)


def _values(op: Op) -> Any:
    return (i for i in op.inputs if isinstance(i, Value) and i.dtype != "int32")


def affine(low: float, high: float) -> Scales:
    """A scale and a zero point with which int8 reaches from `low` to `high` and has a zero."""
    extent = max(high - low, _SMALLEST)
    scale = np.float32(extent / _LEVELS)
    zero = int(np.clip(np.rint(-128 - low / float(scale)), -128, 127))
    return Scales(np.array([scale], np.float32), zero)


def by_channel(real: Array, axis: int) -> Scales:
    """A scale for each channel of a filter, zero in the middle."""
    others = tuple(i for i in range(real.ndim) if i != axis)
    largest = np.maximum(np.abs(real).max(axis=others), _SMALLEST)
    return Scales((largest / 127).astype(np.float32), 0, axis)
