"""What stands in each column of a device table: one list for writing, reading and checking."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from latprof.kernel import COLUMNS as KERNEL_COLUMNS
from latprof.kernel import Kernel

Kind = Literal["text", "integer", "number", "flag"]

LEVELS = ("kernel", "model")
GRADES = ("A", "B", "C", "D", "F")
WORDS = {"level": LEVELS, "grade": GRADES}  # columns that hold one of a few words


@dataclass(frozen=True)
class Column:
    """One column.

    Parameters
    ----------
    name : str
    kind : str
    unit : str
    meaning : str
    least : float, optional
        Smallest value allowed.
    above : float, optional
        The value must be larger than this.
    """

    name: str
    kind: Kind
    unit: str = ""
    meaning: str = ""
    least: float | None = None
    above: float | None = None


def _kernel_column(name: str) -> Column:
    kind = {f.name: str(f.type) for f in fields(Kernel)}[name]
    if kind == "int":
        return Column(name, "integer", meaning=f"as in Kernel.{name}", least=0)
    return Column(name, "flag" if kind == "bool" else "text", meaning=f"as in Kernel.{name}")


COLUMNS: tuple[Column, ...] = (
    Column("level", "text", meaning="kernel, or model for a whole network end to end"),
    Column("network", "text", meaning="the network in which it was timed"),
    Column("name", "text", meaning="the kernel's name in that network"),
    *(_kernel_column(name) for name in KERNEL_COLUMNS),
    Column("launches", "integer", meaning="launches the profiler saw", least=0),
    Column("latency_ms", "number", "ms", "typical time, profiling cost removed", above=0),
    Column("spread_fraction", "number", "", "(p90 − p10) / latency", least=0),
    Column(
        "uncertainty_fraction",
        "number",
        "",
        "half the 95 % confidence interval of the typical time, from visit to visit",
        least=0,
    ),
    Column("runs", "integer", meaning="timed runs", least=1),
    Column("grade", "text", meaning="A to F: how far to trust it, by its uncertainty"),
)
BY_NAME = {column.name: column for column in COLUMNS}
