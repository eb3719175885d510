from __future__ import annotations

from dataclasses import replace

from latprof.counting.weights import weight_facts
from latprof.graph import Tensor


def test_parameters_trained_and_frozen_buffers_and_constants(net):
    x = net.input((1, 4))
    frozen = net.add_tensor(replace(Tensor("frozen", (4, 4), role="parameter"), trainable=False))
    scale = net.add_tensor(Tensor("scale", (3,), "float16", "constant"))
    net.add_tensor(Tensor("mean", (5,), role="buffer"))
    y = net.add_one("linear", [net.linear(x, 4), frozen])
    facts = weight_facts(net.finish([y, scale]))
    assert (facts.trainable, facts.frozen, facts.params) == (20, 16, 36)
    assert (facts.buffers, facts.constants) == (5, 3)
    assert facts.by_dtype == {"float32": (41, 164), "float16": (3, 6)}


def test_tied_and_unused_parameters_are_named(net):
    x, shared = net.input((1, 8)), net.weight(8, 8)
    y = net.add_one("linear", [net.add_one("linear", [x, shared]), shared])
    net.parameter("forgotten", (7,))
    given_back = net.parameter("answer", (2,))
    facts = weight_facts(net.finish([y, given_back]))
    assert facts.tied == {shared: 2}
    assert facts.unused == {"forgotten": 7}
    assert facts.params == 64 + 7 + 2
    assert facts.to_dict()["total"] == facts.params


def test_a_square_reads_its_weight_once(net):
    weight = net.weight(8)
    y = net.add_one("mul", [weight, weight])
    assert weight_facts(net.finish([y])).tied == {}
