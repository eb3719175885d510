"""Ways of running a graph on this machine, behind one small protocol."""

from latprof.runtimes.registry import (
    ALIASES,
    RUNTIMES,
    Entry,
    check_dtype,
    load,
    missing,
    runtime_name,
)

__all__ = ["ALIASES", "RUNTIMES", "Entry", "check_dtype", "load", "missing", "runtime_name"]
