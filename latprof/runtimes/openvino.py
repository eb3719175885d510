"""OpenVINO on the CPU.

It reads the model that `onnx_writer` writes. Its default precision on a CPU that can is bfloat16,
and its default hint spreads the cores over several streams: both are set here, never left to it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from latprof.errors import MeasurementError
from latprof.graph import Graph
from latprof.kernel import Kernel
from latprof.runtimes.failures import failed
from latprof.runtimes.onnx_writer import write_onnx
from latprof.runtimes.opened import drawn_input
from latprof.runtimes.openvino_profile import Launched, kernel_times, kernels_as_run
from latprof.runtimes.protocol import Observed
from latprof.runtimes.weights import input_values

# OpenVINO brings a telemetry client, which writes an id into HOME when it is imported. Where that
# client cannot be found it takes a stub of its own (openvino/tools/ovc/telemetry_utils.py).
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
import openvino as ov  # noqa: E402

_PRECISIONS = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}
# What the CPU plugin lists among its capabilities where the processor computes in a dtype
# (2026.4.1; it takes the hint on any processor, and stays with float32 where it cannot).
_CAPABILITIES = {"bf16": "BF16", "fp16": "FP16"}


Observe = Callable[..., Observed]  # of launches, their counters and the names of nodes


class OpenVinoSession:
    """A compiled model and one request; with counters read after each run when profiled."""

    def __init__(
        self,
        core: ov.Core,
        graph: Graph,
        model: bytes | str,
        values: Iterable[Any],
        *,
        threads: int,
        dtype: str,
        observe: Observe | None,
    ) -> None:
        self._graph, self._observe = graph, observe
        self._means_us: dict[str, list[int]] | None = None if observe is None else {}
        settings = {
            "INFERENCE_PRECISION_HINT": _PRECISIONS[dtype],
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "PERF_COUNT": observe is not None,
        }
        try:
            self._compiled = core.compile_model(core.read_model(model), "CPU", settings)
            self._request = self._compiled.create_infer_request()
            for port, numbers in enumerate(values):
                self._request.set_input_tensor(port, ov.Tensor(numbers))
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
            if self._means_us is None or self._observe is None:
                return Observed()
            names = frozenset(node.name for node in self._graph.nodes) | set(self._graph.inputs)
            launched = _launched(self._compiled.get_runtime_model())
            return self._observe(launched, self._means_us, nodes=names)
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
            precision=told["runtimePrecision"],
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
    file_kind = "onnx"

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
        _check_capability(self._core, dtype)
        if self._last is None or self._last[0] is not graph:
            self._last = None  # two large models at once may be one too many
            self._last = graph, write_onnx(graph).SerializeToString()
        values = (input_values(graph.tensors[name]) for name in graph.inputs)
        observe = partial(kernel_times, kernels=kernels) if profiled else None
        return OpenVinoSession(
            self._core, graph, self._last[1], values, threads=threads, dtype=dtype, observe=observe
        )

    def open_file(
        self, file: Path, graph: Graph, *, threads: int, profiled: bool
    ) -> OpenVinoSession:
        self._core = self._core or ov.Core()
        values = (drawn_input(graph.tensors[name]) for name in graph.inputs)
        observe = partial(kernels_as_run, graph=graph) if profiled else None
        # What a file leaves in float32 runs in it.
        return OpenVinoSession(
            self._core, graph, str(file), values, threads=threads, dtype="fp32", observe=observe
        )


def _check_capability(core: ov.Core, dtype: str) -> None:
    """Refuse a dtype that this processor does not compute in.

    Raises
    ------
    MeasurementError
    """
    wanted = _CAPABILITIES.get(dtype)
    known = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if wanted is not None and wanted not in known:
        raise MeasurementError(
            f"OpenVINO does not compute in {dtype} on this processor, and would take float32 in "
            f"its place. It lists {', '.join(known)}; measure with --dtype fp32."
        )


RUNTIME = OpenVino()
