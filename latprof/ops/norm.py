"""Normalisations, at inference."""

from __future__ import annotations

from latprof.graph import Call
from latprof.ops.spec import OpSpec, output_elements, register, same_shape


def _batch_norm_ops(call: Call) -> int:
    # With its statistics folded, one multiplication and one addition an element
    # (Ioffe & Szegedy, arXiv 1502.03167, algorithm 2); fvcore counts the same two.
    return 2 * output_elements(call)


def _statistics_norm_ops(call: Call) -> int:
    # Mean, centred square, variance, subtract, divide, scale, shift
    # (Ba et al., arXiv 1607.06450, eq. 4): seven passes over the elements.
    return 7 * output_elements(call)


register(OpSpec("batch_norm", "norm", same_shape, elementwise_ops=_batch_norm_ops))
for _name in ("layer_norm", "group_norm", "instance_norm", "rms_norm"):
    register(OpSpec(_name, "norm", same_shape, elementwise_ops=_statistics_norm_ops))
