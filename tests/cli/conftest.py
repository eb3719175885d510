"""Run commands as a user would, in a home that already knows a made-up machine."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

import numpy as np
import pytest

from latprof.costmodel.persistence import save
from latprof.costmodel.validation import fit_predictor
from latprof.fusion import fuse
from latprof.kernel import COLUMNS, Kernel
from latprof.sampling import draw_network
from latprof.tables import read_table, write_table

TARGET = "onnxruntime-cpu1-fp32"


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str


@pytest.fixture
def latprof(capsys):
    """Run ``latprof`` with these words in this process."""
    from latprof.cli import run

    def call(*words: str) -> Said:
        capsys.readouterr()
        code = run(list(words))
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return call


@pytest.fixture(scope="session")
def made_up_home(tmp_path_factory):
    """A home whose host is a made-up machine: 40 MMAC/ms, 10 MB/ms, 2 µs a launch."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LATPROF_HOME", str(home))
        write_table("host", TARGET, _rows(), {"calibration": {"run_ms": 0.01}, "source": "made up"})
        save(fit_predictor(read_table("host"))[0])
    return home


@pytest.fixture
def home(made_up_home, tmp_path, monkeypatch):
    """A copy of the made-up machine's home, and an empty folder to work in."""
    shutil.copytree(made_up_home, tmp_path / "home")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("LATPROF_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def _rows():
    chance = np.random.default_rng(0)
    for number in range(40):
        graph = draw_network(7, number)
        total = 0.01
        for kernel in fuse(graph, "onnxruntime"):
            law = 0.002 + max(kernel.macs / 40e6, kernel.bytes_moved / 10e6)
            latency_ms = law * float(np.exp(chance.normal(0, 0.02)))
            total += latency_ms
            yield _row("kernel", graph.name, kernel, latency_ms)
        yield _row("model", graph.name, Kernel("", "network"), total)


def _row(level: str, network: str, kernel: Kernel, latency_ms: float) -> dict[str, object]:
    columns = {name: getattr(kernel, name) for name in COLUMNS}
    timing = {"launches": 1, "latency_ms": latency_ms, "spread_fraction": 0.0,
              "uncertainty_fraction": 0.01, "runs": 20, "grade": "A"}  # fmt: skip
    return {"level": level, "network": network, "name": kernel.name, **columns, **timing}
