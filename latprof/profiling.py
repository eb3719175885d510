"""How long a graph takes on this machine, kernel by kernel, and whether the parts add up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latprof.answers import Answer, heading
from latprof.counting import ModelFacts, count, other_dtypes
from latprof.errors import BadReference, MeasurementError, UnsupportedOp
from latprof.frontends.sniff import sniff
from latprof.graph import Graph
from latprof.kernel import Kernel, labels
from latprof.measurement.baseline import Baseline, baseline
from latprof.measurement.calibration import Calibration
from latprof.measurement.canary import Drift
from latprof.measurement.client import Worker
from latprof.measurement.environment import describe_run, usable_cores
from latprof.measurement.grade import Grade, grade
from latprof.measurement.network import Effort
from latprof.measurement.times import NetworkTimes, Round, typical_kernels_ms
from latprof.measurement.timing import Summary, quantile, summarize
from latprof.prediction import kernel_to_dict
from latprof.runtimes import RUNTIMES, check_dtype, runtime_name
from latprof.tables import Target
from latprof.units import format_percent

SECONDS = 3.0
AS_STORED = "as stored"  # the dtype of a file that runs as it is
PRECISION = 0.01  # enough once the median is known to ± this share


@dataclass(frozen=True)
class KernelProfile:
    """One kernel as measured, the profiler's own cost removed."""

    label: str
    kernel: Kernel
    latency_ms: float
    p10_ms: float
    p90_ms: float
    seen: tuple[str, ...] = ()  # what the runtime's profiler calls its launches

    def to_dict(self) -> dict[str, Any]:
        return kernel_to_dict(self.label, self.kernel) | {
            "seen": list(self.seen),
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
    rounds : tuple of Round
        Every time as it was taken, before the canary's correction.
    drift : Drift or None
        What the times were corrected by.
    peak_bytes : int or None
        Largest resident memory of the process that ran it, libraries and both sessions included.
    cold : bool
        Whether caches were emptied before every run.
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
    rounds: tuple[Round, ...] = ()
    drift: Drift | None = None
    peak_bytes: int | None = None
    cold: bool = False
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

    @property
    def uncorrected_ms(self) -> float:
        """The median as timed, without the canary's correction."""
        return summarize([ms for each in self.rounds for ms in each.plain_ms]).latency_ms

    def _canary(self) -> dict[str, float] | None:
        if self.drift is None:
            return None
        taken = [ms for each in self.rounds for ms in each.canary_ms]
        return {
            "latency_ms": summarize(taken).latency_ms,
            "reference_ms": self.drift.reference_ms,
            "elasticity": self.drift.elasticity,
        }

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
                "uncorrected_ms": self.uncorrected_ms,
                "canary": self._canary(),
                "caches": "cold" if self.cold else "warm",
                "peak_bytes": self.peak_bytes,
                "samples": [
                    {"canary_ms": r.canary_ms, "plain_ms": r.plain_ms, "profiled_ms": r.profiled_ms}
                    for r in self.rounds
                ],
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
    cold: bool = False,
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
        Most time to run it; it stops before once the median's 95 % confidence interval is within
        ±1 %, and large models take longer, to reach six rounds.
    cold : bool
        Empty the caches before every run.
    command : str
        What the user typed, for the report.

    Raises
    ------
    UnknownName, UnsupportedOp, MeasurementError
    """
    target = target_of(runtime, threads=threads, dtype=dtype)
    file = own_file(graph, target)
    if file is not None:  # what profiling costs is learned from float32 networks then
        target = target_of(runtime, threads=threads)
    with Worker(target.runtime, threads=threads, dtype=target.dtype) as worker:
        environment = describe_run(runtime=worker.version, threads=threads, dtype=target.dtype)
        known = baseline(worker, target, environment)
        effort = Effort(seconds=seconds, precision=PRECISION, cold=cold)
        raw = worker.measure(graph, effort, file)
    if file is not None:
        dtype = AS_STORED
        environment = environment | {"dtype": dtype}
    calm = raw.undisturbed()
    drift = calm.drift(known.reference_ms)
    times = calm.brought_to(drift)
    return Profile(
        model=count(graph),
        summary=summarize(times.times_ms),
        grade=grade(times),
        runtime=environment["runtime"],
        threads=threads,
        dtype=dtype,
        environment=environment,
        kernels=_kernels(times, known.calibration),
        overhead_ms=known.calibration.run_ms,
        rounds=raw.rounds,
        drift=drift,
        peak_bytes=times.usage.peak_bytes,
        cold=cold,
        doubts=_doubts(graph, times),
        provenance=_provenance(environment["runtime"], known, calm, drift, file),
        command=command,
    )


def _provenance(
    runtime: str, known: Baseline, times: NetworkTimes, drift: Drift | None, file: Path | None
) -> tuple[str, ...]:
    calibration = known.calibration
    what = (
        "weights drawn at random around those of a trained network, none of them zero"
        if file is None
        else f"{str(file)!r} itself with the weights in it, on an input drawn at random"
    )
    said = [
        f"this machine, {runtime}, {what}",
        f"profiling cost {calibration.launch_ms * 1e3:.2f} µs a launch, learned from "
        f"{calibration.networks} small networks and removed; a run costs "
        f"{calibration.run_ms * 1e3:.1f} µs beside its kernels",
    ]
    if drift is not None:
        canary_ms = summarize(times.canary_ms).latency_ms
        said.append(
            f"a canary network took {canary_ms:.3f} ms beside it and takes "
            f"{drift.reference_ms:.3f} ms in the state that times are brought to: they were "
            f"multiplied by {drift.factor(canary_ms):.3f}"
        )
    return tuple(said)


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
                seen=k.seen,
            )
        )
    return tuple(found)


def own_file(graph: Graph, target: Target) -> Path | None:
    """The file that `graph` was read from, where that itself has to run: it is no float32 model.

    Another runtime would run another network than the user has; so the file runs as it is, under
    the runtime whose format it has.

    Raises
    ------
    UnsupportedOp
        If `target` runs no such file.
    BadReference
        If another dtype was asked for than a quantised file can be.
    """
    others = other_dtypes(graph)
    if not others:
        return None
    path = Path(graph.source)
    kind = sniff(path) if path.is_file() else ""
    said = f"{graph.name!r} is quantised already: it keeps or computes numbers in "
    said += f"{', '.join(others)}."
    able = [entry.name for entry in RUNTIMES.values() if kind and entry.opens == kind]
    if not able:
        raise UnsupportedOp(
            f"{said} latprof runs such a network from its .onnx or .tflite file alone. Count it "
            f"with latprof count {graph.source or graph.name}, or profile the model before it was "
            "quantised."
        )
    if target.runtime not in able:
        raise UnsupportedOp(
            f"{said} A .{kind} file runs as it is: pass --runtime {' or '.join(able)}."
        )
    if target.dtype not in ("fp32", "int8"):
        raise BadReference(f"{said} It runs as it is; leave out --dtype {target.dtype}.")
    return path


def _doubts(graph: Graph, times: NetworkTimes) -> tuple[str, ...]:
    said = list(graph.assumptions)
    added = [k for k in times.kernels if not k.kernel.nodes]
    if added:
        typical = typical_kernels_ms(times)
        pairs = zip(times.kernels, typical, strict=True)
        share = sum(ms for k, ms in pairs if not k.kernel.nodes) / (sum(typical) or 1.0)
        said.append(
            f"{len(added)} launches ({format_percent(share)} of the time) are named after no node "
            f"of the file: {', '.join(k.seen[0] for k in added[:3])}"
        )
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
