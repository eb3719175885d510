from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from latprof import runtimes
from latprof.builder import GraphBuilder
from latprof.errors import MeasurementError
from latprof.graph import Graph
from latprof.sampling import draw_network

# Not importorskip: it would import OpenVINO's telemetry with it.
if (why_not := runtimes.missing("openvino")) is not None:
    pytest.skip(why_not, allow_module_level=True)


def graph_of(op: str = "relu", dtype: str = "float32") -> Graph:
    builder = GraphBuilder("tiny")
    x = builder.input((1, 8), dtype=dtype)
    return builder.finish([builder.add_one(op, [builder.add_one("neg", [x])])])


def test_outputs_are_numpy_arrays():
    session = runtimes.load("openvino").open(graph_of(), (), threads=1, profiled=False)

    (output,) = session.run()

    assert isinstance(output, np.ndarray)


def test_numbers_are_float32_throughout(run_once):
    """Not bfloat16, its default where the CPU can."""
    graph = draw_network(3, 0)
    for got, wanted in zip(
        run_once(graph, "openvino"), run_once(graph, "torch-eager"), strict=True
    ):
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-4 * np.abs(wanted).max())


def test_a_model_that_cannot_be_loaded_is_an_error_of_ours():
    with pytest.raises(MeasurementError, match=r"OpenVINO cannot load 'tiny': .*Try another"):
        runtimes.load("openvino").open(graph_of("erf", dtype="bool"), (), threads=1, profiled=False)


def test_nothing_is_written_into_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    code = "from latprof import runtimes; print(runtimes.load('openvino').version())"

    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)

    assert list(tmp_path.rglob("*")) == []
