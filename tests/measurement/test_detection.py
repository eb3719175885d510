from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest

from latprof.errors import MeasurementError
from latprof.measurement.client import Worker
from latprof.measurement.detection import decide, detect, known_rule
from latprof.measurement.pairs import PAIRS, Pair

NOISE = (0.99, 1.0, 1.01, 0.995, 1.005, 1.0, 0.99, 1.01)  # of eight rounds


def around(value_ms):
    return [value_ms * factor for factor in NOISE]


def test_a_pair_that_costs_what_its_longer_part_costs_is_fused():
    found = decide("conv+relu", around(0.10), around(0.02), around(0.10))
    assert found.said == "fused"
    assert found.saved_fraction == pytest.approx(1, abs=0.05)


def test_a_pair_that_costs_the_sum_of_its_parts_is_separate():
    found = decide("conv+relu", around(0.10), around(0.02), around(0.12))
    assert found.said == "separate"
    assert found.saved_fraction == pytest.approx(0, abs=0.05)


def test_one_disturbed_round_decides_nothing():
    both = around(0.10)
    both[3] *= 5
    assert decide("conv+relu", around(0.10), around(0.02), both).said == "fused"


def test_a_pair_that_saves_about_half_is_unclear():
    found = decide("conv+relu", around(0.10), around(0.02), around(0.11))
    assert found.said == "unclear"
    assert found.low < 0.5 < found.high


def test_too_few_rounds_are_unclear_however_sure_they_look():
    found = decide("conv+relu", [0.1] * 3, [0.02] * 3, [0.1] * 3)
    assert (found.said, found.reason) == ("unclear", "only 3 rounds")


def test_nothing_can_be_said_of_an_operator_that_costs_nothing():
    found = decide("linear+reshape", around(0.1), around(0.0001), around(0.1))
    assert found.said == "unclear"
    assert "next to nothing" in found.reason


def test_latprofs_rules_are_held_against_what_was_found():
    fused = decide("a+b", around(0.1), around(0.02), around(0.1), known=False)
    assert fused.agrees is False
    assert decide("a+b", around(0.1), around(0.02), around(0.1), known=True).agrees
    assert decide("a+b", around(0.1), around(0.02), around(0.11), known=True).agrees is None


@pytest.mark.parametrize(
    ("pair", "onnxruntime"),
    [("conv+relu", True), ("conv+batch_norm", True), ("conv+gelu", False), ("mul+add", False)],
)
def test_what_the_rules_say_follows_from_the_kernels_that_repeats_add(pair, onnxruntime):
    pair = Pair(*pair.split("+"))
    assert known_rule(pair, "onnxruntime") is onnxruntime
    assert known_rule(pair, "torch-eager") is False
    assert known_rule(pair, "a phone's") is None


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_a_chain_keeps_its_shape(pair):
    for graph in pair.networks(repeats=3):
        assert graph.tensors[graph.outputs[0]].shape == pair.shape


class FakeWorker:
    """Runs a chain in 0.1 ms for each convolution and 0.02 ms for each relu not behind one."""

    runtime, dtype = "onnxruntime", "fp32"

    def __init__(self):
        self.asked = []

    def measure(self, graph, effort):
        self.asked.append(graph.name)
        if "gelu" in graph.name:
            raise MeasurementError("no gelu here")
        ops = ["", *(node.op for node in graph.nodes)]
        costs = {("conv", "relu"): 0.0}
        total_ms = sum(
            0.1 if op == "conv" else costs.get((before, op), 0.02)
            for before, op in itertools.pairwise(ops)
        )
        return SimpleNamespace(times_ms=(total_ms,) * 3)


def test_rounds_visit_every_pair_in_another_order():
    worker = FakeWorker()
    pairs = (Pair("conv", "relu"), Pair("conv", "sigmoid"), Pair("conv", "gelu"))
    fused, separate, failed = detect(worker, pairs, rounds=4)
    assert (fused.said, separate.said, failed.said) == ("fused", "separate", "unclear")
    assert fused.first_ms == pytest.approx(0.1)
    assert failed.reason == "no gelu here"
    orders = [name for name in worker.asked if name.startswith("conv+")]
    assert len(orders) == 4 * 2
    assert len({tuple(orders[i : i + 2]) for i in range(0, 8, 2)}) == 2
    assert worker.asked.count("gelu×8") == 1  # what cannot run is not tried again


@pytest.mark.parametrize(
    ("runtime", "said"), [("onnxruntime", "fused"), ("torch-eager", "separate")]
)
def test_live_a_convolution_and_a_relu(runtime, said):
    """Also on a busy machine: whatever it says for sure is right."""
    with Worker(runtime, threads=1) as worker:
        for rounds in (5, 10, 16):
            (found,) = detect(worker, [Pair("conv", "relu")], rounds=rounds)
            if found.said != "unclear":
                break
    assert found.said == said, found
