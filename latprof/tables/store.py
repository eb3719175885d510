"""Device tables on disk: ``device.toml`` and one CSV per target, read with every cell checked."""

from __future__ import annotations

import io
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latprof.errors import LatprofError, TableError, UnknownName
from latprof.home import checked_name, home, write_atomically
from latprof.tables.columns import BY_NAME, COLUMNS, LEVELS
from latprof.tables.target import split_device

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 1
HOST = "host"


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


def device_folder(device: str) -> Path:
    """The folder of a device; the user's own goes before the shipped one.

    Raises
    ------
    UnknownName
        If there is no such device.
    """
    checked_name("device", device)
    for root in (own_tables(), shipped_tables()):
        if (root / device / "device.toml").is_file():
            return root / device
    if device == HOST:
        raise TableError(
            "nothing has been measured on this machine yet. Run `latprof measure --time 3min`, "
            "then `latprof fit host`."
        )
    raise UnknownName("device", device, known_devices())


def read_facts(device: str) -> dict[str, Any]:
    """``device.toml`` of a device.

    Raises
    ------
    UnknownName, TableError
        If there is no such device, or its file is broken.
    """
    path = device_folder(device) / "device.toml"
    try:
        facts = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TableError(f"{path} is not readable TOML: {error}.") from error
    if facts.get("schema") != SCHEMA:
        raise TableError(f"{path} has schema {facts.get('schema')!r}; this latprof reads {SCHEMA}.")
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
    targets = facts.get("targets", {})
    if target is None:
        target = str(facts.get("default_target", next(iter(targets), "")))
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
    path = device_folder(device) / f"{checked_name('target', target)}.csv"
    try:
        text = path.read_text(encoding="utf-8")
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

    try:
        raw = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise TableError(f"{where} is not a CSV table: {error}.") from error
    missing = [column.name for column in COLUMNS if column.name not in raw.columns]
    unknown = [name for name in raw.columns if name not in BY_NAME]
    if missing or unknown:
        said = [f"lacks the column {name!r}" for name in missing]
        said += [f"has the unknown column {name!r}" for name in unknown]
        raise TableError(
            f"{where} {' and '.join(said)}. A table has the columns "
            f"{', '.join(column.name for column in COLUMNS)}."
        )
    return pd.DataFrame({c.name: _typed(raw[c.name], c.name, where) for c in COLUMNS})


def _typed(cells: pd.Series[str], name: str, where: str) -> pd.Series[Any]:
    import pandas as pd

    column = BY_NAME[name]
    if column.kind == "text":
        if name == "level":
            _refuse(cells, ~cells.isin(LEVELS), name, where, f"one of {', '.join(LEVELS)}")
        return cells
    if column.kind == "flag":
        _refuse(cells, ~cells.isin(["0", "1"]), name, where, "0 or 1")
        return cells == "1"
    numbers = pd.to_numeric(cells, errors="coerce")
    wanted = "a whole number" if column.kind == "integer" else "a number"
    bad = numbers.isna() | ~numbers.abs().lt(float("inf"))
    if column.kind == "integer":
        bad |= numbers != numbers.round()
    if column.least is not None:
        bad |= numbers < column.least
        wanted += f" of at least {column.least:g}"
    if column.above is not None:
        bad |= numbers <= column.above
        wanted += f" above {column.above:g}"
    _refuse(cells, bad, name, where, wanted)
    return numbers.astype("int64") if column.kind == "integer" else numbers


def _refuse(
    cells: pd.Series[str], bad: pd.Series[bool], name: str, where: str, wanted: str
) -> None:
    if bad.any():
        row = int(bad.to_numpy().argmax())
        raise TableError(
            f"{where}, line {row + 2}, column {name!r}: {cells.iloc[row][:60]!r} is not {wanted}."
        )


def write_table(
    device: str, target: str, rows: Iterable[Mapping[str, Any]], facts: Mapping[str, Any]
) -> Path:
    """Keep a table among the user's own; both files are replaced whole."""
    import pandas as pd
    import tomli_w

    folder = own_tables() / checked_name("device", device)
    frame = pd.DataFrame(list(rows), columns=[column.name for column in COLUMNS])
    for column in COLUMNS:
        if column.kind == "flag":
            frame[column.name] = frame[column.name].astype(int)
    text = frame.to_csv(index=False, lineterminator="\n", float_format="%.6g")
    path = folder / f"{checked_name('target', target)}.csv"
    parse_rows(text, str(path))  # nothing is kept that could not be read back
    write_atomically(path, text.encode())
    try:
        whole = read_facts(device)
    except LatprofError:
        whole = {"schema": SCHEMA, "name": device}
    whole.setdefault("default_target", target)
    whole.setdefault("targets", {})[target] = dict(facts)
    write_atomically(folder / "device.toml", tomli_w.dumps(whole).encode())
    return path
