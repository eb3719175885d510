"""Device tables: what was measured, of what, how, and by whom."""

from latprof.tables.store import (
    HOST,
    DeviceTable,
    known_devices,
    own_tables,
    read_facts,
    read_table,
    resolve,
    write_table,
)
from latprof.tables.target import Target

__all__ = [
    "HOST",
    "DeviceTable",
    "Target",
    "known_devices",
    "own_tables",
    "read_facts",
    "read_table",
    "resolve",
    "write_table",
]
