import json
from collections import OrderedDict

import pytest
import torch
from torch import nn

from latprof.errors import (
    BadReference,
    NoGraph,
    UnknownName,
    UnreadableModel,
    UntrustedModel,
    WrongWeights,
)
from latprof.frontends import InputSpec, read
from latprof.zoo import build

FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
ARCH = "zoo:mobilenet_v2?size=32"


@pytest.fixture(scope="module")
def weights():
    """A state dict of MobileNetV2."""
    with torch.device("meta"):
        names = build("mobilenet_v2")[0].state_dict()
    return {name: torch.zeros(tensor.shape, dtype=tensor.dtype) for name, tensor in names.items()}


@pytest.fixture
def save(tmp_path):
    """Save as torch.save does, in the form of today or of before 1.6."""

    def save(value, zipped=True):
        path = tmp_path / "weights.pt"
        torch.save(value, path, _use_new_zipfile_serialization=zipped)
        return str(path)

    return save


@FORMATS
def test_weights_and_what_builds_their_network_make_a_graph(save, weights, zipped, captured):
    path = save(weights, zipped)
    graph = read(path, arch=ARCH)
    assert graph.nodes == captured("mobilenet_v2").nodes
    assert (graph.name, graph.source) == ("weights", f"{path} as {ARCH}")
    assert graph.assumptions == ()


def test_inputs_overrule_the_arch(save, weights):
    graph = read(save(weights), arch=ARCH, inputs=[InputSpec((2, 3, 64, 64))])
    assert graph.tensors[graph.inputs[0]].shape == (2, 3, 64, 64)


def test_a_checkpoint_is_searched_for_the_weights(save, weights):
    parallel = OrderedDict(
        (f"module.{name}", nn.Parameter(w, False)) for name, w in weights.items()
    )
    optimizer = {"state": {0: {"momentum": torch.zeros(3)}}, "param_groups": [{"lr": 0.1}]}
    graph = read(save({"epoch": 3, "optimizer": optimizer, "net": {"ema": parallel}}), arch=ARCH)
    assert graph.assumptions == (
        "took the weights under the key 'net.ema'",
        "left 'module.' out of the names that the file gives its weights",
    )


@FORMATS
def test_dtypes_are_told_without_loading(save, weights, zipped):
    half = {name: w.bfloat16() if w.is_floating_point() else w for name, w in weights.items()}
    graph = read(save(half, zipped), arch=ARCH)
    assert graph.assumptions == (
        "the file stores bfloat16 weights; the network is taken as built, in float32",
    )


def test_weights_on_the_meta_device_tell_their_shapes_too(save, weights):
    graph = read(save({name: w.to("meta") for name, w in weights.items()}), arch=ARCH)
    assert graph.assumptions == ()


def test_a_safetensors_file_is_compared_by_its_header(tmp_path, weights):
    dtypes = {torch.float32: "F32", torch.int64: "I64"}
    header = json.dumps(
        {name: {"dtype": dtypes[w.dtype], "shape": list(w.shape)} for name, w in weights.items()}
    ).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    assert read(str(path), arch=ARCH).assumptions == ()
    with pytest.raises(WrongWeights, match="are not those of 'zoo:resnet18'"):
        read(str(path), arch="zoo:resnet18")


def test_a_factory_of_the_users_own_is_an_arch(save, tmp_path, monkeypatch):
    source = "from torch import nn\ndef build(): return nn.Sequential(nn.Linear(4, 2))\n"
    (tmp_path / "arch_of_a_test.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    graph = read(save(nn.Sequential(nn.Linear(4, 2)).state_dict()), arch="arch_of_a_test:build")
    assert graph.assumptions[0].startswith("input shape assumed to be 1x4")


@pytest.mark.parametrize(
    ("arch", "error", "said"),
    [
        ("zoo:mobilenet_v2?num_classes=10", WrongWeights, "classifier.weight is 1000x1280 in the"),
        ("zoo:resnet18", WrongWeights, "that the network lacks (features."),
        ("zoo:mobilnet_v2", UnknownName, "Did you mean 'mobilenet_v2'"),
        ("mobilenet_v2", BadReference, "names no network"),
        ("nowhere.nets:net", UnreadableModel, "no Python module 'nowhere'"),
    ],
)
def test_an_arch_that_is_not_theirs(save, weights, arch, error, said):
    with pytest.raises(error) as caught:
        read(save(weights), arch=arch)
    assert said in str(caught.value)


def test_a_file_with_a_network_needs_no_arch(save, tmp_path):
    with pytest.raises(BadReference, match=r"pickled torch.nn.modules.activation.ReLU.*--trust"):
        read(save(nn.ReLU()), arch=ARCH)
    (tmp_path / "graph.json").write_text('{"format": "latprof graph"}')
    with pytest.raises(BadReference, match="holds its network already"):
        read(str(tmp_path / "graph.json"), arch=ARCH)
    with pytest.raises(BadReference, match="is a network already"):
        read("zoo:resnet18", arch=ARCH)


def test_a_file_without_weights(save):
    with pytest.raises(UnreadableModel, match="neither a network nor weights"):
        read(save({"accuracy": 0.7}), arch=ARCH)


def test_a_single_tensor_is_no_state_dict(save):
    with pytest.raises(NoGraph, match="a single tensor"):
        read(save(torch.zeros(3)), arch=ARCH)


@FORMATS
@pytest.mark.parametrize("trust", [False, True])
def test_a_hostile_file_never_runs(save, weights, zipped, trust, hostile, marker):
    with pytest.raises(UntrustedModel):
        read(save(hostile, zipped), arch=ARCH, trust=trust)
    graph = read(save(weights | {"trap": hostile}, zipped), arch=ARCH, trust=trust)
    assert graph.nodes  # the trap is no tensor, and is left alone
    nested = {"state_dict": weights, "extra": [hostile, {"deep": hostile}]}
    assert read(save(nested, zipped), arch=ARCH, trust=trust).nodes
    assert not marker.exists()


def test_a_collection_that_holds_itself_is_searched_once(save, weights):
    loop = dict(weights)
    loop["self"] = loop
    assert read(save(loop), arch=ARCH).nodes
