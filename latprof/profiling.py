"""How long a graph takes on this machine, kernel by kernel, and whether the parts add up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from latprof.answers import Answer, heading
from latprof.counting import ModelFacts, count, product_dtypes
from latprof.errors import LatprofError, MeasurementError, UnsupportedOp
from latprof.graph import Graph
from latprof.home import home, write_atomically
from latprof.kernel import Kernel, labels
from latprof.measurement.calibration import Calibration
from latprof.measurement.client import Worker
from latprof.measurement.environment import describe_run, differences, usable_cores
from latprof.measurement.grade import Grade, grade
from latprof.measurement.network import Effort, NetworkTimes, typical_kernels_ms
from latprof.measurement.sweep import EFFORT, calibration_of, record_of
from latprof.measurement.timing import Summary, quantile, summarize
from latprof.prediction import kernel_to_dict
from latprof.runtimes import RUNTIMES, check_dtype, runtime_name
from latprof.sampling import draw_network
from latprof.tables import HOST, Target, read_facts

CALIBRATION_NETWORKS = 15
_CALIBRATION_SEED = 1
SECONDS = 3.0


@dataclass(frozen=True)
class KernelProfile:
    """One kernel as measured, the profiler's own cost removed."""

    label: str
    kernel: Kernel
    latency_ms: float
    p10_ms: float
    p90_ms: float

    def to_dict(self) -> dict[str, Any]:
        return kernel_to_dict(self.label, self.kernel) | {
            "latency_ms": self.latency_ms,
            "p10_ms": self.p10_ms,
            "p90_ms": self.p90_ms,
        }


@dataclass(frozen=True)
class Profile(Answer):
    """What ``latprof profile`` answers.

    Parameters
    ----------
    model : ModelFacts
    summary : Summary
        End to end, without a profiler.
    grade : Grade
    runtime : str
        Library and version.
    threads : int
    dtype : str
    environment : mapping of str to str
    kernels : tuple of KernelProfile
    overhead_ms : float
        What a run costs beside its kernels, as learned from small networks.
    doubts, provenance : tuple of str
    command : str
    """

    model: ModelFacts
    summary: Summary
    grade: Grade
    runtime: str
    threads: int
    dtype: str
    environment: Mapping[str, str]
    kernels: tuple[KernelProfile, ...]
    overhead_ms: float
    doubts: tuple[str, ...] = ()
    provenance: tuple[str, ...] = ()
    command: str = ""

    @property
    def sum_of_kernels_ms(self) -> float:
        return sum(kernel.latency_ms for kernel in self.kernels)

    @property
    def unexplained_ms(self) -> float:
        """End to end minus kernels and overhead; negative when the parts exceed the whole."""
        return self.summary.latency_ms - self.sum_of_kernels_ms - self.overhead_ms

    def to_dict(self) -> dict[str, Any]:
        return heading("profile", self.command) | {
            "model": self.model.to_dict(),
            "measured": {
                "latency_ms": self.summary.latency_ms,
                "p10_ms": self.summary.p10_ms,
                "p90_ms": self.summary.p90_ms,
                "runs": self.summary.runs,
                "runtime": self.runtime,
                "threads": self.threads,
                "dtype": self.dtype,
                "grade": self.grade.letter,
                "grade_reasons": list(self.grade.reasons),
                "environment": dict(self.environment),
            },
            "kernels": [kernel.to_dict() for kernel in self.kernels],
            "reconciliation": {
                "sum_of_kernels_ms": self.sum_of_kernels_ms,
                "overhead_ms": self.overhead_ms,
                "unexplained_ms": self.unexplained_ms,
            },
            "roofline": None,
            "doubts": list(self.doubts),
            "provenance": list(self.provenance),
        }


def profile(
    graph: Graph,
    *,
    runtime: str = "onnxruntime",
    threads: int = 1,
    dtype: str = "fp32",
    seconds: float = SECONDS,
    command: str = "",
) -> Profile:
    """Measure `graph` on this machine.

    Parameters
    ----------
    graph : Graph
    runtime : str
    threads : int
    dtype : str
    seconds : float
        Wanted running time; large models take longer, to reach ten runs.
    command : str
        What the user typed, for the report.

    Raises
    ------
    UnknownName, UnsupportedOp, MeasurementError
    """
    target = target_of(runtime, threads=threads, dtype=dtype)
    _check_dtypes(graph)
    with Worker(target.runtime, threads=threads, dtype=dtype) as worker:
        environment = describe_run(runtime=worker.version, threads=threads, dtype=dtype)
        calibration = _calibration(worker, target, environment)
        times = worker.measure(graph, Effort(seconds=seconds))
    return Profile(
        model=count(graph),
        summary=summarize(times.times_ms),
        grade=grade(times.times_ms),
        runtime=environment["runtime"],
        threads=threads,
        dtype=dtype,
        environment=environment,
        kernels=_kernels(times, calibration),
        overhead_ms=calibration.run_ms,
        doubts=_doubts(graph, times),
        provenance=(
            f"this machine, {environment['runtime']}, weights drawn at random "
            "around those of a trained network, none of them zero",
            f"profiling cost {calibration.launch_ms * 1e3:.2f} µs a launch, learned from "
            f"{calibration.networks} small networks and removed; a run costs "
            f"{calibration.run_ms * 1e3:.1f} µs beside its kernels",
        ),
        command=command,
    )


def target_of(runtime: str, *, threads: int = 1, dtype: str = "fp32") -> Target:
    """The target behind what a user asks for, checked before anything is started.

    Raises
    ------
    UnknownName, BadReference, MeasurementError
    """
    name = runtime_name(runtime)
    check_dtype(name, dtype)
    check_threads(threads)
    return Target(name, RUNTIMES[name].processor, threads, dtype)


def check_threads(threads: int) -> None:
    """Refuse more threads than there are cores to run them.

    Raises
    ------
    MeasurementError
    """
    cores = len(usable_cores())
    if not 1 <= threads <= cores:
        most = f"from 1 to {cores}" if cores > 1 else "1"
        raise MeasurementError(
            f"{threads} threads cannot be measured here, where this process may use {cores} of "
            f"the cores. Pass --threads {most}."
        )


def _kernels(times: NetworkTimes, calibration: Calibration) -> tuple[KernelProfile, ...]:
    found = []
    names = labels([k.kernel for k in times.kernels])
    typical = typical_kernels_ms(times)
    for label, k, profiled_ms in zip(names, times.kernels, typical, strict=True):
        ordered = sorted(calibration.kernel_ms(value, k.launches) for value in k.times_ms)
        found.append(
            KernelProfile(
                label=label,
                kernel=k.kernel,
                latency_ms=calibration.kernel_ms(profiled_ms, k.launches),
                p10_ms=quantile(ordered, 0.1),
                p90_ms=quantile(ordered, 0.9),
            )
        )
    return tuple(found)


def _check_dtypes(graph: Graph) -> None:
    others = [dtype for dtype in product_dtypes(graph) if dtype != "float32"]
    if others:
        raise UnsupportedOp(
            f"{graph.name!r} computes in {', '.join(others)}, and this version of latprof runs "
            f"float32 alone. Count it with latprof count {graph.source or graph.name}, or profile "
            "the model before it was quantised."
        )


def _doubts(graph: Graph, times: NetworkTimes) -> tuple[str, ...]:
    said = list(graph.assumptions)
    if times.strays:
        said.append(
            f"{len(times.strays)} launches belong to no kernel that was expected, and their "
            f"time is in the unexplained remainder: "
            f"{', '.join(str(stray) for stray in times.strays[:3])}"
        )
    if times.missing:
        said.append(
            f"{len(times.missing)} expected kernels did not run by themselves: "
            f"{', '.join(times.missing[:3])}"
        )
    return tuple(said)


def _calibration(worker: Worker, target: Target, environment: Mapping[str, str]) -> Calibration:
    """What profiling costs here: from this host's table, from the last time, or measured now."""
    kept = home() / "calibrations" / f"{target.name}.json"
    for candidate in (_from_table(target), _from_file(kept)):
        if candidate is not None and not differences(candidate.get("environment", {}), environment):
            return Calibration(**candidate["calibration"])
    records = []
    for number in range(CALIBRATION_NETWORKS):
        graph = draw_network(_CALIBRATION_SEED, number)
        records.append(record_of(worker.measure(graph, EFFORT)))
    calibration = calibration_of(records)
    said = {"environment": dict(environment), "calibration": calibration.to_dict()}
    write_atomically(kept, json.dumps(said, indent=1).encode())
    return calibration


def _from_table(target: Target) -> dict[str, Any] | None:
    try:
        facts = read_facts(HOST)["targets"].get(target.name)
    except LatprofError:
        return None
    return facts if facts and "calibration" in facts else None


def _from_file(path: Any) -> dict[str, Any] | None:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        Calibration(**data["calibration"])
        return dict(data)
    except (OSError, ValueError, TypeError, KeyError):
        return None  # none yet, or a damaged one: it is measured again
