"""What one operator costs: formulas by name, one small file for each kind."""

from latprof.ops import (  # noqa: F401 (they register)
    conv,
    detection,
    einsum,
    elementwise,
    indexing,
    matmul,
    movement,
    norm,
    ordering,
    pool,
    quantization,
    recurrent,
)
from latprof.ops.spec import OPS, OpSpec, infer_shapes, register

__all__ = ["OPS", "OpSpec", "infer_shapes", "register"]
