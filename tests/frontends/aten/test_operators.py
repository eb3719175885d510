"""Every translation against PyTorch itself: our operators must infer the shapes that it gives."""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812 (what everybody calls it)

from latprof.ops import OPS, infer_shapes

IMAGE = (2, 8, 6, 6)
ROWS = (2, 5, 12)


def conv(x, w):
    return F.conv2d(x, w[:8, :8, None, None], padding="same", dilation=2)


def heads(x):
    return x.reshape(2, 5, 3, 4).transpose(1, 2)


@pytest.mark.parametrize(
    ("function", "shape", "ops"),
    [
        (lambda x, w: F.max_pool2d(x, 3, 2, 1, ceil_mode=True), IMAGE, ["max_pool"]),
        (lambda x, w: F.max_pool2d(x, 2, return_indices=True)[0], IMAGE, ["max_pool"]),
        (lambda x, w: F.avg_pool2d(x, 3, 1, 1), IMAGE, ["avg_pool"]),
        (lambda x, w: F.adaptive_avg_pool2d(x, (1, 2)), IMAGE, ["adaptive_avg_pool"]),
        (lambda x, w: F.adaptive_max_pool2d(x, 1), IMAGE, ["adaptive_max_pool"]),
        (lambda x, w: x.mean((2, 3), keepdim=True), IMAGE, ["mean"]),
        (lambda x, w: x.sum(), IMAGE, ["sum"]),
        (lambda x, w: x.amax(-1), IMAGE, ["max"]),
        (lambda x, w: x.max(), IMAGE, ["max"]),
        (lambda x, w: x.max(1)[0], IMAGE, ["max"]),
        (lambda x, w: x.min(1)[1], IMAGE, ["argmin"]),
        (lambda x, w: torch.max(x, -x), IMAGE, ["neg", "maximum"]),
        (lambda x, w: x.argmax(1), IMAGE, ["argmax"]),
        (lambda x, w: x.softmax(1), IMAGE, ["softmax"]),
        (lambda x, w: x.cumsum(1).cumprod(-1), IMAGE, ["cumsum", "cumprod"]),
        (lambda x, w: x.std((2, 3)), IMAGE, ["std"]),
        (lambda x, w: torch.var_mean(x, 1, keepdim=True), IMAGE, ["var", "mean"]),
        (lambda x, w: torch.aminmax(x, dim=1), IMAGE, ["min", "max"]),
        (lambda x, w: x.logsumexp(1), IMAGE, ["logsumexp"]),
        (lambda x, w: (x > 0).any(1), IMAGE, ["greater", "any"]),
        (lambda x, w: (x > 0).all(), IMAGE, ["greater", "all"]),
        (lambda x, w: x.norm(dim=1), IMAGE, ["norm"]),
        (lambda x, w: torch.linalg.norm(x, dim=1), IMAGE, ["norm"]),
        (lambda x, w: F.normalize(x, dim=1), IMAGE, ["norm", "clip", "expand", "div"]),
        (lambda x, w: F.local_response_norm(x, 3), IMAGE,
         ["mul", "reshape", "pad", "avg_pool", "reshape", "mul", "add", "pow", "div"]),
        (lambda x, w: torch.conv_tbc(x, w.reshape(3, 12, 4), w[0, :4], 1), ROWS,
         ["reshape", "select", "slice", "transpose", "transpose", "conv", "transpose"]),
        (lambda x, w: F.relu6(x), IMAGE, ["relu6"]),
        (lambda x, w: x.clamp(0, 6), IMAGE, ["relu6"]),
        (lambda x, w: x.clamp(min=0), IMAGE, ["relu"]),
        (lambda x, w: F.hardtanh(x), IMAGE, ["clip"]),
        (lambda x, w: F.hardswish(x), IMAGE, ["hard_swish"]),
        (lambda x, w: F.leaky_relu(x, 0.2), IMAGE, ["leaky_relu"]),
        (lambda x, w: 1 - x, IMAGE, ["sub"]),
        (lambda x, w: x**2 / 3 + x.square(), IMAGE, ["pow", "div", "mul", "add"]),
        (lambda x, w: torch.where(x > 0, x, -x), IMAGE, ["greater", "neg", "where"]),
        (lambda x, w: x.masked_fill(x <= 0, 0.0), IMAGE, ["less", "where"]),
        (lambda x, w: F.instance_norm(x), IMAGE, ["instance_norm"]),
        (lambda x, w: F.group_norm(x, 4), IMAGE, ["group_norm"]),
        (lambda x, w: F.layer_norm(x, (6,)), IMAGE, ["layer_norm"]),
        (lambda x, w: F.rms_norm(x, (6,)), IMAGE, ["rms_norm"]),
        (lambda x, w: x @ w.t(), ROWS, ["linear"]),
        (lambda x, w: x @ w.t().contiguous(), ROWS, ["linear"]),
        (lambda x, w: x @ w, ROWS, ["matmul"]),
        (lambda x, w: w.t() + x, ROWS[:1] + (12, 12), ["transpose", "add"]),
        (lambda x, w: F.scaled_dot_product_attention(*[heads(x)] * 3), ROWS,
         ["reshape", "transpose", "attention"]),
        (lambda x, w: x.flatten(1), IMAGE, ["reshape"]),
        (lambda x, w: x.view_as(x) + x.contiguous(), IMAGE, ["add"]),
        (lambda x, w: x[:, :1].expand(-1, 8, -1, -1), IMAGE, ["slice", "expand"]),
        (lambda x, w: x.permute(0, 2, 3, 1), IMAGE, ["transpose"]),
        (lambda x, w: x.transpose(-1, 1), IMAGE, ["transpose"]),
        (lambda x, w: x.movedim((1, 0), (-1, -2)), IMAGE, ["transpose"]),
        (lambda x, w: x.swapaxes(0, 3), IMAGE, ["transpose"]),
        (lambda x, w: x.mT, ROWS, ["transpose"]),
        (lambda x, w: torch.cat([x, x], -1), IMAGE, ["concat"]),
        (lambda x, w: torch.stack([x, x], -1), IMAGE, ["stack"]),
        (lambda x, w: x.chunk(3, 1)[2], IMAGE, ["split"]),
        (lambda x, w: x.split([1, 7], 1)[1], IMAGE, ["split"]),
        (lambda x, w: x.unbind(1)[0], ROWS, ["unbind"]),
        (lambda x, w: x[:, 1:-1:2], IMAGE, ["slice"]),
        (lambda x, w: x.narrow(1, 2, 3), IMAGE, ["slice"]),
        (lambda x, w: x[:, -1], IMAGE, ["select"]),
        (lambda x, w: x[..., torch.tensor([0, 2])], IMAGE, ["gather"]),
        (lambda x, w: x.index_select(1, torch.tensor([0, 2])), IMAGE, ["gather"]),
        (lambda x, w: F.pad(x, (1, 2, 3, 4)), IMAGE, ["pad"]),
        (lambda x, w: F.pixel_shuffle(x, 2), IMAGE, ["reshape", "transpose", "reshape"]),
        (lambda x, w: F.pixel_unshuffle(x, 2), IMAGE, ["reshape", "transpose", "reshape"]),
        (lambda x, w: F.channel_shuffle(x, 4), IMAGE, ["channel_shuffle"]),
        (lambda x, w: torch.roll(x, 1, 2).flip(3), IMAGE, ["copy", "copy"]),
        (lambda x, w: x.rot90(1, (2, 3)).fliplr(), IMAGE, ["copy", "copy"]),
        (lambda x, w: torch.hstack([x, x]), IMAGE, ["concat"]),
        (lambda x, w: torch.vstack([x[0], x[1]]), IMAGE, ["select", "select", "concat"]),
        (lambda x, w: x.hsplit(2), IMAGE, ["split"]),
        (lambda x, w: torch.meshgrid(x[0, 0], x[1, 0], indexing="xy")[0], (2, 1, 4),
         ["select"] * 2 + ["reshape", "expand"]),
        (lambda x, w: F.interpolate(x, scale_factor=2), IMAGE, ["resize"]),
        (lambda x, w: F.interpolate(x, size=3, mode="bilinear"), IMAGE, ["resize"]),
        (lambda x, w: F.interpolate(x, size=9, mode="linear"), ROWS, ["resize"]),
        (lambda x, w: F.dropout(x, 0.5, training=False).detach(), IMAGE, []),
        (lambda x, w: x.to(torch.float16), IMAGE, ["cast"]),
        (lambda x, w: x.to(torch.float32), IMAGE, []),
        (lambda x, w: x + torch.arange(6), IMAGE, ["add"]),
        (lambda x, w: x * torch.zeros_like(x), IMAGE, ["mul"]),
        (conv, IMAGE, ["slice", "slice", "reshape", "reshape", "conv"]),
        (lambda x, w: F.conv_transpose2d(x, w[:8, :4, None, None], stride=2), IMAGE,
         ["slice", "slice", "reshape", "reshape", "conv_transpose"]),
    ],
)  # fmt: skip
def test_a_function_is_told_in_our_operators(ops_of, function, shape, ops):
    assert ops_of(function, shape) == ops


@pytest.mark.parametrize(
    "name", ["mobilenet_v2", "mobilenet_v3_small", "shufflenet_v2_x0_5", "resnet18"]
)
def test_networks_of_the_zoo_use_known_operators_of_the_right_shape(name, captured):
    for call in captured(name).calls:
        assert infer_shapes(call) == tuple(tensor.shape for tensor in call.outputs), call.node


def test_settings_of_a_convolution(graph_of):
    graph = graph_of(lambda x, w: F.conv2d(x, w[:8, :2, None, None], stride=2, groups=4), IMAGE)
    assert dict(graph.nodes[-1].attributes) == {
        "stride": (2, 2),
        "padding": ((0, 0), (0, 0)),
        "dilation": (1, 1),
        "groups": 4,
    }


def test_an_operator_we_do_not_know_keeps_its_name(ops_of):
    assert ops_of(lambda x, w: torch.fft.rfft2(x).abs() + 1, IMAGE) == [
        "aten.fft_rfft2", "abs", "add",
    ]  # fmt: skip
    assert "aten.fft_rfft2" not in OPS


def test_indices_that_somebody_reads_are_in_the_graph(graph_of):
    graph = graph_of(lambda x, w: F.max_pool2d(x, 2, return_indices=True), IMAGE)
    assert [node.op for node in graph.nodes] == ["max_pool", "aten.max_pool2d_with_indices"]
    assert [graph.tensors[name].dtype for name in graph.outputs] == ["float32", "int64"]
