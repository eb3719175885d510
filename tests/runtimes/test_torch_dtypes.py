"""PyTorch eager in half precision."""

from __future__ import annotations

import pytest
import torch

from latprof.errors import UnsupportedOp
from latprof.fusion import fuse
from latprof.runtimes import torch_calls
from latprof.runtimes.torch_eager import RUNTIME


@pytest.fixture
def small_graph(net):
    x = net.norm(net.conv(net.input((1, 3, 8, 8)), 16, 3, bias=False))
    y = net.add_one("mean", [net.add_one("hard_swish", [x])], axes=(2, 3))
    return net.finish([net.linear(y, 10)])


@pytest.mark.parametrize(("dtype", "kept"), [("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_weights_and_activations_are_kept_in_half_precision(small_graph, dtype, kept):
    kernels = fuse(small_graph, "torch-eager", dtype)
    session = RUNTIME.open(small_graph, kernels, threads=1, profiled=True, dtype=dtype)
    plain = RUNTIME.open(small_graph, (), threads=1, profiled=False).run()
    (output,) = session.run()

    assert output.dtype is kept
    torch.testing.assert_close(output.float(), plain[0], rtol=0.05, atol=0.05)
    found = session.finish()
    assert {k.kernel.dtype for k in found.kernels} == {str(kept).removeprefix("torch.")}
    assert found.strays == ()


def test_half_precision_halves_the_bytes_of_a_kernel(small_graph):
    whole, half = (fuse(small_graph, "torch-eager", dtype) for dtype in ("fp32", "bf16"))
    assert [k.bytes_moved for k in whole] == [2 * k.bytes_moved for k in half]


def test_an_operator_that_the_cpu_lacks_in_a_dtype_is_named(net, monkeypatch):
    def lacking(x):
        raise RuntimeError("\"neg_cpu\" not implemented for 'BFloat16'\nmore")

    monkeypatch.setitem(torch_calls.CALLS, "neg", lambda call: lacking)
    graph = net.finish([net.add_one("neg", [net.input((1, 8))])])
    with pytest.raises(UnsupportedOp, match=r"node 'neg' \(neg\) does not run in bfloat16 .*fp32"):
        RUNTIME.open(graph, (), threads=1, profiled=False, dtype="bf16")
