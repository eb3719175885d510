"""The numbers behind every renderer: kernels as rows, kernels by type, the end-to-end fact."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

BASES = ("measured", "interpolated", "extrapolated", "bound")


@dataclass(frozen=True)
class Row:
    """One kernel; what the answer does not say is None.

    `time_fraction` is the share of the time inside kernels.
    """

    name: str
    module: str
    op: str
    shape: str
    latency_ms: float | None
    time_fraction: float | None
    macs: float | None
    params: float | None
    bytes_moved: float | None
    bound_ms: float | None
    p10_ms: float | None
    p90_ms: float | None
    basis: str

    @property
    def gmacs_per_s(self) -> float | None:
        """Achieved rate; None without MACs or time."""
        return self.macs / self.latency_ms / 1e6 if self.macs and self.latency_ms else None

    @property
    def gb_per_s(self) -> float | None:
        moved = self.bytes_moved
        return moved / self.latency_ms / 1e6 if moved and self.latency_ms else None


@dataclass(frozen=True)
class OpShare:
    """All kernels of one type; `op` is "other" where the small ones are put together."""

    op: str
    kernels: int
    latency_ms: float
    time_fraction: float
    macs: float
    macs_fraction: float | None


@dataclass(frozen=True)
class Part:
    """One answer about one device: a prediction, or a profile.

    `low_ms` and `high_ms` are the interval of a prediction, the p10 and p90 of a profile.
    """

    title: str
    latency_ms: float | None
    low_ms: float | None
    high_ms: float | None
    rows: tuple[Row, ...]
    facts: Mapping[str, Any]
    predicted: bool

    @property
    def kernels_ms(self) -> float:
        return math.fsum(row.latency_ms or 0.0 for row in self.rows)

    @property
    def roofline(self) -> Mapping[str, Any]:
        return mapping(self.facts.get("roofline"))


def parts(answer: Mapping[str, Any]) -> list[Part]:
    """The predictions of a `predict` answer, or the one measurement of a `profile` answer."""
    if answer.get("kind") == "profile":
        measured = mapping(answer.get("measured"))
        threads = measured.get("threads")
        said = [
            measured.get("runtime"),
            f"{threads} thread{'s' * (threads != 1)}",
            measured.get("dtype"),
        ]
        if threads is None:
            said.pop(1)
        title = " · ".join(str(word) for word in said if word)
        low_high = ("p10_ms", "p90_ms")
        facts = {**answer, **measured}
        return [_part(title or "measured", measured, low_high, answer.get("kernels"), facts, False)]
    return [
        _part(_target(p), p, ("low_ms", "high_ms"), p.get("kernels"), p, True)
        for p in map(mapping, answer.get("predictions") or ())
    ]


def number(value: Any) -> float | None:
    """The value as a finite float; None for anything else, so that no gap becomes a figure."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def slowest(rows: Iterable[Row]) -> list[Row]:
    """The rows by falling time; equal times keep their order in the model."""
    return sorted(rows, key=lambda row: -(row.latency_ms or 0.0))


def by_op(rows: Sequence[Row], *, most: int = 8, least_fraction: float = 0.0) -> list[OpShare]:
    """Time and MACs by kernel type, slowest first.

    Parameters
    ----------
    rows : sequence of Row
    most : int, default=8
        Types shown; the others follow together as "other".
    least_fraction : float, default=0.0
        Types with less of the time than this join "other" too.
    """
    total_ms = math.fsum(row.latency_ms or 0.0 for row in rows)
    total_macs = math.fsum(row.macs or 0.0 for row in rows)
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.op, []).append(row)
    shares = [_share(op, group, total_ms, total_macs) for op, group in groups.items()]
    shares.sort(key=lambda share: (-share.latency_ms, share.op))
    kept = [s for s in shares if s.op != "other" and s.time_fraction >= least_fraction]
    if len(kept) > most or len(kept) < len(shares):
        kept = kept[: most - 1]
    names = {share.op for share in kept}
    rest = [row for row in rows if row.op not in names]
    if not rest:
        return kept
    alone = rest[0].op if len({row.op for row in rest}) == 1 else "other"
    return [*kept, _share(alone, rest, total_ms, total_macs)]


def basis_fractions(part: Part) -> list[tuple[str, float]]:
    """(basis, share of the time), in the order of trust; shares of 0 are left out."""
    given = mapping(part.facts.get("basis"))
    known = [(basis, number(given.get(basis))) for basis in BASES]
    return [(basis, fraction) for basis, fraction in known if fraction]


def _part(
    title: str,
    facts: Mapping[str, Any],
    low_high: tuple[str, str],
    kernels: Any,
    all_facts: Mapping[str, Any],
    predicted: bool,
) -> Part:
    low_ms, high_ms = (number(facts.get(key)) for key in low_high)
    latency_ms = number(facts.get("latency_ms"))
    return Part(title, latency_ms, low_ms, high_ms, _rows(kernels), all_facts, predicted)


def _target(prediction: Mapping[str, Any]) -> str:
    words = [prediction.get("device"), prediction.get("target")]
    return "/".join(str(word) for word in words if word) or "device"


def _rows(kernels: Any) -> tuple[Row, ...]:
    listed = [mapping(kernel) for kernel in kernels or ()]
    total_ms = math.fsum(number(kernel.get("latency_ms")) or 0.0 for kernel in listed)
    return tuple(_row(kernel, total_ms) for kernel in listed)


def _row(kernel: Mapping[str, Any], total_ms: float) -> Row:
    latency_ms = number(kernel.get("latency_ms"))
    return Row(
        **{key: str(kernel.get(key) or "") for key in ("name", "module", "shape", "basis")},
        op=str(kernel.get("op") or "unknown"),
        latency_ms=latency_ms,
        time_fraction=None if latency_ms is None or total_ms <= 0 else latency_ms / total_ms,
        macs=number(kernel.get("macs")),
        params=number(kernel.get("params")),
        bytes_moved=number(kernel.get("bytes_moved")),
        bound_ms=number(kernel.get("bound_ms")),
        p10_ms=number(kernel.get("p10_ms")),
        p90_ms=number(kernel.get("p90_ms")),
    )


def _share(op: str, rows: Sequence[Row], total_ms: float, total_macs: float) -> OpShare:
    latency_ms = math.fsum(row.latency_ms or 0.0 for row in rows)
    macs = math.fsum(row.macs or 0.0 for row in rows)
    return OpShare(
        op=op,
        kernels=len(rows),
        latency_ms=latency_ms,
        time_fraction=latency_ms / total_ms if total_ms > 0 else 0.0,
        macs=macs,
        macs_fraction=macs / total_macs if total_macs > 0 else None,
    )
