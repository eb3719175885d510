"""Graph → .tflite, with stand-in weights.

Operators become what a converter writes (`latprof.fusion.tflite`): channels last, norms folded
into the filters, clamps among the settings of the operator before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from latprof.errors import MeasurementError, UnsupportedOp
from latprof.fusion.tflite import Constant, Op, Plan, Value, convert, quantize
from latprof.graph import Graph, Tensor
from latprof.runtimes.litert_file import File, Scales
from latprof.runtimes.litert_quantize import Quantizer, ranges_of
from latprof.runtimes.weights import check_dtypes, norm_scales, weight_values

Array = np.ndarray[Any, Any]

MAX_BYTES = 2**31 - 1  # that a FlatBuffer can point across


@dataclass(frozen=True)
class Written:
    """A model and how it keeps what goes in and out.

    Parameters
    ----------
    model : bytes
    ops : tuple of Op
        Its operators, in running order.
    inputs, outputs : tuple of Value
    scales : mapping of str to Scales
        Of tensors that are whole numbers standing for real ones.
    """

    model: bytes
    ops: tuple[Op, ...]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    scales: dict[str, Scales]

    def stored(self, value: Value, logical: Array) -> Array:
        """Numbers of ours, as the model keeps them."""
        turned = logical.transpose(value.order)
        scales = self.scales.get(value.name)
        if scales is not None:
            return scales.quantized(turned)
        return np.ascontiguousarray(turned.astype(value.dtype, copy=False))

    def room(self, value: Value) -> Array:
        """An array like the model keeps `value` in."""
        return np.empty(value.shape, "int8" if value.name in self.scales else value.dtype)

    def logical(self, value: Value, stored: Array) -> Array:
        """Numbers of the model, as ours."""
        back = [value.order.index(axis) for axis in range(len(value.order))]
        scales = self.scales.get(value.name)
        real = stored if scales is None else scales.real(stored)
        return real.transpose(back)


def plan_of(graph: Graph) -> Plan:
    """The operators of `graph`.

    Raises
    ------
    UnsupportedOp
        If an operator has no form in TensorFlow Lite; the message lists all of them.
    MeasurementError
        If the weights do not fit into one file.
    """
    check_dtypes(graph, "LiteRT")
    plan = convert(graph)
    strange = sorted({c.node.op for c, why in plan.unknown if why.startswith("no form")})
    if strange:
        raise UnsupportedOp(
            f"{graph.name!r} uses {', '.join(strange)}, which latprof cannot yet run under LiteRT. "
            "`latprof predict` still answers, with a bound for these; to measure, replace them or "
            "run another --runtime."
        )
    for call, why in plan.unknown:
        raise UnsupportedOp(
            f"node {call.node.name!r} ({call.node.op}) cannot be run under LiteRT with the "
            f"settings {dict(call.attributes)}: {why}. Run another --runtime."
        )
    weight_bytes = sum(tensor.bytes for tensor in graph.tensors.values() if tensor.is_weight)
    if weight_bytes > MAX_BYTES:
        raise MeasurementError(
            f"{graph.name!r} has {weight_bytes / 1e9:.1f} GB of weights, and a .tflite file holds "
            "2.1 GB. Run another --runtime, or predict instead of measuring."
        )
    return plan


def numbers_of(graph: Graph) -> Callable[[Tensor], Array]:
    """Weights of `graph`, each drawn once."""
    positive, drawn = norm_scales(graph), dict[str, Array]()

    def numbers(tensor: Tensor) -> Array:
        if tensor.name not in drawn:
            drawn[tensor.name] = weight_values(tensor, positive=tensor.name in positive)
        return drawn[tensor.name]

    return numbers


def write_tflite(graph: Graph, dtype: str = "fp32") -> Written:
    """A .tflite file that computes `graph` on random weights.

    Parameters
    ----------
    graph : Graph
    dtype : str
        ``fp32``; ``fp16`` for float32 arithmetic on weights stored as float16; or ``int8`` for
        whole numbers throughout, inputs and outputs among them. All as converters write it.

    Raises
    ------
    UnsupportedOp, MeasurementError
    """
    plan, numbers = plan_of(graph), numbers_of(graph)
    if dtype != "int8":
        return write_plan(plan, numbers, halved=dtype == "fp16")
    every = [value for op in plan.ops for value in op.outputs]
    real = write_plan(plan, numbers, outputs=every)
    ranges = ranges_of(graph, real.model, plan.inputs, every)
    whole, sharing = quantize(plan)
    return write_plan(whole, numbers, quantizer=Quantizer(whole, sharing, ranges, numbers))


def write_plan(
    plan: Plan,
    numbers: Callable[[Tensor], Array],
    *,
    outputs: list[Value] | None = None,
    halved: bool = False,
    quantizer: Quantizer | None = None,
) -> Written:
    """A plan with its numbers.

    Parameters
    ----------
    plan : Plan
    numbers : callable
        The numbers of a stored tensor.
    outputs : list of Value, optional
        What the file gives back, if not what the plan does.
    halved : bool
        Whether filters are stored as float16.
    quantizer : Quantizer, optional
        For a plan in int8.
    """
    file = File()

    def passing(value: Value) -> int:
        scales = quantizer.of(value) if quantizer else None
        return file.tensor(value.name, value.shape, value.dtype, scales=scales)

    def kept(op: Op, constant: Constant) -> int:
        if constant.name in file:
            return file.tensor(constant.name, (), "")
        if quantizer:
            data, scales = quantizer.stored(op, constant)
            return file.tensor(constant.name, constant.shape, str(data.dtype), data, scales)
        data = constant.make(numbers).astype(constant.dtype, copy=False)
        if halved and constant.axis is not None:
            half = file.tensor(
                f"{constant.name}/half", constant.shape, "float16", data.astype("f2")
            )
            whole = file.tensor(constant.name, constant.shape, "float32")
            file.operator("DEQUANTIZE", [half], [whole], {})
            return whole
        return file.tensor(constant.name, constant.shape, constant.dtype, data)

    def operand(op: Op, given: Value | Constant | None) -> int:
        if given is None:
            return -1
        return passing(given) if isinstance(given, Value) else kept(op, given)

    entering = [passing(value) for value in plan.inputs]
    for op in plan.ops:
        operands = [operand(op, given) for given in op.inputs]
        file.operator(op.kind, operands, [passing(value) for value in op.outputs], op.options)
    given = tuple(plan.outputs if outputs is None else outputs)
    model = file.finish(entering, [passing(value) for value in given])
    scales: dict[str, Scales] = {}
    for value in (*plan.inputs, *given) if quantizer else ():
        found = quantizer.of(value) if quantizer else None
        if found is not None:
            scales[value.name] = found
    return Written(model, tuple(plan.ops), tuple(plan.inputs), given, scales)
