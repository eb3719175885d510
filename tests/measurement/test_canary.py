from __future__ import annotations

import numpy as np
import pytest

from latprof import runtimes
from latprof.counting import count
from latprof.errors import RuntimeUnavailable
from latprof.fusion import FUSIONS, fuse
from latprof.measurement.canary import Drift, canary_graph, elasticity_of, pooled_elasticity

PRIOR = 0.8  # what is thought before anything is known
PLAIN = {"conv", "relu", "add", "adaptive_avg_pool", "reshape", "linear"}


def test_the_canary_is_a_small_network_of_plain_operators():
    graph = canary_graph()

    assert {node.op for node in graph.nodes} == PLAIN  # what every runtime and converter knows
    facts = count(graph)
    assert facts.macs == pytest.approx(104e6, rel=0.01)
    assert not facts.unknown_ops
    assert max(tensor.bytes for tensor in graph.tensors.values()) == 96 * 112 * 112 * 4  # 4.8 MB
    assert graph == canary_graph()  # the same every time, or its times could not be compared


@pytest.mark.parametrize("name", sorted(FUSIONS))
def test_every_runtime_knows_what_it_launches(name):
    kernels = fuse(canary_graph(), name)

    assert len(kernels) >= 10
    assert sum(kernel.macs for kernel in kernels) == count(canary_graph()).macs


@pytest.mark.parametrize("name", sorted(runtimes.RUNTIMES))
def test_every_runtime_runs_it(name):
    why = runtimes.missing(name)
    if why:
        pytest.skip(why)
    graph = canary_graph()
    try:
        session = runtimes.load(name).open(graph, fuse(graph, name), threads=1, profiled=False)
    except RuntimeUnavailable as error:
        pytest.skip(str(error))

    (output,) = session.run()

    assert tuple(output.shape) == (1, 1000)
    assert np.isfinite(np.asarray(output)).all()
    session.finish()


@pytest.mark.parametrize(
    ("elasticity", "canary_ms", "factor"),
    [
        (1.0, 2.0, 1.0),
        (1.0, 4.0, 0.5),  # the canary took twice its reference, so the time is halved
        (1.0, 1.0, 2.0),
        (0.5, 8.0, 0.5),  # follows with the square root: √4 = 2
        (0.0, 8.0, 1.0),  # does not follow at all
    ],
)
def test_a_time_is_brought_to_the_reference(elasticity, canary_ms, factor):
    assert Drift(2.0, elasticity).factor(canary_ms) == pytest.approx(factor)


MOVING = [2.0, 2.4, 1.8, 2.9, 2.1, 2.6, 1.7, 2.2]


@pytest.mark.parametrize("truth", [0.3, 0.55, 1.0, 1.3])
def test_how_a_time_follows_a_canary_that_moved_is_found(truth):
    times_ms = [5.0 * (canary / 2) ** truth for canary in MOVING]

    found = elasticity_of(times_ms, MOVING)

    assert found == pytest.approx(truth, abs=0.01)
    assert min(truth, PRIOR) <= found <= max(truth, PRIOR)  # drawn towards what was thought before


def test_a_canary_that_did_not_move_says_nothing():
    assert elasticity_of([5.0, 6.0, 4.0], [2.0, 2.0, 2.0]) == pytest.approx(PRIOR)
    assert elasticity_of([5.0], [2.0]) == pytest.approx(PRIOR)


def test_a_canary_that_hardly_moved_says_little():
    # Deviations of ±0.01 in log: Σx² = 2·10⁻⁴, and the prior counts (0.02 / 0.4)² = 25·10⁻⁴. A time
    # that did not move at all then has 25 / 27 of 0.8.
    canary_ms = [2.0 * np.exp(-0.01), 2.0 * np.exp(0.01)]

    assert elasticity_of([5.0, 5.0], canary_ms) == pytest.approx(0.8 * 25 / 27)


def test_of_many_networks_each_is_compared_with_itself_alone():
    # Network 1 is ten times as slow and met a slower machine more often: across networks, time
    # would seem to follow the canary far more than it does.
    networks = [0, 0, 0, 1, 1, 1]
    canary_ms = [2.0, 2.0, 2.4, 2.4, 2.4, 2.0]
    times_ms = [10.0**n * (c / 2) ** 0.5 for n, c in zip(networks, canary_ms, strict=True)]

    assert pooled_elasticity(networks, times_ms, canary_ms) == pytest.approx(0.5, abs=0.02)


def test_networks_visited_once_say_nothing():
    assert pooled_elasticity([0, 1, 2], [1.0, 5.0, 9.0], [2.0, 2.2, 2.4]) == pytest.approx(PRIOR)
