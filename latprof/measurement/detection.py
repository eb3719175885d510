"""Whether a runtime fuses two operators, told from times alone: for a device nobody can open.

References
----------
Zhang et al., nn-Meter, MobiSys 2021, section 4, and its docs/builder/test_fusion_rules.md: A and B
are fused where t(A) + t(B) − t(A, B) > α · min(t(A), t(B)), with α = 0.5.
Yuen, The two-sample trimmed t for unequal population variances, 1974: the interval of a trimmed
mean, by which one round that a neighbour disturbed decides nothing.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from latprof.errors import MeasurementError
from latprof.fusion import FUSIONS
from latprof.graph import Graph
from latprof.measurement.client import Worker
from latprof.measurement.network import Effort
from latprof.measurement.pairs import PAIRS, REPEATS, Pair

ALPHA = 0.5
ROUNDS = 8
FEWEST_ROUNDS = 4
# Two turns: the rounds of `detect` are what drift is averaged over.
_VISIT = Effort(seconds=0.05, rounds=2, least_rounds=1)
_SHORTEST_MS = 0.005  # of one operator: below, a launch costs as much as what it computes
_STUDENT_95 = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26)  # by degrees of freedom

Said = Literal["fused", "separate", "unclear"]


@dataclass(frozen=True)
class Found:
    """What times say of one pair.

    Parameters
    ----------
    name : str
        ``conv+relu``.
    said : str
    first_ms, second_ms, both_ms : float or None
        Of one operator, median over rounds; None where the runtime could not run them.
    saved_fraction, low, high : float or None
        What running them together saves, as a share of the shorter one: 1 where it comes for
        nothing, 0 where nothing is saved; and the 95 % interval of it.
    known : bool or None
        Whether latprof's own rules fuse the pair; None where it has none for the runtime.
    reason : str
        Why it is unclear.
    """

    name: str
    said: Said
    first_ms: float | None = None
    second_ms: float | None = None
    both_ms: float | None = None
    saved_fraction: float | None = None
    low: float | None = None
    high: float | None = None
    known: bool | None = None
    reason: str = ""

    @property
    def agrees(self) -> bool | None:
        """Whether latprof's rules say the same; None where either does not tell."""
        return (
            None
            if self.known is None or self.said == "unclear"
            else self.known == (self.said == "fused")
        )

    def to_dict(self) -> dict[str, Any]:
        return vars(self) | {"agrees": self.agrees}


def decide(
    name: str,
    first_ms: Sequence[float],
    second_ms: Sequence[float],
    both_ms: Sequence[float],
    *,
    known: bool | None = None,
    alpha: float = ALPHA,
) -> Found:
    """Tell whether a pair is fused from times of one operator each, one for each round.

    Fused where the whole interval of the share saved lies above `alpha`, separate where it lies
    below, else unclear. Times see what is saved and not what is launched: a runtime that joins an
    activation to a convolution and gains nothing by it reads as separate.

    Parameters
    ----------
    first_ms, second_ms, both_ms : sequence of float
        Of the same rounds; a round's three times meet the same conditions.
    known : bool, optional
    alpha : float, default=0.5
    """
    middle = [statistics.median(times) for times in (first_ms, second_ms, both_ms)]
    # Divided by the typical shorter time: a quotient of each round's own would spread more.
    shorter = max(min(middle[:2]), 1e-9)
    saved = [(a + b - c) / shorter for a, b, c in zip(first_ms, second_ms, both_ms, strict=True)]
    fraction, half = _trimmed(saved)
    low, high = fraction - half, fraction + half
    said: Said = "fused" if low > alpha else "separate" if high < alpha else "unclear"
    reason = ""
    if len(saved) < FEWEST_ROUNDS:
        said, reason = "unclear", f"only {len(saved)} rounds"
    elif min(middle[:2]) < _SHORTEST_MS:
        said, reason = "unclear", "alone, one of the two costs next to nothing"
    elif said == "unclear":
        reason = "times scatter too much, or only a part is saved"
    first, second, both = middle
    return Found(name, said, first, second, both, fraction, low, high, known, reason)


def _trimmed(values: Sequence[float]) -> tuple[float, float]:
    """Mean without the largest and the smallest, and half its 95 % interval."""
    ordered = sorted(values)
    kept = ordered[1:-1] if len(ordered) >= FEWEST_ROUNDS else ordered
    if len(kept) < 2:
        return statistics.fmean(kept), math.inf
    trimmed = len(kept) < len(ordered)
    winsorized = [kept[0], *kept, kept[-1]] if trimmed else kept
    n, h = len(winsorized), len(kept)
    error = math.sqrt(statistics.variance(winsorized) * (n - 1) / (h * (h - 1)))
    quantile = _STUDENT_95[min(h - 1, len(_STUDENT_95)) - 1]
    return statistics.fmean(kept), quantile * error


def known_rule(pair: Pair, runtime: str, dtype: str = "fp32") -> bool | None:
    """Whether latprof's rules for `runtime` fuse the pair; None where there are none.

    What more repeats add: the kernels that both add are fewer than those that each adds alone.
    """
    if runtime not in FUSIONS:
        return None
    fuse = FUSIONS[runtime]

    def added(index: int) -> int:
        few, many = (len(fuse(pair.networks(n)[index], dtype)) for n in (2, 6))
        return many - few

    return added(2) < added(0) + added(1)


def detect(
    worker: Worker,
    pairs: Sequence[Pair] = PAIRS,
    *,
    rounds: int = ROUNDS,
    seed: int = 0,
    report: Callable[[str], None] = lambda line: None,
) -> tuple[Found, ...]:
    """Time every pair under the worker's runtime and decide.

    Each round visits all pairs in a new random order, and the three networks of a pair one right
    after the other, so that drift hits them alike. A pair that the runtime cannot run is unclear.

    Raises
    ------
    MeasurementError
        If the measuring process does not come up.
    """
    chance = random.Random(seed)
    networks = {pair: pair.networks() for pair in pairs}
    times: dict[Pair, list[list[float]]] = {pair: [[], [], []] for pair in pairs}
    failed: dict[Pair, str] = {}
    for number in range(rounds):
        report(f"round {number + 1} of {rounds}")
        for pair in chance.sample(list(pairs), len(pairs)):
            if pair in failed:
                continue
            try:
                taken = [_once_ms(worker, graph) for graph in networks[pair]]
            except MeasurementError as error:
                failed[pair] = str(error)
                continue
            for found, value_ms in zip(times[pair], taken, strict=True):
                found.append(value_ms / REPEATS)
    return tuple(
        Found(pair.name, "unclear", reason=failed[pair])
        if pair in failed
        else decide(pair.name, *times[pair], known=known_rule(pair, worker.runtime, worker.dtype))
        for pair in pairs
    )


def _once_ms(worker: Worker, graph: Graph) -> float:
    return statistics.median(worker.measure(graph, _VISIT).times_ms)
