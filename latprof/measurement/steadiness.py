"""How steady the machine was over a measurement of many visits: its own grade."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any

from latprof.measurement.grade import LETTERS, Grade, letter_for, machine_evidence, worst
from latprof.measurement.usage import Usage

_ENOUGH = 10  # visits before a grade is told


class Steadiness:
    """Gathers what the canary and the operating system say, visit by visit."""

    def __init__(self) -> None:
        self._canary_ms: list[float] = []
        self._wall_s = self._waiting_s = self._stolen_s = 0.0

    def add(self, record: Mapping[str, Any]) -> None:
        """One successful visit, as the journal keeps it."""
        self._canary_ms += [
            statistics.median(canary_ms) for canary_ms, *_ in record["rounds"] if canary_ms
        ]
        usage = Usage(**record["usage"])
        self._wall_s += usage.wall_s
        self._waiting_s += (usage.waiting_fraction or 0.0) * usage.wall_s
        self._stolen_s += (usage.stolen_fraction or 0.0) * usage.wall_s

    @property
    def letter(self) -> str:
        """The machine's grade so far; empty before it is known."""
        return self.grade().letter if len(self._canary_ms) >= _ENOUGH else ""

    def grade(self) -> Grade:
        """The machine's grade with its reasons."""
        wall_s = max(self._wall_s, 1e-9)
        usage = Usage(wall_s, self._waiting_s / wall_s, self._stolen_s / wall_s)
        values = machine_evidence(self._canary_ms, usage)
        letters = {what: letter_for(what, value) for what, value in values.items()}
        return Grade(
            worst(list(letters.values())),
            tuple(
                f"{what} is {100 * values[what]:.1f} %"
                for what, letter in letters.items()
                if letter != LETTERS[0]
            ),
        )
