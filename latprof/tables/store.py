"""Device tables on disk: ``device.toml`` and one CSV per target, read with every cell checked."""

from __future__ import annotations

import csv
import io
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latprof.errors import TableError, UnknownName
from latprof.home import checked_name, exclusively, home, write_atomically
from latprof.tables.columns import BY_NAME, COLUMNS, WORDS
from latprof.tables.target import split_device

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 1
HOST = "host"
_LARGEST_INTEGER = 2**53


@dataclass(frozen=True)
class DeviceTable:
    """What was measured of one target.

    Parameters
    ----------
    device, target : str
    rows : DataFrame
        Columns as in `latprof.tables.columns`.
    facts : mapping
        What ``device.toml`` says of the target: environment, calibration, source, date.
    """

    device: str
    target: str
    rows: pd.DataFrame
    facts: Mapping[str, Any]

    @property
    def kernels(self) -> pd.DataFrame:
        """Rows of single kernels."""
        return self.rows[self.rows["level"] == "kernel"]

    @property
    def networks(self) -> pd.DataFrame:
        """Rows of whole networks, end to end."""
        return self.rows[self.rows["level"] == "model"]


def own_tables() -> Path:
    """Where the user's tables are."""
    return home() / "device_tables"


def shipped_tables() -> Path:
    """Where the tables that come with latprof are."""
    return Path(str(files("latprof"))) / "device_tables"


def known_devices() -> list[str]:
    """Names of every device with a ``device.toml``, and the host."""
    found = {HOST}
    for folder in (own_tables(), shipped_tables()):
        if folder.is_dir():
            found |= {path.parent.name for path in folder.glob("*/device.toml")}
    return sorted(found)


def read_facts(device: str) -> dict[str, Any]:
    """``device.toml`` of a device; of the user's and the shipped one, target by target.

    Raises
    ------
    UnknownName, TableError
        If there is no such device, or its file is broken.
    """
    checked_name("device", device)
    own, shipped = (_facts_in(root / device) for root in (own_tables(), shipped_tables()))
    if own is None and shipped is None:
        if device == HOST:
            started = next((own_tables() / HOST).glob("*.journal.jsonl"), None)
            if started is not None:
                raise TableError(
                    f"a measurement of this machine was cut off ({started.name}). Go on with "
                    "`latprof measure --resume`, then `latprof fit host`."
                )
            raise TableError(
                "nothing has been measured on this machine yet. Run `latprof measure --time 3min`, "
                "then `latprof fit host`."
            )
        raise UnknownName("device", device, known_devices())
    facts = {**(shipped or {}), **(own or {})}
    facts["targets"] = {**(shipped or {}).get("targets", {}), **(own or {}).get("targets", {})}
    return facts


def _facts_in(folder: Path) -> dict[str, Any] | None:
    """What a folder's ``device.toml`` says; None if there is none."""
    path = folder / "device.toml"
    try:
        facts = tomllib.loads(path.read_bytes().decode())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise TableError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TableError(
            f"{path} is not readable TOML: {error}. Mend it by hand, or move it away and measure "
            "anew."
        ) from error
    if facts.get("schema") != SCHEMA:
        raise TableError(
            f"{path} has schema {facts.get('schema')!r}; this latprof reads {SCHEMA}. Update "
            "latprof, or move the file away and measure anew."
        )
    targets = facts.get("targets", {})
    if not isinstance(targets, dict) or not all(isinstance(t, dict) for t in targets.values()):
        raise TableError(f"{path}: 'targets' must be a table with one table for each target.")
    return facts


def resolve(reference: str) -> tuple[str, str]:
    """Device and target behind ``pixel6`` or ``pixel6/litert-cpu1-int8``.

    Raises
    ------
    UnknownName, TableError
        If there is no such device or target.
    """
    device, target = split_device(reference)
    facts = read_facts(device)
    targets = facts["targets"]
    if not targets:
        raise TableError(f"device {device!r} has no targets: nothing was measured on it yet.")
    if target is None:
        target = str(facts.get("default_target", next(iter(targets))))
    if target not in targets:
        raise UnknownName(f"target of {device}", target, targets)
    return device, target


def read_table(reference: str) -> DeviceTable:
    """The table of a target, checked cell by cell.

    Raises
    ------
    UnknownName, TableError
        If there is no such table, or it does not hold what a table must hold.
    """
    device, target = resolve(reference)
    file = f"{checked_name('target', target)}.csv"
    path = own_tables() / device / file
    if not path.is_file() and (shipped_tables() / device / file).is_file():
        path = shipped_tables() / device / file
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError as error:
        raise TableError(
            f"{device}/{target} has no table: {path} is missing. Measure it again."
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(f"{path} cannot be read: {error}.") from error
    return DeviceTable(
        device, target, parse_rows(text, str(path)), read_facts(device)["targets"][target]
    )


def parse_rows(text: str, where: str) -> pd.DataFrame:
    """Rows of a table's CSV text, typed and checked against the list of columns.

    Raises
    ------
    TableError
        If a column is missing or unknown, or a cell is not what its column holds; the message
        names the column, the line and the value.
    """
    import pandas as pd

    header, lines, numbers = _cells(text, where)
    missing = [column.name for column in COLUMNS if column.name not in header]
    unknown = [name for name in header if name not in BY_NAME]
    twice = sorted({name for name in header if header.count(name) > 1} - set(unknown))
    if missing or unknown or twice:
        said = [f"lacks the column {name!r}" for name in missing]
        said += [f"has the unknown column {name[:60]!r}" for name in unknown[:10]]
        said += [f"has the column {name!r} twice" for name in twice]
        if missing and not (unknown or twice):
            raise TableError(
                f"{where}, line 1, {' and '.join(said)}. Was it written by an earlier latprof? "
                "Then measure it again with `latprof measure`."
            )
        raise TableError(
            f"{where}, line 1, {' and '.join(said)}. A table has the columns "
            f"{', '.join(column.name for column in COLUMNS)}."
        )
    raw = pd.DataFrame(lines, columns=header, index=pd.Index(numbers, dtype="int64"), dtype=str)
    typed = {c.name: _typed(raw[c.name], c.name, where) for c in COLUMNS}
    return pd.DataFrame(typed).reset_index(drop=True)


def _cells(text: str, where: str) -> tuple[list[str], list[list[str]], list[int]]:
    """Header and rows, every row as wide as the header, with the line on which each stands."""
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    lines: list[list[str]] = []
    numbers: list[int] = []
    try:
        header = next(reader, [])
        line = reader.line_num
        for cells in reader:
            first, line = line + 1, reader.line_num
            if first != line:
                raise TableError(
                    f"{where}, line {first}, has a cell that goes on in the next line. Is a "
                    "quotation mark missing?"
                )
            if not cells:
                continue  # an empty line
            if len(cells) != len(header):
                raise TableError(
                    f"{where}, line {line}, has {len(cells)} cells under "
                    f"{len(header)} columns. Was the file cut short?"
                )
            lines.append(cells)
            numbers.append(line)
    except csv.Error as error:
        raise TableError(
            f"{where}, line {reader.line_num}, is not a line of a CSV table: {error}."
        ) from error
    return header, lines, numbers


def _typed(cells: pd.Series[Any], name: str, where: str) -> pd.Series[Any]:
    import pandas as pd

    column = BY_NAME[name]
    if column.kind == "text":
        if name in WORDS:
            _refuse(
                cells, ~cells.isin(WORDS[name]), name, where, f"one of {', '.join(WORDS[name])}"
            )
        return cells
    if column.kind == "flag":
        _refuse(cells, ~cells.isin(["0", "1"]), name, where, "0 or 1")
        return cells == "1"
    wanted = "a whole number" if column.kind == "integer" else "a number"
    numbers = pd.to_numeric(cells, errors="coerce").astype("float64")
    bad = ~numbers.abs().lt(float("inf"))
    if column.kind == "integer":
        # Larger ones no float can tell apart; no real count comes near.
        bad |= (numbers != numbers.round()) | (numbers.abs() > _LARGEST_INTEGER)
    if column.least is not None:
        bad |= numbers < column.least
        wanted += f" of at least {column.least:g}"
    if column.above is not None:
        bad |= numbers <= column.above
        wanted += f" above {column.above:g}"
    _refuse(cells, bad, name, where, wanted)
    return numbers.astype("int64") if column.kind == "integer" else numbers


def _refuse(
    cells: pd.Series[Any], bad: pd.Series[bool], name: str, where: str, wanted: str
) -> None:
    if bad.any():
        row = int(bad.to_numpy().argmax())
        raise TableError(
            f"{where}, line {cells.index[row]}, column {name!r}: {cells.iloc[row][:60]!r} is not "
            f"{wanted}."
        )


def write_table(
    device: str, target: str, rows: Iterable[Mapping[str, Any]], facts: Mapping[str, Any]
) -> Path:
    """Keep a table among the user's own; both files are replaced whole.

    Raises
    ------
    TableError
        If a row is not what a row must be, or the device's present file is broken.
    BadReference
        If the folder cannot be written.
    """
    import pandas as pd
    import tomli_w

    folder = own_tables() / checked_name("device", device)
    path = folder / f"{checked_name('target', target)}.csv"
    _facts_in(folder)  # a broken file is told before anything is written
    frame = pd.DataFrame(list(rows), columns=[column.name for column in COLUMNS])
    for column in COLUMNS:
        if column.kind == "flag":
            frame[column.name] = frame[column.name].map({True: "1", False: "0"})
    text = frame.to_csv(index=False, lineterminator="\n", float_format="%.6g")
    parse_rows(text, str(path))  # nothing is kept that could not be read back
    write_atomically(path, _encoded(text, path))
    with exclusively(folder / ".device.lock", wait=True):  # another target may be written as well
        whole = _facts_in(folder) or {"schema": SCHEMA, "name": device}
        if not (shipped_tables() / device / "device.toml").is_file():  # else it has a default
            whole.setdefault("default_target", target)
        whole.setdefault("targets", {})[target] = dict(facts)
        write_atomically(folder / "device.toml", _encoded(tomli_w.dumps(whole), path))
    return path


def _encoded(text: str, path: Path) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        found = text[error.start : error.end]
        raise TableError(f"{path} cannot hold the character {found!r}; rename it.") from error
