import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from latprof.counting import count

ROWS = (2, 5, 12)


def run(x, w, layer):
    return layer(x)


@pytest.mark.parametrize(
    ("layer", "op"),
    [
        (nn.LSTM(12, 7, 2, bidirectional=True, batch_first=True), "lstm"),
        (nn.LSTM(12, 7, 2, proj_size=3), "lstm"),
        (nn.GRU(12, 7, bias=False), "gru"),
        (nn.RNN(12, 7, nonlinearity="relu"), "rnn"),
    ],
)
def test_a_layer_is_one_node_that_costs_what_torch_counts(graph_of, ops_of, layer, op):
    assert [name for name in ops_of(run, ROWS, layer) if name in ("lstm", "gru", "rnn")] == [op]
    facts = count(graph_of(run, ROWS, layer))
    assert facts.params - 144 == sum(p.numel() for p in layer.parameters())  # w is not used
    with FlopCounterMode(display=False) as counter:
        layer.to("meta")(torch.zeros(ROWS, device="meta"))
    assert facts.macs * 2 == counter.get_total_flops()


@pytest.mark.parametrize("cell", [nn.LSTMCell(12, 7), nn.GRUCell(12, 7), nn.RNNCell(12, 7)])
def test_a_cell_is_spelled_out(graph_of, ops_of, cell):
    def once(x, w, cell):
        return cell(x)

    assert ops_of(once, (2, 12), cell).count("linear") == 2
    facts = count(graph_of(once, (2, 12), cell))
    assert not facts.unknown_ops
    assert facts.macs == 2 * sum(p.numel() for p in (cell.weight_ih, cell.weight_hh))


def test_settings_of_a_layer(graph_of):
    layer = nn.LSTM(12, 7, 2, bidirectional=True, batch_first=True, bias=False)
    (node,) = [node for node in graph_of(run, ROWS, layer).nodes if node.op == "lstm"]
    assert dict(node.attributes) == {
        "hidden_size": 7,
        "num_layers": 2,
        "bidirectional": True,
        "batch_first": True,
        "bias": False,
    }
