"""How sure the mean of a few visits is, when many networks were visited as few times.

References
----------
Smyth, Linear Models and Empirical Bayes Methods for Assessing Differential Expression, 2004:
a variance estimated from a handful of values is drawn towards what all of them share.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

_PRIOR_DEGREES = 4.0  # the common variance counts like so many more visits
_NORMAL_95 = 1.96


def relative_variances(visits: Sequence[Sequence[float]]) -> float:
    """The variance that the relative deviations of visits share: median over what was visited.

    Parameters
    ----------
    visits : sequence of sequences of float
        For each thing, its time at each visit.
    """
    found = [statistics.variance(_relative(times)) for times in visits if len(times) > 1]
    # A median of variances with few degrees of freedom lies below their mean; see
    # Wilson & Hilferty, 1931, for the median of chi-square: df·(1 − 2/(9·df))³.
    degrees = statistics.median([len(times) - 1 for times in visits if len(times) > 1] or [1])
    return statistics.median(found or [0.0]) / (1 - 2 / (9 * degrees)) ** 3


def uncertainty_fraction(times: Sequence[float], common_variance: float) -> float:
    """Half the 95 % confidence interval of the mean of `times`, as a share of it."""
    degrees = len(times) - 1
    own = statistics.variance(_relative(times)) if degrees else 0.0
    variance = (_PRIOR_DEGREES * common_variance + degrees * own) / (_PRIOR_DEGREES + degrees)
    return _NORMAL_95 * math.sqrt(variance / len(times))


def _relative(times: Sequence[float]) -> list[float]:
    mean = statistics.fmean(times)
    return [time / mean for time in times] if mean else [1.0] * len(times)
