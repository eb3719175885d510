"""Fifty real kills of `latprof measure` at random moments, each followed by --resume.

    python benchmarks/faults.py [KILLS] [--runtime onnxruntime] [--seed 0]

In a home of its own. After every kill the journal must hold what it held before, and in the end
no visit may be missing or made twice, and the table must be of all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from time import monotonic, sleep

from latprof.measurement.sweep import journal_of
from latprof.measurement.visits import visits
from latprof.profiling import target_of
from latprof.tables import Target, read_table

GAIN_S = 5.0  # how much longer each run may measure than what is in the journal
LONGEST_S = 9.0  # a kill comes at a random moment up to here: loading, measuring, the table

ENDED = "ended before"


def measure(runtime: str, seconds: float, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "latprof", "measure", "--runtime", runtime,
         "--time", f"{seconds:.1f}s", *words],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def whole_lines(path: Path) -> bytes:
    content = path.read_bytes() if path.is_file() else b""
    return content[: content.rfind(b"\n") + 1]


def seconds_in(journal: bytes) -> float:
    return sum(json.loads(line).get("seconds", 0.0) for line in journal.splitlines())


def kill_again_and_again(target: Target, runtime: str, kills: int, seed: int) -> list[str]:
    """What each run met, in words."""
    path, chance = journal_of(target).path, random.Random(seed)
    met: list[str] = []
    while len(met) - met.count(ENDED) < kills:
        before = whole_lines(path)
        process = measure(runtime, seconds_in(before) + GAIN_S, *(["--resume"] if before else []))
        sleep(chance.uniform(0.1, LONGEST_S))
        ended = process.poll() is not None
        if not ended:
            os.kill(process.pid, signal.SIGKILL)
        said, _ = process.communicate()
        if ended and process.returncode:
            raise SystemExit(f"run {len(met) + 1} ended with {process.returncode}: {said}")
        after = whole_lines(path)
        if not after.startswith(before):
            raise SystemExit(f"run {len(met) + 1} changed what was in the journal")
        new = after.count(b"\n") - before.count(b"\n")
        torn = "" if after == path.read_bytes() else ", its last line torn"
        state = ENDED if ended else "while loading" if not new else "while measuring"
        met.append(state)
        print(f"{len(met):3d}: {state}, {new} new lines{torn}", flush=True)
    return met


def check(target: Target, seed: int = 0) -> int:
    """Compare the journal with the plan, and the table with the journal; the visits come back."""
    content = whole_lines(journal_of(target).path)
    records = [json.loads(line) for line in content.splitlines()[1:]]
    failed: set[int] = set()
    plan = visits(seed)
    for record in records:
        visit = next(visit for visit in plan if visit.number not in failed)
        if (record["position"], record["number"]) != (visit.position, visit.number):
            raise SystemExit(f"visit {visit} is missing, or was made twice")
        if "error" in record:
            failed.add(record["number"])
    table = read_table(f"host/{target.name}")
    measured = {record["network"] for record in records if "error" not in record}
    if set(table.networks["network"]) != measured or table.facts["failures"] != len(failed):
        raise SystemExit("the table is not of the networks in the journal")
    if table.kernels.duplicated(["network", "name"]).any():
        raise SystemExit("a kernel is in the table twice")
    return len(records)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kills", nargs="?", type=int, default=50)
    parser.add_argument("--runtime", default="onnxruntime")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    target = target_of(asked.runtime)
    started = monotonic()
    with tempfile.TemporaryDirectory(prefix="latprof-faults-") as folder:
        os.environ["LATPROF_HOME"] = folder
        met = kill_again_and_again(target, asked.runtime, asked.kills, asked.seed)
        path = journal_of(target).path
        last = measure(
            asked.runtime,
            seconds_in(whole_lines(path)) + GAIN_S,
            *(["--resume"] if path.is_file() else []),
        )
        said, _ = last.communicate()
        if last.returncode:
            raise SystemExit(f"the last run ended with {last.returncode}: {said}")
        made = check(target)
        networks = len(read_table(f"host/{target.name}").networks)
        counts = ", ".join(f"{met.count(state)} {state}" for state in sorted(set(met)))
        print(f"\n{asked.kills} kills of `latprof measure` under {target.name}: {counts}")
        print(f"{made} visits to {networks} networks in the journal: none lost, none made twice; "
              f"the table is of all of them ({monotonic() - started:.0f} s)")  # fmt: skip


if __name__ == "__main__":
    main()
