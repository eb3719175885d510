from __future__ import annotations

import pytest

from latprof.measurement.grade import (
    LETTERS,
    LIMITS,
    Grade,
    evidence,
    grade,
    letter_for,
    machine_evidence,
    worst,
)
from latprof.measurement.times import NetworkTimes, Round
from latprof.measurement.usage import Usage

UNCERTAINTY, SPREAD, DRIFT, TURNS, MOVEMENT, SLOWING, WAITING, STOLEN = LIMITS


def timed(*rounds: tuple[float, ...], canary: tuple[float, ...] = (), **facts: object):
    """One tuple of end-to-end times a round; the canary's time in each."""
    canaries = [(ms,) for ms in canary] or [()] * len(rounds)
    return NetworkTimes(
        tuple(Round(c, plain, ()) for c, plain in zip(canaries, rounds, strict=True)), (), **facts
    )


def test_steady_runs_earn_an_a():
    assert grade(timed(*[(10.0, 10.0)] * 10)) == Grade("A", ())


@pytest.mark.parametrize("what", LIMITS)
def test_each_limit_still_earns_its_letter_and_a_little_more_does_not(what):
    assert letter_for(what, 0.0) == "A"
    for limit, good, bad in zip(LIMITS[what], "ABCD", "BCDF", strict=True):
        assert letter_for(what, limit) == good
        assert letter_for(what, limit + 1e-9) == bad


def test_the_worst_letter_counts():
    assert worst(["A", "C", "B"]) == "C"
    assert worst(["D", "F"]) == "F"
    assert worst([]) == "A"
    assert "".join(sorted(LETTERS)) == LETTERS


def spread(percent: float) -> NetworkTimes:
    """Forty runs with a median of 10 ms, a fifth of them `percent` above it and a fifth below.

    In the middle everything is 10 ms, so the median is certain; halves and turns are alike.
    """
    far = 10 * percent / 100
    return timed(*[(10 - far, 10.0, 10 + far, 10.0, 10.0)] * 8)


@pytest.mark.parametrize(
    ("percent", "letter"),
    [(2, "A"), (5, "B"), (14, "C"), (29, "D"), (31, "F")],  # on either side: twice that in all
)
def test_the_spread_sets_the_letter(percent, letter):
    reason = f"{SPREAD} is {2 * percent:.1f} %"

    assert grade(spread(percent)) == Grade(letter, () if letter == "A" else (reason,))


@pytest.mark.parametrize(
    ("later_ms", "letter"),
    [(10.1, "A"), (10.3, "B"), (10.6, "C"), (11.2, "D"), (12.0, "F")],
)
def test_a_network_that_gets_slower_is_marked_down(later_ms, letter):
    # Eleven rounds of 10 ms, then ten slower ones: the median is 10, the halves are the first ten
    # and the rest, whose median is `later_ms`.
    found = grade(timed(*[(10.0,)] * 11, *[(later_ms,)] * 10))

    said = f"{DRIFT} is {10 * (later_ms - 10):.1f} %"
    assert (said in found.reasons) == (letter != "A")
    assert letter_for(DRIFT, (later_ms - 10) / 10) == letter


@pytest.mark.parametrize(
    ("odd_ms", "letter"),
    [(10.05, "A"), (10.15, "B"), (10.4, "C"), (10.9, "D"), (11.5, "F")],
)
def test_odd_and_even_rounds_of_the_same_thing_must_agree(odd_ms, letter):
    # 10, odd, 10, odd, ..., 10: with the last at 10 the median of all is 10.
    found = grade(timed(*[(10.0,), (odd_ms,)] * 10, (10.0,)))

    said = f"{TURNS} is {10 * (odd_ms - 10):.1f} %"
    assert (said in found.reasons) == (letter != "A")
    assert letter_for(TURNS, (odd_ms - 10) / 10) == letter


def test_a_single_round_has_nothing_to_be_compared_with():
    assert evidence(timed((10.0, 11.0)))[TURNS] == 0.0


def test_runs_of_one_round_share_its_conditions_and_are_one_witness():
    # Eight rounds of a hundred runs each: four at 10 ms, four at 11. Of 800 runs the interval of
    # the median would be told as narrow; of eight medians it is all of them, ± 0.5 of 10.5.
    found = evidence(timed(*[(10.0,) * 100, (11.0,) * 100] * 4))

    assert found[UNCERTAINTY] == pytest.approx(0.5 / 10.5)


def test_with_few_rounds_the_runs_are_witnesses():
    # Two rounds of 50: 1 to 100 ms. ± 10.5 of 50.5, as in test_timing.py.
    runs = tuple(float(n) for n in range(1, 101))

    assert evidence(timed(runs[::2], runs[1::2]))[UNCERTAINTY] == pytest.approx(10.5 / 50.5)


def test_few_runs_earn_a_c_at_best():
    assert grade(timed(*[(10.0,)] * 9)) == Grade("C", ("only 9 runs",))
    assert grade(timed(*[(10.0,)] * 10)) == Grade("A", ())


def test_what_is_shorter_than_the_timing_earns_a_c_at_best():
    runs = [(0.004,)] * 20

    assert grade(timed(*runs, block_ms=0.004)) == Grade("C", ("only 4.0 µs were timed at once",))
    assert grade(timed(*runs, block_ms=0.01)).letter == "A"  # several runs together


@pytest.mark.parametrize(
    ("canary", "movement"),
    [
        ((2.0,) * 11, 0.0),
        # 2.0 to 2.2 in steps of 0.02: between the tenth and the ninetieth percentile lie 0.16
        # of 2.1.
        (tuple(2.2 - 0.02 * n for n in range(11)), 0.16 / 2.1),
    ],
)
def test_the_movement_of_the_canary_is_that_of_the_machine(canary, movement):
    assert machine_evidence(canary, Usage())[MOVEMENT] == pytest.approx(movement)


def test_a_machine_that_throttles_slows_the_canary_down():
    # Thirds of 2.0, 2.1 and 2.3 ms: the last is 0.3 slower than the first, of 2.1.
    canary = (2.0,) * 4 + (2.1,) * 4 + (2.3,) * 4

    assert machine_evidence(canary, Usage())[SLOWING] == pytest.approx(0.3 / 2.1)
    assert machine_evidence(canary[::-1], Usage())[SLOWING] < 0  # faster: no throttling
    assert machine_evidence((2.0, 9.0), Usage())[SLOWING] == 0  # too few to tell
    assert letter_for(SLOWING, 0.3 / 2.1) == "C"


def test_a_throttled_network_says_so():
    found = grade(timed(*[(10.0,)] * 12, canary=(2.0,) * 4 + (2.1,) * 4 + (2.3,) * 4))

    assert f"{SLOWING} is 14.3 %" in found.reasons
    assert found.letter == "C"


@pytest.mark.parametrize(
    ("usage", "said", "letter"),
    [
        (Usage(1.0, 0.02, 0.0), f"{WAITING} is 2.0 %", "B"),
        (Usage(1.0, 0.2, 0.0), f"{WAITING} is 20.0 %", "D"),
        (Usage(1.0, 0.0, 0.05), f"{STOLEN} is 5.0 %", "C"),
        (Usage(1.0, 0.0, 0.4), f"{STOLEN} is 40.0 %", "F"),
    ],
)
def test_time_given_to_others_lowers_the_letter(usage, said, letter):
    assert grade(timed(*[(10.0,)] * 10, usage=usage)) == Grade(letter, (said,))


def test_what_the_system_does_not_tell_is_held_against_nobody():
    assert grade(timed(*[(10.0,)] * 10, usage=Usage(1.0, None, None))).letter == "A"


def test_without_a_canary_nothing_is_said_of_the_machine():
    assert machine_evidence((), Usage()) == {WAITING: 0.0, STOLEN: 0.0}


def test_every_reason_is_given_and_the_worst_counts():
    found = grade(timed((1.0,), (2.0,), (4.0,), (8.0,), (16.0,), block_ms=0.001))

    # Median 4; from 1 to 16: ± 7.5. p10 = 1.4, p90 = 12.8. Halves 1.5 and 8. In turns 1, 4, 16 and
    # 2, 8: medians 4 and 5.
    assert found == Grade(
        "F",
        (
            f"{UNCERTAINTY} is 187.5 %",
            f"{SPREAD} is 285.0 %",
            f"{DRIFT} is 162.5 %",
            f"{TURNS} is 25.0 %",
            "only 5 runs",
            "only 1.0 µs were timed at once",
        ),
    )
