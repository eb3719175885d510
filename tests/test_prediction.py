"""A model that was quantised before it came here is predicted as what a target was measured on."""

from __future__ import annotations

from pathlib import Path

from latprof.frontends import read
from latprof.prediction import as_measured

TFLITE = Path(__file__).parent / "data" / "tflite"


def test_an_int8_target_predicts_the_float_model_that_a_quantised_one_stands_for():
    graph = read(str(TFLITE / "mobilenet_v2-int8.tflite"))
    network, (doubt,) = as_measured(graph, "litert-cpu1-int8", "int8")
    assert {t.dtype for t in network.tensors.values() if t.is_weight} == {"float32"}
    assert "the float32 model that it stands for" in doubt


def test_weights_alone_in_int8_are_predicted_with_a_doubt():
    graph = read(str(TFLITE / "mobilenet_v3_large-dynamic.tflite"))
    network, (doubt,) = as_measured(graph, "litert-cpu1-int8", "int8")
    assert network is graph
    assert "the latency is a guess" in doubt


def test_a_float_model_is_predicted_without_one(zoo_graph):
    graph = zoo_graph("mobilenet_v2")
    assert as_measured(graph, "litert-cpu1-int8", "int8") == (graph, ())
