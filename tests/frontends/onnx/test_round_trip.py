"""The same network through torch and through an ONNX file: same MACs, same kernels.

Batch norms are folded by the exporter: each gives its scale to the weights and leaves its shift as
the convolution's bias. So the file has one parameter a channel less. Nothing else may differ, but
what is named here.
"""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn

from latprof import frontends
from latprof.counting import count
from latprof.frontends.inputs import InputSpec
from latprof.frontends.torch.module import capture
from latprof.fusion import FUSIONS
from latprof.graph import Graph
from latprof.runtimes.onnx_writer import write_onnx

NETWORKS = (
    "mobilenet_v2", "shufflenet_v2_x1_0", "mobilenet_v3_large", "efficientnet_b0", "resnet18",
)  # fmt: skip


def unalike(module: nn.Module) -> None:
    """Give norms numbers of their own: the exporter stores equal tensors once."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            for tensor in (part.weight, part.bias, part.running_mean, part.running_var):
                tensor.data.uniform_(0.5, 1.5)


def kernels(graph: Graph) -> list[tuple]:
    """What ONNX Runtime would launch, without names."""
    return [
        (k.op, k.activation, k.residual, k.layout, k.batch, k.in_channels, k.in_height, k.in_width,
         k.out_channels, k.out_height, k.out_width, k.kernel_height, k.kernel_width,
         k.stride_height, k.dilation, k.groups)
        for k in FUSIONS["onnxruntime"](graph)
    ]  # fmt: skip


@pytest.fixture(params=NETWORKS)
def both(request, built, tmp_path):
    """A network, its graph from torch, and its graph from an exported file."""
    torch.manual_seed(0)
    module, example = built(request.param)
    unalike(module.eval())
    path = tmp_path / f"{request.param}.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (example,), path, dynamo=False, opset_version=17)
    captured = capture(module, [InputSpec(tuple(example.shape))], name=request.param)
    return module, captured, frontends.read(str(path))


def test_a_network_exported_by_torch(both):
    module, ours, theirs = both
    assert count(theirs).macs == count(ours).macs
    assert count(theirs).unknown_ops == {}
    assert theirs.assumptions == ()
    folded = sum(part.num_features for part in module.modules() if isinstance(part, nn.BatchNorm2d))
    assert count(ours).params - count(theirs).params == folded
    assert sum(isinstance(p, nn.BatchNorm2d) for p in module.modules()) == len(
        [n for n in ours.nodes if n.op == "batch_norm"]
    )
    assert not [n for n in theirs.nodes if n.op == "batch_norm"]


def test_it_launches_the_same_kernels(both):
    _, ours, theirs = both
    wanted = []
    for kernel in kernels(ours):
        # The exporter writes chunk as two slices, where there is a Split since opset 2.
        halves = kernel[0] == "split"
        half = kernel[5] // 2
        wanted += [("slice", *kernel[1:8], half, *kernel[9:])] * 2 if halves else [kernel]
    assert kernels(theirs) == wanted


def test_its_parts_are_those_of_the_module(both):
    convolutions = [[n.module for n in g.nodes if n.op in ("conv", "linear")] for g in both[1:]]
    assert convolutions[0] == convolutions[1]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_file_that_latprof_wrote(name, captured, tmp_path):
    graph = captured(name)
    path = tmp_path / "written.onnx"
    path.write_bytes(write_onnx(graph).SerializeToString())
    back = frontends.read(str(path))
    assert (count(back).macs, count(back).params) == (count(graph).macs, count(graph).params)
    assert count(back).elementwise_ops == count(graph).elementwise_ops
    assert kernels(back) == kernels(graph)
