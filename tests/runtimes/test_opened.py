"""Launches of a user's own file find the nodes that they compute."""

from __future__ import annotations

import numpy as np
import pytest

from latprof.errors import UnsupportedOp
from latprof.graph import Tensor
from latprof.runtimes.opened import Launched, drawn_input, kernels_of_file


@pytest.fixture
def quantised(net):
    """Quantised as QDQ files are: x → q → dq → conv → q → dq → hard-swish."""
    x = net.input((1, 4, 8, 8))
    (q,) = net.add("quantize", [x], name="in_q", outputs=[Tensor("q", (1, 4, 8, 8), "uint8")])
    (r,) = net.add("dequantize", [q], name="in_dq", outputs=[Tensor("r", (1, 4, 8, 8))])
    y = net.conv(r, 8, 3)
    (s,) = net.add("quantize", [y], name="out_q", outputs=[Tensor("s", (1, 8, 8, 8), "uint8")])
    (t,) = net.add("dequantize", [s], name="out_dq", outputs=[Tensor("t", (1, 8, 8, 8))])
    return net.finish([net.add_one("hard_swish", [t])])


LAUNCHED = (
    Launched("in_q", "QuantizeLinear", (1.0, 2.0), ("in_q",), "float32", (1, 4, 8, 8)),
    Launched("Transpose", "Transpose", (0.5, 0.5), (), "uint8", (1, 4, 8, 8), (1, 8, 8, 4)),
    Launched("conv_token_1", "QLinearConv", (4.0, 4.0), ("conv",), "uint8", (1, 8, 8, 4)),
    Launched("HardSigmoid_3", "HardSigmoid", (0.1, 0.1), (), "float32", (1, 8, 8, 8)),
    Launched("Mul_4", "Mul", (0.2, 0.2), (), "float32", (1, 8, 8, 8)),
)


def test_nodes_without_a_launch_join_the_one_beside_them(quantised):
    kernels = {k.kernel.name: k.kernel for k in kernels_of_file(quantised, LAUNCHED)}
    # What makes real numbers belongs to who reads them, what makes whole ones to who gives them.
    assert kernels["conv_token_1"].nodes == ("in_dq", "conv", "out_q")
    assert kernels["in_q"].nodes == ("in_q",)


def test_a_convolution_of_whole_numbers_says_so(quantised):
    kernels = {k.kernel.name: k.kernel for k in kernels_of_file(quantised, LAUNCHED)}
    conv = kernels["conv_token_1"]
    assert (conv.op, conv.dtype, conv.macs) == ("conv", "uint8", 8 * 8 * 8 * 4 * 9)
    assert conv.bytes_written == 8 * 8 * 8  # one byte each


def test_an_operator_that_was_written_out_is_found_by_size(quantised):
    found = {k.kernel.op: k for k in kernels_of_file(quantised, LAUNCHED)}
    assert found["hard_swish"].launches == 2
    assert found["hard_swish"].times_ms == pytest.approx((0.3, 0.3))
    assert found["hard_swish"].seen == ("HardSigmoid HardSigmoid_3", "Mul Mul_4")


def test_what_the_runtime_put_in_is_a_kernel_without_nodes(quantised):
    found = {k.kernel.name: k.kernel for k in kernels_of_file(quantised, LAUNCHED)}
    assert (found["Transpose"].op, found["Transpose"].nodes) == ("transpose", ())
    assert found["Transpose"].bytes_moved == 2 * 256


def test_every_node_belongs_to_one_kernel(quantised):
    nodes = [name for k in kernels_of_file(quantised, LAUNCHED) for name in k.kernel.nodes]
    assert sorted(nodes) == sorted(node.name for node in quantised.nodes)


def test_an_image_of_whole_numbers_takes_all_their_values():
    drawn = drawn_input(Tensor("x", (1, 64, 64, 3), "int8"))
    assert (drawn.dtype, drawn.min(), drawn.max()) == (np.int8, -128, 127)


def test_an_input_that_cannot_be_made_is_refused():
    with pytest.raises(UnsupportedOp, match="bfloat16"):
        drawn_input(Tensor("x", (1, 2), "bfloat16"))
