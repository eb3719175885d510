"""Run a graph once and look at what comes out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from latprof import runtimes
from latprof.graph import Graph

RunOnce = Callable[[Graph, str], list[np.ndarray]]


@pytest.fixture
def run_once() -> RunOnce:
    """Outputs of a graph under a runtime, as NumPy arrays."""

    def run(graph: Graph, runtime: str) -> list[np.ndarray]:
        session = runtimes.load(runtime).open(graph, (), threads=1, profiled=False)
        outputs = [np.asarray(output).copy() for output in session.run()]
        session.finish()
        return outputs

    return run


@pytest.fixture
def assert_close() -> Callable[[np.ndarray, np.ndarray], None]:
    """Equal but for the order in which float32 numbers were summed."""

    def check(got: np.ndarray, wanted: np.ndarray) -> None:
        assert got.shape == wanted.shape
        assert np.isfinite(wanted).all()
        largest = np.abs(wanted).max(initial=1e-30)
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-4 * largest)

    return check
