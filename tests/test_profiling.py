"""A quantised file runs as it is, under the runtime of its format, or not at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from latprof import profiling
from latprof.errors import BadReference, UnsupportedOp
from latprof.frontends import read
from latprof.measurement.baseline import Baseline
from latprof.measurement.calibration import Calibration
from latprof.profiling import own_file, profile
from latprof.tables import Target

TFLITE = Path(__file__).parent / "data" / "tflite"


def target(runtime, dtype="fp32"):
    return Target(runtime, "cpu", 1, dtype)


def test_a_float_model_is_written_anew(zoo_graph):
    assert own_file(zoo_graph("mobilenet_v2"), target("onnxruntime")) is None


@pytest.mark.parametrize(
    "kind", ["mobilenet_v2-int8", "mobilenet_v2-fp16", "mobilenet_v3_large-dynamic"]
)
@pytest.mark.parametrize("dtype", ["fp32", "int8"])
def test_a_quantised_file_runs_itself(kind, dtype):
    path = TFLITE / f"{kind}.tflite"
    assert own_file(read(str(path)), target("litert", dtype)) == path


def test_another_runtime_names_the_right_one():
    graph = read(str(TFLITE / "mobilenet_v2-int8.tflite"))
    with pytest.raises(UnsupportedOp, match="--runtime litert"):
        own_file(graph, target("onnxruntime"))


def test_a_file_cannot_be_asked_for_in_another_dtype():
    graph = read(str(TFLITE / "mobilenet_v2-int8.tflite"))
    with pytest.raises(BadReference, match="--dtype fp16"):
        own_file(graph, target("litert", "fp16"))


def test_a_quantised_graph_without_its_file_is_refused():
    graph = read(str(TFLITE / "mobilenet_v2-int8.tflite"))
    with pytest.raises(UnsupportedOp, match="latprof count"):
        own_file(replace(graph, source=""), target("litert"))


def test_a_quantised_onnx_file_is_profiled_as_it_is(net, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    from latprof.runtimes.onnx_writer import write_onnx
    from latprof.runtimes.onnxruntime_int8 import quantized_model

    known = Baseline(Calibration(1e-4, 0.01, 15, 0.02), 2.0)
    monkeypatch.setattr(profiling, "baseline", lambda *_: known)
    small = net.finish([net.conv(net.conv(net.input((1, 8, 16, 16)), 16, 3), 8)])
    (tmp_path / "qdq.onnx").write_bytes(quantized_model(small, write_onnx(small)))
    answer = profile(read(str(tmp_path / "qdq.onnx")), seconds=0.05)
    assert answer.dtype == answer.environment["dtype"] == "as stored"
    assert "itself with the weights in it" in answer.provenance[0]
    convolutions = [k for k in answer.kernels if k.kernel.macs]
    assert [k.kernel.op for k in convolutions] == ["conv", "pointwise"]
    assert all(k.seen[0].startswith("QLinearConv ") for k in convolutions)
