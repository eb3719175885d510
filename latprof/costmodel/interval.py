"""How wide an answer must be: conformal intervals on the end-to-end latency.

An error is expected to be smaller for a network of many kernels, whose errors partly cancel, than
for one that a single kernel decides; and larger where kernels lie far from those measured. Each
held-out error is divided by what was to be expected of its network; the quantile of those scores,
times what is to be expected of a new one, is how far its interval reaches.

References
----------
Lei et al., Distribution-free predictive inference for regression, arXiv 1604.04173, 5.2 (locally
weighted conformal inference).
"""

from __future__ import annotations

from itertools import count

import numpy as np

from latprof.costmodel.columns import Array
from latprof.errors import CostModelError

CAUSES = 4
_LEAST_SHARE = 0.25  # of the mean error: what even the easiest network is expected to miss


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


def _rank(scores: int, coverage: float) -> int:
    # Without the tiny step back, 10 · 0.9 could round up to 10.
    return int(np.ceil((scores + 1) * coverage - 1e-9))


def causes(kernel_ms: Array, doubtful: Array, starts: Array, run_ms: float) -> Array:
    """What makes the error of each network large, shape (n_networks, 4).

    A constant, for what all kernels share; the root of Σ share², for errors that cancel; the
    share of the time that is extrapolated or only bounded; the share that belongs to no kernel.

    Parameters
    ----------
    kernel_ms : ndarray of shape (n_kernels,)
        Kernels of one network after another; none is empty.
    doubtful : ndarray of shape (n_kernels,), bool
    starts : ndarray of shape (n_networks,), int
        Position of each network's first kernel.
    run_ms : float
    """
    total = np.add.reduceat(kernel_ms, starts) + run_ms
    uneven = np.sqrt(np.add.reduceat(kernel_ms**2, starts)) / total
    outside = np.add.reduceat(np.where(doubtful, kernel_ms, 0.0), starts) / total
    return np.column_stack([np.ones(len(total)), uneven, outside, run_ms / total])


def fit_expected(reasons: Array, errors: Array) -> Array:
    """Coefficients of `causes` that give the expected error, none negative, shape (4,).

    Parameters
    ----------
    reasons : ndarray of shape (n_networks, 4)
    errors : ndarray of shape (n_networks,)
        |log(measured / predicted)| of networks held out.
    """
    from latprof.costmodel.fitting import fit_line

    coefficients = fit_line(reasons, errors)
    coefficients[0] = max(coefficients[0], _LEAST_SHARE * float(errors.mean()), 1e-4)
    return coefficients
