"""ExecuTorch with XNNPACK: a graph as operators, those as parts, and what each part launches."""

from latprof.fusion.executorch.kernels import fuse

__all__ = ["fuse"]
