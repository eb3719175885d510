"""LiteRT on small networks, in each of its dtypes."""

from __future__ import annotations

import numpy as np
import pytest

from latprof import runtimes
from latprof.fusion import fuse
from latprof.ops import OPS
from latprof.sampling import draw_network

pytest.importorskip("ai_edge_litert", reason="LiteRT is not installed")

from latprof.frontends.tflite.reader import read
from latprof.runtimes.litert_quantize import affine, by_channel
from latprof.runtimes.litert_writer import write_tflite


def outputs(graph, dtype="fp32", threads=1, runtime="litert"):
    session = runtimes.load(runtime).open(graph, (), threads=threads, profiled=False, dtype=dtype)
    given = [np.array(output) for output in session.run()]
    session.finish()
    return given


@pytest.mark.parametrize("number", range(12))
def test_int8_gives_roughly_what_float32_gives(number):
    graph = draw_network(17, number)
    wanted = outputs(graph)
    found = agreement(outputs(graph, "int8"), wanted)
    if found <= 0.98:
        # A peaked softmax at the end does not fit into 256 steps: there the judge is how much of
        # it is left to a quantizer that is not ours.
        theirs = agreement(outputs(graph, "int8", runtime="onnxruntime"), wanted)
        assert found > theirs - 0.01


def agreement(got, wanted):
    """The least correlation of any output."""
    assert [one.shape for one in got] == [other.shape for other in wanted]
    pairs = zip(got, wanted, strict=True)
    return min(np.corrcoef(one.ravel(), other.ravel())[0, 1] for one, other in pairs)


@pytest.mark.parametrize("number", range(4))
def test_weights_of_two_bytes_change_little(number):
    graph = draw_network(17, number)
    for got, wanted in zip(outputs(graph, "fp16"), outputs(graph), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=0, atol=0.02 * np.abs(wanted).max())


def test_two_threads_give_what_one_gives(net):
    x = net.conv(net.input((1, 16, 32, 32)), 32, 3)
    graph = net.finish([net.conv(x, 64)])
    (one,), (two,) = outputs(graph, threads=1), outputs(graph, threads=2)
    np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("number", range(6))
def test_a_file_reads_back_as_a_network_of_as_many_macs(number, tmp_path):
    graph = draw_network(17, number)
    file = tmp_path / "network.tflite"
    file.write_bytes(write_tflite(graph).model)

    back = read(file)

    def macs(of):
        return sum(OPS[call.node.op].macs(call) for call in of.calls)

    assert macs(back) == macs(graph)


def test_a_large_number_before_a_clamp_still_runs_in_int8(net):
    x = net.add_one("mul", [net.input((1, 8, 4, 4)), net.constant(1e5)])
    gate = net.add_one("hard_sigmoid", [net.conv(x, 8)])
    (got,) = outputs(net.finish([gate]), "int8")
    assert 0 <= got.min() <= got.max() <= 1.1


def test_a_profiled_network_in_int8_has_a_time_for_every_kernel_and_run(net):
    x = net.conv(net.input((1, 3, 32, 32)), 8, 3, stride=2)
    graph = net.finish([net.conv(net.add_one("silu", [x]), 16)])
    kernels = fuse(graph, "litert", "int8")
    session = runtimes.load("litert").open(graph, kernels, threads=1, profiled=True, dtype="int8")
    session.run()
    session.run()
    found, strays = session.finish()

    assert strays == ()
    assert [times.kernel.op for times in found] == ["conv", "silu", "pointwise"]
    assert [times.launches for times in found] == [1, 1, 1]
    assert all(len(times.times_ms) == 2 for times in found)


def test_int8_reaches_from_least_to_largest_and_has_a_zero():
    scales = affine(-1.0, 1.55)
    assert scales.scale[0] == np.float32(0.01)
    assert scales.zero == -28
    reached = scales.real(scales.quantized(np.array([-1.0, 0.0, 1.55])))
    assert reached.tolist() == pytest.approx([-1.0, 0.0, 1.55])


def test_each_channel_of_a_filter_has_its_scale():
    filters = np.array([[1.27, -0.5], [0.1, -12.7]], np.float32)
    assert by_channel(filters, 0).scale.round(5).tolist() == pytest.approx([0.01, 0.1])
