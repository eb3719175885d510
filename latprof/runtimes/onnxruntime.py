"""ONNX Runtime on the CPU."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import onnxruntime as ort

from latprof.errors import MeasurementError
from latprof.graph import Graph
from latprof.kernel import Kernel
from latprof.runtimes.failures import failed
from latprof.runtimes.kept import Kept
from latprof.runtimes.onnx_writer import write_onnx
from latprof.runtimes.onnxruntime_int8 import quantized_model
from latprof.runtimes.onnxruntime_opened import kernels_as_run
from latprof.runtimes.onnxruntime_pool import options_for, share_pool
from latprof.runtimes.onnxruntime_profile import kernel_times
from latprof.runtimes.opened import drawn_input
from latprof.runtimes.protocol import Observed
from latprof.runtimes.weights import input_values


class OnnxRuntimeSession:
    """An inference session; with a profile written to a file of its own when profiled."""

    def __init__(
        self,
        name: str,
        model: bytes | str,
        values: Iterable[Any],
        *,
        threads: int,
        observe: Callable[[Any], Observed] | None,
    ) -> None:
        self._observe, self._graph_name = observe, name
        self._folder = tempfile.TemporaryDirectory(prefix="latprof-")
        options = options_for(threads)
        if observe is not None:
            options.enable_profiling = True
            options.profile_file_prefix = str(Path(self._folder.name) / "profile")
        try:
            self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ORT raises its own kinds, all bare subclasses of Exception
            self._folder.cleanup()
            raise failed("ONNX Runtime", "load", name, error) from error
        taken = [value.name for value in self._session.get_inputs()]
        self._feed: dict[str, Any] = dict(zip(taken, values, strict=True))

    def run(self) -> tuple[Any, ...]:
        try:
            return tuple(self._session.run(None, self._feed))
        except Exception as error:  # as above
            raise failed("ONNX Runtime", "run", self._graph_name, error) from error

    def stop_profiling(self) -> Observed:
        if self._observe is None:
            return Observed()
        observe, self._observe = self._observe, None
        return observe(_events(Path(self._session.end_profiling())))

    def finish(self) -> Observed:
        try:
            return self.stop_profiling()
        finally:
            del self._session
            self._folder.cleanup()


def _events(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise MeasurementError(
            f"ONNX Runtime's profile {file} cannot be read: {error}. Is the disk full? Free space "
            "or set TMPDIR to another folder, and measure again."
        ) from error


class OnnxRuntime:
    """ONNX Runtime, CPU provider, every graph optimisation on (its default)."""

    name = "onnxruntime"
    file_kind = "onnx"

    def __init__(self) -> None:
        self._models: Kept[bytes] = Kept(len)

    def share_threads(self, threads: int) -> None:
        share_pool(threads)

    def version(self) -> str:
        return f"onnxruntime {ort.__version__}"

    def open(
        self,
        graph: Graph,
        kernels: Sequence[Kernel],
        *,
        threads: int,
        profiled: bool,
        dtype: str = "fp32",
    ) -> OnnxRuntimeSession:
        model = self._models.of(graph, dtype, lambda: _model(graph, dtype))
        values = (input_values(graph.tensors[name]) for name in graph.inputs)
        observe = partial(kernel_times, kernels=kernels) if profiled else None
        return OnnxRuntimeSession(graph.name, model, values, threads=threads, observe=observe)

    def open_file(
        self, file: Path, graph: Graph, *, threads: int, profiled: bool
    ) -> OnnxRuntimeSession:
        values = (drawn_input(graph.tensors[name]) for name in graph.inputs)
        observe = partial(kernels_as_run, graph=graph) if profiled else None
        # By its name: what it stores beside itself is found from there.
        return OnnxRuntimeSession(graph.name, str(file), values, threads=threads, observe=observe)


def _model(graph: Graph, dtype: str) -> bytes:
    model = write_onnx(graph)
    if dtype == "fp32":
        written: bytes = model.SerializeToString()
        return written
    try:
        return quantized_model(graph, model)
    except Exception as error:  # ORT raises its own kinds, all bare subclasses of Exception
        raise failed("ONNX Runtime", "quantise", graph.name, error) from error


RUNTIME = OnnxRuntime()
