"""How long a graph will take on a device, and how sure the answer is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, TypeVar

from latprof.answers import Answer, heading, shares
from latprof.costmodel.coverage import BASES
from latprof.costmodel.persistence import load
from latprof.costmodel.predictor import Estimate, Predictor
from latprof.counting import ModelFacts, count, other_dtypes
from latprof.frontends.patterns.scales import without_scales
from latprof.fusion import fuse
from latprof.graph import Graph
from latprof.kernel import Kernel, labels
from latprof.measurement.environment import MACHINE, describe_machine, differences
from latprof.remembered import remembered
from latprof.tables import HOST, Target, resolve
from latprof.units import format_percent

T = TypeVar("T")

COVERAGE = 0.9
_TOGETHER = 256  # graphs whose new kernels are worked out at once
_MUCH_EXTRAPOLATED = 0.1
_SHORT_MS = 1.0
_POOR = ("D", "F")  # grades of tables that predictions should not be trusted from


@dataclass(frozen=True)
class KernelPrediction:
    """One kernel's share of a prediction."""

    label: str
    kernel: Kernel
    latency_ms: float
    bound_ms: float
    basis: str

    def to_dict(self) -> dict[str, Any]:
        return kernel_to_dict(self.label, self.kernel) | {
            "latency_ms": self.latency_ms,
            "bound_ms": self.bound_ms,
            "basis": self.basis,
        }


@dataclass(frozen=True)
class Prediction:
    """The latency of one graph on one target.

    Parameters
    ----------
    device, target : str
    latency_ms, low_ms, high_ms : float
        End to end; the interval holds the truth with probability `coverage`.
    coverage : float
    overhead_ms : float
        Part of the latency that belongs to no kernel.
    kernels : tuple of KernelPrediction
    roofline : dict
        Ceilings of the target, in GMAC/s, GB/s and ms.
    doubts : tuple of str
        Why the answer may be wrong.
    provenance : tuple of str
        What it was learned from.
    budget_ms : float, optional
        What it is held against.
    """

    device: str
    target: str
    latency_ms: float
    low_ms: float
    high_ms: float
    coverage: float
    overhead_ms: float
    kernels: tuple[KernelPrediction, ...]
    roofline: dict[str, float]
    doubts: tuple[str, ...]
    provenance: tuple[str, ...]
    budget_ms: float | None = None

    @property
    def basis(self) -> dict[str, float]:
        """Share of the time that is measured, interpolated, extrapolated and bounded."""
        parts = dict.fromkeys(BASES, 0.0)
        for kernel in self.kernels:
            parts[kernel.basis] += kernel.latency_ms
        return shares(parts)

    @property
    def within_budget(self) -> bool:
        """Whether the whole interval stays under the budget."""
        return self.budget_ms is None or self.high_ms <= self.budget_ms

    def to_dict(self) -> dict[str, Any]:
        return {
            "device": self.device,
            "target": self.target,
            "latency_ms": self.latency_ms,
            "low_ms": self.low_ms,
            "high_ms": self.high_ms,
            "coverage": self.coverage,
            "overhead_ms": self.overhead_ms,
            "budget_ms": self.budget_ms,
            "basis": self.basis,
            "roofline": self.roofline,
            "doubts": list(self.doubts),
            "provenance": list(self.provenance),
            "kernels": [kernel.to_dict() for kernel in self.kernels],
        }


@dataclass(frozen=True)
class Predictions(Answer):
    """One graph on one or more targets: what ``latprof predict`` answers."""

    model: ModelFacts
    predictions: tuple[Prediction, ...]
    command: str = ""

    def to_dict(self) -> dict[str, Any]:
        return heading("predict", self.command) | {
            "model": self.model.to_dict(),
            "predictions": [prediction.to_dict() for prediction in self.predictions],
        }


def predict(
    graph: Graph,
    devices: Sequence[str] | str,
    *,
    budget_ms: float | None = None,
    coverage: float = COVERAGE,
    command: str = "",
) -> Predictions:
    """Predict the latency of `graph` on each device.

    Parameters
    ----------
    graph : Graph
    devices : str or sequence of str
        ``pixel6``, or one target of it as ``pixel6/litert-cpu1-int8``.
    budget_ms : float, optional
    coverage : float, default=0.9
    command : str
        What the user typed, for the report.

    Raises
    ------
    UnknownName, TableError, CostModelError
        If a device is unknown, or no cost model has been fitted for it.
    """
    asked = [devices] if isinstance(devices, str) else list(devices)
    facts = remembered(graph, "facts", lambda: count(graph))
    found = []
    for reference in asked:
        device, target = resolve(reference)
        prediction = _predict_one(graph, facts, load(device, target), coverage)
        found.append(replace(prediction, budget_ms=budget_ms))
    return Predictions(facts, tuple(found), command)


def _predict_one(
    graph: Graph, facts: ModelFacts, predictor: Predictor, coverage: float
) -> Prediction:
    target = Target.parse(predictor.target)
    network, other = as_measured(graph, predictor.target, target.dtype)
    kernels = _fused(network, target)
    estimate = predictor.estimate(kernels, coverage)
    found = tuple(
        KernelPrediction(label, kernel, float(ms), float(bound), BASES[basis])
        for label, kernel, ms, bound, basis in zip(
            labels(kernels),
            kernels,
            estimate.kernel_ms,
            estimate.bound_ms,
            estimate.basis,
            strict=True,
        )
    )
    roofline = predictor.model.fitted_.roofline
    return Prediction(
        device=predictor.device,
        target=predictor.target,
        latency_ms=estimate.latency_ms,
        low_ms=estimate.low_ms,
        high_ms=estimate.high_ms,
        coverage=coverage,
        overhead_ms=estimate.overhead_ms,
        kernels=found,
        roofline={
            "peak_gmacs_per_s": roofline.peak_macs_per_ms / 1e6,
            "bandwidth_gb_per_s": roofline.bandwidth_bytes_per_ms / 1e6,
            "launch_overhead_ms": roofline.launch_ms,
        },
        doubts=(
            *other,
            *_other_machine(predictor),
            *_poor_grade(predictor),
            *_doubts(facts, estimate, found),
        ),
        provenance=_provenance(predictor),
    )


def as_measured(graph: Graph, target: str, dtype: str) -> tuple[Graph, tuple[str, ...]]:
    """What to predict `graph` as on a target that was measured with float32 models run in `dtype`.

    And the doubt about it, where it was quantised or cast before it came here.
    """
    others = other_dtypes(graph)
    if not others:
        return graph, ()
    said = f"the model computes in or keeps its weights in {', '.join(others)}"
    stands_for = without_scales(graph) if dtype == "int8" else None
    if stands_for is not None:
        doubt = (
            f"{said}; it is predicted as the float32 model that it stands for, quantised as for "
            f"{target}: with scales of another kind a runtime may launch other kernels"
        )
        return stands_for, (doubt,)
    measured = "float32 alone" if dtype == "fp32" else f"{dtype} models made from float32 ones"
    return graph, (f"{said}, and {target} was measured with {measured}: the latency is a guess",)


def _fused(graph: Graph, target: Target) -> tuple[Kernel, ...]:
    key = (target.runtime, target.dtype)
    return remembered(graph, key, lambda: fuse(graph, *key))


@dataclass(frozen=True, slots=True)
class Latency:
    """One graph's latency, for those who ask about a great many.

    Parameters
    ----------
    name : str
        Of the graph; empty for kernels.
    latency_ms, low_ms, high_ms : float
        As in `Prediction`.
    basis : dict
        Share of the time that is measured, interpolated, extrapolated and bounded.
    """

    name: str
    latency_ms: float
    low_ms: float
    high_ms: float
    basis: dict[str, float]


def predict_many(
    graphs: Iterable[Graph | Sequence[Kernel]], device: str, *, coverage: float = COVERAGE
) -> Iterator[Latency]:
    """Predict the latency of many graphs, one after another as they come.

    A kernel that many graphs share is worked out once, and what is new is worked out together.
    Nothing is kept of a graph that has been answered, so that a million take no more memory than
    a thousand.

    Parameters
    ----------
    graphs : iterable of Graph, or of the kernels of one
        Kernels as `latprof.fusion.fuse` gives them for the target's runtime: working these out
        takes far longer than predicting them, and a search that knows them can leave it out.
    device : str
        A device or one target of it.
    coverage : float, default=0.9

    Yields
    ------
    latency : Latency
        In the order of `graphs`.

    Raises
    ------
    UnknownName, TableError, CostModelError
        If the device is unknown, or no cost model has been fitted for it.
    """
    predictor = load(*resolve(device))
    target = Target.parse(predictor.target)
    for some in _chunks(graphs):
        kernels = [
            _launched(one, predictor.target, target) if isinstance(one, Graph) else one
            for one in some
        ]
        for one, estimate in zip(some, predictor.estimate_many(kernels, coverage), strict=True):
            yield Latency(
                name=one.name if isinstance(one, Graph) else "",
                latency_ms=estimate.latency_ms,
                low_ms=estimate.low_ms,
                high_ms=estimate.high_ms,
                basis=dict(zip(BASES, estimate.basis_fractions, strict=True)),
            )


def _launched(graph: Graph, name: str, target: Target) -> tuple[Kernel, ...]:
    return fuse(as_measured(graph, name, target.dtype)[0], target.runtime, target.dtype)


def _chunks(graphs: Iterable[T]) -> Iterator[list[T]]:
    waiting = iter(graphs)
    while some := list(islice(waiting, _TOGETHER)):
        yield some


def _other_machine(predictor: Predictor) -> tuple[str, ...]:
    """The doubt that what was measured as this host was another machine."""
    if predictor.device != HOST:
        return ()  # a device by name is what it is, wherever it is asked about
    then = predictor.facts.get("environment", {})
    changed = differences(then, describe_machine(), [key for key in MACHINE if key in then])
    if not changed:
        return ()
    return (
        f"this is not the machine that was measured as {HOST} ({'; '.join(changed)}): measure this "
        f"one with `latprof measure`, then `latprof fit {HOST}`",
    )


def _poor_grade(predictor: Predictor) -> tuple[str, ...]:
    """The doubt about what was learned from a table of grade D, or by force of grade F."""
    letter = str(predictor.facts.get("grade", ""))
    if letter not in _POOR:
        return ()
    reasons = "; ".join(map(str, predictor.facts.get("grade_reasons", ())))
    forced = ", and its cost model was fitted by force" if letter == _POOR[-1] else ""
    return (f"the table behind it has grade {letter}{forced}" + (f": {reasons}" * bool(reasons)),)


def _doubts(
    facts: ModelFacts, estimate: Estimate, kernels: Sequence[KernelPrediction]
) -> tuple[str, ...]:
    said = list(facts.assumptions)
    for op, times in facts.unknown_ops.items():
        said.append(f"operator {op} (×{times}) has no cost formula; only its traffic is bounded")
    for op, times in facts.bounded_ops.items():
        said.append(f"operator {op} (×{times}) depends on the data: the most it can cost is taken")
    outside = [k for k in kernels if k.basis == "extrapolated"]
    share = sum(k.latency_ms for k in outside) / estimate.latency_ms
    if share > _MUCH_EXTRAPOLATED:
        worst = max(outside, key=lambda k: k.latency_ms)
        said.append(
            f"{format_percent(share)} of the time lies outside what the table covers, most of it "
            f"in {worst.label} ({worst.kernel.op}, {worst.kernel.shape_text})"
        )
    if estimate.latency_ms < _SHORT_MS:
        said.append("under 1 ms, what a run costs beside its kernels weighs heavily")
    return tuple(said)


def _provenance(predictor: Predictor) -> tuple[str, ...]:
    facts = predictor.facts
    accuracy, environment = facts.get("accuracy", {}), facts.get("environment", {})
    said = []
    if accuracy:
        said.append(
            f"{accuracy['kernels']} kernels timed in {accuracy['networks']} small "
            f"networks on {facts.get('date', 'an unknown date')} ({facts.get('source', '?')}, "
            f"{facts.get('seconds', '?')} s)"
        )
        said.append(
            f"held-out networks: mean error {format_percent(accuracy['network_mape'])}, "
            f"{format_percent(accuracy['within_10'])} within ±10 %; the interval is calibrated "
            "on these, not on whole models"
        )
    if environment:
        said.append(
            f"{environment.get('cpu', 'unknown processor')}, "
            f"{environment.get('runtime', 'unknown runtime')}, "
            f"{environment.get('threads', '?')} thread(s), {environment.get('dtype', '?')}"
        )
    return tuple(said)


def kernel_to_dict(label: str, kernel: Kernel) -> dict[str, Any]:
    """What every answer says of a kernel."""
    return {
        "name": label,
        "op": kernel.op,
        "module": kernel.module,
        "shape": kernel.shape_text,
        "macs": kernel.macs,
        "params": kernel.params,
        "bytes_moved": kernel.bytes_moved,
        "nodes": list(kernel.nodes),
    }
