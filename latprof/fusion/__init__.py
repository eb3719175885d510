"""Graph → kernels: what a runtime would launch. The only bridge between models and devices."""

from __future__ import annotations

from typing import Protocol

from latprof.errors import UnknownName
from latprof.fusion import eager, executorch, inductor, litert, onnxruntime, openvino
from latprof.graph import Graph
from latprof.kernel import Kernel


class Fuse(Protocol):
    """What one runtime makes of a graph, run in a dtype."""

    def __call__(self, graph: Graph, dtype: str = "fp32") -> tuple[Kernel, ...]: ...


FUSIONS: dict[str, Fuse] = {
    "onnxruntime": onnxruntime.fuse,
    "openvino": openvino.fuse,
    "torch-eager": eager.fuse,
    "torch-compile": inductor.fuse,
    "torch-cuda": eager.fuse,
    "torch-cuda-compile": inductor.fuse_for_gpu,
    "torch-cuda-graphs": eager.fuse,
    "litert": litert.fuse,
    "executorch": executorch.fuse,
}


def fuse(graph: Graph, runtime: str, dtype: str = "fp32") -> tuple[Kernel, ...]:
    """The kernels that `runtime` launches for `graph`, in running order.

    Parameters
    ----------
    graph : Graph
        The float32 model.
    runtime : str
    dtype : str
        In what the runtime is asked to run it, as in a target's name. A kernel that runs in
        another one all the same says so in its own `dtype`.

    Raises
    ------
    UnknownName
        If no fusion rules are known for `runtime`.
    """
    if runtime not in FUSIONS:
        raise UnknownName("runtime", runtime, FUSIONS)
    return FUSIONS[runtime](graph, dtype)
