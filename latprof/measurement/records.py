"""What a journal keeps of one visit to a network: every raw time, and which kernels they are of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from latprof.kernel import COLUMNS, Kernel
from latprof.measurement.times import NetworkTimes
from latprof.measurement.visits import Visit
from latprof.measurement.worker import from_dict, to_dict

_DECIMALS = 5  # of a millisecond: ten nanoseconds
_DEFAULTS = {f.name: f.default for f in fields(Kernel)}


def record_of(visit: Visit, network: str, seconds: float, times: NetworkTimes) -> dict[str, Any]:
    """A visit as plain data for one line of JSON."""
    told = _rounded(to_dict(times))
    told["strays"] = [str(stray) for stray in times.strays]
    columns = {k.kernel.name: _columns(k.kernel) for k in times.kernels}
    return _heading(visit, network, seconds) | {**told} | {"columns": columns}


def failure_of(visit: Visit, network: str, seconds: float, error: str) -> dict[str, Any]:
    """A visit at which the network could not be measured."""
    return _heading(visit, network, seconds) | {"error": error}


def _heading(visit: Visit, network: str, seconds: float) -> dict[str, Any]:
    return {
        "position": visit.position,
        "number": visit.number,
        "network": network,
        "seconds": round(seconds, 3),
    }


def _columns(kernel: Kernel) -> dict[str, Any]:
    """Fields of a kernel that are not what they are by default."""
    values = {name: getattr(kernel, name) for name in COLUMNS}
    return {name: value for name, value in values.items() if value != _DEFAULTS[name]}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, _DECIMALS)
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return value


def is_whole(record: Mapping[str, Any]) -> bool:
    """Whether a line has what every line has: it may be readable and damaged all the same."""
    outcome = {"rounds", "kernels", "columns"} <= record.keys()
    return {"position", "number", "network", "seconds"} <= record.keys() and (
        outcome or "error" in record
    )


def times_of(record: Mapping[str, Any]) -> NetworkTimes:
    """The times that `record_of` kept; strays are left out, since they have no time there."""
    kernels = [Kernel(name, **columns) for name, columns in record["columns"].items()]
    return from_dict({**record, "strays": []}, kernels)


def merged(visits: Sequence[NetworkTimes]) -> NetworkTimes:
    """Several visits to one network as one; kernels that not all of them saw are left out."""
    first, *others = visits
    found = {k.kernel.name: k for k in first.kernels}
    for other in others:
        seen = {k.kernel.name: k for k in other.kernels}
        found = {
            name: replace(k, times_ms=k.times_ms + seen[name].times_ms)
            for name, k in found.items()
            if name in seen
        }
    return replace(
        first,
        rounds=tuple(each for visit in visits for each in visit.rounds),
        kernels=tuple(found.values()),
    )


def by_network(records: Iterable[Mapping[str, Any]]) -> dict[int, list[Mapping[str, Any]]]:
    """Successful visits of each network, by its number, in running order."""
    found: dict[int, list[Mapping[str, Any]]] = {}
    for record in records:
        if "error" not in record:
            found.setdefault(record["number"], []).append(record)
    return found
