from __future__ import annotations

import random
from collections import Counter

import pytest

from latprof.builder import GraphBuilder
from latprof.sampling import draw_network, networks
from latprof.sampling.blocks import (
    BLOCKS,
    basic_residual,
    classifier,
    dense_growth,
    grouped,
    inverted_residual,
    near_width,
    rounded_width,
    shuffle,
    shuffle_unit,
    squeeze_excite,
    upsampled,
)
from latprof.sampling.net import ACTIVATIONS, Net
from latprof.sampling.tokens import transformer


def start(chance, shape=(1, 32, 14, 14), **style):
    net = Net(GraphBuilder("small"), chance, **style)
    return net, net.builder.input(shape)


def operators(net, output):
    return [node.op for node in net.finish(output).nodes]


class Choose(random.Random):
    """Chance that takes the first of every choice, and answers every other question alike."""

    def __init__(self, answer: float) -> None:
        super().__init__(0)
        self.answer = answer

    def random(self):
        return self.answer

    def choice(self, options):
        return options[0]

    def choices(self, options, *_, **__):
        return [options[0]]


def test_every_block_is_drawn(monkeypatch):
    drawn = Counter()

    def watched(block):
        def counted(net, x):
            drawn[block.__name__] += 1
            return block(net, x)

        return counted

    monkeypatch.setattr(networks, "BLOCKS", tuple((watched(b), w) for b, w in BLOCKS))
    for number in range(200):
        draw_network(seed=0, number=number)
    assert drawn.keys() == {block.__name__ for block, _ in BLOCKS}
    assert drawn.most_common(1)[0][0] == "inverted_residual"  # what light networks are made of


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("block", [block for block, _ in BLOCKS], ids=lambda b: b.__name__)
def test_a_block_takes_any_map_to_another(block, seed):
    chance = random.Random(seed)
    shape = (1, chance.choice((1, 3, 7, 16, 58, 100)), *[chance.choice((3, 4, 7, 15))] * 2)
    net, x = start(chance, shape, activation=chance.choice(ACTIVATIONS), biased=seed % 2 == 0)
    batch, channels, height, width = net.shape(block(net, x))
    assert (batch, height) == (1, width)
    assert channels >= 1
    largest = 2 * shape[2] if block is upsampled else shape[2]
    assert 1 <= height <= largest


def test_an_inverted_residual_expands_filters_and_projects():
    net, x = start(Choose(0.35))  # squeeze-excite, and as many channels as it took
    net.activation = "relu6"
    y = inverted_residual(net, x)
    gate = ["adaptive_avg_pool", "conv", "relu6", "conv", "hard_sigmoid", "mul"]
    assert operators(net, y) == [
        "conv", "batch_norm", "relu6", "conv", "batch_norm", "relu6", *gate, "conv", "batch_norm",
        "add",
    ]  # fmt: skip
    assert net.shape(y) == net.shape(x)


def test_an_inverted_residual_that_shrinks_the_map_has_no_shortcut():
    net, x = start(Choose(0.1))
    y = inverted_residual(net, x)
    assert net.shape(y) == (1, 32, 7, 7)
    assert "add" not in operators(net, y)


def test_a_basic_residual_is_active_after_the_sum():
    net, x = start(Choose(0.1))
    assert operators(net, basic_residual(net, x))[-2:] == ["add", "relu"]


def test_a_shuffle_unit_leaves_half_of_the_channels_alone():
    net, x = start(Choose(0.9))
    y = shuffle_unit(net, x)
    split, *_, concat, mixed = net.finish(y).nodes
    assert split.attributes["sizes"] == (16, 16)
    assert concat.inputs[0] == split.outputs[0]
    assert [node.op for node in (concat, mixed)] == ["concat", "channel_shuffle"]
    assert mixed.attributes["groups"] == 2
    assert net.shape(y) == (1, 32, 14, 14)


def test_channels_that_do_not_split_are_not_shuffled():
    net, x = start(Choose(0.9), (1, 7, 4, 4))
    assert shuffle(net, x, groups=2) == x
    assert "split" not in operators(net, shuffle_unit(net, x))


def test_squeeze_excite_multiplies_each_channel_by_its_gate():
    net, x = start(Choose(0.9))  # a mean, and a ReLU inside
    y = squeeze_excite(net, x)
    assert operators(net, y) == ["mean", "conv", "relu", "conv", "hard_sigmoid", "mul"]
    assert net.shape(y) == net.shape(x)


def test_a_transformer_norms_attends_and_comes_back_to_a_map():
    net, x = start(Choose(0.9))  # one head of 32 channels, no class token
    y = transformer(net, x)
    attended = [
        "layer_norm", "linear", "split", *["reshape", "transpose"] * 3, "attention", "transpose",
        "reshape", "linear", "add",
    ]  # fmt: skip
    mlp = ["layer_norm", "linear", "gelu", "linear", "add"]
    assert operators(net, y) == [
        "conv", "reshape", "transpose", *attended, *mlp, "transpose", "reshape",
    ]  # fmt: skip
    assert net.shape(y) == (1, 32, 14, 14)


def test_a_large_map_is_cut_into_patches_before_it_is_attended():
    net, x = start(Choose(0.9), (1, 16, 112, 112))
    y = transformer(net, x)
    assert net.shape(y) == (1, 32, 28, 28)  # 112² tokens would be too many, 28² are not


def test_grouped_channels_are_whole_groups():
    for seed in range(50):
        net, x = start(random.Random(seed), (1, 48, 8, 8))
        conv = net.finish(grouped(net, x)).nodes[0]
        groups = conv.attributes["groups"]
        assert 48 % groups == 0
        assert net.shape(conv.outputs[0])[1] % groups == 0


def test_dense_growth_keeps_what_it_took():
    net, x = start(Choose(0.9))
    y = dense_growth(net, x)
    assert net.finish(y).nodes[-1].inputs[0] == x
    assert net.shape(y) == (1, 32 + 12, 14, 14)


def test_a_classifier_ends_in_a_row_of_classes():
    net, x = start(Choose(0.1))
    y = classifier(net, x)
    assert operators(net, y) == [
        "adaptive_avg_pool", "reshape", "linear", "relu", "linear", "softmax",
    ]  # fmt: skip
    assert net.shape(y) == (1, 10)


def test_a_biased_network_has_no_norms():
    net, x = start(Choose(0.9), biased=True)
    conv, relu = net.finish(net.conv(x, 8)).nodes
    assert len(conv.inputs) == 3
    assert relu.attributes["inplace"]


def test_widths_are_those_that_networks_step_to():
    chance = random.Random(0)
    widths = {rounded_width(chance, 100) for _ in range(500)}
    # 100 to steps of 8, 16, 32, 4, 2 and 1; halves go to the even multiple
    assert widths == {96, 100}
    assert rounded_width(chance, 1e9) == 2048
    assert rounded_width(chance, 0) >= 1
    net, x = start(chance)
    assert {near_width(net, x) for _ in range(500)} >= {8, 16, 24, 32, 48, 64, 96}
