"""A graph as a module that exporters and compilers take."""

from __future__ import annotations

import pytest
import torch

from latprof.errors import UnsupportedOp
from latprof.graph import Tensor
from latprof.runtimes.torch_module import GraphModule
from latprof.sampling import draw_network


@pytest.mark.parametrize("number", range(10))
def test_a_module_computes_what_eager_computes(run_once, assert_close, number):
    graph = draw_network(11, number)
    module = GraphModule(graph)
    with torch.inference_mode():
        outputs = module(*module.example_inputs())
    for got, wanted in zip(outputs, run_once(graph, "torch-eager"), strict=True):
        assert_close(got.numpy(), wanted)


def test_an_exported_operation_says_which_call_it_came_from(net):
    x = net.input((1, 3, 8, 8))
    graph = net.finish([net.add_one("relu", [net.norm(net.conv(x, 4, 3))])])
    module = GraphModule(graph)
    exported = torch.export.export(module, module.example_inputs(), strict=False)
    called = [node for node in exported.graph.nodes if node.op == "call_function"]
    paths = [list(node.meta["nn_module_stack"].values())[-1][0] for node in called]
    assert paths == ["steps.0", "steps.1", "steps.2"]


def test_trained_weights_are_parameters_and_statistics_are_buffers(net):
    x = net.input((1, 3, 8, 8))
    net.add_tensor(Tensor("mean.of.x", (1,), role="buffer"))
    y = net.add_one("add", [net.conv(x, 4), "mean.of.x"])
    module = GraphModule(net.finish([y]))
    assert len(list(module.parameters())) == 2
    assert len(list(module.buffers())) == 1


def test_float_numbers_are_kept_in_the_dtype_asked_for_and_indices_stay_whole(net):
    x = net.input((1, 4, 2, 2))
    index = net.add_tensor(Tensor("index", (2,), "int64", "constant", (0, 3)))
    picked = net.add_one("gather", [net.add_one("cast", [x], to="float32"), index], axis=1)
    module = GraphModule(net.finish([net.conv(picked, 4)]), torch.bfloat16)
    with torch.inference_mode():
        (output,) = module(*module.example_inputs())
    assert output.dtype is torch.bfloat16
    assert [buffer.dtype for buffer in module.buffers()] == [torch.int64]


def test_a_graph_runs_twice_on_the_same_input_though_its_nodes_work_in_place(net):
    x = net.input((1, 4, 2, 2))
    module = GraphModule(net.finish([net.add_one("add", [x, net.constant(1.0)], inplace=True)]))
    (example,) = module.example_inputs()
    with torch.inference_mode():
        first, second = module(example)[0], module(example)[0]
    assert torch.equal(first, second)


def test_operators_that_pytorch_lacks_are_named(net):
    (y,) = net.add("warp", [net.input((1, 4))], outputs=[Tensor("y", (1, 4))])
    with pytest.raises(UnsupportedOp, match=r"'small' uses warp, which"):
        GraphModule(net.finish([y]))
