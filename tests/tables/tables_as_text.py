"""Rows as they stand in a table's file."""

from __future__ import annotations

import csv
import io

from latprof.tables.columns import COLUMNS


def text_of(rows, **changed) -> str:
    """A table as text; `changed` gives other cells to its second row, on line 3."""
    out = io.StringIO()
    writer = csv.DictWriter(out, [c.name for c in COLUMNS], lineterminator="\n")
    writer.writeheader()
    for index, row in enumerate(rows):
        cells = {k: int(v) if isinstance(v, bool) else v for k, v in row.items()}
        writer.writerow(cells | (changed if index == 1 else {}))
    return out.getvalue()
