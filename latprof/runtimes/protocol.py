"""What every runtime offers: open a graph, run it, and say how long each kernel took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from latprof.graph import Graph
from latprof.kernel import Kernel


@dataclass(frozen=True)
class KernelTimes:
    """Times of one kernel of a network, one for each profiled run.

    Parameters
    ----------
    kernel : Kernel
    times_ms : tuple of float
        As the runtime's profiler says, its own cost included.
    launches : int
        How many launches the profiler saw behind this kernel.
    """

    kernel: Kernel
    times_ms: tuple[float, ...]
    launches: int = 1


class Session(Protocol):
    """A graph made ready to run, with weights and one fixed input."""

    def run(self) -> tuple[Any, ...]:
        """Run it once; every distinct output of the graph comes back, in its order.

        Arrays are of the runtime's own kind (NumPy's, or PyTorch's tensors), nothing copied: they
        are good until the next run. Two runtimes agree on them, since a tensor's stand-in numbers
        depend on its name alone.

        Raises
        ------
        MeasurementError
            If the runtime fails on the way.
        """

    def finish(self) -> tuple[tuple[KernelTimes, ...], tuple[str, ...]]:
        """Close it; times of every kernel, and launches that belong to no kernel.

        Both are empty unless the session was opened with `profiled`.
        """


class Runtime(Protocol):
    """One way of running graphs."""

    name: str

    def version(self) -> str:
        """The library and its version."""

    def open(
        self, graph: Graph, kernels: Sequence[Kernel], *, threads: int, profiled: bool
    ) -> Session:
        """Make `graph` ready to run.

        Parameters
        ----------
        graph : Graph
        kernels : sequence of Kernel
            What fusion says the runtime will launch; times are reported against these.
        threads : int
        profiled : bool
            Whether to time kernels, at some cost to each run.

        Raises
        ------
        UnsupportedOp
            If the runtime cannot run one of the operators.
        """
