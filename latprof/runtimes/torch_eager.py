"""PyTorch, operator by operator, on the CPU.

The graph runs as a straight line of ATen calls; a tensor is freed after its last reader, as it
would be when Python leaves a module's forward.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter_ns
from typing import Any

import torch

from latprof.errors import MeasurementError
from latprof.graph import Call, Graph
from latprof.kernel import Kernel
from latprof.runtimes.protocol import KernelTimes, Observed, Stray
from latprof.runtimes.torch_module import check_graph, function_of
from latprof.runtimes.weights import input_values, norm_scales, weight_values

Run = Callable[[list[Any]], Any]


class TorchEagerSession:
    """The calls of a graph, ready to run one after another."""

    def __init__(
        self, graph: Graph, kernels: Sequence[Kernel], *, threads: int, profiled: bool
    ) -> None:
        check_graph(graph)
        torch.set_num_threads(threads)
        self._graph_name = graph.name
        self._kernels = {kernel.nodes[0]: kernel for kernel in kernels} if profiled else {}
        self._profiled = profiled
        slots = {name: index for index, name in enumerate(graph.tensors)}
        self._values: list[Any] = [None] * len(slots)
        positive = norm_scales(graph)
        for name, tensor in graph.tensors.items():
            if tensor.is_weight:
                drawn = weight_values(tensor, positive=name in positive)
                self._values[slots[name]] = torch.from_numpy(drawn)
        for name in graph.inputs:
            self._values[slots[name]] = torch.from_numpy(input_values(graph.tensors[name]))
        last = {name: node.name for node in graph.nodes for name in node.inputs if name}
        kept = {*graph.outputs, *graph.inputs}
        self._steps = [
            _step(call, slots, [slots[n] for n in _freed(call, last, kept)]) for call in graph.calls
        ]
        self._outputs = [slots[name] for name in dict.fromkeys(graph.outputs)]
        # An identity is no launch; there is nothing to tell of it.
        self._names = [c.node.name if c.node.op != "identity" else "" for c in graph.calls]
        self._times_ns: list[list[int]] = [[] for _ in self._steps]

    def run(self) -> tuple[Any, ...]:
        values = self._values
        try:
            with torch.inference_mode():
                if self._profiled:
                    for step, times in zip(self._steps, self._times_ns, strict=True):
                        started = perf_counter_ns()
                        step(values)
                        times.append(perf_counter_ns() - started)
                else:
                    for step in self._steps:
                        step(values)
        except (RuntimeError, ValueError, TypeError, IndexError) as error:
            said = (str(error).splitlines() or [""])[0][:300].rstrip(". ")
            raise MeasurementError(
                f"PyTorch cannot run {self._graph_name!r}: {said}. Try another --runtime, or "
                "predict instead of measuring."
            ) from error
        return tuple(values[slot] for slot in self._outputs)

    def finish(self) -> Observed:
        found: list[KernelTimes] = []
        strays: list[Stray] = []
        for name, times_ns in zip(self._names, self._times_ns, strict=True):
            times_ms = tuple(t / 1e6 for t in times_ns)
            if name in self._kernels:
                found.append(KernelTimes(self._kernels[name], times_ms, seen=(name,)))
            elif self._profiled and name:
                strays.append(Stray(name, "call", times_ms))
        self._values.clear()
        return Observed(tuple(found), tuple(strays))


def _freed(call: Call, last: dict[str, str], kept: set[str]) -> list[str]:
    """Activations nobody needs once `call` has run."""
    read = {t.name for t in call.activations if last.get(t.name) == call.node.name}
    never_read = {t.name for t in call.outputs if t.name not in last}
    return sorted((read | never_read) - kept)


def _step(call: Call, slots: dict[str, int], freed: list[int]) -> Run:
    function = function_of(call)
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
        return TorchEagerSession(graph, kernels, threads=threads, profiled=profiled)


RUNTIME = TorchEager()
