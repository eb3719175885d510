from __future__ import annotations

import io

import pandas as pd
import pytest

from latprof.errors import TableError
from latprof.tables.columns import COLUMNS
from latprof.tables.store import parse_rows

from .tables_as_text import text_of

NUMBERS = [c for c in COLUMNS if c.kind in ("integer", "number")]


def test_line_ends_of_windows_a_byte_order_mark_and_empty_lines_do_no_harm(rows):
    text = text_of(rows)

    table = parse_rows("\ufeff" + text.replace("\n", "\r\n\r\n"), "t.csv")

    assert table.to_dict("records") == rows


def test_a_table_without_rows_is_a_table(rows):
    assert len(parse_rows(text_of([]), "t.csv")) == 0


@pytest.mark.parametrize("column", [column.name for column in COLUMNS])
def test_a_missing_column_is_named(rows, column):
    frame = pd.read_csv(io.StringIO(text_of(rows))).drop(columns=column)

    with pytest.raises(TableError, match=f"^t.csv, line 1, lacks the column '{column}'"):
        parse_rows(frame.to_csv(index=False), "t.csv")


def test_unknown_and_doubled_columns_are_named(rows):
    header, *lines = text_of(rows).splitlines()
    text = "\n".join([header + ",speed,runs", *(line + ",7,7" for line in lines)])

    with pytest.raises(
        TableError,
        match=r"has the unknown column 'speed' and has the column 'runs' twice\. A table",
    ):
        parse_rows(text, "t.csv")


@pytest.mark.parametrize("column", [column.name for column in NUMBERS])
@pytest.mark.parametrize("cell", ["", "fast", "nan", "NaN", "inf", "-inf", "-1", "1e400", "0x10",
                                  "1,5", "1_000", "True", "None"])  # fmt: skip
def test_what_is_no_number_is_refused_with_its_place(rows, column, cell):
    with pytest.raises(TableError) as caught:
        parse_rows(text_of(rows, **{column: cell}), "tables/t.csv")

    assert str(caught.value).startswith(
        f"tables/t.csv, line 3, column {column!r}: {cell!r} is not a "
    )


@pytest.mark.parametrize("column", [c.name for c in COLUMNS if c.kind == "integer"])
@pytest.mark.parametrize("cell", ["0.5", "1e-3", "1e30", "9007199254740994", "9" * 30])
def test_what_is_no_whole_number_is_refused(rows, column, cell):
    with pytest.raises(TableError, match=f"line 3, column '{column}': '{cell}' is not a whole"):
        parse_rows(text_of(rows, **{column: cell}), "t.csv")


def test_zero_is_refused_where_nothing_can_be_zero(rows):
    with pytest.raises(TableError, match=r"'latency_ms': '0' is not a number above 0"):
        parse_rows(text_of(rows, latency_ms="0"), "t.csv")
    with pytest.raises(TableError, match=r"'runs': '0' is not a whole number of at least 1"):
        parse_rows(text_of(rows, runs="0"), "t.csv")

    zeros = dict.fromkeys(c.name for c in NUMBERS if c.name not in ("latency_ms", "runs"))
    parse_rows(text_of(rows, **dict.fromkeys(zeros, "0")), "t.csv")  # elsewhere it may stand


@pytest.mark.parametrize("cell", ["", "True", "yes", "2", "-1", "0.0"])
@pytest.mark.parametrize("column", ["residual", "inplace"])
def test_a_flag_is_0_or_1(rows, column, cell):
    with pytest.raises(TableError, match=f"line 3, column '{column}': '{cell}' is not 0 or 1"):
        parse_rows(text_of(rows, **{column: cell}), "t.csv")


@pytest.mark.parametrize("level", ["", "layer", "Kernel", "kernel "])
def test_a_level_is_one_of_two(rows, level):
    with pytest.raises(
        TableError, match=f"line 3, column 'level': '{level}' is not one of kernel, model"
    ):
        parse_rows(text_of(rows, level=level), "t.csv")


def test_the_line_named_is_the_line_in_the_file(rows):
    """Also after empty lines: who opens the file must find the cell."""
    header, first, second, third = text_of(rows, runs="none").splitlines()
    text = "\n".join([header, "", first, "", "", second, third])

    with pytest.raises(TableError, match=r"line 6, column 'runs': 'none'"):
        parse_rows(text, "t.csv")


@pytest.mark.parametrize("cells", [1, len(COLUMNS) - 1, len(COLUMNS) + 1])
def test_a_row_of_another_width_is_refused(rows, cells):
    header, first, *_ = text_of(rows).splitlines()
    short = ",".join((first + ",1").split(",")[:cells])

    with pytest.raises(TableError, match=f"line 3, has {cells} cells under {len(COLUMNS)} columns"):
        parse_rows("\n".join([header, first, short]), "t.csv")


def test_a_quotation_mark_left_open_is_refused_where_it_stands(rows):
    text = text_of(rows).replace("add", '"add')

    with pytest.raises(TableError, match=r"line \d, (is not a line|has a cell that goes on)"):
        parse_rows(text, "t.csv")


def test_a_huge_cell_is_refused(rows):
    with pytest.raises(TableError, match=r"line 3, is not a line of a CSV table: field larger"):
        parse_rows(text_of(rows, name="x" * 200_000), "t.csv")
