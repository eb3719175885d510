"""Quantised files run as they are, each under the runtime of its format."""

from __future__ import annotations

import pytest

from latprof import frontends, runtimes
from latprof.errors import UnreadableModel, UnsupportedOp


@pytest.fixture
def small(net):
    x = net.input((1, 8, 16, 16))
    y = net.add_one("relu", [net.conv(x, 16, 3)])
    y = net.add_up(net.conv(y, 16), y)
    return net.finish([net.linear(net.add_one("reshape", [y], shape=(1, -1)), 10)])


@pytest.fixture
def float_onnx(small, tmp_path):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    from latprof.runtimes.onnx_writer import write_onnx

    onnx.save(write_onnx(small), tmp_path / "float.onnx")
    return tmp_path / "float.onnx"


def qdq(small, folder, float_onnx):
    from latprof.runtimes.onnx_writer import write_onnx
    from latprof.runtimes.onnxruntime_int8 import quantized_model

    (folder / "qdq.onnx").write_bytes(quantized_model(small, write_onnx(small)))
    return folder / "qdq.onnx"


def dynamic(small, folder, float_onnx):
    from onnxruntime.quantization import quantize_dynamic

    quantize_dynamic(float_onnx, folder / "dynamic.onnx")
    return folder / "dynamic.onnx"


def qoperator(small, folder, float_onnx):
    import numpy as np
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    class Data(CalibrationDataReader):
        left = 1

        def get_next(self):
            self.left -= 1
            drawn = np.random.default_rng(0).standard_normal((1, 8, 16, 16), dtype=np.float32)
            return {"input": drawn} if self.left >= 0 else None

    quantize_static(float_onnx, folder / "qop.onnx", Data(), quant_format=QuantFormat.QOperator)
    return folder / "qop.onnx"


def ran(runtime, file):
    """The graph of a file, and what two runs of it showed."""
    graph = frontends.read(str(file))
    session = runtimes.load(runtime).open_file(file, graph, threads=1, profiled=True)
    session.run()
    session.run()
    return graph, session.finish()


def check(graph, observed):
    assert observed.strays == ()
    assert all(len(k.times_ms) == 2 for k in observed.kernels)
    macs = 8 * 16 * 16 * 16 * 9 + 16 * 16 * 16 * 16 + 10 * 16 * 16 * 16
    assert sum(k.kernel.macs for k in observed.kernels) == macs
    nodes = [name for k in observed.kernels for name in k.kernel.nodes]
    assert sorted(nodes) == sorted(node.name for node in graph.nodes)


@pytest.mark.parametrize("make", [qdq, dynamic, qoperator])
def test_an_onnx_file_runs_as_it_is(make, small, tmp_path, float_onnx):
    graph, observed = ran("onnxruntime", make(small, tmp_path, float_onnx))
    check(graph, observed)
    assert {"int8", "uint8"} & {k.kernel.dtype for k in observed.kernels}


@pytest.mark.parametrize("dtype", ["int8", "fp16"])
def test_a_tflite_file_runs_as_it_is(dtype, small, tmp_path):
    pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed")
    from latprof.runtimes.litert_writer import write_tflite

    (tmp_path / "net.tflite").write_bytes(write_tflite(small, dtype).model)
    graph, observed = ran("litert", tmp_path / "net.tflite")
    check(graph, observed)
    conv = next(k for k in observed.kernels if k.kernel.op == "conv")
    assert conv.seen[0].startswith("Convolution (NHWC, ")
    assert conv.kernel.dtype == {"int8": "int8", "fp16": "float32"}[dtype]


def test_a_tflite_file_runs_with_its_own_sizes_only(small, tmp_path):
    pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed")
    from latprof.builder import GraphBuilder
    from latprof.runtimes.litert_writer import write_tflite

    (tmp_path / "net.tflite").write_bytes(write_tflite(small, "int8").model)
    other = GraphBuilder("other")
    other.input((1, 8, 32, 32))
    with pytest.raises(UnsupportedOp, match="--batch"):
        runtimes.load("litert").open_file(
            tmp_path / "net.tflite", other.finish([]), threads=1, profiled=False
        )


def test_a_file_that_a_runtime_cannot_load_is_told_as_such(tmp_path, small):
    pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed")
    from latprof.runtimes.litert_writer import write_tflite

    model = write_tflite(small, "int8").model
    (tmp_path / "net.tflite").write_bytes(model)
    graph = frontends.read(str(tmp_path / "net.tflite"))
    (tmp_path / "net.tflite").unlink()
    with pytest.raises(UnreadableModel, match=r"net\.tflite"):
        runtimes.load("litert").open_file(tmp_path / "net.tflite", graph, threads=1, profiled=False)
