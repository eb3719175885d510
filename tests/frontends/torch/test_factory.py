import sys

import pytest

from latprof.errors import CaptureFailed, UnknownName, UnreadableModel
from latprof.frontends import InputSpec, read

SOURCE = """
import torch
from torch import nn

def network():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())

class Net(nn.Linear):
    def __init__(self):
        super().__init__(4, 2)

class TwoInputs(nn.Module):
    def forward(self, x, y):
        return x * y.sum()

ready = nn.ReLU()
number = 7

def not_a_network():
    return {"weights": 1}

def with_arguments(width):
    return nn.Linear(width, width)

def failing():
    raise RuntimeError("no such dataset\\nsecond line")
"""


@pytest.fixture
def in_project(tmp_path, monkeypatch):
    """The current directory holds a package with factories."""
    (tmp_path / "some_project").mkdir()
    (tmp_path / "some_project" / "nets.py").write_text(SOURCE)
    (tmp_path / "some_project" / "broken.py").write_text("raise KeyError('a setting')")
    (tmp_path / "some_project" / "needy.py").write_text("import a_package_nobody_has")
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("some_project"):
            del sys.modules[name]


def test_the_zoo_is_captured_at_the_size_asked_for(captured):
    graph = read("zoo:mobilenet_v2?size=32")
    assert graph.name == "mobilenet_v2?size=32"
    assert graph.source == "zoo:mobilenet_v2?size=32"
    assert graph.nodes == captured("mobilenet_v2").nodes
    assert graph.assumptions == ()


def test_inputs_overrule_the_zoo():
    graph = read("zoo:resnet18", inputs=[InputSpec((2, 3, 64, 64))])
    assert graph.tensors[graph.inputs[0]].shape == (2, 3, 64, 64)


def test_an_unknown_network_of_the_zoo_brings_up_near_ones():
    with pytest.raises(UnknownName, match="mobilenet_v2"):
        read("zoo:mobilenetv2")


@pytest.mark.parametrize("name", ["network", "ready"])
def test_a_factory_or_a_network_in_the_current_directory(in_project, name):
    graph = read(f"some_project.nets:{name}", inputs=[InputSpec((1, 3, 8, 8))])
    assert graph.nodes[-1].op == "relu"
    assert graph.name == name
    assert graph.source == f"some_project.nets:{name}"


def test_a_class_of_network_needs_no_input_if_its_weights_tell(in_project):
    graph = read("some_project.nets:Net")
    assert graph.tensors[graph.inputs[0]].shape == (1, 4)
    assert "input shape assumed" in graph.assumptions[0]


def test_inputs_by_name(in_project):
    wanted = [InputSpec((3,), name="y"), InputSpec((2, 5), name="x")]
    graph = read("some_project.nets:TwoInputs", inputs=wanted)
    assert {name: graph.tensors[name].shape for name in graph.inputs} == {"x": (2, 5), "y": (3,)}


def test_the_path_of_imports_is_left_as_it_was(in_project):
    before = list(sys.path)
    read("some_project.nets:Net")
    assert sys.path == before


@pytest.mark.parametrize(
    ("reference", "error", "said"),
    [
        ("some_project.nets:netwrk", UnknownName, "Did you mean 'network'"),
        ("some_project.nets:number", UnreadableModel, "is of type int"),
        ("some_project.nets:not_a_network", UnreadableModel, "gave something of type dict"),
        ("some_project.nets:with_arguments", CaptureFailed, "called without arguments"),
        ("some_project.nets:failing", CaptureFailed, "RuntimeError: no such dataset. It is"),
        ("some_project.missing:net", UnreadableModel, "no Python module 'some_project.missing'"),
        ("nowhere_at_all.nets:net", UnreadableModel, "no Python module 'nowhere_at_all'"),
        ("some_project.needy:net", UnreadableModel, "needs 'a_package_nobody_has'"),
        ("some_project.broken:net", UnreadableModel, "KeyError: 'a setting'"),
    ],
)
def test_references_that_give_no_network(in_project, reference, error, said):
    with pytest.raises(error) as caught:
        read(reference)
    assert said in str(caught.value)


def test_a_file_whose_name_looks_like_a_factory_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net:small").write_text("not a model")
    with pytest.raises(UnreadableModel, match="is a text file"):
        read("net:small")
