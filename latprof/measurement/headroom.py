"""Whether a network fits into memory, asked before it is opened."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from latprof.counting.memory import peak_activation_bytes
from latprof.errors import MeasurementError
from latprof.graph import Graph

_MEMORY = Path("/proc/meminfo")
# Where Linux says what a container may take and has taken: control groups, version 2 and version 1.
_GROUPS = (
    (Path("/sys/fs/cgroup"), "memory.max", "memory.current"),
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.usage_in_bytes"),
)
# The weights as drawn, in the file handed to the runtime, and packed by it, for two sessions.
_COPIES_OF_WEIGHTS = 5
_RESERVE_BYTES = 500_000_000


def check_headroom(graph: Graph) -> None:
    """Refuse a network that would take more memory than is free.

    Raises
    ------
    MeasurementError
        With what it needs and what there is.
    """
    free = free_bytes()
    needed = bytes_needed(graph)
    if free is not None and needed + _RESERVE_BYTES > free:
        raise MeasurementError(
            f"{graph.name!r} needs about {needed / 1e9:.1f} GB of memory to be measured and "
            f"{free / 1e9:.1f} GB are free. A smaller input (--input) or --batch helps, or "
            "predict it instead."
        )


def bytes_needed(graph: Graph) -> int:
    """About how much memory two open sessions take."""
    weights = sum(tensor.bytes for tensor in graph.tensors.values() if tensor.is_weight)
    return _COPIES_OF_WEIGHTS * weights + 2 * peak_activation_bytes(graph)


def free_bytes() -> int | None:
    """Memory that can be had without swapping; None where the system does not tell."""
    try:
        facts = dict(line.split(":") for line in _MEMORY.read_text().splitlines())
        free = int(facts["MemAvailable"].split()[0]) * 1024
    except (OSError, ValueError, KeyError, IndexError):
        return None
    for group in _GROUPS:
        with suppress(OSError, ValueError):  # no such group, or one without a limit
            free = min(free, _left_in(*group))
    return max(0, free)


def _left_in(group: Path, limit: str, usage: str) -> int:
    """What a control group may still take: files it has read and not used since make room."""
    taken = int((group / usage).read_text())
    for line in (group / "memory.stat").read_text().splitlines():
        if line.startswith("inactive_file "):
            taken -= int(line.split()[1])
    return int((group / limit).read_text()) - taken
