"""ExecuTorch on the CPU, with XNNPACK."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from latprof.graph import Graph
from latprof.kernel import Kernel
from latprof.runtimes.executorch_etdump import read_etdump
from latprof.runtimes.executorch_lowering import Lowered, lower, portable_lib
from latprof.runtimes.executorch_profile import kernel_times
from latprof.runtimes.failures import failed
from latprof.runtimes.kept import Kept
from latprof.runtimes.protocol import Observed


class ExecuTorchSession:
    """A loaded program with its inputs in place; when profiled, it fills an ETDump."""

    def __init__(
        self, graph: Graph, lowered: Lowered, kernels: Sequence[Kernel], *, profiled: bool
    ) -> None:
        self._graph, self._lowered = graph, lowered  # their bytes and inputs are read in place
        self._kernels = kernels if profiled else None
        self._runs = 0
        try:
            self._program = portable_lib._load_program_from_buffer(
                lowered.program, enable_etdump=profiled
            )
            self._method = self._program.load_method("forward")
            self._method.set_inputs(list(lowered.inputs))
        except (RuntimeError, ValueError) as error:
            raise failed("ExecuTorch", "load", graph.name, error) from error

    def run(self) -> tuple[Any, ...]:
        try:
            self._method.execute()
            self._runs += 1
            return tuple(self._method.get_outputs(clone_outputs=False))
        except (RuntimeError, ValueError) as error:
            raise failed("ExecuTorch", "run", self._graph.name, error) from error

    def finish(self) -> Observed:
        try:
            if self._kernels is None or not self._runs:
                return Observed()
            with tempfile.TemporaryDirectory(prefix="latprof-") as folder:
                path = Path(folder, "etdump")
                self._program.write_etdump_result_to_file(str(path))
                data = path.read_bytes()
            return kernel_times(self._lowered.instructions, read_etdump(data), self._kernels)
        finally:
            del self._method, self._program


class ExecuTorch:
    """ExecuTorch on the CPU: XNNPACK for what it takes, portable kernels for the rest."""

    name = "executorch"

    def __init__(self) -> None:
        self._programs: Kept[Lowered] = Kept(lambda lowered: len(lowered.program))

    def version(self) -> str:
        return f"executorch {version('executorch')}"

    def open(
        self,
        graph: Graph,
        kernels: Sequence[Kernel],
        *,
        threads: int,
        profiled: bool,
        dtype: str = "fp32",
    ) -> ExecuTorchSession:
        if portable_lib._threadpool_get_thread_count() != threads:
            portable_lib._unsafe_reset_threadpool(threads)
        lowered = self._programs.of(graph, dtype, lambda: lower(graph))
        return ExecuTorchSession(graph, lowered, kernels, profiled=profiled)


RUNTIME = ExecuTorch()
