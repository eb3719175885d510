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


class OldProcessor:
    def get_property(self, device, name):
        return ["FP32", "INT8"]


@pytest.mark.parametrize("dtype", ["bf16", "fp16"])
def test_a_dtype_that_the_processor_lacks_is_refused(dtype, monkeypatch):
    runtime = runtimes.load("openvino")
    monkeypatch.setattr(runtime, "_core", OldProcessor())
    with pytest.raises(MeasurementError, match=f"does not compute in {dtype}.*--dtype fp32"):
        runtime.open(graph_of(), (), threads=1, profiled=False, dtype=dtype)


@pytest.mark.parametrize("dtype", ["bf16", "fp16"])
def test_half_precision_is_what_runs(dtype):
    """Told by the numbers: they agree with float32's to a few digits, and not to all."""
    graph = draw_network(3, 0)
    outputs = {}
    for each in ("fp32", dtype):
        try:
            session = runtimes.load("openvino").open(
                graph, (), threads=1, profiled=False, dtype=each
            )
        except MeasurementError as error:
            pytest.skip(str(error))
        outputs[each] = session.run()[0].copy()
    largest = np.abs(outputs["fp32"]).max()
    difference = np.abs(outputs["fp32"] - outputs[dtype]).max() / largest
    assert 1e-5 < difference < 0.1


def test_a_quantised_onnx_file_runs_as_it_is(net, tmp_path):
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    from latprof import frontends
    from latprof.runtimes.onnx_writer import write_onnx
    from latprof.runtimes.onnxruntime_int8 import quantized_model

    small = net.finish([net.conv(net.conv(net.input((1, 16, 56, 56)), 64, 3), 32)])
    (tmp_path / "qdq.onnx").write_bytes(quantized_model(small, write_onnx(small)))
    graph = frontends.read(str(tmp_path / "qdq.onnx"))
    session = runtimes.load("openvino").open_file(
        tmp_path / "qdq.onnx", graph, threads=1, profiled=True
    )
    session.run()
    found, strays = session.finish()
    assert strays == ()
    convolutions = [k.kernel for k in found if k.kernel.macs]
    assert [(k.op, k.dtype) for k in convolutions] == [("conv", "uint8"), ("pointwise", "uint8")]
