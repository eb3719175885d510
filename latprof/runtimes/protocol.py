"""What every runtime offers: open a graph, run it, and say how long each kernel took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

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
    seen : tuple of str
        What the profiler calls these launches, kind and name, as far as it says.
    """

    kernel: Kernel
    times_ms: tuple[float, ...]
    launches: int = 1
    seen: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stray:
    """A launch that no kernel accounts for: fusion did not foresee it.

    Parameters
    ----------
    name, kind : str
        As the runtime's profiler says.
    times_ms : tuple of float
        One for each profiled run.
    """

    name: str
    kind: str
    times_ms: tuple[float, ...] = ()

    def __str__(self) -> str:
        return f"{self.name} ({self.kind})"


class Observed(NamedTuple):
    """What a profiled session saw: the kernels that were foreseen, and the rest."""

    kernels: tuple[KernelTimes, ...] = ()
    strays: tuple[Stray, ...] = ()


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

    def finish(self) -> Observed:
        """Close it; times of every kernel, and launches that belong to no kernel.

        In running order, one time for every call of `run`. Nothing was seen unless the session
        was opened with `profiled`.
        """


@runtime_checkable
class TimesItself(Protocol):
    """A session whose runs the host's clock cannot time: a GPU goes on when `run` returns."""

    def timed_run(self) -> float:
        """Run it once, as `run` does; how long it took in milliseconds."""


@runtime_checkable
class StopsProfiling(Session, Protocol):
    """A profiled session that can go on as a plain one."""

    def stop_profiling(self) -> Observed:
        """Times every kernel up to now, as `Session.finish` does; later runs are not profiled."""


@runtime_checkable
class SharesThreads(Protocol):
    """A runtime whose sessions would each have threads of their own, in each other's way."""

    def share_threads(self, threads: int) -> None:
        """Let all sessions of this process share so many; called before the first is opened."""


@runtime_checkable
class OpensFiles(Protocol):
    """A runtime that runs files of a format as they are: quantised networks, above all."""

    file_kind: str  # as `latprof.frontends.sniff` calls it

    def open_file(self, file: Path, graph: Graph, *, threads: int, profiled: bool) -> Session:
        """Make the file itself ready to run, with the weights that it holds.

        Parameters
        ----------
        file : Path
        graph : Graph
            What the reader made of it. Nothing is predicted: each launch is a kernel that holds
            the nodes it computes, and no launch is a stray.
        threads : int
        profiled : bool

        Raises
        ------
        MeasurementError, UnsupportedOp
        """


class Runtime(Protocol):
    """One way of running graphs."""

    name: str

    def version(self) -> str:
        """The library and its version."""

    def open(
        self,
        graph: Graph,
        kernels: Sequence[Kernel],
        *,
        threads: int,
        profiled: bool,
        dtype: str = "fp32",
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
        dtype : str
            One of those its `Entry` lists. `graph` is always the float32 model; what it takes to
            run it in another dtype (casts, calibration, quantising) is up to the runtime.

        Raises
        ------
        UnsupportedOp
            If the runtime cannot run one of the operators.
        """
