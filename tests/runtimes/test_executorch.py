from __future__ import annotations

import numpy as np
import pytest

from latprof import runtimes
from latprof.errors import UnsupportedOp
from latprof.fusion import fuse
from latprof.sampling import draw_network

if (why_not := runtimes.missing("executorch")) is not None:
    pytest.skip(why_not, allow_module_level=True)


@pytest.mark.parametrize("number", range(4))
def test_it_computes_what_torch_computes(number, run_once):
    graph = draw_network(3, number)
    given, wanted = run_once(graph, "executorch"), run_once(graph, "torch-eager")
    assert len(given) == len(wanted) > 0
    for got, right in zip(given, wanted, strict=True):
        np.testing.assert_allclose(got, right, rtol=0, atol=1e-4 * np.abs(right).max())


def test_a_second_run_gives_what_the_first_gave():
    """Inputs are not written over by what is computed from them."""
    session = runtimes.load("executorch").open(draw_network(3, 0), (), threads=1, profiled=False)
    first = [np.asarray(output).copy() for output in session.run()]
    for _ in range(3):
        again = session.run()
    for before, after in zip(first, again, strict=True):
        np.testing.assert_array_equal(before, np.asarray(after))


def test_one_time_for_every_run(net):
    x = net.input((1, 8, 12, 12))
    y = net.add_one("relu", [net.conv(x, 16, 3)])
    graph = net.finish([net.add_one("softmax", [y], axis=1)])
    kernels = fuse(graph, "executorch")
    session = runtimes.load("executorch").open(graph, kernels, threads=1, profiled=True)
    for _ in range(5):
        session.run()

    found, strays = session.finish()

    assert strays == ()
    assert [times.kernel for times in found] == list(kernels)
    assert {len(times.times_ms) for times in found} == {5}


def test_without_a_profile_nothing_is_seen():
    graph = draw_network(3, 1)
    kernels = fuse(graph, "executorch")
    session = runtimes.load("executorch").open(graph, kernels, threads=1, profiled=False)
    session.run()
    assert session.finish() == ((), ())


def test_an_operator_that_torch_lacks_is_told_as_such(net):
    graph = net.finish([net.add_one("relu", [net.input((1, 4))])])
    strange = type(graph)(
        graph.name,
        tuple(type(n)(n.name, "unheard_of", n.inputs, n.outputs) for n in graph.nodes),
        graph.tensors, graph.inputs, graph.outputs,
    )  # fmt: skip
    with pytest.raises(UnsupportedOp, match="unheard_of"):
        runtimes.load("executorch").open(strange, (), threads=1, profiled=False)


def test_a_kernel_that_is_not_built_in_is_named(net):
    x = net.input((1, 4, 6, 6, 6))
    graph = net.finish([net.add_one("avg_pool", [x], kernel=(2, 2, 2), stride=(2, 2, 2))])
    with pytest.raises(UnsupportedOp, match=r"avg_pool3d\.out for 'avg_pool'"):
        runtimes.load("executorch").open(graph, (), threads=1, profiled=False)
