from __future__ import annotations

import math
import statistics

import numpy as np
import pytest

from latprof.measurement.certainty import relative_variances, uncertainty_fraction
from latprof.measurement.timing import interquartile_mean


def test_uncertainty_worked_by_hand():
    # 9, 10 and 11 ms: relative variance 0.01, with two degrees of freedom. All networks share
    # 0.0025, which counts like four: (4 · 0.0025 + 2 · 0.01) / 6 = 0.005. Of the mean of three
    # visits: 1.96 · √(0.005 / 3).
    assert uncertainty_fraction([9.0, 10.0, 11.0], 0.0025) == pytest.approx(
        1.96 * math.sqrt(0.005 / 3)
    )


def test_three_visits_that_agree_by_chance_are_not_told_as_certain():
    # Own variance 0: (4 · 0.0025) / 6.
    assert uncertainty_fraction([10.0] * 3, 0.0025) == pytest.approx(
        1.96 * math.sqrt(0.0025 * 4 / 6 / 3)
    )


def test_one_visit_is_as_uncertain_as_all_others_say():
    assert uncertainty_fraction([10.0], 0.0025) == pytest.approx(1.96 * 0.05)


def test_many_visits_speak_for_themselves():
    # Forty visits, half at 9 and half at 11: the middle half is so as well, of 20 with 19 degrees.
    # Nothing changes when the outer quarters are brought to 9 and 11, and 0.01 · 40 / 39 is the
    # variance of a visit; as 20 of 40 count, it is felt (39 / 19) · (40 / 20) times.
    variance = (4 * 0.0 + 19 * (39 / 19) * (40 / 20) * (0.01 * 40 / 39)) / 23

    assert uncertainty_fraction([9.0, 11.0] * 20, 0.0) == pytest.approx(
        1.96 * math.sqrt(variance / 40)
    )


def test_a_visit_far_off_does_not_make_the_middle_half_uncertain():
    calm = [9.9, 9.95, 10.0, 10.05, 10.1, 10.0, 9.95, 10.05]

    hit = [*calm[:4], 30.0, *calm[5:]]

    assert uncertainty_fraction(hit, 0.0) == pytest.approx(
        uncertainty_fraction(calm, 0.0), rel=0.25
    )


def middle(times: list[float]) -> float:
    return interquartile_mean(times) if len(times) >= 8 else statistics.fmean(times)


@pytest.mark.parametrize("visits", [3, 5, 8, 12, 40])
def test_nineteen_in_twenty_means_lie_within_their_uncertainty(visits):
    times = np.random.default_rng(1).normal(100.0, 5.0, size=(2000, visits))
    common = relative_variances(times.tolist())

    inside = [
        abs(middle(each) / 100.0 - 1) <= uncertainty_fraction(each, common)
        for each in times.tolist()
    ]

    assert 0.92 <= np.mean(inside) <= 0.98


def test_the_unit_does_not_matter():
    assert uncertainty_fraction([9e-3, 10e-3, 11e-3], 0.0025) == pytest.approx(
        uncertainty_fraction([9.0, 10.0, 11.0], 0.0025)
    )


def test_the_common_variance_is_that_of_the_median_thing():
    # Relative variances 0.01, 0.0004 and 0.
    visits = [[9.0, 10.0, 11.0], [98.0, 100.0, 102.0], [100.0, 100.0, 100.0]]

    # The median of variances with two degrees of freedom lies below their mean by (1 − 1/9)³.
    assert relative_variances(visits) == pytest.approx(0.0004 / (8 / 9) ** 3)


def test_the_correction_for_few_visits_is_about_right():
    """The median of chi-square with two degrees of freedom is 2·ln 2, where its mean is 2."""
    times = np.random.default_rng(0).normal(100.0, 2.0, size=(4000, 3))

    assert relative_variances(times.tolist()) == pytest.approx(0.02**2, rel=0.06)


def test_one_of_hundred_that_scatters_wildly_does_not_move_it():
    calm, wild = [[99.0, 100.0, 101.0]] * 99, [[1.0, 100.0, 900.0]]

    assert relative_variances(calm + wild) == relative_variances(calm)


@pytest.mark.parametrize("visits", [[], [[10.0]], [[10.0], [20.0]]])
def test_single_visits_share_no_variance(visits):
    assert relative_variances(visits) == 0.0


def test_times_of_zero_are_certain():
    assert uncertainty_fraction([0.0, 0.0], 0.0) == 0.0
