"""Normalisations, at inference."""

from __future__ import annotations

from latprof.errors import ShapeMismatch
from latprof.graph import Call, Shape
from latprof.ops.spec import OpSpec, output_elements, register, same_shape


def _batch_norm_ops(call: Call) -> int:
    # With its statistics folded, one multiplication and one addition an element
    # (Ioffe & Szegedy, arXiv 1502.03167, algorithm 2); fvcore counts the same two.
    return 2 * output_elements(call)


def _statistics_norm_ops(call: Call) -> int:
    # Mean, centred square, variance, subtract, divide, scale, shift
    # (Ba et al., arXiv 1607.06450, eq. 4): seven passes over the elements.
    return 7 * output_elements(call)


def _local_response_ops(call: Call) -> int:
    # x / (k + α/n·Σ x²)^β over `size` channels (Krizhevsky et al., ImageNet classification with
    # deep convolutional neural networks, 2012, 3.3): square, sum, scale, shift, power, divide.
    return (5 + int(call.attributes["size"])) * output_elements(call)


def _local_response_shapes(call: Call) -> tuple[Shape, ...]:
    if int(call.attributes["size"]) < 1:
        raise ShapeMismatch(f"node {call.node.name!r} averages over no channels.")
    return same_shape(call)


def _l2_norm_ops(call: Call) -> int:
    # x / √(Σ x²): square, add, divide; the roots are too few to count.
    return 3 * output_elements(call)


register(OpSpec("batch_norm", "norm", same_shape, elementwise_ops=_batch_norm_ops))
for _name in ("layer_norm", "group_norm", "instance_norm", "rms_norm"):
    register(OpSpec(_name, "norm", same_shape, elementwise_ops=_statistics_norm_ops))
register(
    OpSpec(
        "local_response_norm", "norm", _local_response_shapes, elementwise_ops=_local_response_ops
    )
)
register(OpSpec("l2_norm", "norm", same_shape, elementwise_ops=_l2_norm_ops))
