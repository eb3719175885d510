"""OpenVINO on the CPU.

It reads the model that `onnx_writer` writes. Its default precision on a CPU that can is bfloat16,
and its default hint spreads the cores over several streams: both are set here, never left to it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Any

from latprof.errors import MeasurementError
from latprof.graph import Graph
from latprof.kernel import Kernel
from latprof.runtimes.failures import failed
from latprof.runtimes.onnx_writer import write_onnx
from latprof.runtimes.openvino_profile import Launched, kernel_times
from latprof.runtimes.protocol import Observed
from latprof.runtimes.weights import input_values

# OpenVINO brings a telemetry client, which writes an id into HOME when it is imported. Where that
# client cannot be found it takes a stub of its own (openvino/tools/ovc/telemetry_utils.py).
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
import openvino as ov  # noqa: E402

_PRECISIONS = {"fp32": "f32"}


class OpenVinoSession:
    """A compiled model and one request; with counters read after each run when profiled."""

    def __init__(
        self,
        core: ov.Core,
        graph: Graph,
        model: bytes,
        kernels: Sequence[Kernel],
        *,
        threads: int,
        profiled: bool,
        dtype: str,
    ) -> None:
        self._graph, self._kernels = graph, kernels
        self._means_us: dict[str, list[int]] | None = {} if profiled else None
        settings = {
            "INFERENCE_PRECISION_HINT": _PRECISIONS[dtype],
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "PERF_COUNT": profiled,
        }
        try:
            self._compiled = core.compile_model(core.read_model(model), "CPU", settings)
            self._request = self._compiled.create_infer_request()
            for port, name in enumerate(graph.inputs):
                values = ov.Tensor(input_values(graph.tensors[name]))
                self._request.set_input_tensor(port, values)
        except RuntimeError as error:
            raise _failure("load", graph, error) from error

    def run(self) -> tuple[Any, ...]:
        try:
            self._request.infer()
            outputs = tuple(tensor.data for tensor in self._request.output_tensors)
            if self._means_us is not None:
                for counter in self._request.profiling_info:
                    mean = counter.real_time
                    mean_us = (mean.days * 86_400 + mean.seconds) * 1_000_000 + mean.microseconds
                    self._means_us.setdefault(counter.node_name, []).append(mean_us)
        except RuntimeError as error:
            raise _failure("run", self._graph, error) from error
        return outputs

    def finish(self) -> Observed:
        try:
            if self._means_us is None:
                return Observed()
            names = frozenset(node.name for node in self._graph.nodes) | set(self._graph.inputs)
            launched = _launched(self._compiled.get_runtime_model())
            return kernel_times(launched, self._means_us, self._kernels, names)
        finally:
            del self._request, self._compiled


def _launched(model: ov.Model) -> list[Launched]:
    """The launches of a runtime model, in running order."""
    found = []
    for operation in model.get_ordered_ops():
        told = {key: str(getattr(value, "value", value)) for key, value in
                operation.get_rt_info().items()}  # fmt: skip
        sources = [port.get_source_output() for port in operation.inputs()]
        launch = Launched(
            name=operation.get_friendly_name(),
            kind=told["layerType"],
            originals=tuple(filter(None, told["originalLayersNames"].split(","))),
            layout=told["outputLayouts"].split(",")[0],
            sources=tuple((s.get_node().get_friendly_name(), s.get_index()) for s in sources),
        )
        found.append((int(told["execOrder"]), launch))
    return [launch for _, launch in sorted(found, key=lambda pair: pair[0])]


def _failure(doing: str, graph: Graph, error: RuntimeError) -> MeasurementError:
    # The first line is often the place in OpenVINO's source; what went wrong comes last.
    lines = [line for line in str(error).splitlines() if line.strip()]
    return failed("OpenVINO", doing, graph.name, lines[-1] if lines else "")


class OpenVino:
    """OpenVINO, CPU plugin: one stream, one request, no latency hint."""

    name = "openvino"

    def __init__(self) -> None:
        self._core: ov.Core | None = None
        self._last: tuple[Graph, bytes] | None = None  # opened twice, plain and profiled

    def version(self) -> str:
        return f"openvino {metadata.version('openvino')}"

    def open(
        self,
        graph: Graph,
        kernels: Sequence[Kernel],
        *,
        threads: int,
        profiled: bool,
        dtype: str = "fp32",
    ) -> OpenVinoSession:
        self._core = self._core or ov.Core()
        if self._last is None or self._last[0] is not graph:
            self._last = None  # two large models at once may be one too many
            self._last = graph, write_onnx(graph).SerializeToString()
        return OpenVinoSession(
            self._core, graph, self._last[1], kernels,
            threads=threads, profiled=profiled, dtype=dtype,
        )  # fmt: skip


RUNTIME = OpenVino()
