"""What holds for every network of the zoo, and for networks drawn at random."""

from __future__ import annotations

from collections import Counter

import pytest

from latprof.counting import count
from latprof.fusion import FUSIONS, fuse
from latprof.ops import infer_shapes
from latprof.sampling import draw_network
from latprof.zoo import ENTRIES


@pytest.mark.parametrize("name", ENTRIES)
def test_operators_infer_the_shapes_that_torch_found(name, zoo_graph):
    calls = zoo_graph(name).calls
    inferred = {call.node.name: infer_shapes(call) for call in calls}
    assert inferred == {call.node.name: tuple(t.shape for t in call.outputs) for call in calls}


# What a runtime's compiler may do to nodes beyond giving each to one kernel.
CANCELS_MOVEMENTS = {"litert", "openvino", "torch-compile", "torch-cuda-compile"}
ADDS_BIASES_APART = {"torch-compile", "torch-cuda-compile"}  # so such a node is in two kernels
FOLDS_NORMS_INTO_LINEAR = {"litert"}  # a layer norm's scale is in no kernel then
RUNS_ATTENTION_IN_PARTS = {"litert"}  # with a transpose of the values between them
MOVEMENTS = {"reshape", "transpose"}


def check_that_nothing_is_lost(graph, kernels, runtime):
    computed = Counter(node for kernel in kernels for node in kernel.nodes)
    op_of = {node.name: node.op for node in graph.nodes}
    reorders = {k.nodes[0] for k in kernels if k.op.startswith("reorder_")} - op_of.keys()
    lost = op_of.keys() - computed.keys()
    assert {op_of[name] for name in lost} <= (MOVEMENTS if runtime in CANCELS_MOVEMENTS else set())
    assert computed.keys() == (op_of.keys() | reorders) - lost
    twice = {op_of[name] for name, times in computed.items() if times > 1}
    biased = {"conv", "conv_transpose", "linear"} if runtime in ADDS_BIASES_APART else set()
    assert twice <= biased
    assert len({kernel.name for kernel in kernels}) == len(kernels)
    facts = count(graph)
    assert sum(kernel.macs for kernel in kernels) == facts.macs
    assert sum(kernel.elementwise_ops for kernel in kernels) == facts.elementwise_ops
    params = sum(kernel.params for kernel in kernels)
    folded = "layer_norm" in op_of.values() and runtime in FOLDS_NORMS_INTO_LINEAR
    assert params <= facts.params if folded else params == facts.params


@pytest.mark.parametrize("runtime", FUSIONS)
@pytest.mark.parametrize("name", ENTRIES)
def test_every_node_of_a_zoo_network_is_in_one_kernel(name, runtime, zoo_graph):
    graph = zoo_graph(name)
    check_that_nothing_is_lost(graph, fuse(graph, runtime), runtime)


@pytest.mark.parametrize("runtime", FUSIONS)
def test_every_node_of_a_random_network_is_in_one_kernel(runtime):
    for number in range(100):
        graph = draw_network(seed=1, number=number)
        check_that_nothing_is_lost(graph, fuse(graph, runtime), runtime)


@pytest.mark.parametrize("runtime", FUSIONS)
def test_a_kernel_runs_after_what_it_reads(runtime):
    for number in range(100):
        graph = draw_network(seed=2, number=number)
        kernels = fuse(graph, runtime)
        launched = {name for kernel in kernels for name in kernel.nodes}
        done: set[str] = set()
        for kernel in kernels:
            in_parts = kernel.op == "attention" and runtime in RUNS_ATTENTION_IN_PARTS
            for name in kernel.nodes if not in_parts else ():
                inputs = graph.producers.keys() & set(_inputs(graph, name))
                needed = {graph.producers[i].name for i in inputs} - set(kernel.nodes)
                assert needed & launched <= done
            done.update(kernel.nodes)


def _inputs(graph, name):
    return next((node.inputs for node in graph.nodes if node.name == name), ())
