"""In which order networks are measured: each several times, with others in between.

Networks come in laps. Every network of a lap is visited a few times, in a new random order each
time round, so that its visits lie many seconds apart and whatever moves meanwhile hits all alike.
The order follows from the seed: position n is the same visit whenever it is asked for, so an
interrupted measurement goes on where it was.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

NETWORKS_IN_A_LAP = 40
VISITS = 3  # unless more are asked for: each makes the times surer, and the networks fewer


@dataclass(frozen=True)
class Visit:
    """One turn of one network.

    Parameters
    ----------
    position : int
        Place in the order, from 0.
    number : int
        Of the network, as in `latprof.sampling.draw_network`.
    """

    position: int
    number: int


def visits(seed: int, times: int = VISITS, start: int = 0) -> Iterator[Visit]:
    """All visits from position `start`, without end; `times` to each network."""
    in_a_lap = NETWORKS_IN_A_LAP * times
    position = start
    while True:
        lap = position // in_a_lap
        order = _order(seed, lap, times)
        for number in order[position % in_a_lap :]:
            yield Visit(position, number)
            position += 1


def _order(seed: int, lap: int, times: int) -> list[int]:
    chance = random.Random(f"{seed}/{lap}")
    first = lap * NETWORKS_IN_A_LAP
    found: list[int] = []
    for _ in range(times):
        numbers = list(range(first, first + NETWORKS_IN_A_LAP))
        chance.shuffle(numbers)
        found += numbers
    return found
