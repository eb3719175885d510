"""ETDump, the profile that ExecuTorch writes → what ran in each run, and when.

References
----------
ExecuTorch 1.5.1, devtools/etdump/etdump_schema_flatcc.fbs (the fields, by number below). Times are
nanoseconds where a computer writes them, cycles on some phones.
"""

from __future__ import annotations

from dataclasses import dataclass

from latprof.frontends.tflite.flatbuffer import FlatBuffer, Table

OPERATOR, DELEGATE, WHOLE = "OPERATOR_CALL", "DELEGATE_CALL", "Method::execute"
_IDENTIFIER, _IDENTIFIER_AT, _PREFIX_BYTES = b"ED00", 8, 4
_LEAST_TABLE_BYTES = 8  # a table is at least its layout's distance and a layout

# Fields of ETDump, RunData, Event and ProfileEvent.
_RUNS, _EVENTS, _PROFILE = 1, 3, 0
_NAME, _INSTRUCTION, _DELEGATE_ID, _START, _END = 0, 2, 4, 6, 7


@dataclass(frozen=True)
class Event:
    """Something that took time.

    Parameters
    ----------
    name : str
        ``OPERATOR_CALL``, ``DELEGATE_CALL``, ``native_call_mean.out``; empty within a delegate.
    inside : str
        What a delegate calls it: ``Convolution (NHWC, F32) DWConv #1``; empty outside of one.
    instruction : int
        Of the program, counted from 0; -1 for none.
    start_ns, duration_ns : int
    """

    name: str
    inside: str
    instruction: int
    start_ns: int
    duration_ns: int


def read_etdump(data: bytes, name: str = "the ETDump") -> list[tuple[Event, ...]]:
    """The events of each run of a network, in their order.

    Parameters
    ----------
    data : bytes
        With the size before it, as ExecuTorch writes it, or without.
    name : str
        What to call it in errors.

    Raises
    ------
    UnreadableModel
        If it is broken.
    """
    prefixed = data[_IDENTIFIER_AT : _IDENTIFIER_AT + len(_IDENTIFIER)] == _IDENTIFIER
    body = data[_PREFIX_BYTES:] if prefixed else data
    most = len(body) // _LEAST_TABLE_BYTES
    found = []
    for run in FlatBuffer(body, name, kind="ETDump", most_tables=most).root.tables(_RUNS):
        profiled = [event.table(_PROFILE) for event in run.tables(_EVENTS)]
        events = tuple(_event(table) for table in profiled if table is not None)
        if any(event.name == WHOLE for event in events):  # else a network was loaded
            found.append(events)
    return found


def _event(table: Table) -> Event:
    start, end = table.whole(_START, "q"), table.whole(_END, "q")
    return Event(
        table.text(_NAME), table.text(_DELEGATE_ID), table.whole(_INSTRUCTION, "i", -1),
        start, end - start,
    )  # fmt: skip
