from __future__ import annotations

import itertools
import tracemalloc
from dataclasses import replace

import pytest

import latprof
from latprof.costmodel import predictor as predictor_module
from latprof.costmodel.coverage import BASES
from latprof.costmodel.persistence import load, save
from latprof.errors import CostModelError
from latprof.fusion import fuse
from latprof.prediction import predict, predict_many
from latprof.sampling import draw_network

TARGET = "xeon-amx-2vcpu/onnxruntime-cpu1-fp32"  # a device that is known in every home


@pytest.fixture
def saved(small_predictor):
    return save(replace(small_predictor, device="xeon-amx-2vcpu"))


@pytest.fixture(scope="module")
def graphs():
    return [draw_network(99, number) for number in range(12)]


def test_many_at_once_are_answered_like_each_alone(saved, graphs):
    many = list(predict_many(graphs, TARGET))
    assert [each.name for each in many] == [graph.name for graph in graphs]
    for graph, each in zip(graphs, many, strict=True):
        alone = predict(graph, TARGET).predictions[0]
        assert each.latency_ms == pytest.approx(alone.latency_ms, rel=1e-12)
        assert (each.low_ms, each.high_ms) == pytest.approx((alone.low_ms, alone.high_ms))
        assert each.basis == pytest.approx(alone.basis)


def test_kernels_will_do_for_a_graph(saved, graphs):
    kernels = [fuse(graph, "onnxruntime") for graph in graphs]
    by_kernels = [each.latency_ms for each in predict_many(kernels, TARGET)]
    assert by_kernels == [each.latency_ms for each in predict_many(graphs, TARGET)]


def test_answers_come_while_the_questions_still_do(saved, graphs):
    asked = []

    def endless():
        for graph in itertools.cycle(graphs):
            asked.append(graph.name)
            yield fuse(graph, "onnxruntime")

    first = list(itertools.islice(latprof.predict_many(endless(), TARGET), 3))
    assert len(first) == 3
    assert len(asked) < 1000


def test_memory_does_not_grow_with_the_number_of_graphs(saved, graphs, monkeypatch):
    monkeypatch.setattr(predictor_module, "MOST_REMEMBERED", 200)
    kernels = [fuse(graph, "onnxruntime") for graph in graphs]

    def peak(count):
        load(*TARGET.split("/"))._known.clear()
        tracemalloc.start()
        for _ in predict_many(itertools.islice(itertools.cycle(kernels), count), TARGET):
            pass
        return tracemalloc.get_traced_memory()[1], tracemalloc.stop()

    peak(300)
    few, many = peak(600)[0], peak(3000)[0]
    assert many < 1.2 * few
    assert len(load(*TARGET.split("/"))._known) <= 1000


def test_no_kernel_at_all_is_an_error(saved):
    with pytest.raises(CostModelError, match="without a kernel"):
        list(predict_many([()], TARGET))


def test_shares_of_the_basis_are_all_there(saved, graphs):
    each = next(iter(predict_many(graphs, TARGET)))
    assert set(each.basis) == set(BASES)
    assert sum(each.basis.values()) == pytest.approx(1)


def test_a_second_look_at_a_graph_takes_no_second_fusion(saved, graphs, monkeypatch):
    first = predict(graphs[0], TARGET).predictions[0]
    monkeypatch.setattr("latprof.prediction.fuse", lambda *_: pytest.fail("fused again"))
    assert predict(graphs[0], TARGET).predictions[0].latency_ms == first.latency_ms


def test_a_model_fitted_anew_is_read_anew(saved, graphs):
    before = load(*TARGET.split("/"))
    assert load(*TARGET.split("/")) is before
    save(replace(before, factor=2 * before.factor))
    assert load(*TARGET.split("/")).factor == 2 * before.factor
