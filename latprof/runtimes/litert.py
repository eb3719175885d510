"""LiteRT (TensorFlow Lite) on the CPU, with XNNPACK."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from latprof.errors import MeasurementError
from latprof.graph import Graph
from latprof.kernel import Kernel
from latprof.runtimes.failures import failed
from latprof.runtimes.kept import Kept
from latprof.runtimes.litert_library import CompiledModel, Event, library
from latprof.runtimes.litert_opened import OpenedSession, UserFile
from latprof.runtimes.litert_profile import kernel_times
from latprof.runtimes.litert_writer import Written, write_tflite
from latprof.runtimes.protocol import Observed
from latprof.runtimes.weights import input_values

library()  # here, where a library that does not load is told as such


class LiteRtSession:
    """A compiled model with its inputs in place."""

    def __init__(
        self, graph: Graph, written: Written, kernels: Sequence[Kernel], *, threads: int,
        profiled: bool,
    ) -> None:  # fmt: skip
        self._graph_name = graph.name
        self._written = written
        self._kernels = kernels if profiled else None
        self._events: list[Event] = []
        self._times_us: list[Any] = []
        inputs = [written.stored(v, input_values(graph.tensors[v.name])) for v in written.inputs]
        try:
            self._model = CompiledModel(
                written.model, inputs, [written.room(value) for value in written.outputs],
                threads=threads, profiled=profiled,
            )  # fmt: skip
        except MeasurementError as error:
            raise failed("LiteRT", "load", graph.name, error) from error

    def run(self) -> tuple[Any, ...]:
        try:
            self._model.run()
            if self._kernels is not None:
                if not self._events:
                    self._events = self._model.operators()
                self._times_us.append(self._model.times_us())
            given = self._model.results()
        except MeasurementError as error:
            raise failed("LiteRT", "run", self._graph_name, error) from error
        values = zip(self._written.outputs, given, strict=True)
        return tuple(self._written.logical(value, array) for value, array in values)

    def finish(self) -> Observed:
        self._model.close()
        if self._kernels is None or not self._times_us:
            return Observed()
        return kernel_times(self._written.ops, self._events, self._times_us, self._kernels)


class LiteRt:
    """LiteRT on the CPU, its operators given to XNNPACK where that takes them (its default)."""

    name = "litert"
    file_kind = "tflite"

    def __init__(self) -> None:
        self._files: Kept[Written] = Kept(lambda written: len(written.model))

    def version(self) -> str:
        return f"ai-edge-litert {version('ai-edge-litert')}"

    def open(
        self,
        graph: Graph,
        kernels: Sequence[Kernel],
        *,
        threads: int,
        profiled: bool,
        dtype: str = "fp32",
    ) -> LiteRtSession:
        written = self._files.of(graph, dtype, lambda: write_tflite(graph, dtype))
        return LiteRtSession(graph, written, kernels, threads=threads, profiled=profiled)

    def open_file(self, file: Path, graph: Graph, *, threads: int, profiled: bool) -> OpenedSession:
        return OpenedSession(UserFile.read(file), graph, threads=threads, profiled=profiled)


RUNTIME = LiteRt()
