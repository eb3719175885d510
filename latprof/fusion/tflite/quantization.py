"""A plan in whole numbers: which operators run in int8, and which tensors share a scale.

References
----------
TensorFlow Lite 8-bit quantization specification (int8 activations, filters with a scale for each
output channel, biases of 32 bits, which tensors share a scale, fixed scales of logistic, softmax
and tanh); operators without an int8 kernel stay in float32 between DEQUANTIZE and QUANTIZE, as the
converter leaves them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from latprof.fusion.tflite.plan import Op, Operand, Plan, Value

# Operators with an int8 kernel in TensorFlow Lite.
_INT8 = frozenset(
    """
    CONV_2D DEPTHWISE_CONV_2D TRANSPOSE_CONV FULLY_CONNECTED BATCH_MATMUL ADD SUB MUL MEAN SUM
    REDUCE_MAX REDUCE_MIN MAX_POOL_2D AVERAGE_POOL_2D SOFTMAX CONCATENATION SLICE STRIDED_SLICE
    RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR LOGISTIC TANH HARD_SWISH LEAKY_RELU RELU RELU6 ELU
    GELU RSQRT ABS MINIMUM MAXIMUM SQUARED_DIFFERENCE PAD PADV2 RESHAPE TRANSPOSE GATHER
    """.split()  # noqa: SIM905
)
# Those whose result has the scale of what they take.
_KEEP_SCALE = frozenset(
    """
    RESHAPE TRANSPOSE PAD PADV2 MAX_POOL_2D AVERAGE_POOL_2D SLICE STRIDED_SLICE CONCATENATION
    RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR GATHER MINIMUM MAXIMUM RELU RELU6 REDUCE_MAX REDUCE_MIN
    """.split()  # noqa: SIM905
)
# Scale and zero point that the specification fixes.
FIXED = MappingProxyType(
    {"LOGISTIC": (1 / 256, -128), "SOFTMAX": (1 / 256, -128), "TANH": (1 / 128, 0)}
)


@dataclass
class Sharing:
    """Which tensors share a scale.

    Parameters
    ----------
    leader : dict of str to str
        A tensor of the same scale, nearer to the one that stands for all of them.
    fixed : dict of str to (float, int)
        Scale and zero point of those that stand for others and have fixed ones.
    """

    leader: dict[str, str] = field(default_factory=dict)
    fixed: dict[str, tuple[float, int]] = field(default_factory=dict)

    def find(self, name: str) -> str:
        """The tensor that stands for all that share a scale with `name`."""
        while name in self.leader:
            name = self.leader[name]
        return name

    def join(self, name: str, other: str) -> None:
        """Let two tensors share a scale; one that is fixed wins."""
        first, second = self.find(name), self.find(other)
        if first == second:
            return
        if first in self.fixed:
            first, second = second, first
        self.leader[first] = second


def quantize(plan: Plan) -> tuple[Plan, Sharing]:
    """The plan in int8 as far as TensorFlow Lite has kernels for it, and who shares scales."""
    found, sharing = Plan(plan.name, plan.shared), Sharing()
    found.unknown = plan.unknown
    whole: dict[str, Value] = {}

    def as_int8(value: Value) -> Value:
        if value.name not in whole:
            kind = "int8" if value.dtype == "float32" else value.dtype
            whole[value.name] = replace(value, dtype=kind)
        return replace(whole[value.name], order=value.order)

    for op in plan.ops:
        if op.kind in _INT8:
            inputs = [as_int8(i) if isinstance(i, Value) else i for i in op.inputs]
            if op.kind == "CONCATENATION":
                inputs = [_rescaled(found, sharing, op, i) for i in inputs]
            outputs = tuple(as_int8(value) for value in op.outputs)
            found.ops.append(replace(op, inputs=tuple(inputs), outputs=outputs))
            _share(sharing, op, inputs)
        else:
            _keep_real(found, op, as_int8)
    found.inputs = [as_int8(value) for value in plan.inputs]
    found.outputs = [as_int8(value) for value in plan.outputs]
    found.values = {name: as_int8(value) for name, value in plan.values.items()}
    return found, sharing


def _share(sharing: Sharing, op: Op, inputs: list[Operand]) -> None:
    output = op.outputs[0].name
    if op.kind in FIXED:
        sharing.fixed[output] = FIXED[op.kind]
    elif op.kind in _KEEP_SCALE:
        for operand in inputs:
            if isinstance(operand, Value) and operand.dtype == "int8":
                sharing.join(operand.name, output)


def _rescaled(plan: Plan, sharing: Sharing, op: Op, operand: Operand) -> Operand:
    """What is joined to others cannot keep a fixed scale."""
    if not isinstance(operand, Value) or sharing.find(operand.name) not in sharing.fixed:
        return operand
    name = f"{operand.name}/rescaled:{op.outputs[0].name}"
    value = replace(operand, name=name, turned=None)
    plan.ops.append(Op("QUANTIZE", (operand,), (value,), op.launch, "rescale"))
    return value


def _keep_real(plan: Plan, op: Op, as_int8: Callable[[Value], Value]) -> None:
    """An operator without an int8 kernel, between conversions there and back."""
    inputs: list[Operand] = []
    for operand in op.inputs:
        if isinstance(operand, Value) and operand.dtype == "float32":
            real = replace(operand, name=f"{operand.name}/real:{op.outputs[0].name}", turned=None)
            known = [o for o in plan.ops if o.outputs[0].name == real.name]
            if not known:
                plan.ops.append(
                    Op("DEQUANTIZE", (as_int8(operand),), (real,), op.launch, "dequantize")
                )
            inputs.append(real)
        else:
            inputs.append(operand)
    outputs = tuple(replace(value, name=f"{value.name}/real") for value in op.outputs)
    plan.ops.append(replace(op, inputs=tuple(inputs), outputs=outputs))
    for real, value in zip(outputs, op.outputs, strict=True):
        if value.dtype == "float32":
            plan.ops.append(Op("QUANTIZE", (real,), (as_int8(value),), op.launch, "quantize"))
