from __future__ import annotations

import math

import numpy as np
import pytest

from latprof.measurement.certainty import relative_variances, uncertainty_fraction


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
    # Forty visits, half at 9 and half at 11: own variance 0.01 · 40 / 39, with 39 degrees.
    variance = (4 * 0.0 + 39 * (0.01 * 40 / 39)) / 43

    assert uncertainty_fraction([9.0, 11.0] * 20, 0.0) == pytest.approx(
        1.96 * math.sqrt(variance / 40)
    )


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
