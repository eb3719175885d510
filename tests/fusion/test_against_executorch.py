"""The truth test: what `fuse` says, against the launches in ExecuTorch's ETDumps."""

from __future__ import annotations

import pytest

from latprof import runtimes
from latprof.fusion import fuse
from latprof.sampling import draw_network
from latprof.zoo import ENTRIES

WHY_NOT = runtimes.missing("executorch")
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))

BLOCKS = [name for name, entry in ENTRIES.items() if entry.kind != "network"]
NETWORKS = ["mobilenet_v2", "mobilenet_v3_small", "shufflenet_v2_x0_5"]  # lowering takes seconds


def disagreements(graph) -> list[str]:
    """What was foreseen and not seen, or the other way round."""
    kernels = fuse(graph, "executorch")
    session = runtimes.load("executorch").open(graph, kernels, threads=1, profiled=True)
    session.run()
    found, strays = session.finish()
    seen = {times.kernel.name for times in found}
    missing = [f"{k.name} ({k.op})" for k in kernels if k.name not in seen]
    return missing + [str(stray) for stray in strays]


@pytest.mark.parametrize("name", BLOCKS + NETWORKS)
def test_a_network_launches_every_kernel_and_nothing_else(name, zoo_graph):
    assert disagreements(zoo_graph(name)) == []


@pytest.mark.parametrize("number", range(10))
def test_a_random_network_launches_every_kernel_and_nothing_else(number):
    assert disagreements(draw_network(seed=11, number=number)) == []
