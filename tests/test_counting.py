from __future__ import annotations

import logging

import pytest
import torch
from fvcore.nn import FlopCountAnalysis
from torch.utils.flop_counter import FlopCounterMode

from latprof.counting import count, peak_activation_bytes
from latprof.graph import Tensor
from latprof.ops import OPS
from latprof.zoo import ENTRIES, build


@pytest.mark.parametrize("name", ENTRIES)
def test_macs_and_params_to_the_digit(name, zoo_graph):
    facts = count(zoo_graph(name))
    assert (facts.macs, facts.params) == (ENTRIES[name].macs, ENTRIES[name].params)
    assert facts.flops == 2 * facts.macs
    assert facts.unknown_ops == {}


@pytest.mark.parametrize("name", ENTRIES)
def test_fvcore_counts_the_same_by_its_own_convention(name, zoo_graph, caplog):
    # Its "flops" are our MACs without attention, plus 2 an element of a batch norm, 5 of a layer
    # norm, and 1 an input of a pool.
    extra = {"batch_norm": 2, "layer_norm": 5, "adaptive_avg_pool": 1}
    graph = zoo_graph(name)
    convention = sum(
        OPS[call.node.op].macs(call)
        if call.node.op in ("conv", "conv_transpose", "linear")
        else extra.get(call.node.op, 0) * call.input(0).elements
        for call in graph.calls
    )
    model, input_shape = build(name)
    analysis = FlopCountAnalysis(model, torch.zeros(input_shape))
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    with caplog.at_level(logging.ERROR, "fvcore"):
        assert analysis.total() == convention


@pytest.mark.parametrize("name", ENTRIES)
def test_torch_counts_the_same(name, zoo_graph):
    with torch.device("meta"):
        model, input_shape = build(name)
        with FlopCounterMode(display=False) as counter:
            model(torch.empty(input_shape))
    assert counter.get_total_flops() == 2 * count(zoo_graph(name)).macs


def test_weights_are_counted_by_tensor_not_by_use(net):
    x = net.input((1, 8))
    shared = net.weight(8, 8)
    y = net.add_one("linear", [net.add_one("linear", [x, shared]), shared])
    facts = count(net.finish([y]))
    assert (facts.params, facts.weight_bytes) == (64, 256)
    assert facts.macs == 128


def test_running_statistics_are_weights_but_no_params(net):
    x = net.input((1, 8, 2, 2))
    statistics = [net.add_tensor(Tensor(n, (8,), role="buffer")) for n in ("mean", "variance")]
    y = net.add_one("batch_norm", [x, net.weight(8), net.weight(8), *statistics], eps=1e-5)
    facts = count(net.finish([y]))
    assert (facts.params, facts.weight_bytes) == (16, 4 * 32)
    assert (facts.macs, facts.elementwise_ops) == (0, 64)


def test_unknown_operators_are_listed_with_how_often_they_occur(net):
    x = net.input((1, 8))
    for index, op in enumerate(["aten.fft", "aten.sort", "aten.fft"]):
        (x,) = net.add(op, [x], outputs=[Tensor(f"t{index}", (1, 8))])
    facts = count(net.finish([net.linear(x, 4)]))
    assert facts.unknown_ops == {"aten.fft": 2, "aten.sort": 1}
    assert facts.macs == 32  # of what is known


def test_operators_that_depend_on_the_data_are_listed(net):
    boxes, scores = net.input((20, 4), name="boxes"), net.input((20,), name="scores")
    kept = net.add_one("nms", [boxes, scores], max_outputs=5)
    assert count(net.finish([kept])).bounded_ops == {"nms": 1}


def test_facts_as_json(net):
    x = net.input((1, 3, 4, 4))
    net.assumptions.append("a square image")
    facts = count(net.finish([net.conv(x, 8)]))
    assert facts.to_dict() == {
        "name": "small",
        "source": "",
        "inputs": [[1, 3, 4, 4]],
        "params": 8 * 3 + 8,
        "macs": 16 * 8 * 3,
        "flops": 2 * 16 * 8 * 3,
        "elementwise_ops": 16 * 8,  # the bias
        "weight_bytes": 4 * 32,
        "peak_activation_bytes": 4 * (48 + 128),
        "unknown_ops": {},
        "assumptions": ["a square image"],
        "bounded_ops": {},
    }


# Peaks are worked in elements of a map of 1×4×4×4, which are 64 or 256 bytes.


def test_peak_of_a_chain_is_its_widest_pair(net):
    x = net.input((1, 4, 4, 4))  # 64 elements
    y = net.conv(x, 8)  # 128, with 64 behind it
    y = net.conv(y, 16)  # 256, with 128 behind it: the peak
    y = net.conv(y, 4)  # 64, with 256 behind it
    assert peak_activation_bytes(net.finish([y])) == 4 * (128 + 256)


def test_peak_of_a_residual_keeps_the_shortcut(net):
    x = net.input((1, 4, 4, 4))  # 64, read again by the sum
    y = net.conv(x, 8)  # 128
    y = net.conv(y, 8)  # 128 more, while both before it are alive: the peak
    y = net.conv(y, 4)  # 64
    assert peak_activation_bytes(net.finish([net.add_up(x, y)])) == 4 * (64 + 128 + 128)


def test_a_view_takes_no_memory_and_keeps_what_it_views(net):
    x = net.input((1, 4, 4, 4))
    y = net.conv(x, 8)  # 128
    flat = net.add_one("reshape", [y], shape=(1, 128))
    again = net.add_one("reshape", [flat], shape=(2, 64))
    z = net.add_one("relu", [x])  # 64, while input and map are alive: the peak
    w = net.add_one("relu", [again])  # 128, with the map and z
    graph = net.finish([z, w])
    assert peak_activation_bytes(graph) == 4 * max(64 + 128 + 64, 128 + 64 + 128)


def test_a_view_of_an_output_lives_to_the_end(net):
    x = net.input((1, 4, 4, 4))
    y = net.add_one("relu", [x])  # 64, viewed by the first output
    flat = net.add_one("reshape", [y], shape=(64,))
    z = net.conv(x, 8)  # 128, with x and y: 256
    graph = net.finish([flat, net.add_one("relu", [z])])  # y, z and 128 more: 320
    assert peak_activation_bytes(graph) == 4 * (64 + 128 + 128)


def test_what_nobody_reads_is_freed_at_once(net):
    x = net.input((1, 4, 4, 4))
    left, _ = net.add("split", [x], {"axis": 1, "sizes": (1, 3)})  # 16 and 48, with 64
    y = net.add_one("relu", [left])
    assert peak_activation_bytes(net.finish([y])) == 4 * (64 + 16 + 48)


def test_weights_are_no_activations(net):
    x = net.input((1, 8))
    scale = net.add_one("exp", [net.weight(8)])
    y = net.add_one("mul", [x, scale])
    assert peak_activation_bytes(net.finish([y])) == 4 * 24


def test_a_network_that_does_nothing_holds_its_input(net):
    x = net.input((1, 8))
    assert peak_activation_bytes(net.finish([x])) == 32
