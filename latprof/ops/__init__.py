"""What one operator costs: formulas by name, one small file for each kind."""

from latprof.ops import conv, elementwise, matmul, movement, norm, pool  # noqa: F401 (they register)
from latprof.ops.spec import OPS, OpSpec, infer_shapes, register

__all__ = ["OPS", "OpSpec", "infer_shapes", "register"]
