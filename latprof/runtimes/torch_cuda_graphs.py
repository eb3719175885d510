"""PyTorch on a CUDA device, its launches recorded once as a CUDA graph and then replayed."""

from __future__ import annotations

from typing import Any

from latprof.graph import Graph
from latprof.runtimes.torch_cuda import EagerProgram, Program, TorchCuda
from latprof.runtimes.torch_cuda_device import Device


class RecordedProgram(EagerProgram):
    """All launches at once; profiled, the same launches one by one, which take the same each."""

    def __init__(self, graph: Graph, device: Device, dtype: str) -> None:
        super().__init__(graph, device, dtype)
        self._replay = device.capture(self.line.run)

    def run(self) -> tuple[Any, ...]:
        self._replay()
        return self.line.outputs()


class TorchCudaGraphs(TorchCuda):
    """CUDA graphs of what PyTorch launches."""

    name = "torch-cuda-graphs"

    def _program(self, graph: Graph, device: Device, dtype: str, *, profiled: bool) -> Program:
        if profiled:  # a graph's kernels cannot be timed one by one
            return EagerProgram(graph, device, dtype)
        return RecordedProgram(graph, device, dtype)


RUNTIME = TorchCudaGraphs()
