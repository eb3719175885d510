from __future__ import annotations

import gc
import weakref

import numpy as np
import torch

from latprof.builder import GraphBuilder
from latprof.fusion import fuse
from latprof.graph import Graph, Tensor
from latprof.runtimes import torch_calls
from latprof.runtimes.torch_eager import RUNTIME
from latprof.runtimes.weights import input_values


def chain(*ops: str) -> Graph:
    builder = GraphBuilder("chain")
    x = builder.input((1, 8))
    for op in ops:
        x = builder.add_one(op, [x])
    return builder.finish([x])


def test_outputs_are_tensors_without_a_graph_of_gradients():
    session = RUNTIME.open(chain("neg", "abs"), (), threads=1, profiled=False)

    (output,) = session.run()

    assert isinstance(output, torch.Tensor)
    assert not output.requires_grad


def test_an_activation_is_freed_after_its_last_reader(monkeypatch):
    """As when Python leaves a forward: what a run holds is what the model needs at that point."""
    alive: list[weakref.ref] = []
    counts = []

    def watched(function):
        def call(x):
            result = function(x)
            alive.append(weakref.ref(result))
            gc.collect()
            counts.append(sum(ref() is not None for ref in alive))
            return result

        return lambda _: call

    for name, function in (("neg", torch.neg), ("abs", torch.abs), ("exp", torch.exp)):
        monkeypatch.setitem(torch_calls.CALLS, name, watched(function))
    session = RUNTIME.open(chain("neg", "abs", "exp", "abs"), (), threads=1, profiled=False)
    session.run()

    assert counts == [1, 2, 2, 2]  # always the operator's input and its output, no more


def test_a_residual_is_kept_until_it_is_added(run_once):
    builder = GraphBuilder("residual")
    x = builder.add_one("neg", [builder.input((1, 8))])
    y = builder.add_one("exp", [builder.add_one("abs", [x])])
    (total,) = run_once(builder.finish([builder.add_one("add", [x, y])]), "torch-eager")

    given = input_values(Tensor("input", (1, 8), role="input"))
    np.testing.assert_allclose(total, -given + np.exp(np.abs(given)), rtol=1e-6)


def test_what_runs_in_place_overwrites_its_input_as_in_pytorch():
    builder = GraphBuilder("in-place")
    x = builder.add_one("neg", [builder.input((1, 8))])
    y = builder.add_one("relu", [x], inplace=True)
    session = RUNTIME.open(builder.finish([y, x]), (), threads=1, profiled=False)

    after, before = session.run()

    assert after.data_ptr() == before.data_ptr()


def test_an_identity_is_no_launch():
    graph = chain("neg", "identity", "abs")
    session = RUNTIME.open(graph, fuse(graph, "torch-eager"), threads=1, profiled=True)
    session.run()

    found, unmatched = session.finish()

    assert [k.kernel.name for k in found] == ["neg", "abs"]
    assert unmatched == ()


def test_the_number_of_threads_is_the_one_asked_for():
    before = torch.get_num_threads()
    try:
        RUNTIME.open(chain("neg"), (), threads=2, profiled=False)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
