import importlib
import pickle
import sys
from collections import OrderedDict

import pytest
import torch
from torch import nn

from latprof.errors import NoGraph, UnreadableModel, UntrustedModel
from latprof.frontends import InputSpec, read
from latprof.frontends.torch.pickle import describe
from latprof.frontends.torch.pickle_outline import Made

INPUT = [InputSpec((1, 3, 8, 8))]
FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])


def network():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())


@pytest.fixture
def save(tmp_path):
    """Save an object as torch.save does, in the form of today or of before 1.6."""

    def save(value, zipped=True, **options):
        path = tmp_path / "model.pt"
        torch.save(value, path, _use_new_zipfile_serialization=zipped, **options)
        return str(path)

    return save


@FORMATS
def test_a_pickled_network_is_refused_and_named(save, zipped):
    with pytest.raises(UntrustedModel) as caught:
        read(save(network(), zipped))
    said = str(caught.value)
    assert "holds a pickled torch.nn.modules.container.Sequential" in said
    assert "torch.export.save(torch.export.export(model" in said
    assert "--trust" in said


@FORMATS
@pytest.mark.parametrize("protocol", [2, 4])
def test_a_trusted_network_is_captured(save, zipped, protocol):
    path = save(network(), zipped, pickle_protocol=protocol)
    graph = read(path, inputs=INPUT, trust=True)
    assert [node.op for node in graph.nodes] == ["conv", "batch_norm", "relu"]
    assert graph.tensors["0.weight"].shape == (4, 3, 3, 3)
    assert graph.source == path


def test_the_one_network_of_a_checkpoint_is_taken(save):
    path = save({"epoch": 3, "model": network()})
    with pytest.raises(UntrustedModel, match="under the key 'model'"):
        read(path)
    graph = read(path, inputs=INPUT, trust=True)
    assert graph.assumptions == ("took the network under the key 'model'",)


def test_a_checkpoint_of_two_networks_is_ambiguous(save):
    path = save({"teacher": network(), "student": network()})
    with pytest.raises(NoGraph, match="teacher, student"):
        read(path, trust=True)


def test_nothing_is_unpickled_in_this_process(save, monkeypatch):
    monkeypatch.setattr(torch, "load", None)
    monkeypatch.setattr(pickle, "loads", None)
    assert read(save(network()), inputs=INPUT, trust=True).nodes


@FORMATS
@pytest.mark.parametrize("trust", [False, True])
def test_a_state_dict_has_no_network(save, zipped, trust):
    with pytest.raises(NoGraph) as caught:
        read(save(network().state_dict(), zipped), trust=trust)
    said = str(caught.value)
    assert "weights of 7 tensors (0.weight, 0.bias, 1.weight, ...)" in said
    assert "--arch package.module:factory" in said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"epoch": 1, "state_dict": network().state_dict()}, "under the key 'state_dict'"),
        (OrderedDict(w=nn.Parameter(torch.zeros(2))), "weights of 1 tensor (w)"),
        (torch.zeros(3), "a single tensor"),
    ],
)
def test_weights_in_other_wrappings(save, value, said):
    with pytest.raises(NoGraph) as caught:
        read(save(value))
    assert said in str(caught.value)


def test_a_file_with_neither_network_nor_weights(save):
    with pytest.raises(UnreadableModel, match="neither a network nor weights"):
        read(save({"accuracy": 0.7}))


def test_a_network_whose_class_is_in_the_current_directory_or_gone(save, tmp_path, monkeypatch):
    (tmp_path / "nets_of_a_test.py").write_text("from torch import nn\nclass Net(nn.ReLU): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    path = save(importlib.import_module("nets_of_a_test").Net())
    monkeypatch.delitem(sys.modules, "nets_of_a_test")
    monkeypatch.undo()
    with pytest.raises(UntrustedModel, match=r"nets_of_a_test\.Net"):
        read(path)
    with pytest.raises(UnreadableModel, match="Run latprof where its class can be imported"):
        read(path, trust=True)
    monkeypatch.chdir(tmp_path)
    assert [node.op for node in read(path, inputs=INPUT, trust=True).nodes] == ["relu"]


@FORMATS
def test_a_hostile_pickle_does_not_run_without_trust(save, zipped, hostile, marker):
    with pytest.raises(UntrustedModel, match="would call"):
        read(save(hostile, zipped))
    assert not marker.exists()


@FORMATS
@pytest.mark.parametrize("trust", [False, True])
def test_a_hostile_pickle_among_weights_does_not_even_run_with_it(
    save, zipped, trust, hostile, marker
):
    with pytest.raises(NoGraph):
        read(save({"weight": torch.zeros(2), "trap": hostile}, zipped), trust=trust)
    assert not marker.exists()


def test_a_hostile_pickle_beside_a_network_does_not_run_without_trust(save, hostile, marker):
    path = save({"model": network(), "trap": hostile})
    with pytest.raises(UntrustedModel):
        read(path)
    assert not marker.exists()
    read(path, inputs=INPUT, trust=True)
    assert marker.exists()  # so the trap is real


@pytest.mark.parametrize("trust", [False, True])
def test_a_bare_pickle_is_never_loaded(tmp_path, trust, hostile, marker):
    (tmp_path / "model.pt").write_bytes(pickle.dumps(hostile))
    with pytest.raises(UnreadableModel, match="could run any code"):
        read(str(tmp_path / "model.pt"), trust=trust)
    assert not marker.exists()


def test_a_broken_pickle(save):
    path = save(network(), zipped=False)
    with open(path, "r+b") as stream:
        stream.truncate(120)
    with pytest.raises(UnreadableModel, match="is broken"):
        read(path)


def test_a_forged_mapping_with_items_that_are_no_pairs():
    forged = Made("collections.OrderedDict", items=[3, ("only",), ("key", 1)])
    assert describe(forged).tensors == ()
