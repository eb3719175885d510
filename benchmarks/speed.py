"""How long a user waits: whole processes, median of ten, taken in turns.

    python benchmarks/speed.py

Needs a fitted host (``latprof measure``, ``latprof fit host``).
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 10


def main() -> None:
    from latprof.captured import capture
    from latprof.home import home

    capture("zoo:mobilenet_v2")
    graphs = [p for p in (home() / "graphs").glob("*.json") if p.name != "last.json"]
    graph = max(graphs, key=lambda path: path.stat().st_mtime)
    latprof = [sys.executable, "-m", "latprof"]
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "latprof --help": [*latprof, "--help"],
            "latprof predict <captured graph> --device host": [
                *latprof, "predict", str(graph), "--device", "host",
            ],
            "the same with --html": [
                *latprof, "predict", str(graph), "--device", "host", "--html", str(page),
            ],
        }  # fmt: skip
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(RUNS + 1):
            for name, command in commands.items():
                started = time.perf_counter()
                subprocess.run(command, check=True, capture_output=True)
                times[name].append(time.perf_counter() - started)
        print("| whole process | median s | worst s |\n|---|---|---|")
        for name, taken in times.items():
            warm = taken[1:]  # the first run fills the file cache
            print(f"| {name} | {statistics.median(warm):.3f} | {max(warm):.3f} |")
        print(f"\nreport page: {page.stat().st_size / 1e6:.2f} MB")
    heavy = "import sys, latprof; print([m for m in ('torch', 'sklearn', 'plotly', 'pandas') "
    heavy += "if m in sys.modules])"
    print("heavy modules after `import latprof`:",
          subprocess.check_output([sys.executable, "-c", heavy], text=True).strip())  # fmt: skip


if __name__ == "__main__":
    main()
