"""Break model files in 100,000 ways: reading one gives a graph or a LatprofError, and nothing else.

    python benchmarks/fuzz/run.py                       # every kind of file, 100,000 in all
    python benchmarks/fuzz/run.py --kinds onnx --count 20000 --seed 7
    python benchmarks/fuzz/run.py --kinds onnx --only 1234   # write that one file, and read it

A reader fails if it raises anything but a LatprofError, ends the process, takes longer than 10 s or
more than 2 GB. Workers are processes of their own, told apart by their number; each file follows
from the seed and its number alone, so that a failure can be made again. Exit code 1 if any failed.

TorchScript is loaded by torch in a process that latprof starts for each file, which takes seconds.
Here the workers are such processes, and read many files each; one that a file ends, or that raises
what it should not, counts as contained if latprof then answers that file as it should.
"""

from __future__ import annotations

import argparse
import collections
import os
import random
import resource
import select
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from corpus import KINDS, make_corpus
from mutations import break_file

LIMIT_S, LIMIT_BYTES = 10, 2 * 2**30
WORKERS = 2
OUTCOMES = ("graph", "refused", "contained", "failed")
# Kinds read in a process of their own, and how many files one worker reads of them.
CONFINED = {"torch_script": 400}


def broken_file(kind: str, seeds: list[bytes], seed: int, number: int) -> bytes:
    draw = random.Random(f"{seed}/{kind}/{number}")
    return break_file(draw, kind, draw.choice(seeds))


def read_one(kind: str, path: Path, *, confined: bool = True) -> str:
    """What came of reading: ``graph``, ``refused``, or a failure with its traceback."""
    from latprof import frontends
    from latprof.errors import LatprofError
    from latprof.frontends.inputs import parse_input

    inputs = [parse_input("1x3x32x32")] if kind == "torch_script" else []
    try:
        if kind in CONFINED and not confined and frontends.sniff(path) == kind:
            from latprof.frontends.torch.script_capture import capture_script

            capture_script(path, inputs, trust=False)
        else:
            frontends.read(str(path), inputs=inputs)
    except LatprofError:
        return "refused"
    except BaseException:  # noqa: BLE001 (whatever else it raises is what is looked for)
        return "FAILED\n" + traceback.format_exc()
    return "graph"


def work(kind: str, corpus: Path, seed: int, first: int, last: int, step: int) -> None:
    """Read files `first`, `first + step`, ... and say on stdout what came of each."""
    seeds = [path.read_bytes() for path in sorted((corpus / kind).iterdir())]
    out = os.fdopen(os.dup(1), "w")
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)  # C++ readers write there what they refuse
    path = Path(tempfile.mkdtemp(dir=_fast_folder())) / "model"
    slowest = 0.0
    for number in range(first, last, step)[: CONFINED.get(kind)]:
        path.write_bytes(broken_file(kind, seeds, seed, number))
        print("start", number, file=out, flush=True)
        began = time.perf_counter()
        found = read_one(kind, path, confined=False)
        slowest = max(slowest, time.perf_counter() - began)
        peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print("end", found.replace("\n", "\x1e"), f"{slowest:.3f}", peak_kib, file=out, flush=True)
    path.unlink(missing_ok=True)


def _fast_folder() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


@dataclass
class Tally:
    """What came of the files of one kind."""

    outcomes: collections.Counter[str] = field(default_factory=collections.Counter)
    failures: list[tuple[int, str]] = field(default_factory=list)
    slowest_s: float = 0.0
    peak_kib: int = 0

    def fail(self, number: int, what: str, contained: bool) -> None:
        if contained:
            self.outcomes["contained"] += 1
        else:
            self.outcomes["failed"] += 1
            self.failures.append((number, what))


class Worker:
    """One process, and the part of the files it has still to read."""

    def __init__(self, kind: str, corpus: Path, seed: int, first: int, last: int) -> None:
        self.kind, self.corpus, self.seed, self.next, self.last = kind, corpus, seed, first, last
        self.began, self.current = time.monotonic(), -1
        self.start()

    def start(self) -> None:
        words = [sys.executable, __file__, "--worker", self.kind, str(self.corpus),
                 str(self.seed), str(self.next), str(self.last), str(WORKERS)]  # fmt: skip
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE)
        assert self.process.stdout
        self.lines = self.process.stdout
        self.buffer = b""
        self.first = self.next
        self.current = -1
        self.began = time.monotonic()

    def rss_bytes(self) -> int:
        try:
            pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        except (OSError, IndexError):
            return 0  # it has just ended
        return pages * resource.getpagesize()

    def take(self, tally: Tally) -> bool:
        """Take in what the process has said; False once it has ended."""
        said = os.read(self.lines.fileno(), 2**16)
        self.buffer += said
        *lines, self.buffer = self.buffer.split(b"\n")
        for line in lines:
            word, _, rest = line.decode(errors="replace").partition(" ")
            if word == "start":
                self.current, self.began = int(rest), time.monotonic()
                self.next = self.current + WORKERS
            else:
                found, slowest, peak = rest.rsplit(" ", 2)
                if found.startswith("FAILED"):
                    what = found.replace("\x1e", "\n")
                    tally.fail(self.current, what, self.is_contained(self.current))
                else:
                    tally.outcomes[found] += 1
                tally.slowest_s = max(tally.slowest_s, float(slowest))
                tally.peak_kib = max(tally.peak_kib, int(peak))
                self.current = -1
        return bool(said)

    def is_contained(self, number: int) -> bool:
        """Whether latprof itself answers a file as it should, which a process of ours did not."""
        if self.kind not in CONFINED:
            return False
        seeds = [path.read_bytes() for path in sorted((self.corpus / self.kind).iterdir())]
        with tempfile.TemporaryDirectory(dir=_fast_folder()) as folder:
            path = Path(folder) / "model"
            path.write_bytes(broken_file(self.kind, seeds, self.seed, number))
            began = time.monotonic()
            found = read_one(self.kind, path)
            return found in ("graph", "refused") and time.monotonic() - began < LIMIT_S

    def restart(self, tally: Tally, why: str) -> bool:
        """Go on behind the file that ended the process; False if nothing is left."""
        self.process.kill()
        self.process.wait()
        if self.current >= 0:
            tally.fail(self.current, why, self.is_contained(self.current))
        elif self.next < self.last and (why != "ended" or self.next == self.first):
            raise SystemExit(f"the worker for {self.kind} does not start: {why}")
        if self.next >= self.last:
            return False
        self.start()
        return True


def run_kind(kind: str, corpus: Path, seed: int, count: int) -> Tally:
    tally = Tally()
    workers = [Worker(kind, corpus, seed, first, count) for first in range(min(WORKERS, count))]
    while workers:
        ready, _, _ = select.select([worker.lines for worker in workers], [], [], 0.1)
        for worker in list(workers):
            ended = worker.lines in ready and not worker.take(tally)
            why = ""
            if ended:
                code = worker.process.wait()
                why = f"the process ended with {code}" if worker.current >= 0 else "ended"
            elif worker.current >= 0 and time.monotonic() - worker.began > LIMIT_S:
                why = f"still reading after {LIMIT_S} s"
            elif worker.rss_bytes() > LIMIT_BYTES:
                why = f"takes {worker.rss_bytes() / 2**30:.1f} GiB"
            if why and not worker.restart(tally, why):
                workers.remove(worker)
    return tally


def report(kind: str, tally: Tally, seconds: float) -> str:
    total = sum(tally.outcomes.values())
    counts = " | ".join(
        str(tally.outcomes[key]) for key in ("graph", "refused", "contained", "failed")
    )
    peak = tally.peak_kib / 1024
    return f"| {kind} | {total} | {counts} | {tally.slowest_s:.2f} | {peak:.0f} | {seconds:.0f} |"


def main() -> int:
    if sys.argv[1:2] == ["--worker"]:
        kind, corpus, *numbers = sys.argv[2:]
        work(kind, Path(corpus), *map(int, numbers))
        return 0
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--count", type=int, default=100_000, help="files, shared by the kinds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="number of one file to make and read")
    parser.add_argument("--failures", type=Path, default=Path("fuzz-failures"))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder)
        make_corpus(corpus, asked.kinds)
        if asked.only is not None:
            return _make_again(asked.kinds[0], corpus, asked.seed, asked.only)
        print("| kind | files |", " | ".join(OUTCOMES), "| slowest s | peak MiB | took s |")
        print("|---" * (len(OUTCOMES) + 5) + "|")
        failed = 0
        for kind in asked.kinds:
            began = time.monotonic()
            tally = run_kind(kind, corpus, asked.seed, asked.count // len(asked.kinds))
            print(report(kind, tally, time.monotonic() - began), flush=True)
            failed += len(tally.failures)
            _keep(kind, corpus, asked.seed, tally, asked.failures)
    return 1 if failed else 0


def _keep(kind: str, corpus: Path, seed: int, tally: Tally, folder: Path) -> None:
    """Write down each kind of failure once, with the file that shows it."""
    seeds = [path.read_bytes() for path in sorted((corpus / kind).iterdir())]
    seen: set[str] = set()
    for number, what in tally.failures:
        cause = what.strip().splitlines()[-1][:60]
        if cause in seen:
            continue
        seen.add(cause)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{kind}-{number}").write_bytes(broken_file(kind, seeds, seed, number))
        (folder / f"{kind}-{number}.txt").write_text(what)
        print(f"{kind} {number}: {what.strip().splitlines()[-1][:200]}", file=sys.stderr)


def _make_again(kind: str, corpus: Path, seed: int, number: int) -> int:
    seeds = [path.read_bytes() for path in sorted((corpus / kind).iterdir())]
    path = Path(f"fuzz-{kind}-{number}")
    path.write_bytes(broken_file(kind, seeds, seed, number))
    found = read_one(kind, path)
    print(path, found)
    return int(found.startswith("FAILED"))


if __name__ == "__main__":
    sys.exit(main())
