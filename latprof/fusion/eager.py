"""PyTorch eager: one launch a node, nothing fused."""

from __future__ import annotations

from latprof.fusion.dtypes import DTYPE_NAMES, in_dtype
from latprof.fusion.launches import LaunchList, kernel_of
from latprof.graph import Graph
from latprof.kernel import Kernel


def fuse(graph: Graph, dtype: str = "fp32") -> tuple[Kernel, ...]:
    """The kernels that PyTorch runs for `graph` when it runs operator by operator."""
    launches = LaunchList(in_dtype(graph, DTYPE_NAMES[dtype])).alive
    for launch in launches:
        launch.inplace = bool(launch.main.attributes.get("inplace", False))
    return tuple(kernel_of(launch) for launch in launches)
