"""torch.utils.flop_counter.FlopCounterMode: two operations for each multiply-accumulate."""

from __future__ import annotations

from latprof.counting.conventions.spec import (
    PRODUCTS,
    RECURRENT,
    Convention,
    is_vector_product,
    nothing,
    register,
)
from latprof.graph import Call

_SOURCE = "PyTorch 2.13.0, torch/utils/flop_counter.py"


def _twice(call: Call, macs: int) -> int:
    return 2 * macs


def _product(call: Call, macs: int) -> int:
    # mm, bmm, addmm and baddbmm have a formula there; dot and mv have none.
    return 0 if is_vector_product(call) else _twice(call, macs)


_RULES = dict.fromkeys(PRODUCTS, _twice) | {"matmul": _product}

register(
    Convention(
        name="torch",
        called="FLOPs",
        means="2 for each multiply-accumulate; no bias, norm, activation or pool",
        source=f"{_SOURCE}, on the meta device",
        rules=_RULES,
        notes=("a product with a lone vector counts nothing",),
    )
)
register(
    Convention(
        name="torch-cpu",
        called="FLOPs",
        means="as torch, but fused attention counts 0",
        source=f"{_SOURCE}, on the CPU",
        rules={op: rule for op, rule in _RULES.items() if op not in RECURRENT}
        | {"attention": nothing},
        unreproduced=RECURRENT,
        notes=("the CPU's fused attention kernel has no formula there: ask on the meta device",),
    )
)
