"""The truth test: what `fuse` says, against what ONNX Runtime's profiler saw it launch."""

from __future__ import annotations

import pytest

from latprof.fusion import fuse
from latprof.sampling import draw_network
from latprof.zoo import ENTRIES

# Of all kernels of the random networks. Known: a hard-swish that leaves the model runs on padded
# channels, under names and shapes that the profile does not let trace back.
ALLOWANCE = 0.01


@pytest.fixture(autouse=True)
def _only_where_blocks_are_of_sixteen(blocks_of_sixteen):
    if not blocks_of_sixteen:
        pytest.skip("this CPU has no AVX-512: ONNX Runtime blocks its channels by 8, not by 16")


@pytest.mark.parametrize("name", ENTRIES)
def test_a_zoo_network_launches_every_kernel_and_nothing_else(name, zoo_graph, differences):
    graph = zoo_graph(name)
    found = differences(graph, fuse(graph, "onnxruntime"))
    assert not found
    assert found.kernels > (20 if ENTRIES[name].kind == "network" else 0)


def test_random_networks_launch_their_kernels_and_hardly_anything_else(differences):
    kernels = offenders = 0
    for number in range(60):
        graph = draw_network(seed=2026, number=number)
        found = differences(graph, fuse(graph, "onnxruntime"))
        kernels += found.kernels
        offenders += len(found.unforeseen) + len(found.missing) + len(found.several)
        if found:
            print(f"network {number}: {found}")
    assert kernels > 1000
    assert offenders <= ALLOWANCE * kernels
