"""What is known of a target before a model is measured on it: profiling's costs, the canary's pace.

Both come from this host's table, from the last time, or are measured now on small networks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latprof.errors import LatprofError
from latprof.home import home, write_atomically
from latprof.measurement.calibration import Calibration
from latprof.measurement.client import Worker
from latprof.measurement.environment import differences
from latprof.measurement.network import Effort
from latprof.measurement.outcome import calibration_of
from latprof.measurement.records import record_of
from latprof.measurement.steadying import steadied
from latprof.measurement.visits import Visit
from latprof.sampling import draw_network
from latprof.tables import HOST, Target, read_facts

NETWORKS = 15
_SEED = 1
_EFFORT = Effort(seconds=0.1, rounds=2, least=3, most=20, least_rounds=2)


@dataclass(frozen=True)
class Baseline:
    """Of one target on this machine.

    Parameters
    ----------
    calibration : Calibration
    reference_ms : float or None
        The canary's time in the state of the machine that times are brought to.
    """

    calibration: Calibration
    reference_ms: float | None


def baseline(worker: Worker, target: Target, environment: Mapping[str, str]) -> Baseline:
    """The baseline of `target`: kept from before where the environment is the same.

    Raises
    ------
    MeasurementError, CostModelError
        If it has to be measured and cannot be.
    """
    kept = home() / "calibrations" / f"{target.name}.json"
    for candidate in (_from_table(target), _from_file(kept)):
        if candidate is not None and not differences(candidate.get("environment", {}), environment):
            found = _parsed(candidate)
            if found is not None:
                return found
    records = []
    for number in range(NETWORKS):
        graph = draw_network(_SEED, number)
        times = worker.measure(graph, _EFFORT)
        records.append(record_of(Visit(number, number), graph.name, 0.0, times))
    steady = steadied(records)
    found = Baseline(calibration_of(steady), steady.drift.reference_ms if steady.drift else None)
    said = {
        "environment": dict(environment),
        "calibration": found.calibration.to_dict(),
        "canary": {"reference_ms": found.reference_ms},
    }
    write_atomically(kept, json.dumps(said, indent=1).encode())
    return found


def _parsed(said: Mapping[str, Any]) -> Baseline | None:
    """None for one that is damaged, or was written before canaries were kept."""
    try:
        reference_ms = said["canary"]["reference_ms"]
        calibration = Calibration(**said["calibration"])
    except (KeyError, TypeError):
        return None
    valid = isinstance(reference_ms, float) and reference_ms > 0
    return Baseline(calibration, reference_ms) if valid else None


def _from_table(target: Target) -> Mapping[str, Any] | None:
    try:
        facts = read_facts(HOST)["targets"].get(target.name)
    except LatprofError:
        return None
    return facts if isinstance(facts, Mapping) else None


def _from_file(path: Path) -> Mapping[str, Any] | None:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # none yet, or a damaged one: it is measured again
    return data if isinstance(data, dict) else None
