"""What a runtime launches for a graph, beside what fusion says that it would."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from latprof.answers import Answer, heading
from latprof.counting import ModelFacts, count
from latprof.errors import BadReference, RuntimeUnavailable, UnsupportedOp
from latprof.fusion import fuse
from latprof.graph import Graph
from latprof.kernel import Kernel, labels
from latprof.measurement.client import Worker
from latprof.measurement.network import Effort
from latprof.measurement.times import NetworkTimes
from latprof.prediction import kernel_to_dict
from latprof.profiling import own_file, target_of
from latprof.runtimes import missing
from latprof.runtimes.protocol import Stray

SECONDS = 1.0


@dataclass(frozen=True)
class Predicted:
    """A kernel that fusion predicts, and what the runtime launched for it.

    Parameters
    ----------
    label : str
    kernel : Kernel
    covers : tuple of str
        Operators of the graph's nodes that it computes, in the order of `kernel.nodes`.
    launches : int
        How many launches belong to it; it is matched if there is one at least.
    seen : tuple of str
        What the runtime's profiler calls them.
    latency_ms : float or None
        Median over the runs, the profiler's own cost included; None where nothing ran.
    """

    label: str
    kernel: Kernel
    covers: tuple[str, ...]
    launches: int = 0
    seen: tuple[str, ...] = ()
    latency_ms: float | None = None

    @property
    def matched(self) -> bool:
        return self.launches > 0

    def to_dict(self) -> dict[str, Any]:
        return kernel_to_dict(self.label, self.kernel) | {
            "layout": self.kernel.layout,
            "dtype": self.kernel.dtype,
            "covers": list(self.covers),
            "launches": self.launches,
            "seen": list(self.seen),
            "latency_ms": self.latency_ms,
        }


@dataclass(frozen=True)
class Launched(Answer):
    """What ``latprof fusion`` answers.

    Parameters
    ----------
    model : ModelFacts
    runtime : str
        Library and version; the runtime's name where it was only predicted.
    target : str
    kernels : tuple of Predicted
        In running order.
    strays : tuple of Stray
        Launches that belong to no predicted kernel.
    ran : bool
        Whether the runtime ran it; else there is only the prediction.
    doubts : tuple of str
    command : str

    Notes
    -----
    A kernel is matched when at least one launch was seen for it. Of kernels: matched / (predicted
    + strays). Of time: that of launches that belong to predicted kernels / that of all launches.
    """

    model: ModelFacts
    runtime: str
    target: str
    kernels: tuple[Predicted, ...]
    strays: tuple[Stray, ...] = ()
    ran: bool = True
    doubts: tuple[str, ...] = ()
    command: str = ""

    @property
    def kernels_matched_fraction(self) -> float | None:
        """Matched of all that were predicted or launched; None where nothing ran."""
        everything = len(self.kernels) + len(self.strays)
        if not self.ran or not everything:
            return None
        return sum(kernel.matched for kernel in self.kernels) / everything

    @property
    def time_matched_fraction(self) -> float | None:
        """Time of launches of predicted kernels, of that of all; None where nothing ran."""
        matched_ms = sum(kernel.latency_ms or 0.0 for kernel in self.kernels)
        total_ms = matched_ms + sum(map(_stray_ms, self.strays))
        return matched_ms / total_ms if self.ran and total_ms else None

    def to_dict(self) -> dict[str, Any]:
        return heading("fusion", self.command) | {
            "model": self.model.to_dict(),
            "runtime": self.runtime,
            "target": self.target,
            "ran": self.ran,
            "kernels_matched_fraction": self.kernels_matched_fraction,
            "time_matched_fraction": self.time_matched_fraction,
            "kernels": [kernel.to_dict() for kernel in self.kernels],
            "not_launched": [k.label for k in self.kernels if self.ran and not k.matched],
            "not_predicted": [
                {"name": stray.name, "kind": stray.kind, "latency_ms": _stray_ms(stray)}
                for stray in self.strays
            ],
            "doubts": list(self.doubts),
        }

    def to_html(self) -> str:
        """There is no page of it.

        Raises
        ------
        BadReference
        """
        raise BadReference("what a runtime launched has no page; take to_markdown or to_frame.")


def predicted(
    graph: Graph, runtime: str, *, threads: int = 1, dtype: str = "fp32", command: str = ""
) -> Launched:
    """What `runtime` would launch; it need not be installed.

    Raises
    ------
    UnknownName, BadReference, MeasurementError
    """
    target = target_of(runtime, threads=threads, dtype=dtype)
    kernels = _kernels(graph, fuse(graph, target.runtime, dtype))
    doubts = tuple(graph.assumptions)
    return Launched(count(graph), target.runtime, target.name, kernels, ran=False, doubts=doubts,
                    command=command)  # fmt: skip


def launched(
    graph: Graph,
    runtime: str = "onnxruntime",
    *,
    threads: int = 1,
    dtype: str = "fp32",
    seconds: float = SECONDS,
    command: str = "",
) -> Launched:
    """Run `graph` under the profiler of `runtime`, and compare.

    Raises
    ------
    UnknownName, BadReference, MeasurementError
    """
    target = target_of(runtime, threads=threads, dtype=dtype)
    lacking = missing(target.runtime)
    if lacking:
        raise RuntimeUnavailable(
            f"{target.runtime} cannot run it here: {lacking}. Pass --predicted to list what it "
            "would launch, without running it."
        )
    if own_file(graph, target) is not None:
        raise UnsupportedOp(
            f"{graph.name!r} is quantised already, and runs as it is: nothing is predicted to "
            f"compare with. `latprof profile {graph.source} --runtime {target.runtime} --all` "
            "lists what was launched."
        )
    with Worker(target.runtime, threads=threads, dtype=dtype) as worker:
        return compare(graph, worker, target.name, seconds=seconds, command=command)


def compare(
    graph: Graph, worker: Worker, target: str, *, seconds: float = SECONDS, command: str = ""
) -> Launched:
    """The same in a measuring process that is there already, for many graphs in turn."""
    times = worker.measure(graph, Effort(seconds=seconds))
    return Launched(
        model=count(graph),
        runtime=worker.version,
        target=target,
        kernels=_kernels(graph, fuse(graph, worker.runtime, worker.dtype), times),
        strays=times.strays,
        doubts=tuple(graph.assumptions),
        command=command,
    )


def _kernels(
    graph: Graph, kernels: Sequence[Kernel], times: NetworkTimes | None = None
) -> tuple[Predicted, ...]:
    ops = {node.name: node.op for node in graph.nodes}
    observed = {k.kernel.name: k for k in times.kernels} if times else {}
    found = []
    for label, kernel in zip(labels(kernels), kernels, strict=True):
        covers = tuple(ops.get(name, "") for name in kernel.nodes)
        seen = observed.get(kernel.name)
        if seen is None:
            found.append(Predicted(label, kernel, covers))
        else:
            latency_ms = statistics.median(seen.times_ms)
            found.append(Predicted(label, kernel, covers, seen.launches, seen.seen, latency_ms))
    return tuple(found)


def _stray_ms(stray: Stray) -> float:
    return statistics.median(stray.times_ms) if stray.times_ms else 0.0
