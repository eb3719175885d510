"""timm itself is not needed here: a package of its name stands in for it."""

import importlib
import sys

import pytest

from latprof.errors import BadReference, UnknownName, UnreadableModel
from latprof.frontends import InputSpec, read

STAND_IN = """
from torch import nn

def is_model(name):
    return name.partition(".")[0] in list_models()

def list_models():
    return ["resnet18", "vit_tiny"]

def create_model(name, pretrained=True, in_chans=3, num_classes=1000, img_size=None):
    assert not pretrained
    assert num_classes > 1, "too few classes"
    net = nn.Sequential(
        nn.Conv2d(in_chans, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, num_classes)
    )
    net.pretrained_cfg = {"input_size": (3, 160, 128)}
    return net
"""


@pytest.fixture
def timm(tmp_path, monkeypatch):
    """Put a package called timm in the way of Python."""

    def put(source):
        (tmp_path / "timm").mkdir()
        (tmp_path / "timm" / "__init__.py").write_text(source)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "timm", raising=False)
        importlib.invalidate_caches()

    yield put
    sys.modules.pop("timm", None)


@pytest.fixture
def stand_in(timm):
    """A timm of two networks."""
    timm(STAND_IN)


@pytest.mark.parametrize(
    ("query", "shape", "params"),
    [
        ("", (1, 3, 160, 128), 4 * 28 + 5 * 1000),  # the size that the network is quoted at
        ("?num_classes=10&in_chans=1", (1, 1, 160, 128), 4 * 10 + 5 * 10),
        ("?img_size=64", (1, 3, 64, 64), 4 * 28 + 5 * 1000),
        ("?img_size=64x32", (1, 3, 64, 32), 4 * 28 + 5 * 1000),
        ("?size=96", (1, 3, 96, 96), 4 * 28 + 5 * 1000),
        ("?input=2x3x96x64", (2, 3, 96, 64), 4 * 28 + 5 * 1000),
    ],
)
def test_a_network_and_its_input(stand_in, counts, query, shape, params):
    graph = read(f"timm:resnet18{query}")
    assert graph.tensors[graph.inputs[0]].shape == shape
    assert counts(graph)["params"] == params
    assert (graph.name, graph.source) == (f"resnet18{query}", f"timm:resnet18{query}")
    assert graph.assumptions == ()


def test_the_tag_of_pretrained_weights_is_part_of_the_name(stand_in):
    assert read("timm:resnet18.a1_in1k").nodes


def test_inputs_overrule_the_network(stand_in):
    graph = read("timm:vit_tiny", inputs=[InputSpec((1, 3, 32, 32))])
    assert graph.tensors[graph.inputs[0]].shape == (1, 3, 32, 32)


@pytest.mark.parametrize(
    ("reference", "error", "said"),
    [
        ("resnet19", UnknownName, "Did you mean 'resnet18'"),
        ("hf-hub:someone/net", UnknownName, "unknown timm model"),
        ("resnet18?width=2", BadReference, "unexpected keyword argument 'width'"),
        ("resnet18?num_classes=1", BadReference, "too few classes"),
        ("resnet18?num_classes", BadReference, "Write argument=value"),
        ("resnet18?in_chans=1&in_chans=2", BadReference, "given twice"),
        ("resnet18?size=2x3", BadReference, "is no size"),
        ("resnet18?size=2&input=1x3x2x2", BadReference, "Give one of them"),
    ],
)
def test_references_that_name_no_network(stand_in, reference, error, said):
    with pytest.raises(error) as caught:
        read(f"timm:{reference}")
    assert said in str(caught.value)


def test_without_timm_the_line_that_installs_it_is_given(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UnreadableModel, match="pip install timm"):
        read("timm:resnet18")


def test_a_timm_that_cannot_be_imported_brings_up_torchvision(timm):
    timm("raise RuntimeError('operator torchvision::nms does not exist')")
    with pytest.raises(UnreadableModel) as caught:
        read("timm:resnet18")
    assert "operator torchvision::nms does not exist" in str(caught.value)
    assert "pip install --upgrade torch torchvision timm" in str(caught.value)
    assert ".pt2" in str(caught.value)
