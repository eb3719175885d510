from __future__ import annotations

import io
import json
import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from latprof.costmodel.persistence import load, model_path, save
from latprof.errors import BadReference, CostModelError
from latprof.fusion import fuse
from latprof.sampling import draw_network


@pytest.fixture
def predictor(small_predictor):
    return small_predictor


@pytest.fixture
def saved(predictor, tmp_path, monkeypatch):
    monkeypatch.setenv("LATPROF_HOME", str(tmp_path / "home"))
    return save(predictor)


def entries(path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewrite(path, content: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)


def as_npy(array) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=array.dtype == object)
    return buffer.getvalue()


def test_what_comes_back_predicts_the_same_to_the_last_bit(saved, predictor):
    kernels = fuse(draw_network(99, 4), "onnxruntime")
    before, after = (p.estimate(kernels) for p in (predictor, load("toy", predictor.target)))
    assert np.array_equal(before.kernel_ms, after.kernel_ms)
    assert (before.low_ms, before.high_ms) == (after.low_ms, after.high_ms)


def test_it_is_small(saved):
    assert saved.stat().st_size < 5_000_000


def test_a_missing_model_says_what_to_type(tmp_path, monkeypatch):
    monkeypatch.setenv("LATPROF_HOME", str(tmp_path))
    with pytest.raises(CostModelError, match="latprof fit host/x"):
        load("host", "x")


def test_names_that_leave_the_folder_are_refused():
    with pytest.raises(BadReference):
        model_path("../host", "x")


def test_a_pickle_inside_never_runs(saved, predictor, tmp_path):
    witness = tmp_path / "witness"

    class Malicious:
        def __reduce__(self):
            return (open, (str(witness), "w"))

    content = entries(saved)
    content["scores.npy"] = as_npy(np.array([Malicious()], dtype=object))
    assert b"witness" in content["scores.npy"]
    rewrite(saved, content)
    with pytest.raises(CostModelError, match="Fit it again"):
        load("toy", predictor.target)
    saved.write_bytes(pickle.dumps(Malicious()))
    with pytest.raises(CostModelError):
        load("toy", predictor.target)
    assert not witness.exists()


def test_a_truncated_file_is_refused_wherever_it_is_cut(saved, predictor):
    whole = saved.read_bytes()
    for size in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        saved.write_bytes(whole[:size])
        with pytest.raises(CostModelError):
            load("toy", predictor.target)


def said_of(content: dict[str, bytes]) -> dict:
    return json.loads(np.load(io.BytesIO(content["json.npy"])).tobytes())


def with_said(content: dict[str, bytes], said: object) -> dict[str, bytes]:
    text = np.frombuffer(json.dumps(said).encode(), dtype=np.uint8)
    return content | {"json.npy": as_npy(text)}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("format", "something else", "no cost model"),
        ("schema", 99, "schema 99"),
        ("features", ["log_macs"], "fit toy"),
        ("covered_ops", {"conv": 5}, "operators"),
        ("terms", ["launch"], "fit toy"),
        ("law_ops", ["conv"], "law"),
        ("octaves", {"conv float32 nchw": [[9.0, float("nan")]]}, "law"),
        ("octaves", {"conv float32 nchw": [[9.0, 1e9]]}, "law"),
        (
            "roofline",
            {"peak_macs_per_ms": 1.0, "level_bytes_per_ms": [1.0], "launch_ms": 1.0},
            "roofline",
        ),
        ("factor", -1.0, "cannot be"),
        ("factor", float("inf"), "cannot be"),
        ("families", {"magic": {"baseline": 0.0, "clip": [0, 1]}}, "unknown family"),
        ("params", {"depth": 3}, "Fit it again"),
        ("run_ms", "soon", "Fit it again"),
    ],
)
def test_a_forged_description_builds_nothing(saved, predictor, key, value, message):
    content = entries(saved)
    rewrite(saved, with_said(content, said_of(content) | {key: value}))
    with pytest.raises(CostModelError, match=message):
        load("toy", predictor.target)


def test_entries_too_many_too_few_or_of_another_type_build_nothing(saved, predictor):
    content = entries(saved)
    family = next(iter(said_of(content)["families"]))
    floats = as_npy(np.load(io.BytesIO(content[f"{family}.off_law.left.npy"])).astype(np.float64))
    for forged in (
        content | {"extra.npy": as_npy(np.zeros(3))},
        {name: data for name, data in content.items() if name != "scores.npy"},
        content | {f"{family}.off_law.left.npy": floats},
        content | {"expected.npy": as_npy(np.full(3, 0.1))},
        content | {"expected.npy": as_npy(np.full(4, np.nan))},
        content | {"law_shared.npy": as_npy(np.full(2, 0.1))},
        content | {f"{family}.surface.scale.npy": as_npy(np.zeros(4))},
    ):
        rewrite(saved, forged)
        with pytest.raises(CostModelError):
            load("toy", predictor.target)


def test_a_bomb_is_refused_before_it_unpacks(saved, predictor):
    with zipfile.ZipFile(saved, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("scores.npy", bytes(65_000_000))
    with pytest.raises(CostModelError, match="unpacks to more"):
        load("toy", predictor.target)


def test_predicting_loads_neither_scikit_learn_nor_pandas_nor_torch(saved, predictor, tmp_path):
    graph = tmp_path / "graph.json"
    graph.write_text(json.dumps(draw_network(99, 4).to_dict()))
    program = (
        "import json, sys\n"
        "from latprof.graph import Graph\n"
        "from latprof.fusion import fuse\n"
        "from latprof.costmodel.persistence import load\n"
        f"graph = Graph.from_dict(json.load(open({str(graph)!r})))\n"
        f"predictor = load('toy', {predictor.target!r})\n"
        "print(predictor.estimate(fuse(graph, 'onnxruntime')).latency_ms)\n"
        "heavy = {'sklearn', 'pandas', 'torch', 'scipy', 'plotly', 'onnx', 'onnxruntime'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    said = subprocess.check_output([sys.executable, "-c", program], text=True).splitlines()
    assert float(said[0]) > 0
    assert said[1] == "[]"
