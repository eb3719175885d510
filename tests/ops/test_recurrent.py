from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from latprof.errors import ShapeMismatch
from latprof.ops import OPS

LAYERS = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


@pytest.mark.parametrize("op", LAYERS)
@pytest.mark.parametrize(
    "settings",
    [{}, {"num_layers": 2}, {"bidirectional": True, "num_layers": 3}, {"batch_first": True}],
)
def test_shapes_and_macs_are_torchs(call_of, op, settings):
    with torch.device("meta"):
        layer, x = LAYERS[op](12, 7, **settings), torch.zeros(5, 2, 12)
    with FlopCounterMode(display=False) as counter:
        y, states = layer(x)
    states = states if isinstance(states, tuple) else (states,)
    call = call_of(op, (5, 2, 12), hidden_size=7, **settings)
    assert [t.shape for t in call.outputs] == [tuple(t.shape) for t in (y, *states)]
    assert OPS[op].macs(call) * 2 == counter.get_total_flops()


def test_a_projection_is_one_more_product_a_step(call_of):
    # Five steps: 4·8·(12 + 3) for the gates, 8·3 for the projection.
    call = call_of("lstm", (5, 1, 12), hidden_size=8, proj_size=3)
    assert [t.shape for t in call.outputs] == [(5, 1, 3), (1, 1, 3), (1, 1, 8)]
    assert OPS["lstm"].macs(call) == 5 * (4 * 8 * (12 + 3) + 8 * 3)


def test_a_lone_sequence_has_no_batch(call_of):
    assert [t.shape for t in call_of("gru", (5, 12), hidden_size=4).outputs] == [(5, 4), (1, 4)]


def test_a_picture_is_no_sequence(call_of):
    with pytest.raises(ShapeMismatch, match=r"\(1, 3, 8, 8\) is no sequence"):
        call_of("lstm", (1, 3, 8, 8), hidden_size=4)


def test_biases_are_counted_apart_from_macs(call_of):
    # One step of two sequences of four units: 2 bias additions a gate each.
    plain, biased = (call_of("lstm", (1, 2, 3), hidden_size=4, bias=b) for b in (False, True))
    ops = OPS["lstm"].elementwise_ops
    assert ops(plain) == 22 * 8
    assert ops(biased) - ops(plain) == 2 * 4 * 8
