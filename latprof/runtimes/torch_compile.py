"""PyTorch compiled by inductor for the CPU: weights frozen, one graph, C++ between library calls.

A network is compiled once and serves the plain and the profiled session: the wrapper that inductor
writes in Python is run as it is, or with a clock read after every launch.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from typing import Any

import torch

from latprof.errors import MeasurementError
from latprof.graph import Graph
from latprof.home import home
from latprof.kernel import Kernel
from latprof.runtimes.failures import failed
from latprof.runtimes.protocol import Observed
from latprof.runtimes.torch_module import GraphModule
from latprof.runtimes.torch_wrapper import Clocked, clocked, kernel_times

_STEP = re.compile(r"steps\.(\d+)")


class Compiled:
    """A graph as inductor compiled it, and the wrapper it runs."""

    def __init__(
        self,
        graph: Graph,
        threads: int,
        float_dtype: torch.dtype = torch.float32,
        device: str = "cpu",
    ) -> None:
        from torch._inductor import config
        from torch._inductor.codecache import PyCodeCache
        from torch._inductor.compile_fx import compile_fx

        self.node_of: dict[str, str] = {}  # what tracing calls an operation → node of the graph
        nodes = [node.name for node in graph.nodes]

        def backend(traced: torch.fx.GraphModule, inputs: Any) -> Any:
            for node in traced.graph.nodes:
                paths = [path for path, _ in (node.meta.get("nn_module_stack") or {}).values()]
                step = _STEP.search(paths[-1]) if paths else None
                if step:
                    self.node_of[node.name] = nodes[int(step[1])]
            return compile_fx(traced, inputs)

        torch.set_num_threads(threads)
        # Code for one number of threads is not code for another, and the cache does not tell.
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(home() / "inductor" / f"threads-{threads}")
        torch._dynamo.reset()  # it takes no more than a few versions of one forward
        module = GraphModule(graph, float_dtype).to(device)
        self._inputs = tuple(x.to(device) for x in module.example_inputs())
        self._run: Callable[..., Any] = torch.compile(module, backend=backend, fullgraph=True)
        before = len(PyCodeCache.modules)
        # No workers that linger: they would run beside what is timed.
        with config.patch(freezing=True, compile_threads=1), torch.inference_mode():
            self._run(*self._inputs)
        written = PyCodeCache.modules[before:]
        if len(written) != 1:
            raise MeasurementError(
                f"inductor made {len(written)} programs of {graph.name!r} instead of one, and "
                "latprof cannot tell their kernels. Run it with --runtime torch-eager."
            )
        self.wrapper: Clocked = clocked(written[0])

    def run(self, *, timed: bool) -> Any:
        """Run it, with or without a clock read after every launch."""
        self.wrapper.switch(timed)
        with torch.inference_mode():
            return self._run(*self._inputs)


class TorchCompileSession:
    """A compiled graph; profiled, every launch of every run is timed."""

    def __init__(
        self, graph: Graph, compiled: Compiled, kernels: Sequence[Kernel], *, profiled: bool
    ) -> None:
        self._graph, self._compiled, self._kernels = graph, compiled, kernels
        self._profiled = profiled
        self._laps: list[tuple[float, ...]] = []

    def run(self) -> tuple[Any, ...]:
        try:
            outputs = self._compiled.run(timed=self._profiled)
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise failed("torch.compile", "run", self._graph.name, error) from error
        if self._profiled:
            self._laps.append(self._compiled.wrapper.laps_ms())
        return tuple(outputs)

    def finish(self) -> Observed:
        if not self._profiled:
            return Observed()
        compiled = self._compiled
        return kernel_times(compiled.wrapper.launches, self._laps, compiled.node_of, self._kernels)


class TorchCompile:
    """``torch.compile``, inductor, CPU."""

    name = "torch-compile"
    _last: tuple[Graph, int, Compiled] | None = None  # opened twice, plain and profiled

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
    ) -> TorchCompileSession:
        last = self._last
        if last is None or last[0] is not graph or last[1] != threads:
            self._last = None  # two large models at once may be one too many
            try:
                last = self._last = graph, threads, Compiled(graph, threads)
            except (RuntimeError, ValueError, TypeError, IndexError) as error:
                raise failed("torch.compile", "compile", graph.name, error) from error
        return TorchCompileSession(graph, last[2], kernels, profiled=profiled)


RUNTIME = TorchCompile()
