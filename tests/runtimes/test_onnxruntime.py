from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest

from latprof.builder import GraphBuilder
from latprof.errors import MeasurementError
from latprof.fusion import fuse
from latprof.graph import Graph
from latprof.runtimes import onnxruntime
from latprof.runtimes.onnxruntime import RUNTIME


@pytest.fixture
def scratch(tmp_path, monkeypatch) -> Path:
    """The folder in which profiles are kept while they are written."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def graph_of(op: str = "relu", dtype: str = "float32") -> Graph:
    builder = GraphBuilder("tiny")
    x = builder.input((1, 8), dtype=dtype)
    return builder.finish([builder.add_one(op, [builder.add_one("neg", [x])])])


def open_profiled(graph: Graph):
    return RUNTIME.open(graph, fuse(graph, "onnxruntime"), threads=1, profiled=True)


def test_outputs_are_numpy_arrays(scratch):
    session = RUNTIME.open(graph_of(), (), threads=1, profiled=False)

    (output,) = session.run()

    assert isinstance(output, np.ndarray)
    session.finish()


def test_a_closed_session_leaves_no_file(scratch):
    session = open_profiled(graph_of())
    session.run()
    assert list(scratch.rglob("profile*.json"))

    session.finish()

    assert list(scratch.iterdir()) == []


def test_a_model_that_cannot_be_loaded_is_an_error_of_ours_and_leaves_no_file(scratch):
    with pytest.raises(MeasurementError, match=r"ONNX Runtime cannot load 'tiny': .*\(Erf\)"):
        open_profiled(graph_of("erf", dtype="int64"))

    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("left", [0, 1, 0.5, -3])
def test_a_profile_that_the_disk_could_not_hold_is_an_error_of_ours(scratch, left):
    session = open_profiled(graph_of())
    session.run()
    whole = session._session.end_profiling()
    content = Path(whole).read_bytes()
    kept = int(left * len(content)) if isinstance(left, float) else left
    Path(whole).write_bytes(content[:kept])

    class Ended:
        def end_profiling(self) -> str:
            return whole

    session._session = Ended()

    with pytest.raises(MeasurementError, match=r"cannot be read: .*disk full"):
        session.finish()
    assert list(scratch.iterdir()) == []


def test_a_network_opened_twice_is_written_once(scratch, monkeypatch):
    written = []
    monkeypatch.setattr(
        onnxruntime, "write_onnx", lambda graph, real=onnxruntime.write_onnx: (
            written.append(graph.name), real(graph))[1],
    )  # fmt: skip
    graph = graph_of()

    for session in (open_profiled(graph), open_profiled(graph), open_profiled(graph_of())):
        session.finish()

    assert written == ["tiny", "tiny"]  # once for each of the two graphs
