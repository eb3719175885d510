"""A table whose true law is known, so that what a cost model learns can be judged."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from latprof.costmodel.predictor import Predictor
from latprof.costmodel.validation import fit_predictor
from latprof.fusion import fuse
from latprof.kernel import COLUMNS, Kernel
from latprof.sampling import draw_network
from latprof.tables import DeviceTable

MACS_PER_MS, BYTES_PER_MS, LAUNCH_MS, RUN_MS = 40e6, 10e6, 0.002, 0.01


def true_latency_ms(kernel: Kernel) -> float:
    """The law of a made-up machine: depthwise runs at an eighth of peak, everything at a launch."""
    rate = MACS_PER_MS / (8 if kernel.op == "depthwise" else 1)
    return LAUNCH_MS + max(kernel.macs / rate, kernel.bytes_moved / BYTES_PER_MS)


def make_table(networks: int, noise: float = 0.02) -> DeviceTable:
    chance = np.random.default_rng(0)
    rows = []
    for number in range(networks):
        graph = draw_network(7, number)
        kernels = fuse(graph, "onnxruntime")
        times = [true_latency_ms(k) * float(np.exp(chance.normal(0, noise))) for k in kernels]
        for kernel, latency_ms in zip(kernels, times, strict=True):
            rows.append(_row("kernel", graph.name, kernel, latency_ms))
        rows.append(_row("model", graph.name, Kernel("", "network"), sum(times) + RUN_MS))
    facts = {"calibration": {"run_ms": RUN_MS}, "date": "2026-01-01", "source": "made up"}
    return DeviceTable("toy", "onnxruntime-cpu1-fp32", pd.DataFrame(rows), facts)


def _row(level: str, network: str, kernel: Kernel, latency_ms: float) -> dict[str, object]:
    columns = {name: getattr(kernel, name) for name in COLUMNS}
    timing = {"launches": 1, "latency_ms": latency_ms, "spread_fraction": 0.0,
              "uncertainty_fraction": 0.01, "runs": 20, "grade": "A"}  # fmt: skip
    return {"level": level, "network": network, "name": kernel.name, **columns, **timing}


@pytest.fixture(scope="session")
def table() -> DeviceTable:
    return make_table(120)


@pytest.fixture(scope="session")
def small_predictor() -> Predictor:
    return fit_predictor(make_table(40))[0]


@pytest.fixture(scope="session")
def law():
    return true_latency_ms


@pytest.fixture(scope="session")
def small_table():
    return make_table
