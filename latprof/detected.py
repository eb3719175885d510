"""Which pairs of operators a runtime fuses, found out by timing them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from latprof.answers import Answer, heading
from latprof.errors import BadReference
from latprof.measurement.client import Worker
from latprof.measurement.detection import ALPHA, ROUNDS, Found, detect
from latprof.measurement.pairs import PAIRS, Pair
from latprof.tables import Target


@dataclass(frozen=True)
class Detected(Answer):
    """What ``latprof fusion --detect`` answers.

    Parameters
    ----------
    runtime : str
        Library and version.
    target : str
    rounds : int
    pairs : tuple of Found
    command : str
    """

    runtime: str
    target: str
    rounds: int
    pairs: tuple[Found, ...]
    command: str = ""

    def to_dict(self) -> dict[str, Any]:
        return heading("detection", self.command) | {
            "runtime": self.runtime,
            "target": self.target,
            "rounds": self.rounds,
            "alpha": ALPHA,
            "pairs": [pair.to_dict() for pair in self.pairs],
        }

    def to_frame(self) -> Any:
        """One row for each pair."""
        import pandas as pd

        return pd.DataFrame(self.to_dict()["pairs"])

    def to_html(self) -> str:
        """There is no page of it.

        Raises
        ------
        BadReference
        """
        raise BadReference("detected fusions have no page; take to_markdown or to_frame.")


def detected(
    target: Target,
    *,
    pairs: Sequence[Pair] = PAIRS,
    rounds: int = ROUNDS,
    command: str = "",
    report: Callable[[str], None] = lambda line: None,
) -> Detected:
    """Time pairs of operators under `target` and say which are fused.

    Raises
    ------
    MeasurementError
        If the runtime does not come up.
    """
    with Worker(target.runtime, threads=target.threads, dtype=target.dtype) as worker:
        found = detect(worker, pairs, rounds=rounds, report=report)
        return Detected(worker.version, target.name, rounds, found, command)
