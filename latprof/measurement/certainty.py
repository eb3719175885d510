"""How sure the mean of a few visits is, when many networks were visited as few times.

References
----------
Yuen, The Two-Sample Trimmed t for Unequal Population Variances, Biometrika 61, 1974: the standard
error of a trimmed mean, from the winsorised variance.

Smyth, Linear Models and Empirical Bayes Methods for Assessing Differential Expression, 2004:
a variance estimated from a handful of values is drawn towards what all of them share.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

_PRIOR_DEGREES = 4.0  # the common variance counts like so many more visits
_NORMAL_95 = 1.96
_FEWEST_TO_TRIM = 8


def relative_variances(visits: Sequence[Sequence[float]]) -> float:
    """The variance that the relative deviations of visits share: median over what was visited.

    Parameters
    ----------
    visits : sequence of sequences of float
        For each thing, its time at each visit.
    """
    several = [times for times in visits if len(times) > 1]
    # A median of variances with few degrees of freedom lies below their mean; see
    # Wilson & Hilferty, 1931, for the median of chi-square: df·(1 − 2/(9·df))³.
    degrees = statistics.median([_degrees(len(times)) for times in several] or [1])
    found = statistics.median([_variance(times) for times in several] or [0.0])
    return found / (1 - 2 / (9 * degrees)) ** 3


def uncertainty_fraction(times: Sequence[float], common_variance: float) -> float:
    """Half the 95 % confidence interval of the mean of the middle half, as a share of it.

    Of few visits nothing is left out: too little would be left to tell how they scatter.
    """
    degrees = _degrees(len(times))
    own = _variance(times) if degrees else 0.0
    variance = (_PRIOR_DEGREES * common_variance + degrees * own) / (_PRIOR_DEGREES + degrees)
    return _NORMAL_95 * math.sqrt(variance / len(times))


def _degrees(count: int) -> int:
    """Degrees of freedom of `_variance`: those that are left out tell nothing."""
    return count - 2 * _left_out(count) - 1


def _left_out(count: int) -> int:
    """How many of so many visits are left out at either end."""
    return count // 4 if count >= _FEWEST_TO_TRIM else 0


def _variance(times: Sequence[float]) -> float:
    """Relative variance of a single visit, as far as the mean of the middle half feels it.

    That of the winsorised times, brought to as many as are there.
    """
    ordered, count, ends = sorted(times), len(times), _left_out(len(times))
    low, high = ordered[ends], ordered[count - ends - 1]
    center = statistics.fmean(ordered[ends : count - ends])
    if not center:
        return 0.0
    winsorised = [min(max(time, low), high) / center for time in times]
    left = count - 2 * ends
    return statistics.variance(winsorised) * (count - 1) / (left - 1) * count / left
