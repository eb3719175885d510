"""Pooling windows, adaptive pooling, and reductions over whole axes."""

from __future__ import annotations

import math

from latprof.errors import ShapeMismatch
from latprof.graph import Call, Shape
from latprof.ops.conv import conv_out_size
from latprof.ops.spec import OpSpec, axis_of, output_elements, register, same_shape


def _window_shapes(call: Call) -> tuple[Shape, ...]:
    x, kernel = call.input(0).shape, tuple(call.attributes["kernel"])
    spatial = len(kernel)
    stride = tuple(call.attributes.get("stride", kernel))
    dilation = tuple(call.attributes.get("dilation", (1,) * spatial))
    pads = tuple(call.attributes.get("padding", ((0, 0),) * spatial))
    if call.attributes.get("ceil_mode", False):
        # One stride less one more pixel turns the floor of the formula into a ceiling; a
        # last window that would start in the padding is dropped (PyTorch's rule).
        sizes = []
        for size, k, s, d, p in zip(x[-spatial:], kernel, stride, dilation, pads, strict=True):
            out = conv_out_size(size, k, s, d, (p[0], p[1] + s - 1))
            sizes.append(out - 1 if (out - 1) * s >= size + p[0] else out)
        return ((*x[:-spatial], *sizes),)
    found = (
        conv_out_size(*each)
        for each in zip(x[-spatial:], kernel, stride, dilation, pads, strict=True)
    )
    return ((*x[:-spatial], *found),)


def _window_ops(call: Call) -> int:
    return output_elements(call) * math.prod(map(int, call.attributes["kernel"]))


def _adaptive_shapes(call: Call) -> tuple[Shape, ...]:
    x, size = call.input(0).shape, tuple(call.attributes["output_size"])
    return ((*x[: -len(size)], *size),)


def _input_elements(call: Call) -> int:
    return call.input(0).elements


def _reduction_shapes(call: Call) -> tuple[Shape, ...]:
    x = call.input(0).shape
    asked = call.attributes.get("axes", range(len(x)))
    if not all(-len(x) <= axis < len(x) for axis in asked):
        raise ShapeMismatch(f"node {call.node.name!r}: axes {asked} of a rank-{len(x)} tensor.")
    axes = {axis % len(x) for axis in asked}
    if call.attributes.get("keepdims", False):
        return (tuple(1 if i in axes else size for i, size in enumerate(x)),)
    return (tuple(size for i, size in enumerate(x) if i not in axes),)


def _logsumexp_ops(call: Call) -> int:
    # Maximum, subtract, exp, sum: the numerically safe form.
    return 4 * call.input(0).elements


def _scan_shapes(call: Call) -> tuple[Shape, ...]:
    axis_of(call)
    return same_shape(call)


def _softmax_ops(call: Call) -> int:
    # Maximum, subtract, exp, sum, divide: the numerically safe form everyone runs.
    return 5 * output_elements(call)


for _name in ("max_pool", "avg_pool"):
    register(OpSpec(_name, "pool", _window_shapes, elementwise_ops=_window_ops))
for _name in ("adaptive_avg_pool", "adaptive_max_pool"):
    register(OpSpec(_name, "pool", _adaptive_shapes, elementwise_ops=_input_elements))
_REDUCTIONS = ("mean", "sum", "max", "min", "prod", "norm", "var", "std")
_GIVEN: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_REDUCTIONS, ()),
    **dict.fromkeys(("argmax", "argmin"), ("int64",)),
    **dict.fromkeys(("all", "any"), ("bool",)),
}
for _name, _dtypes in _GIVEN.items():
    register(
        OpSpec(
            _name, "reduction", _reduction_shapes, elementwise_ops=_input_elements, dtypes=_dtypes
        )
    )
for _name in ("softmax", "log_softmax"):
    register(OpSpec(_name, "reduction", same_shape, elementwise_ops=_softmax_ops))
register(OpSpec("logsumexp", "reduction", _reduction_shapes, elementwise_ops=_logsumexp_ops))
for _name in ("cumsum", "cumprod"):
    register(OpSpec(_name, "reduction", _scan_shapes, elementwise_ops=_input_elements))
