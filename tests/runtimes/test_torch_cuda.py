"""Timing on a GPU, by a scripted one: everything but the GPU itself."""

from __future__ import annotations

import pytest
import torch

from latprof.errors import RuntimeUnavailable
from latprof.fusion import fuse
from latprof.runtimes.torch_cuda import LaunchCosts, TorchCuda
from latprof.runtimes.torch_cuda_compile import TorchCudaCompile
from latprof.runtimes.torch_cuda_graphs import TorchCudaGraphs
from latprof.runtimes.torch_wrapper import Clocked, WrapperLaunch, instrument


class ScriptedEvent:
    def __init__(self, gpu: ScriptedGpu) -> None:
        self._gpu = gpu

    def record(self) -> None:
        self._gpu.said.append("event")
        self.at_ms = next(self._gpu.clock_ms)

    def elapsed_ms(self, later: ScriptedEvent) -> float:
        assert self._gpu.said[-1] == "synchronise"  # before that the GPU has not got there
        return later.at_ms - self.at_ms


class ScriptedGpu:
    """Computes on the CPU, and says what time it is from a list."""

    place = "cpu"

    def __init__(self, *clock_ms: float) -> None:
        self.clock_ms = iter(clock_ms)
        self.said: list[str] = []

    def event(self) -> ScriptedEvent:
        return ScriptedEvent(self)

    def synchronise(self) -> None:
        self.said.append("synchronise")

    def flush_l2(self) -> None:
        self.said.append("flush")

    def hold(self) -> None:
        self.said.append("hold")

    def capture(self, launch):
        launch()
        self.said.append("capture")
        return lambda: self.said.append("replay")

    def allow_tf32(self, allowed: bool) -> None:
        self.said.append(f"tf32 {'on' if allowed else 'off'}")


@pytest.fixture
def small_graph(net):
    x = net.input((1, 3, 8, 8))
    return net.finish([net.add_one("relu", [net.conv(x, 4)])])


def opened(runtime, graph, *, profiled=False, dtype="fp32"):
    kernels = fuse(graph, runtime.name, dtype)
    return runtime.open(graph, kernels, threads=1, profiled=profiled, dtype=dtype)


def test_a_run_is_timed_between_two_events_from_a_cold_cache(small_graph):
    gpu = ScriptedGpu(1.0, 3.5)
    session = opened(TorchCuda(lambda: gpu), small_graph)
    gpu.said.clear()

    assert session.timed_run() == 2.5
    assert gpu.said == ["flush", "synchronise", "event", "event", "synchronise"]


def test_kernels_are_timed_between_events_while_the_queue_is_full(small_graph):
    gpu = ScriptedGpu(0.0, 2.0, 2.5, 10.0, 13.0, 13.25)
    session = opened(TorchCuda(lambda: gpu), small_graph, profiled=True)
    gpu.said.clear()
    session.run()
    session.run()

    assert gpu.said[:6] == ["flush", "hold", "event", "event", "event", "synchronise"]
    times, strays = session.finish()
    assert [(k.kernel.op, k.times_ms) for k in times] == [
        ("pointwise", (2.0, 3.0)),
        ("relu", (0.5, 0.25)),
    ]
    assert strays == ()


def test_a_recorded_graph_is_replayed_at_once(small_graph):
    gpu = ScriptedGpu(0.0, 0.5)
    session = opened(TorchCudaGraphs(lambda: gpu), small_graph)
    assert gpu.said[-1] == "capture"
    gpu.said.clear()

    assert session.timed_run() == 0.5
    assert gpu.said == ["flush", "synchronise", "event", "replay", "event", "synchronise"]


def test_kernels_of_a_recorded_graph_are_timed_one_by_one(small_graph):
    gpu = ScriptedGpu(0.0, 2.0, 2.5)
    session = opened(TorchCudaGraphs(lambda: gpu), small_graph, profiled=True)
    session.run()

    assert [k.times_ms for k in session.finish().kernels] == [(2.0,), (0.5,)]
    assert "replay" not in gpu.said


def test_what_waiting_for_the_host_costs_is_told_from_gaps_between_kernels():
    costs = LaunchCosts(kernels_ms=2.0, replay_ms=2.25, eager_ms=5.0)
    assert costs.gaps_ms == 0.25
    assert costs.launch_ms == 2.75


@pytest.mark.parametrize(
    ("dtype", "kept", "tf32"),
    [
        ("fp32", torch.float32, "off"),
        ("tf32", torch.float32, "on"),
        ("bf16", torch.bfloat16, "off"),
    ],
)
def test_tf32_is_float32_whose_products_may_be_rounded(small_graph, dtype, kept, tf32):
    gpu = ScriptedGpu(0.0, 1.0)
    (output,) = opened(TorchCuda(lambda: gpu), small_graph, dtype=dtype).run()

    assert output.dtype is kept
    assert gpu.said[0] == f"tf32 {tf32}"


# As inductor writes it for CUDA; made by hand after torch/_inductor/codegen/wrapper.py of PyTorch
# 2.13, names shortened.
CUDA_WRAPPER = """
def call(self, args):
    x, = args
    with torch.cuda._DeviceGuard(0):
        # Topologically Sorted Source Nodes: [result], Original ATen: [aten.convolution]
        buf0 = extern_kernels.convolution(x)
        buf1 = buf0; del buf0
        triton_poi_fused_relu_0.run(buf1, 256, stream=stream0)
        triton_red_fused_relu_1.run(buf1, 256, stream=stream0)
    return (buf1, )
"""


class ScriptedCompiled:
    """Stands for a compiled graph: launches what `CUDA_WRAPPER` says and nothing else."""

    node_of = {"result": "conv"}  # noqa: RUF012 (as the real one has it)

    def __init__(self, *arguments: object) -> None:
        launches, code = instrument(CUDA_WRAPPER)
        self.wrapper = Clocked(lambda: None, launches, code, code)

    def run(self, *, timed: bool) -> list[str]:
        for _ in range(len(self.wrapper.launches) + 1 if timed else 0):
            self.wrapper.tick()
        return ["output"]


def test_loops_between_two_library_calls_are_one_kernel_however_many_launches(small_graph):
    gpu = ScriptedGpu(0.0, 2.0, 2.5, 3.0)
    runtime = TorchCudaCompile(lambda: gpu, compile_graph=ScriptedCompiled)
    session = opened(runtime, small_graph, profiled=True)

    assert session.run() == ("output",)
    times, strays = session.finish()
    assert strays == ()
    assert [(k.kernel.op, k.launches, k.times_ms) for k in times] == [
        ("pointwise", 1, (2.0,)),
        ("relu", 2, (1.0,)),
    ]
    assert times[1].seen == ("triton_poi_fused_relu_0.run", "triton_red_fused_relu_1.run")


def test_launches_inside_a_block_are_found():
    launches, _ = instrument(CUDA_WRAPPER)
    assert launches[0] == WrapperLaunch("extern_kernels.convolution", False, ("result",))
    assert [launch.fused for launch in launches] == [False, True, True]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_opening_says_so(small_graph):
    with pytest.raises(RuntimeUnavailable, match="no CUDA device"):
        opened(TorchCuda(), small_graph)
