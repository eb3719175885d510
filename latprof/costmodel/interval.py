"""How wide an answer must be: split-conformal intervals on the end-to-end latency."""

from __future__ import annotations

from itertools import count
from typing import Any

import numpy as np

from latprof.errors import CostModelError

Array = np.ndarray[Any, Any]

FEWEST_ALIKE = 60


def conformal_quantile(scores: Array, coverage: float) -> float:
    """The score that a new one stays below with probability `coverage`.

    Parameters
    ----------
    scores : ndarray of shape (n,)
        Non-negative errors on data the model was not fitted on.
    coverage : float

    Raises
    ------
    CostModelError
        If there are too few scores for that coverage.

    References
    ----------
    Vovk, Gammerman & Shafer, Algorithmic Learning in a Random World, 2005; Lei et al.,
    Distribution-free predictive inference for regression, arXiv 1604.04173, algorithm 2.
    """
    rank = _rank(len(scores), coverage)
    if rank > len(scores):
        least = next(n for n in count(1) if _rank(n, coverage) <= n)
        raise CostModelError(
            f"{len(scores)} held-out networks cannot support an interval at {coverage:.0%}; "
            f"{least} are needed. Measure longer, as in `latprof measure --time 3min`."
        )
    return float(np.sort(scores)[rank - 1])


def nearest(held_out_ms: Array, latency_ms: float) -> Array:
    """Which held-out networks to judge an answer by: those nearest to it in latency.

    Short networks are harder to predict, so that one quantile for all would be too narrow for
    them and too wide for the rest. A third of the networks, but no fewer than `FEWEST_ALIKE`.

    Returns
    -------
    chosen : ndarray of int
        Positions in `held_out_ms`.
    """
    count = max(FEWEST_ALIKE, len(held_out_ms) // 3)
    distance = np.abs(np.log(held_out_ms / latency_ms))
    return np.argsort(distance, kind="stable")[:count]


def _rank(scores: int, coverage: float) -> int:
    # Without the tiny step back, 10 · 0.9 could round up to 10.
    return int(np.ceil((scores + 1) * coverage - 1e-9))


def doubt_scale(extrapolated_fraction: Array | float) -> Array:
    """How much wider than usual an answer is, given the share of its time that is extrapolated.

    Twice as wide when all of it is; the scores that calibrate the interval are divided by the
    same scale, so that it costs no coverage.
    """
    return 1.0 + np.asarray(extrapolated_fraction)
