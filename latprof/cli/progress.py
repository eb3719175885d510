"""Progress of a long measurement, on standard error: a bar, or a line now and then."""

from __future__ import annotations

import sys
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from latprof.measurement.sweep import Progress

_SECONDS_BETWEEN_LINES = 15.0


class SweepProgress:
    """Shows a `Progress`; use it in a ``with``."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._last_line = monotonic()
        self._bar = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(
                BarColumn(),
                TaskProgressColumn(),
                TextColumn("{task.fields[counts]},"),
                TimeRemainingColumn(compact=True),
                TextColumn("left"),
                console=Console(stderr=True),
            )
            self._task = self._bar.add_task(title, total=1.0, counts="")

    def __enter__(self) -> SweepProgress:
        if self._bar is not None:
            self._bar.console.print(self._title)
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, progress: Progress) -> None:
        """Show how far the measurement has come."""
        counts = (
            f"{progress.kernels} kernels in {progress.networks} networks, "
            f"{progress.kernels_per_second:.0f} a second"
        )
        if progress.grade:
            counts += f", noise {progress.grade}"
        if progress.failures:
            counts += f", {progress.failures} failed"
        if self._bar is not None:
            self._bar.update(self._task, completed=progress.done_fraction, counts=counts)
        elif monotonic() - self._last_line > _SECONDS_BETWEEN_LINES:
            self._last_line = monotonic()
            left = max(0.0, progress.seconds_wanted - progress.seconds_used)
            print(f"{self._title}: {counts}, {left:.0f} s left", file=sys.stderr, flush=True)
