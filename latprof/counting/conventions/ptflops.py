"""ptflops: two backends that add up different things."""

from __future__ import annotations

from latprof.counting.conventions.spec import (
    RECURRENT,
    Convention,
    is_vector_product,
    per_input,
    per_norm,
    per_output,
    products,
    register,
    with_bias,
)
from latprof.graph import Call

_BATCH = "ptflops always runs a batch of one"


def _aten_product(call: Call, macs: int) -> int:
    if is_vector_product(call):
        return 0
    if len(call.inputs) > 2 and call.inputs[2] is not None:
        # addmm counts its addend, baddbmm (of three axes) has no rule.
        return with_bias(call, macs) if len(call.input(0).shape) == 2 else 0
    return macs


def _functional_product(call: Call, macs: int) -> int:
    left, right = call.input(0), call.input(1).shape
    addend = call.inputs[2] if len(call.inputs) > 2 else None
    return left.elements * right[-1] + (addend.elements if addend is not None else 0)


register(
    Convention(
        name="ptflops",
        called="MACs",
        means="multiply-accumulates, biases, norms, activations (ReLU twice) and pools (twice); "
        "no fused attention",
        source="ptflops 0.7.5, backend pytorch (its default), ptflops/pytorch_ops.py",
        rules={
            "conv": with_bias,
            "conv_transpose": with_bias,
            "linear": with_bias,
            "matmul": _functional_product,
            "batch_norm": per_norm(1, 2),
            "group_norm": per_norm(1, 2),
            "instance_norm": per_norm(1, 2),
            "layer_norm": per_input(1),  # its scale is called elementwise_affine, and is not seen
            # A layer that calls a function is counted by its hook and by the function's.
            **dict.fromkeys(("relu", "prelu", "elu", "gelu"), per_output(2)),
            **dict.fromkeys(("relu6", "leaky_relu", "silu", "softmax"), per_output(1)),
            **dict.fromkeys(
                ("max_pool", "avg_pool", "adaptive_avg_pool", "adaptive_max_pool"), per_input(2)
            ),
            "resize": per_output(2),
        },
        unreproduced=RECURRENT,
        notes=(
            "activations, pools and resizing are counted as layers (nn.ReLU, ...): written as "
            "functions they count half; softmax as nn.Softmax or F.softmax: torch.softmax counts 0",
            "products are counted as torch.matmul, mm or bmm: written with @ they count 0; so do "
            "sums and products of elements written with + and *",
            "nn.MultiheadAttention and timm's Attention have rules of their own, not followed here",
            _BATCH,
        ),
    )
)
register(
    Convention(
        name="ptflops-aten",
        called="MACs",
        means="multiply-accumulates and biases; no fused attention",
        source="ptflops 0.7.5, backend aten, ptflops/aten_ops.py",
        rules={
            "conv": with_bias,
            "conv_transpose": with_bias,
            "linear": with_bias,
            "matmul": _aten_product,
            "einsum": products,
        },
        unreproduced=RECURRENT,
        notes=(
            "on the CPU, whose fused attention kernel has no rule",
            "a linear layer's bias is counted where PyTorch adds it within the product, which it "
            "does for inputs laid out in order",
            _BATCH,
        ),
    )
)
