from __future__ import annotations

import pytest

from latprof.measurement.grade import Grade, grade


def test_steady_runs_earn_an_a():
    assert grade([10.0] * 20) == Grade("A", ())


def spread(percent: float) -> list[float]:
    """Forty runs with a median of 10 ms, a fifth of them `percent` above it and a fifth below.

    In the middle everything is 10 ms, so the median is certain; the halves are alike.
    """
    far = 10 * percent / 100
    return [10 - far, 10.0, 10 + far, 10.0, 10.0] * 8


@pytest.mark.parametrize(
    ("percent", "letter"),
    [(2, "A"), (5, "B"), (14, "C"), (29, "D"), (31, "F")],  # on either side: twice that in all
)
def test_the_spread_sets_the_letter(percent, letter):
    found = grade(spread(percent))

    assert found.letter == letter
    reason = f"spread between the 10th and 90th percentile is {2 * percent:.1f} %"
    assert found.reasons == (() if letter == "A" else (reason,))


@pytest.mark.parametrize(
    ("later_ms", "letter"), [(10.1, "A"), (10.3, "B"), (10.6, "C"), (11.2, "D"), (12.0, "F")]
)
def test_drift_lowers_the_letter(later_ms, letter):
    # The second half is slower; with 101 runs of 10 ms and 100 of `later_ms` the median is 10.
    # Drift is (later − 10) / 10, and the interval of the median reaches into the later ones.
    found = grade([10.0] * 101 + [later_ms] * 100)

    assert found.letter == letter
    percent = 10 * (later_ms - 10)
    said = f"drift between the two halves is {percent:.1f} %"
    assert (said in found.reasons) == (letter != "A")


def test_few_runs_earn_a_c_at_best():
    assert grade([10.0] * 9) == Grade("C", ("only 9 runs",))
    assert grade([10.0] * 10) == Grade("A", ())


def test_an_uncertain_median_says_so():
    # Half the runs at 10 ms, half at 11, in turns: the median is 10.5 and its interval goes from
    # 10 to 11, ± 0.5 of 10.5; percentiles are 1 ms of 10.5 apart; the halves are alike.
    assert grade([10.0, 11.0] * 20) == Grade(
        "C",
        (
            "uncertainty of the median is 4.8 %",
            "spread between the 10th and 90th percentile is 9.5 %",
        ),
    )


def test_every_reason_is_given_and_the_worst_counts():
    found = grade([1.0, 2.0, 4.0, 8.0, 16.0])

    # Median 4; from 1 to 16: ± 7.5. p10 = 1.4, p90 = 12.8. Halves 1.5 and 8.
    assert found == Grade(
        "F",
        (
            "uncertainty of the median is 187.5 %",
            "spread between the 10th and 90th percentile is 285.0 %",
            "drift between the two halves is 162.5 %",
            "only 5 runs",
        ),
    )
