"""PyTorch on a CUDA device, operator by operator.

A GPU runs behind its host. Times are therefore taken by events on the GPU: around a run, and in a
profiled run behind every launch, while the GPU is held up first, so that all launches wait in its
queue and no kernel's time holds a wait for the host. Every run starts with a cold second-level
cache, as a model does that is not run in a loop.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from latprof.graph import Graph
from latprof.kernel import Kernel
from latprof.runtimes.protocol import Observed
from latprof.runtimes.torch_cuda_device import CudaDevice, Device, Event
from latprof.runtimes.torch_eager import Line, observed
from latprof.runtimes.torch_module import TORCH_DTYPES

Mark = Callable[[], None]


class Program(Protocol):
    """A graph made ready for the GPU."""

    def run(self) -> tuple[Any, ...]:
        """Launch all of it."""

    def run_marked(self, mark: Mark) -> tuple[Any, ...]:
        """Launch all of it, calling `mark` behind every launch."""

    def observed(self, laps_ms: Sequence[Sequence[float]], kernels: Sequence[Kernel]) -> Observed:
        """Times between marks, a row for each run, laid beside foreseen kernels."""


class EagerProgram:
    """One launch after another."""

    def __init__(self, graph: Graph, device: Device, dtype: str) -> None:
        device.allow_tf32(dtype == "tf32")
        self.line = Line(graph, TORCH_DTYPES[dtype], device.place)

    def run(self) -> tuple[Any, ...]:
        return self.line.run()

    def run_marked(self, mark: Mark) -> tuple[Any, ...]:
        values = self.line.values
        with torch.inference_mode(), self.line.failing():
            for step in self.line.steps:
                step(values)
                mark()
        return self.line.outputs()

    def observed(self, laps_ms: Sequence[Sequence[float]], kernels: Sequence[Kernel]) -> Observed:
        times = [tuple(column) for column in zip(*laps_ms, strict=True)]
        if not times:
            times = [() for _ in self.line.names]
        return observed(self.line.names, times, {kernel.nodes[0]: kernel for kernel in kernels})


class CudaSession:
    """A program and the clock of the GPU it runs on."""

    def __init__(
        self, program: Program, kernels: Sequence[Kernel], device: Device, *, profiled: bool
    ) -> None:
        self._program, self._kernels, self._device = program, kernels, device
        self._profiled = profiled
        self._laps_ms: list[tuple[float, ...]] = []
        self._outputs: tuple[Any, ...] = ()

    def run(self) -> tuple[Any, ...]:
        self.timed_run()
        return self._outputs

    def timed_run(self) -> float:
        """Run it once from a cold cache; milliseconds on the GPU, from first launch to last end."""
        device = self._device
        device.flush_l2()
        events: list[Event] = []

        def mark() -> None:
            event = device.event()
            event.record()
            events.append(event)

        if self._profiled:
            device.hold()
            mark()
            self._outputs = self._program.run_marked(mark)
        else:
            device.synchronise()  # the flush is over before the clock starts
            mark()
            self._outputs = self._program.run()
            mark()
        device.synchronise()
        laps = tuple(before.elapsed_ms(after) for before, after in itertools.pairwise(events))
        if self._profiled:
            self._laps_ms.append(laps)
        return sum(laps)

    def finish(self) -> Observed:
        if not self._profiled:
            return Observed()
        return self._program.observed(self._laps_ms, self._kernels)


@dataclass(frozen=True)
class LaunchCosts:
    """Where the time of an eager run goes, told apart by a run recorded as a CUDA graph.

    Parameters
    ----------
    kernels_ms : float
        Sum of kernels, each timed while the queue was full.
    replay_ms : float
        The same launches, recorded and launched at once.
    eager_ms : float
        The same launches, made one by one by the host.
    """

    kernels_ms: float
    replay_ms: float
    eager_ms: float

    @property
    def gaps_ms(self) -> float:
        """What the GPU spends between kernels even when the host is out of the way."""
        return self.replay_ms - self.kernels_ms

    @property
    def launch_ms(self) -> float:
        """What waiting for the host costs."""
        return self.eager_ms - self.replay_ms


class TorchCuda:
    """PyTorch eager mode on a CUDA device.

    Parameters
    ----------
    device : callable
        Makes the device; only once a graph is opened.
    """

    name = "torch-cuda"

    def __init__(self, device: Callable[[], Device] = CudaDevice) -> None:
        self._make_device = device
        self._device: Device | None = None

    def version(self) -> str:
        return f"torch {torch.__version__}"

    def open(
        self,
        graph: Graph,
        kernels: Sequence[Kernel],
        *,
        threads: int,
        profiled: bool,
        dtype: str = "fp32",
    ) -> CudaSession:
        if self._device is None:
            self._device = self._make_device()
        program = self._program(graph, self._device, dtype, profiled=profiled)
        return CudaSession(program, kernels, self._device, profiled=profiled)

    def _program(self, graph: Graph, device: Device, dtype: str, *, profiled: bool) -> Program:
        return EagerProgram(graph, device, dtype)


RUNTIME = TorchCuda()
