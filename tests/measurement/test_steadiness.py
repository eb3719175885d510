from __future__ import annotations

import pytest

from latprof.measurement.grade import LIMITS, Grade
from latprof.measurement.records import record_of
from latprof.measurement.steadiness import Steadiness
from latprof.measurement.times import NetworkTimes, Round
from latprof.measurement.usage import Usage
from latprof.measurement.visits import Visit

MOVEMENT, SLOWING, WAITING, STOLEN = list(LIMITS)[4:]


def steadiness(*canary_ms: float, usage: Usage | None = None) -> Steadiness:
    found = Steadiness()
    for position, ms in enumerate(canary_ms):
        each = Round((9.0, ms, ms), (5.0,), (6.0,))  # one run in three was hit by something
        times = NetworkTimes((each,), (), usage=usage or Usage(1.0, 0.0, 0.0))
        found.add(record_of(Visit(position, position), "n", 0.1, times))
    return found


def test_a_steady_machine_earns_an_a():
    assert steadiness(*[2.0] * 20).grade() == Grade("A", ())


@pytest.mark.parametrize(("visits", "letter"), [(0, ""), (9, ""), (10, "A")])
def test_the_letter_is_told_once_there_are_visits_enough(visits, letter):
    assert steadiness(*[2.0] * visits).letter == letter


def test_a_machine_that_slows_down_says_so():
    # The first third at 2.0, the last at 2.5; the median is 2.0 of 18 visits, 12 of them at 2.0.
    found = steadiness(*[2.0] * 12, *[2.5] * 6).grade()

    assert found == Grade("D", (f"{MOVEMENT} is 25.0 %", f"{SLOWING} is 25.0 %"))


def test_time_without_a_core_is_weighed_by_how_long_a_visit_took():
    found = Steadiness()
    for wall_s, waiting in ((3.0, 0.0), (1.0, 0.08)):  # 0.08 of 4 s
        times = NetworkTimes((Round((2.0,), (5.0,), (6.0,)),), (),
                             usage=Usage(wall_s, waiting, None))  # fmt: skip
        found.add(record_of(Visit(0, 0), "n", 0.1, times))

    assert found.grade() == Grade("B", (f"{WAITING} is 2.0 %",))


def test_time_taken_by_other_virtual_machines():
    found = steadiness(*[2.0] * 10, usage=Usage(1.0, 0.0, 0.25)).grade()

    assert found == Grade("D", (f"{STOLEN} is 25.0 %",))
