"""Launches of inductor's wrapper; the text is what PyTorch 2.13 (CPU) wrote in November 2026 for
a convolution, a squeeze-and-excite gate and a sum, shortened."""

from __future__ import annotations

import pytest

from latprof.errors import MeasurementError
from latprof.kernel import Kernel
from latprof.runtimes.torch_wrapper import instrument, kernel_times

WRAPPER = """
def call(self, args):
    arg0_1, = args
    args.clear()
    buf0 = empty_strided_cpu((1, 3, 8, 8), (192, 1, 24, 3), torch.float32)
    cpp_fused_relu_0(arg0_1, buf0)
    # Topologically Sorted Source Nodes: [result_2], Original ATen: [aten.relu]
    buf1 = torch.ops.mkldnn._convolution_pointwise.default(buf0, p0, p1, [1, 1], 'relu')
    del buf0
    buf2 = buf1
    assert_size_stride(buf2, (1, 16, 8, 8), (1024, 1, 128, 16), 'relu')
    cpp_fused_mean_1(buf2, buf3)
    # Topologically Sorted Source Nodes: [result_3, result_6], Original ATen: [aten.mean, aten.add]
    torch.ops.mkldnn._convolution_pointwise_.binary(buf2, buf3, p2, p3, 'add')
    return (buf2, )
"""
NODE_OF = {"result_2": "relu", "result_3": "mean", "result_6": "add"}
KERNELS = (
    Kernel("conv/reorder", "reorder_input", layout="loops", nodes=("conv",)),
    Kernel("conv", "conv", activation="relu", layout="nhwc", nodes=("conv", "norm", "relu")),
    Kernel("mean", "mean", layout="loops", nodes=("mean",)),
    Kernel("conv_1", "pointwise", residual=True, layout="nhwc", nodes=("conv_1", "add")),
)


def test_allocations_and_checks_are_no_launches():
    launches, _ = instrument(WRAPPER)
    assert [(launch.name.split(".")[-2:][0], launch.fused) for launch in launches] == [
        ("cpp_fused_relu_0", True),
        ("_convolution_pointwise", False),
        ("cpp_fused_mean_1", True),
        ("_convolution_pointwise_", False),
    ]


def test_the_clock_is_read_at_the_start_and_behind_every_launch():
    _, code = instrument(WRAPPER)
    assert code.co_names.count("_latprof_tick") == 1
    assert sum(name.startswith("cpp_fused") for name in code.co_names) == 2


def test_launches_are_laid_beside_the_kernels_that_were_foreseen():
    launches, _ = instrument(WRAPPER)
    times, strays = kernel_times(launches, [(1.0, 2.0, 3.0, 4.0)], NODE_OF, KERNELS)
    assert strays == ()
    assert [(k.kernel.name, k.times_ms) for k in times] == [
        ("conv/reorder", (1.0,)),
        ("conv", (2.0,)),
        ("mean", (3.0,)),
        ("conv_1", (4.0,)),
    ]


def test_a_launch_that_was_not_foreseen_is_a_stray():
    launches, _ = instrument(WRAPPER)
    kernels = tuple(kernel for kernel in KERNELS if kernel.name != "mean")
    times, strays = kernel_times(launches, [(1.0, 2.0, 3.0, 4.0)], NODE_OF, kernels)
    assert len(times) == 3
    assert [(s.name, s.kind, s.times_ms) for s in strays] == [("relu", "cpp_fused_mean_1", (3.0,))]


def test_a_convolution_that_took_in_less_than_foreseen_does_not_match():
    launches, _ = instrument(WRAPPER)
    times, strays = kernel_times(launches, [(1.0, 2.0, 3.0, 4.0)], {**NODE_OF, "result_2": "conv"},
                                 KERNELS)  # fmt: skip
    assert "conv" not in {k.kernel.name for k in times}
    assert strays[0].name == "conv"


def test_a_wrapper_of_another_shape_is_refused():
    with pytest.raises(MeasurementError, match="no function `call`"):
        instrument("def main(): pass")
