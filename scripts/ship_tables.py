"""Copy this machine's own tables into the folder that comes with latprof, under a device's name.

    python scripts/ship_tables.py xeon-amx-2vcpu [TARGET ...]

Without TARGET, every table of the host. Journals stay where they are; facts are copied as measured.
"""

from __future__ import annotations

import shutil
import sys
import tomllib
from pathlib import Path

import tomli_w

from latprof.tables import HOST, own_tables, read_table

SHIPPED = Path(__file__).parents[1] / "device_tables"


def main() -> None:
    name, *wanted = sys.argv[1:]
    source, folder = own_tables() / HOST, SHIPPED / name
    facts = tomllib.loads((source / "device.toml").read_text())
    kept = folder / "device.toml"
    shipped = tomllib.loads(kept.read_text()) if kept.is_file() else {"schema": 1, "name": name}
    shipped.setdefault("default_target", facts["default_target"])
    targets = shipped.setdefault("targets", {})
    tables = {t: read_table(f"{HOST}/{t}") for t in wanted or facts["targets"]}
    for target, table in tables.items():  # all of them, before anything is copied
        if table.facts["grade"] == "F":
            sys.exit(f"{target} is graded F: {'; '.join(table.facts['grade_reasons'])}")
    folder.mkdir(parents=True, exist_ok=True)
    for target, table in tables.items():
        targets[target] = facts["targets"][target]
        shutil.copyfile(source / f"{target}.csv", folder / f"{target}.csv")
        print(f"{name}/{target}: {len(table.kernels)} kernels, grade {table.facts['grade']}")
    kept.write_text(tomli_w.dumps(shipped))


if __name__ == "__main__":
    main()
