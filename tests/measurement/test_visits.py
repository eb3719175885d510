from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest

from latprof.measurement.visits import NETWORKS_IN_A_LAP, Visit, visits


def numbers(count: int, **settings: int) -> list[int]:
    return [visit.number for visit in islice(visits(**{"seed": 0, **settings}), count)]


def test_the_order_follows_from_the_seed():
    assert numbers(500) == numbers(500)
    assert numbers(40, seed=1) != numbers(40, seed=0)


def test_positions_count_on():
    assert [visit.position for visit in islice(visits(3), 300)] == list(range(300))


@pytest.mark.parametrize("times", [1, 2, 3, 10])
def test_every_network_of_a_lap_is_visited_as_often_as_asked(times):
    in_a_lap = NETWORKS_IN_A_LAP * times
    found = numbers(2 * in_a_lap, times=times)

    assert Counter(found[:in_a_lap]) == dict.fromkeys(range(40), times)
    assert Counter(found[in_a_lap:]) == dict.fromkeys(range(40, 80), times)


def test_each_time_round_every_network_comes_once_in_another_order():
    found = numbers(120)
    rounds = [found[0:40], found[40:80], found[80:120]]

    assert [sorted(one) for one in rounds] == [list(range(40))] * 3
    assert len({tuple(one) for one in rounds}) == 3


@pytest.mark.parametrize("start", [0, 1, 39, 40, 119, 120, 121, 12_345])
def test_it_goes_on_from_any_position_as_if_it_had_never_stopped(start):
    whole = list(islice(visits(7), start, start + 5))

    assert list(islice(visits(7, start=start), 5)) == whole
    assert whole[0] == Visit(start, whole[0].number)


def test_a_late_position_is_found_without_going_through_all_before_it():
    assert next(visits(0, start=10**12)).position == 10**12
