"""The truth test: what `fuse` says, against the launches of OpenVINO's runtime model."""

from __future__ import annotations

import pytest

from latprof import runtimes
from latprof.fusion import fuse
from latprof.sampling import draw_network
from latprof.zoo import ENTRIES

WHY_NOT = runtimes.missing("openvino")
ALLOWANCE = 0.02  # of all kernels of the random networks


@pytest.fixture(autouse=True)
def _only_where_it_can_run(blocks_of_sixteen):
    if WHY_NOT is not None:
        pytest.skip(WHY_NOT)
    if not blocks_of_sixteen:
        pytest.skip("this CPU has no AVX-512: OpenVINO picks other layouts on it")


def disagreements(graph) -> tuple[int, list[str]]:
    """Kernels of `graph`, and what was foreseen and not seen, or the other way round."""
    kernels = fuse(graph, "openvino")
    session = runtimes.load("openvino").open(graph, kernels, threads=1, profiled=True)
    session.run()
    found, strays = session.finish()
    seen = {times.kernel.name for times in found}
    missing = [f"{k.name} ({k.op})" for k in kernels if k.name not in seen]
    return len(kernels), missing + [str(stray) for stray in strays]


@pytest.mark.parametrize("name", ENTRIES)
def test_a_zoo_network_launches_every_kernel_and_nothing_else(name, zoo_graph):
    kernels, differences = disagreements(zoo_graph(name))
    assert differences == []
    assert kernels > 0


def test_random_networks_launch_their_kernels_and_hardly_anything_else():
    kernels = offenders = 0
    for number in range(60):
        count, differences = disagreements(draw_network(seed=2026, number=number))
        kernels += count
        offenders += len(differences)
        if differences:
            print(f"network {number}: {differences}")
    assert kernels > 1000
    assert offenders <= ALLOWANCE * kernels
