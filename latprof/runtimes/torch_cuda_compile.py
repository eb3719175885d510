"""PyTorch compiled by inductor for a CUDA device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from latprof.graph import Graph
from latprof.kernel import Kernel
from latprof.runtimes.protocol import Observed
from latprof.runtimes.torch_compile import Compiled
from latprof.runtimes.torch_cuda import Mark, Program, TorchCuda
from latprof.runtimes.torch_cuda_device import Device
from latprof.runtimes.torch_module import TORCH_DTYPES
from latprof.runtimes.torch_wrapper import kernel_times


class CompiledProgram:
    """What inductor wrote, with a mark behind every launch if wanted."""

    def __init__(self, compiled: Compiled) -> None:
        self._compiled = compiled

    def run(self) -> tuple[Any, ...]:
        return tuple(self._compiled.run(timed=False))

    def run_marked(self, mark: Mark) -> tuple[Any, ...]:
        """The wrapper marks before its first launch too; the session's own mark is that one."""
        marks = iter(range(len(self._compiled.wrapper.launches) + 1))
        self._compiled.wrapper.tick = lambda: mark() if next(marks) else None
        return tuple(self._compiled.run(timed=True))

    def observed(self, laps_ms: Sequence[Sequence[float]], kernels: Sequence[Kernel]) -> Observed:
        compiled = self._compiled
        return kernel_times(compiled.wrapper.launches, laps_ms, compiled.node_of, kernels)


class TorchCudaCompile(TorchCuda):
    """``torch.compile``, inductor, CUDA."""

    name = "torch-cuda-compile"
    _last: tuple[Graph, str, Compiled] | None = None

    def __init__(self, *arguments: Any, compile_graph: Callable[..., Compiled] = Compiled) -> None:
        super().__init__(*arguments)
        self._compile = compile_graph

    def _program(self, graph: Graph, device: Device, dtype: str, *, profiled: bool) -> Program:
        last = self._last
        if last is None or last[0] is not graph or last[1] != dtype:
            self._last = None  # two large models at once may be one too many
            device.allow_tf32(dtype == "tf32")
            compiled = self._compile(graph, 1, TORCH_DTYPES[dtype], device.place)
            last = self._last = graph, dtype, compiled
        return CompiledProgram(last[2])


RUNTIME = TorchCudaCompile()
