"""PyTorch, operator by operator, on the CPU.

The graph runs as a straight line of ATen calls; a tensor is freed after its last reader, as it
would be when Python leaves a module's forward.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import perf_counter_ns
from typing import Any

import torch

from latprof.errors import UnsupportedOp
from latprof.graph import Call, Graph
from latprof.kernel import Kernel
from latprof.runtimes.failures import failed, first_line
from latprof.runtimes.protocol import KernelTimes, Observed, Stray
from latprof.runtimes.torch_module import TORCH_DTYPES, as_dtype, check_graph, function_of
from latprof.runtimes.weights import input_values, norm_scales, weight_values

Run = Callable[[list[Any]], Any]


class Line:
    """The calls of a graph, ready to run one after another.

    Parameters
    ----------
    graph : Graph
    float_dtype : torch.dtype
        In what every float32 number is kept and computed.
    device : str
        Where PyTorch keeps them.

    Raises
    ------
    UnsupportedOp
        If PyTorch lacks one of the operators, or lacks it in that dtype.
    """

    def __init__(self, graph: Graph, float_dtype: torch.dtype, device: str = "cpu") -> None:
        check_graph(graph)
        self.graph_name = graph.name
        slots = {name: index for index, name in enumerate(graph.tensors)}
        self.values: list[Any] = [None] * len(slots)
        positive = norm_scales(graph)
        for name, tensor in graph.tensors.items():
            if tensor.is_weight:
                drawn = weight_values(tensor, positive=name in positive)
            elif name in graph.inputs:
                drawn = input_values(tensor)
            else:
                continue
            kept = as_dtype(torch.from_numpy(drawn), float_dtype)
            self.values[slots[name]] = kept.to(device)
        last = {name: node.name for node in graph.nodes for name in node.inputs if name}
        kept_names = {*graph.outputs, *graph.inputs}
        self.steps = [
            _step(call, slots, [slots[n] for n in _freed(call, last, kept_names)], float_dtype)
            for call in graph.calls
        ]
        self._outputs = [slots[name] for name in dict.fromkeys(graph.outputs)]
        # An identity is no launch; there is nothing to tell of it.
        self.names = [c.node.name if c.node.op != "identity" else "" for c in graph.calls]
        if float_dtype is not torch.float32:
            self._try_out(graph, float_dtype)

    def run(self) -> tuple[Any, ...]:
        """Run it once; its distinct outputs."""
        values = self.values
        with torch.inference_mode(), self.failing():
            for step in self.steps:
                step(values)
        return self.outputs()

    def outputs(self) -> tuple[Any, ...]:
        """What the last run gave."""
        return tuple(self.values[slot] for slot in self._outputs)

    @contextmanager
    def failing(self) -> Iterator[None]:
        """What PyTorch cannot run becomes an error of ours."""
        try:
            yield
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            raise failed("PyTorch", "run", self.graph_name, error) from error

    def _try_out(self, graph: Graph, float_dtype: torch.dtype) -> None:
        """Learn which operator PyTorch lacks in a dtype: only running it tells."""
        with torch.inference_mode():
            for step, call in zip(self.steps, graph.calls, strict=True):
                try:
                    step(self.values)
                except (RuntimeError, NotImplementedError) as error:
                    raise UnsupportedOp(
                        f"node {call.node.name!r} ({call.node.op}) does not run in "
                        f"{str(float_dtype).removeprefix('torch.')} under PyTorch: "
                        f"{first_line(error)}. Pass "
                        "--dtype fp32, or another --runtime."
                    ) from error


class TorchEagerSession:
    """A line of calls on the CPU; profiled, each is timed in every run."""

    def __init__(
        self, graph: Graph, kernels: Sequence[Kernel], *, threads: int, profiled: bool, dtype: str
    ) -> None:
        torch.set_num_threads(threads)
        self._line = Line(graph, TORCH_DTYPES[dtype])
        self._kernels = {kernel.nodes[0]: kernel for kernel in kernels} if profiled else {}
        self._profiled = profiled
        self._times_ns: list[list[int]] = [[] for _ in self._line.steps]

    def run(self) -> tuple[Any, ...]:
        if not self._profiled:
            return self._line.run()
        values = self._line.values
        with torch.inference_mode(), self._line.failing():
            for step, times in zip(self._line.steps, self._times_ns, strict=True):
                started = perf_counter_ns()
                step(values)
                times.append(perf_counter_ns() - started)
        return self._line.outputs()

    def stop_profiling(self) -> Observed:
        if not self._profiled:
            return Observed()
        self._profiled = False
        times_ms = [tuple(t / 1e6 for t in times_ns) for times_ns in self._times_ns]
        return observed(self._line.names, times_ms, self._kernels)

    def finish(self) -> Observed:
        self._line.values.clear()
        return self.stop_profiling()


def observed(
    names: Sequence[str], times_ms: Sequence[tuple[float, ...]], kernels: Mapping[str, Kernel]
) -> Observed:
    """Times of calls, laid beside the kernels that were foreseen for their nodes."""
    found: list[KernelTimes] = []
    strays: list[Stray] = []
    for name, times in zip(names, times_ms, strict=True):
        if name in kernels:
            found.append(KernelTimes(kernels[name], times, seen=(name,)))
        elif name:
            strays.append(Stray(name, "call", times))
    return Observed(tuple(found), tuple(strays))


def _freed(call: Call, last: dict[str, str], kept: set[str]) -> list[str]:
    """Activations nobody needs once `call` has run."""
    read = {t.name for t in call.activations if last.get(t.name) == call.node.name}
    never_read = {t.name for t in call.outputs if t.name not in last}
    return sorted((read | never_read) - kept)


def _step(call: Call, slots: dict[str, int], freed: list[int], float_dtype: torch.dtype) -> Run:
    function = function_of(call, float_dtype)
    taken = [slots[tensor.name] if tensor else -1 for tensor in call.inputs]
    given = [slots[tensor.name] for tensor in call.outputs]

    def step(values: list[Any]) -> None:
        result = function(*(values[i] if i >= 0 else None for i in taken))
        if len(given) == 1 and not isinstance(result, (tuple, list)):
            values[given[0]] = result
        else:
            for slot, part in zip(given, result, strict=False):
                values[slot] = part
        for slot in freed:
            values[slot] = None

    return step


class TorchEager:
    """PyTorch eager mode on the CPU."""

    name = "torch-eager"

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
    ) -> TorchEagerSession:
        return TorchEagerSession(graph, kernels, threads=threads, profiled=profiled, dtype=dtype)


RUNTIME = TorchEager()
