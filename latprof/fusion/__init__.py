"""Graph → kernels: what a runtime would launch. The only bridge between models and devices."""

from __future__ import annotations

from collections.abc import Callable

from latprof.errors import UnknownName
from latprof.fusion import eager, onnxruntime
from latprof.graph import Graph
from latprof.kernel import Kernel

Fuse = Callable[[Graph], tuple[Kernel, ...]]

FUSIONS: dict[str, Fuse] = {"onnxruntime": onnxruntime.fuse, "torch-eager": eager.fuse}


def fuse(graph: Graph, runtime: str) -> tuple[Kernel, ...]:
    """The kernels that `runtime` launches for `graph`, in running order.

    Raises
    ------
    UnknownName
        If no fusion rules are known for `runtime`.
    """
    if runtime not in FUSIONS:
        raise UnknownName("runtime", runtime, FUSIONS)
    return FUSIONS[runtime](graph)
