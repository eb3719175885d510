from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from latprof.errors import BadReference, LatprofError, TableError, UnknownName
from latprof.tables import known_devices, read_facts, read_table, resolve, write_table
from latprof.tables.columns import COLUMNS
from latprof.tables.store import parse_rows

from .tables_as_text import text_of

FACTS = {"source": "latprof measure", "networks": 1, "environment": {"cpu": "EPYC"}}
TARGET = "onnxruntime-cpu1-fp32"
NUMBERS = [c for c in COLUMNS if c.kind in ("integer", "number")]


def add_device(folder, device: str, *targets: str, rows=(), **facts) -> None:
    """A device as it lies on the disk."""
    (folder / device).mkdir(parents=True)
    facts = {"schema": 1, "targets": dict.fromkeys(targets, FACTS)} | facts
    (folder / device / "device.toml").write_text(tomli_w.dumps(facts))
    for target in targets:
        (folder / device / f"{target}.csv").write_text(text_of(rows))


# Writing and reading back.


def test_a_table_reads_as_it_was_written(rows):
    write_table("host", TARGET, rows, FACTS)

    table = read_table("host")

    assert (table.device, table.target, table.facts) == ("host", TARGET, FACTS)
    assert table.rows.to_dict("records") == rows
    assert list(table.kernels["name"]) == ["conv", "add"]
    assert list(table.networks["latency_ms"]) == [2.7]


def test_columns_have_the_types_of_what_they_hold(rows):
    write_table("host", TARGET, rows, FACTS)

    table = read_table("host").rows

    kinds = {"integer": "int64", "number": "float64", "flag": "bool"}
    for column in COLUMNS:
        if column.kind != "text":
            assert table[column.name].dtype == kinds[column.kind], column.name
    assert list(table.columns) == [column.name for column in COLUMNS]


def test_reading_and_writing_again_changes_no_byte(rows, own):
    # Latencies with more digits than are kept, names with everything CSV has to quote.
    rows[0] |= {"latency_ms": 0.12345678901, "name": 'a,"b"; c', "spread_fraction": 1 / 3}
    rows[1] |= {"latency_ms": 1e-7, "name": "NaN", "network": "None", "activation": "ünïcode × ²"}
    rows[2] |= {"latency_ms": 123456.789, "macs": 2**53, "name": " spaces "}
    write_table("host", TARGET, rows, FACTS)
    files = {path: path.read_bytes() for path in sorted((own / "host").glob("[!.]*"))}
    assert len(files) == 2

    table = read_table("host")
    write_table("host", TARGET, table.rows.to_dict("records"), table.facts)

    assert {path: path.read_bytes() for path in sorted((own / "host").glob("[!.]*"))} == files


LINES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=12)


@given(names=st.lists(LINES, min_size=1, max_size=4))
def test_any_text_on_one_line_comes_back(row, names):
    table = parse_rows(text_of([row(name=name, op=name[::-1]) for name in names]), "t.csv")

    assert list(table["name"]) == names
    assert list(table["op"]) == [name[::-1] for name in names]


@given(cells=st.lists(st.text(max_size=8), min_size=len(COLUMNS), max_size=len(COLUMNS)))
def test_whatever_stands_in_the_cells_only_table_errors_come_out(row, cells):
    changed = {column.name: cell for column, cell in zip(COLUMNS, cells, strict=True)}
    text = text_of([row(), changed | {"level": "kernel"}])
    try:
        table = parse_rows(text, "t.csv")
    except TableError:
        return
    assert len(table) == 2
    assert (table["latency_ms"] > 0).all()


@given(st.text(max_size=200))
def test_whatever_the_file_holds_only_table_errors_come_out(text):
    with pytest.raises(TableError, match=r"t\.csv, line \d"):
        parse_rows(text, "t.csv")


@given(cut=st.integers(1, 400))
def test_a_file_cut_short_is_refused_or_lacks_its_last_rows(row, cut):
    """Only a last number that lost a digit can still pass for one."""
    whole = text_of([row(name=f"number {n}") for n in range(3)])
    try:
        table = parse_rows(whole[:-cut], "t.csv")
    except TableError:
        return
    assert list(table["name"]) == ["number 0", "number 1", "number 2"][: len(table)]


def test_targets_written_at_the_same_time_do_not_forget_each_other(rows, own):
    """As when two are measured side by side: both add to one file."""
    targets = [f"onnxruntime-cpu{threads}-fp32" for threads in range(1, 9)]
    with ThreadPoolExecutor(len(targets)) as together:
        list(together.map(lambda target: write_table("host", target, rows, FACTS), targets))

    assert set(read_facts("host")["targets"]) == set(targets)


def test_what_could_not_be_read_back_is_not_written(rows, own):
    write_table("host", TARGET, rows, FACTS)
    before = {path: path.read_bytes() for path in (own / "host").iterdir()}

    for bad in (
        {"latency_ms": 0.0},
        {"latency_ms": float("nan")},
        {"name": "two\nlines"},
        {"name": "\udc80"},
        {"op": None, "runs": 0},
        {"residual": None},
        {"residual": "yes"},
        {"macs": 2**53 + 2},
        {"level": "layer"},
    ):
        with pytest.raises(TableError, match=r"\.csv"):
            write_table("host", TARGET, [rows[0] | bad], FACTS)

    assert {path: path.read_bytes() for path in (own / "host").iterdir()} == before


def test_a_row_that_lacks_a_column_is_not_written(rows):
    for column in COLUMNS:
        if column.kind != "text":
            short = {key: value for key, value in rows[0].items() if key != column.name}
            with pytest.raises(TableError, match=f"column '{column.name}'"):
                write_table("host", TARGET, [short], FACTS)


@pytest.mark.parametrize("name", ["", "../x", "a/b", "ho st", ".hidden", "ünïcode"])
def test_a_name_that_is_no_file_name_is_not_written(rows, name, own):
    with pytest.raises(BadReference, match=r"cannot name a (device|target)"):
        write_table(name, TARGET, rows, FACTS)
    with pytest.raises(BadReference, match=r"cannot name a (device|target)"):
        write_table("host", name, rows, FACTS)

    assert not own.exists()


def test_a_folder_that_cannot_be_written_is_an_error_of_ours(rows, own):
    own.parent.mkdir(parents=True)
    own.write_text("in the way")

    with pytest.raises(LatprofError, match=r"cannot write .* File exists|Not a directory"):
        write_table("host", TARGET, rows, FACTS)


# Finding a table.


def test_a_device_alone_means_its_default_target(rows, shipped):
    add_device(shipped, "pixel6", "litert-cpu1-int8", TARGET, rows=rows, default_target=TARGET)

    assert resolve("pixel6") == ("pixel6", TARGET)
    assert resolve("pixel6/litert-cpu1-int8") == ("pixel6", "litert-cpu1-int8")
    assert len(read_table("pixel6/litert-cpu1-int8").rows) == 3


def test_the_first_target_is_the_default_if_none_is_named(shipped):
    add_device(shipped, "pixel6", "litert-cpu1-int8", TARGET)

    assert resolve("pixel6") == ("pixel6", "litert-cpu1-int8")


def test_the_first_measured_target_is_the_default_of_ones_own_device(rows):
    write_table("host", TARGET, rows, FACTS)
    write_table("host", "torch-eager-cpu1-fp32", rows[1:], FACTS)

    assert resolve("host") == ("host", TARGET)
    assert len(read_table("host/torch-eager-cpu1-fp32").rows) == 2


def test_an_unknown_device_is_refused_with_near_names(shipped):
    add_device(shipped, "pixel6", TARGET)

    with pytest.raises(UnknownName, match=r"unknown device 'pixl6'\. Did you mean 'pixel6'\?"):
        resolve("pixl6")


def test_an_unknown_target_is_refused_with_near_names(shipped):
    add_device(shipped, "pixel6", TARGET)

    with pytest.raises(UnknownName, match=f"unknown target of pixel6 .* Did you mean '{TARGET}'"):
        resolve("pixel6/onnxruntime-cpu2-fp32")
    with pytest.raises(UnknownName, match=r"unknown target of pixel6 ''"):
        resolve("pixel6/")


@pytest.mark.parametrize("reference", ["../x", "..", "", "/etc", ".", "~", "a\x00b", "pixel 6"])
def test_a_reference_that_leaves_the_folder_is_refused(reference):
    with pytest.raises(BadReference, match=r"cannot name a device"):
        resolve(reference)


@pytest.mark.parametrize("target", ["../../secret", "..", "x/y"])
def test_a_target_that_leaves_the_folder_is_refused(shipped, target):
    (shipped / "pixel6").mkdir(parents=True)
    (shipped / "pixel6" / "device.toml").write_text(
        tomli_w.dumps({"schema": 1, "targets": {target: FACTS}})
    )

    with pytest.raises(BadReference, match=r"cannot name a target"):
        read_table(f"pixel6/{target}")


def test_a_host_that_was_not_measured_says_how_to(shipped):
    with pytest.raises(TableError, match=r"latprof measure --time 3min.*latprof fit host"):
        resolve("host")


def test_known_devices_are_the_host_ones_own_and_the_shipped(rows, own, shipped):
    add_device(shipped, "pixel6", TARGET)
    add_device(own, "my-board", TARGET)
    (own / "no device").mkdir()

    assert known_devices() == ["host", "my-board", "pixel6"]


def test_ones_own_table_goes_before_a_shipped_one(rows, own, shipped):
    add_device(shipped, "pixel6", TARGET, "litert-cpu1-int8", rows=rows, name="Pixel 6")
    write_table("pixel6", TARGET, rows[:1], FACTS | {"source": "my desk"})

    table = read_table(f"pixel6/{TARGET}")

    assert (len(table.rows), table.facts["source"]) == (1, "my desk")


def test_ones_own_table_hides_no_shipped_one_of_another_target(rows, own, shipped):
    add_device(shipped, "pixel6", "litert-cpu1-int8", rows=rows, name="Pixel 6")
    write_table("pixel6", TARGET, rows[:1], FACTS)

    assert len(read_table("pixel6/litert-cpu1-int8").rows) == 3
    assert len(read_table(f"pixel6/{TARGET}").rows) == 1
    assert read_facts("pixel6")["targets"].keys() == {"litert-cpu1-int8", TARGET}
    assert resolve("pixel6") == ("pixel6", "litert-cpu1-int8")  # as shipped


# Broken files.


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"schema = [", "is not readable TOML: .*Mend it by hand"),
        (b"\xff\xfe", "is not readable TOML"),
        (b"", "has schema None; this latprof reads 1"),
        (b"schema = 2", "has schema 2; this latprof reads 1. Update latprof"),
        (b'schema = "1"', "has schema '1'"),
        (b"schema = 1\ntargets = 7", "'targets' must be a table"),
        (b"schema = 1\n[targets]\nx = 7", "'targets' must be a table"),
        (b"schema = 1", "'pixel6' has no targets"),
    ],
)
def test_a_broken_device_file_is_an_error_that_names_it(own, content, said):
    (own / "pixel6").mkdir(parents=True)
    (own / "pixel6" / "device.toml").write_bytes(content)

    with pytest.raises(TableError, match=said):
        resolve("pixel6")


def test_a_device_file_that_may_not_be_read_is_an_error_of_ours(own):
    (own / "pixel6" / "device.toml").mkdir(parents=True)

    with pytest.raises(TableError, match=r"device\.toml cannot be read: Is a directory"):
        resolve("pixel6")


def test_a_broken_device_file_is_not_written_over(rows, own):
    """It may list other targets, measured for hours."""
    write_table("host", TARGET, rows, FACTS)
    (own / "host" / "device.toml").write_text("schema = [")
    before = (own / "host" / f"{TARGET}.csv").read_bytes()

    with pytest.raises(TableError, match=r"is not readable TOML"):
        write_table("host", TARGET, rows[:1], FACTS)

    assert (own / "host" / "device.toml").read_text() == "schema = ["
    assert (own / "host" / f"{TARGET}.csv").read_bytes() == before


def test_a_table_that_is_gone_is_an_error_that_names_it(rows, own):
    write_table("host", TARGET, rows, FACTS)
    (own / "host" / f"{TARGET}.csv").unlink()

    with pytest.raises(TableError, match=f"host/{TARGET} has no table: .* is missing. Measure it"):
        read_table("host")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", None])
def test_a_table_that_cannot_be_read_is_an_error_of_ours(rows, own, content):
    path = write_table("host", TARGET, rows, FACTS)
    path.unlink()
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)

    with pytest.raises(TableError, match=r"\.csv cannot be read"):
        read_table("host")


def test_a_bad_cell_is_reported_with_the_path_of_its_file(rows, own):
    path = write_table("host", TARGET, rows, FACTS)
    path.write_text(text_of(rows, runs="-4"))

    with pytest.raises(TableError) as caught:
        read_table("host")

    assert str(caught.value) == (
        f"{path}, line 3, column 'runs': '-4' is not a whole number of at least 1."
    )
