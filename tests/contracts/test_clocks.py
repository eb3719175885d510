"""Durations come from clocks that never go backwards; the wall clock may tell a date, no more."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "latprof"
FILES = sorted(
    [*(PACKAGE / "measurement").rglob("*.py"), *(PACKAGE / "runtimes").rglob("*.py"),
     PACKAGE / "profiling.py", PACKAGE / "cli" / "progress.py"]
)  # fmt: skip
WALL_CLOCKS = {"time", "time_ns", "localtime", "gmtime", "ctime", "clock_gettime"}
NOW = {"now", "utcnow", "today"}


def wall_clock_readings(source: str) -> Iterator[str]:
    """Readings of the wall clock that are not at once made a date."""
    tree = ast.parse(source)
    dates = {
        id(node.func.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "date"
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            yield from (a.name for a in node.names if a.name in WALL_CLOCKS)
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        called = ast.unparse(node.func)
        if called in {f"time.{name}" for name in WALL_CLOCKS}:
            yield called
        if node.func.attr in NOW and "date" in called and id(node) not in dates:
            yield called


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_no_duration_is_told_by_a_clock_that_may_go_backwards(file):
    assert list(wall_clock_readings(file.read_text())) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import time\nstart = time.time()", ["time.time"]),
        ("from time import monotonic, time_ns", ["time_ns"]),
        ("start = datetime.datetime.now()", ["datetime.datetime.now"]),
        ("from datetime import datetime\nstart = datetime.utcnow()", ["datetime.utcnow"]),
        ("day = datetime.datetime.now(datetime.UTC).date()", []),
        ("from time import monotonic, perf_counter_ns\nstart = monotonic()", []),
        ("import time\nstart = time.perf_counter()", []),
    ],
)
def test_what_counts_as_reading_the_wall_clock(source, found):
    assert list(wall_clock_readings(source)) == found
