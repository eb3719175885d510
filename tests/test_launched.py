from __future__ import annotations

from pathlib import Path

import pytest

from latprof.errors import BadReference, RuntimeUnavailable, UnsupportedOp
from latprof.frontends import read
from latprof.kernel import Kernel
from latprof.launched import Launched, Predicted, launched, predicted
from latprof.runtimes.protocol import Stray


@pytest.fixture
def graph(net):
    x = net.add_one("relu", [net.norm(net.conv(net.input((1, 3, 32, 32)), 16, 3, bias=False))])
    return net.finish([net.max_pool(x)])


@pytest.fixture
def made_up(graph):
    """Two of three kernels launched in 3 + 6 ms, and one launch of 1 ms that nobody expected."""
    kernels = (
        Predicted("stem", Kernel("conv", "conv"), ("conv", "relu"), 1, ("Conv conv",), 3.0),
        Predicted("pool", Kernel("pool", "max_pool"), ("max_pool",), 2, ("a", "b"), 6.0),
        Predicted("act", Kernel("relu", "relu"), ("relu",)),
    )
    strays = (Stray("reorder", "ReorderInput", (0.5, 1.0, 9.0)),)
    facts = predicted(graph, "onnxruntime").model
    return Launched(facts, "made-up 1.0", "made-up-cpu1-fp32", kernels, strays)


def test_matched_is_what_was_both_predicted_and_launched(made_up):
    assert made_up.kernels_matched_fraction == 2 / 4  # three predicted, one more launched
    assert made_up.time_matched_fraction == 9 / 10
    answer = made_up.to_dict()
    assert answer["not_launched"] == ["act"]
    assert answer["not_predicted"] == [
        {"name": "reorder", "kind": "ReorderInput", "latency_ms": 1.0}
    ]


def test_an_answer_is_a_frame_with_a_row_for_each_kernel(made_up):
    frame = made_up.to_frame()
    assert list(frame["name"]) == ["stem", "pool", "act"]
    assert list(frame["launches"]) == [1, 2, 0]


def test_there_is_no_page_and_it_says_what_there_is(made_up):
    with pytest.raises(BadReference, match="to_markdown"):
        made_up.to_html()


def test_a_prediction_alone_claims_no_match(graph):
    answer = predicted(graph, "onnxruntime")
    assert answer.kernels_matched_fraction is answer.time_matched_fraction is None
    data = answer.to_dict()
    assert not data["ran"]
    assert data["not_launched"] == []
    assert data["kernels"][0]["covers"] == ["conv", "batch_norm", "relu"]


def test_onnxruntime_launches_what_was_predicted(graph):
    answer = launched(graph, "onnxruntime", seconds=0.05)
    assert answer.kernels_matched_fraction == answer.time_matched_fraction == 1
    first = answer.kernels[0]
    assert first.matched
    assert first.seen[0].startswith("Conv ")
    assert first.latency_ms > 0


def test_eager_launches_every_node(graph):
    answer = launched(graph, "torch-eager", seconds=0.05)
    assert [kernel.seen for kernel in answer.kernels] == [(node.name,) for node in graph.nodes]
    assert answer.kernels_matched_fraction == 1


def test_a_runtime_that_is_not_installed_can_still_be_predicted(graph, monkeypatch):
    monkeypatch.setattr("latprof.runtimes.registry.find_spec", lambda name: None)
    with pytest.raises(RuntimeUnavailable, match=r"pip install.*--predicted"):
        launched(graph, "onnxruntime")
    assert predicted(graph, "onnxruntime").kernels


def test_a_quantised_file_has_nothing_to_compare_with():
    pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed")
    path = Path(__file__).parent / "data" / "tflite" / "mobilenet_v2-int8.tflite"
    with pytest.raises(UnsupportedOp, match="latprof profile"):
        launched(read(str(path)), "litert")
