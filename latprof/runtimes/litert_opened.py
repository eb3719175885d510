"""A user's own .tflite file under LiteRT: its operators as its profile tells of them → kernels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from latprof.errors import MeasurementError, UnsupportedOp
from latprof.frontends.tflite.inline import ALIAS
from latprof.frontends.tflite.model import FileSubgraph
from latprof.frontends.tflite.reader import read_operators
from latprof.fusion.tflite import Constant, Op, Value
from latprof.graph import Graph, Tensor
from latprof.runtimes.failures import failed
from latprof.runtimes.litert_library import CompiledModel, Event
from latprof.runtimes.litert_profile import Seen, check_runs, owners
from latprof.runtimes.opened import Launched, drawn_input, kernels_of_file
from latprof.runtimes.protocol import Observed
from latprof.runtimes.weights import NUMPY_DTYPES

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class UserFile:
    """A .tflite file, as far as running and matching it needs.

    Parameters
    ----------
    model : bytes
    network : FileSubgraph
    nodes : tuple of tuple of str
        For each operator, the nodes of the graph that the reader made of it.
    """

    model: bytes
    network: FileSubgraph
    nodes: tuple[tuple[str, ...], ...]

    @classmethod
    def read(cls, file: Path) -> UserFile:
        try:
            _, network, nodes = read_operators(file)
            return cls(file.read_bytes(), network, nodes)
        except OSError as error:
            raise MeasurementError(f"cannot read {str(file)!r}: {error.strerror}.") from error

    def inputs(self, graph: Graph) -> list[Array]:
        """Numbers for its inputs, as it stores them.

        Raises
        ------
        UnsupportedOp
            If `graph` was read for other sizes than the file runs with.
        """
        found = []
        for index, name in zip(self.network.inputs, graph.inputs, strict=True):
            tensor = self.network.tensors[index]
            if sorted(tensor.shape) != sorted(graph.tensors[name].shape):
                raise UnsupportedOp(
                    f"{graph.name!r} runs as its file says, with an input of {tensor.shape} as "
                    "stored. Leave out --input and --batch, or convert it for that size."
                )
            found.append(drawn_input(Tensor(name, tensor.shape, tensor.dtype)))
        return found

    def outputs(self) -> list[Array]:
        """Room for what it gives."""
        tensors = [self.network.tensors[index] for index in self.network.outputs]
        strange = sorted({tensor.dtype for tensor in tensors} - NUMPY_DTYPES.keys())
        if strange:
            raise UnsupportedOp(f"the file gives {', '.join(strange)} numbers, which NumPy lacks.")
        return [np.empty(tensor.shape, NUMPY_DTYPES[tensor.dtype]) for tensor in tensors]

    def operators(self) -> list[Op]:
        """Its operators, as `litert_profile` matches them."""
        made = {i for operator in self.network.operators for i in operator.outputs}
        passing = made | set(self.network.inputs)

        def operand(index: int) -> Value | Constant | None:
            if index < 0:
                return None
            tensor = self.network.tensors[index]
            if index in passing:
                return Value(str(index), tensor.shape, (), tensor.dtype)
            return Constant(str(index), tensor.shape, lambda _: np.empty(0), tensor.dtype)

        return [
            Op(
                operator.kind,
                tuple(operand(index) for index in operator.inputs),
                tuple(v for i in operator.outputs if isinstance(v := operand(i), Value)),
                launch=None,  # type: ignore[arg-type]  # nobody asks here
                options=operator.options,
            )
            for operator in self.network.operators
            if operator.kind != ALIAS
        ]


class OpenedSession:
    """A file of a user's with its inputs in place."""

    def __init__(self, file: UserFile, graph: Graph, *, threads: int, profiled: bool) -> None:
        self._file, self._graph, self._profiled = file, graph, profiled
        self._events: list[Event] = []
        self._times_us: list[Array] = []
        try:
            self._model = CompiledModel(
                file.model, file.inputs(graph), file.outputs(), threads=threads, profiled=profiled
            )
        except MeasurementError as error:
            raise failed("LiteRT", "load", graph.name, error) from error

    def run(self) -> tuple[Any, ...]:
        try:
            self._model.run()
            if self._profiled:
                if not self._events:
                    self._events = self._model.operators()
                self._times_us.append(self._model.times_us())
            return tuple(self._model.results())
        except MeasurementError as error:
            raise failed("LiteRT", "run", self._graph.name, error) from error

    def finish(self) -> Observed:
        self._model.close()
        if not self._times_us:
            return Observed()
        return kernels_as_run(self._file, self._events, self._times_us, self._graph)


def kernels_as_run(
    file: UserFile, events: Sequence[Seen], times_us: Sequence[Array], graph: Graph
) -> Observed:
    """Every operator that ran as a kernel, with the nodes of the file that it computes."""
    by_run = check_runs(events, times_us)
    operators = file.operators()
    kept = {node.name for node in graph.nodes}
    numbers = [n for n, op in enumerate(file.network.operators) if op.kind != ALIAS]
    mine: dict[int, list[int]] = defaultdict(list)
    lost = []
    for place, owner in enumerate(owners(operators, events)):
        if owner is None:
            lost.append(place)
        else:
            mine[owner].append(place)
    launched = []
    for owner, places in mine.items():
        op, number = operators[owner], numbers[owner]
        reads = next((v for v in op.inputs if isinstance(v, Value)), None)
        launched.append(
            Launched(
                name=f"{op.kind}:{number}",  # an operator has no name in the file
                kind=" + ".join(events[place].tag for place in places),
                times_ms=tuple(by_run[:, places].sum(axis=1).tolist()),
                nodes=tuple(name for name in file.nodes[number] if name in kept),
                dtype=reads.dtype if reads else "",
                takes=reads.shape if reads else (),
                gives=op.outputs[0].shape if op.outputs else (),
            )
        )
    for place in lost:
        times_ms = tuple(by_run[:, place].tolist())
        launched.append(Launched(f"event {place}", events[place].tag, times_ms))
    return Observed(kernels_of_file(graph, launched))
