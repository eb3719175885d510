"""Between real numbers and the small integers that stand for them."""

from __future__ import annotations

from latprof.graph import Call
from latprof.ops.spec import OpSpec, output_elements, register, same_shape


def _quantize_ops(call: Call) -> int:
    # clip(round(x / scale) + zero_point, lowest, highest): Jacob et al., arXiv 1712.05877, eq. 1;
    # ONNX QuantizeLinear.
    return 5 * output_elements(call)


def _dequantize_ops(call: Call) -> int:
    # scale · (q - zero_point), arXiv 1712.05877, eq. 1.
    return 2 * output_elements(call)


register(OpSpec("quantize", "elementwise", same_shape, elementwise_ops=_quantize_ops))
register(OpSpec("dequantize", "elementwise", same_shape, elementwise_ops=_dequantize_ops))
