import pytest
import torch

from latprof.counting import count
from latprof.frontends.aten.calls import AtenCall, Ref, Translator
from latprof.frontends.aten.operators import TRANSLATIONS
from latprof.graph import Tensor

IMAGE = (2, 8, 6, 6)


@pytest.mark.parametrize(
    ("function", "ops"),
    [
        (lambda x, w: x.topk(2, 1), ["topk"]),
        (lambda x, w: x.sort(1), ["sort"]),
        (lambda x, w: x.argsort(1), ["argsort"]),
        (lambda x, w: x.kthvalue(2, 1), ["kth_value"]),
        (lambda x, w: x.median(1, keepdim=True), ["kth_value"]),
        (lambda x, w: torch.bucketize(x, w[0]), ["select", "searchsorted"]),
        (lambda x, w: torch.searchsorted(w[0], x), ["select", "searchsorted"]),
        (lambda x, w: x.nonzero(), ["nonzero"]),
    ],
)
def test_a_function_is_told_in_our_operators(ops_of, function, ops):
    assert ops_of(function, IMAGE) == ops


def test_what_depends_on_the_data_is_as_large_as_it_can_be(graph_of):
    graph = graph_of(lambda x, w: x.nonzero() + 1, IMAGE)
    assert graph.tensors[graph.outputs[0]].shape == (2 * 8 * 6 * 6, 4)
    assert count(graph).bounded_ops == {"nonzero": 1}


def test_torchvisions_operators():
    t = Translator("detector")
    for name, shape in (("map", (1, 8, 50, 50)), ("rois", (3, 5)), ("b", (20, 4)), ("s", (20,))):
        t.add_input(Tensor(name, shape, role="input"))
    kept = AtenCall(
        "torchvision.nms.default",
        {"dets": Ref("b"), "scores": Ref("s"), "iou_threshold": 0.7},
        (Tensor("kept", (20,), "int64"),),
    )
    settings = {"pooled_height": 7, "pooled_width": 7, "sampling_ratio": 2}
    pooled = AtenCall(
        "torchvision.roi_align.default",
        {"input": Ref("map"), "rois": Ref("rois"), **settings},
        (Tensor("pooled", (3, 8, 7, 7)),),
    )
    for call in (kept, pooled):
        TRANSLATIONS[call.operator](t, call)
    graph = t.finish(["kept", "pooled"])
    assert [node.op for node in graph.nodes] == ["nms", "roi_align"]
    assert graph.nodes[0].attributes["iou_threshold"] == 0.7
    assert graph.nodes[1].attributes["output_size"] == (7, 7)
