from __future__ import annotations

import pytest

from latprof.counting import count, other_dtypes, product_dtypes
from latprof.graph import Tensor
from latprof.zoo import ENTRIES


@pytest.mark.parametrize("name", ENTRIES)
def test_macs_and_params_to_the_digit(name, zoo_graph):
    facts = count(zoo_graph(name))
    assert (facts.macs, facts.params) == (ENTRIES[name].macs, ENTRIES[name].params)
    assert facts.flops == 2 * facts.macs
    assert facts.unknown_ops == {}


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


def test_a_network_computes_in_the_type_that_its_products_take(net):
    x = net.input((1, 8, 4, 4), dtype="int8")
    weight = net.parameter("w", (8, 8, 1, 1), "int8")
    y = net.add_one("conv", [x, weight])
    floats = net.add_one("conv", [net.input((1, 8, 4, 4), name="floats"), weight])
    assert product_dtypes(net.finish([y])) == ("int8",)
    assert product_dtypes(net.finish([floats])) == ("float32",)
    assert product_dtypes(net.finish([y, floats])) == ("float32", "int8")


def test_weights_kept_in_int8_make_it_no_float32_model(net):
    y = net.add_one("linear", [net.input((1, 4)), net.parameter("w", (3, 4), "int8")])
    graph = net.finish([y])
    assert product_dtypes(graph) == ("float32",)
    assert other_dtypes(graph) == ("int8",)
