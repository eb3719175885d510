"""What `fuse` says of quantised graphs, against what ONNX Runtime's profiler saw it launch."""

from __future__ import annotations

import pytest

from latprof import runtimes
from latprof.fusion import fuse
from latprof.graph import Graph
from latprof.sampling import draw_network

# A few of each kind; the whole zoo is 99.9 % of kernels.
NETWORKS = (
    "mobilenet_v2", "mobilenet_v3_small", "shufflenet_v2_x0_5", "shufflenet_v1_g3", "googlenet",
    "efficientnet_b0", "densenet121", "vit_tiny", "ghostnet", "block/inception",
)  # fmt: skip
ALLOWANCE = 0.01  # of the kernels of random networks; pools on floats run blocked, unforeseen


def offenders(graph: Graph) -> tuple[int, list[str]]:
    """How many kernels there are, and those that were not seen or not foreseen."""
    kernels = fuse(graph, "onnxruntime", "int8")
    runtime = runtimes.load("onnxruntime")
    session = runtime.open(graph, kernels, threads=1, profiled=True, dtype="int8")
    session.run()
    found, strays = session.finish()
    missing = {k.name for k in kernels} - {k.kernel.name for k in found}
    return len(kernels), [*missing, *map(str, strays)]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_zoo_network_launches_every_kernel_and_nothing_else(name, zoo_graph):
    size = "" if name.startswith("block/") else "?size=96"
    kernels, wrong = offenders(zoo_graph(name + size))
    assert wrong == []
    assert kernels > 10


def test_random_networks_launch_their_kernels_and_hardly_anything_else():
    found = [offenders(draw_network(2026, number)) for number in range(25)]
    assert sum(kernels for kernels, _ in found) > 700
    assert sum(len(wrong) for _, wrong in found) <= ALLOWANCE * sum(k for k, _ in found)
