"""One shuffle, however it is spelled; and what looks like one but is not."""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812 (what everybody calls it)

from latprof.frontends.patterns.shuffles import join_shuffles

IMAGE = (2, 8, 6, 6)


def in_five_axes(x, w):
    return x.view(2, 4, 2, 6, 6).transpose(1, 2).contiguous().view(IMAGE)


def with_flat_pixels(x, w):
    return x.reshape(2, 4, 2, -1).permute(0, 2, 1, 3).reshape(IMAGE)


def by_parts(x, w):
    return torch.stack(x.chunk(4, 1), 2).reshape(IMAGE)


@pytest.mark.parametrize("spelled", [in_five_axes, with_flat_pixels, by_parts])
def test_a_shuffle_is_one_node(graph_of, ops_of, spelled):
    x = torch.randn(IMAGE)
    assert torch.equal(spelled(x, None), F.channel_shuffle(x, 4))
    assert ops_of(spelled, IMAGE) == ["channel_shuffle"]
    (node,) = graph_of(spelled, IMAGE).nodes
    assert node.attributes["groups"] == 4


def test_a_sequence_is_shuffled_too(ops_of):
    assert ops_of(
        lambda x, w: x.view(2, 3, 4, 5).transpose(1, 2).reshape(2, 12, 5), (2, 12, 5)
    ) == ["channel_shuffle"]


@pytest.mark.parametrize(
    "not_one",
    [
        lambda x, w: x.view(2, 4, 2, 6, 6).transpose(1, 2).reshape(2, 8, 36),  # another shape
        lambda x, w: x.view(2, 4, 2, 6, 6).transpose(0, 2).reshape(IMAGE),  # other axes
        lambda x, w: x.view(2, 8, 2, 3, 6).transpose(1, 2).reshape(IMAGE),  # pixels and channels
        lambda x, w: x.view(2, 1, 8, 6, 6).transpose(1, 2).reshape(IMAGE),  # a single group
        lambda x, w: torch.stack(x.chunk(4, 1), 1).reshape(IMAGE),  # in the old order
        lambda x, w: torch.stack(x.chunk(4, 1)[::-1], 2).reshape(IMAGE),  # groups turned round
    ],
)
def test_what_moves_otherwise_stays_as_it_is(ops_of, not_one):
    assert "channel_shuffle" not in ops_of(not_one, IMAGE)


def test_what_somebody_else_reads_stays(ops_of):
    def read_between(x, w):
        apart = x.view(2, 4, 2, 6, 6)
        return apart.transpose(1, 2).reshape(IMAGE), apart.sum(1)

    def given_back(x, w):
        turned = x.view(2, 4, 2, 6, 6).transpose(1, 2)
        return turned.reshape(IMAGE), turned

    for function in (read_between, given_back):
        assert "channel_shuffle" not in ops_of(function, IMAGE)


def test_names_modules_and_outputs_are_kept(net):
    x = net.conv(net.input((1, 8, 4, 4)), 8)
    (apart,) = net.add("reshape", [x], {"shape": (1, 2, 4, 4, 4)}, name="apart", module="block")
    (turned,) = net.add(
        "transpose", [apart], {"order": (0, 2, 1, 3, 4)}, name="turn", module="block.shuffle"
    )
    (mixed,) = net.add("reshape", [turned], {"shape": (1, 8, 4, 4)}, name="mixed", module="block")
    graph = join_shuffles(net.finish([net.conv(mixed, 4)]))
    assert [node.op for node in graph.nodes] == ["conv", "channel_shuffle", "conv"]
    shuffle = graph.nodes[1]
    assert (shuffle.name, shuffle.module) == ("turn", "block.shuffle")
    assert (shuffle.inputs, shuffle.outputs) == ((x,), (mixed,))
    assert graph.tensors.keys().isdisjoint({apart, turned})


def test_a_graph_without_shuffles_is_given_back(net):
    graph = net.finish([net.conv(net.input((1, 8, 4, 4)), 8)])
    assert join_shuffles(graph) is graph


def test_shuffles_in_a_row_are_told_apart(ops_of):
    def twice(x, w):
        return in_five_axes(in_five_axes(x, w), w)

    assert ops_of(twice, IMAGE) == ["channel_shuffle", "channel_shuffle"]
