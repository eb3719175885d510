"""The registry as a whole: what its names mean, and that every entry is what it says."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from latprof.errors import BadReference, UnknownName
from latprof.zoo import ENTRIES, ZooEntry, build, parse_reference, register

# Counts that other people published or use as a reference, written out apart from the registry.
PARAMS_AND_MACS = {
    "mobilenet_v1": (4_231_976, 568_740_352),
    "mobilenet_v2": (3_504_872, 300_774_272),
    "mobilenet_v3_large": (5_483_032, 216_589_760),
    "shufflenet_v2_x1_0": (2_278_604, 144_907_992),
    "efficientnet_b0": (5_288_548, 385_814_752),
    "resnet50": (25_557_032, 4_089_184_256),
    "inception_v3": (23_834_568, 5_713_216_096),
    "xception": (22_855_952, 8_357_403_496),
}
NETWORKS = [name for name, entry in ENTRIES.items() if entry.kind == "network"]
BLOCKS = [name for name, entry in ENTRIES.items() if entry.kind == "block"]
WITHOUT_NORMS = {"inception_v1", "squeezenet1_0", "squeezenet1_1"}


@pytest.mark.parametrize("name", PARAMS_AND_MACS)
def test_reference_counts_are_in_the_table(name):
    assert (ENTRIES[name].params, ENTRIES[name].macs) == PARAMS_AND_MACS[name]


@pytest.mark.parametrize("name", ENTRIES)
def test_torch_counts_what_the_table_says(name, count):
    assert count(name) == (ENTRIES[name].params, ENTRIES[name].macs)


@pytest.mark.parametrize("name", ENTRIES)
def test_a_count_says_what_it_was_compared_with(name):
    assert ENTRIES[name].compared


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_maps_one_image_to_a_thousand_logits(name, build_on_meta):
    model, x = build_on_meta(name)
    assert not model.training
    assert x.shape == ENTRIES[name].input_shape
    assert model(x).shape == (1, 1000)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_takes_other_classes_channels_and_sizes(name, build_on_meta):
    model, x = build_on_meta(f"{name}?num_classes=10&in_channels=1&input=2x1x160x128")
    assert model(x).shape == (2, 10)


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_takes_as_many_channels_as_it_is_told(name, build_on_meta):
    model, x = build_on_meta(f"{name}?channels=48&size=20")
    assert x.shape == (1, 48, 20, 20)
    batch, _, height, width = model(x).shape
    assert batch == 1
    assert height == width
    assert height in (20, 40)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_exports(name, build_on_meta):
    model, x = build_on_meta(name)
    exported = torch.export.export(model, (x,), strict=False)
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    nodes = [n for n in exported.graph.nodes if n.target is torch.ops.aten.conv2d.default]
    assert len(nodes) == len(convolutions)


@pytest.fixture
def only_norms_have_values(monkeypatch):
    """Leave the memory of convolutions and linear layers untouched, and so unused."""
    for kind in (nn.Conv2d, nn.Linear):
        monkeypatch.setattr(kind, "reset_parameters", lambda layer: None)


@pytest.mark.parametrize("name", NETWORKS)
def test_no_norm_scale_is_zero(name, only_norms_have_values):
    model, _ = build(name)
    kinds = (nn.BatchNorm2d, nn.LayerNorm)
    norms = [module for module in model.modules() if isinstance(module, kinds)]
    assert bool(norms) == (name not in WITHOUT_NORMS)
    assert all(norm.weight.abs().min() > 0 for norm in norms)


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_cites_a_paper_by_its_arxiv_id(name):
    assert "arXiv:" in ENTRIES[name].paper


def test_a_network_answers_with_finite_numbers():
    torch.manual_seed(0)
    model, input_shape = build("shufflenet_v2_x0_5?size=64")
    with torch.inference_mode():
        assert model(torch.randn(input_shape)).isfinite().all()


def test_importing_the_zoo_leaves_torch_alone():
    code = "import sys, latprof.zoo; latprof.zoo.parse_reference('resnet50'); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert "latprof.zoo" in done.stdout.split()
    assert "torch" not in done.stdout.split()


def test_a_name_can_be_registered_once():
    with pytest.raises(BadReference, match="'resnet18' is registered already"):
        register(ZooEntry(name="resnet18", factory="a:b", family="", paper=""))


def test_a_bare_name_means_the_network_of_the_paper():
    entry, arguments, input_shape = parse_reference("mobilenet_v2")
    assert entry is ENTRIES["mobilenet_v2"]
    assert arguments == {}
    assert input_shape == (1, 3, 224, 224)


def test_an_entry_brings_arguments_of_its_own():
    entry, arguments, _ = parse_reference("shufflenet_v2_x0_5?num_classes=10")
    assert arguments == {"width_multiplier": 0.5, "num_classes": 10}
    assert entry.arguments == {"width_multiplier": 0.5}


def test_values_take_the_type_of_the_default():
    _, arguments, _ = parse_reference("mobilenet_v2?width_multiplier=1&num_classes=10")
    assert arguments == {"width_multiplier": 1.0, "num_classes": 10}
    assert [type(value) for value in arguments.values()] == [float, int]


@pytest.mark.parametrize(
    ("query", "input_shape"),
    [
        ("size=160", (1, 3, 160, 160)),
        ("input=8x3x160x128", (8, 3, 160, 128)),
        ("in_channels=1", (1, 1, 224, 224)),
        ("in_channels=4&size=96", (1, 4, 96, 96)),
        ("in_channels=4&input=1x4x96x96", (1, 4, 96, 96)),
    ],
)
def test_the_input_shape_follows_its_arguments(query, input_shape):
    _, arguments, shape = parse_reference(f"mobilenet_v1?{query}")
    assert shape == input_shape
    assert not {"size", "input"} & set(arguments)


def toy_factory(*, flag: bool = False, word: str = "relu") -> nn.Module:
    return nn.Identity()


@pytest.fixture
def toy(monkeypatch):
    """A registered name whose factory has the kinds of argument that no network has yet."""
    entry = ZooEntry(name="toy", factory=f"{__name__}:toy_factory", family="", paper="")
    monkeypatch.setitem(ENTRIES, "toy", entry)
    return "toy"


@pytest.mark.parametrize(("text", "value"), [("true", True), ("False", False)])
def test_a_true_or_false_argument(text, value, toy):
    assert parse_reference(f"{toy}?flag={text}")[1] == {"flag": value}


def test_one_is_not_true(toy):
    with pytest.raises(BadReference, match="flag=1 is not true or false"):
        parse_reference(f"{toy}?flag=1")


def test_a_word_argument(toy):
    assert parse_reference(f"{toy}?word=relu6")[1] == {"word": "relu6"}


@pytest.mark.parametrize("name", ["mobilenet_v22", "", "MobileNetV2", "zoo:mobilenet_v2"])
def test_an_unknown_name_is_told_the_known_ones(name):
    with pytest.raises(UnknownName) as caught:
        parse_reference(f"{name}?size=96")
    assert caught.value.kind == "zoo model"
    assert caught.value.name == name
    assert caught.value.known == sorted(ENTRIES)


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("mobilenet_v2?", r"cannot read ''.*Write argument=value"),
        ("mobilenet_v2?num_classes", r"cannot read 'num_classes'"),
        ("mobilenet_v2?num_classes=", r"cannot read 'num_classes='"),
        ("mobilenet_v2?=3", r"cannot read '=3'"),
        ("mobilenet_v2?size=96&size=96", r"'size' is given twice"),
        ("mobilenet_v2?size=96&input=1x3x96x96", r"Give one of them"),
        ("mobilenet_v2?classes=10", r"no argument 'classes'. It has num_classes, .*, size"),
        ("resnet18?width_multiplier=0.5", r"'resnet18' has no argument 'width_multiplier'"),
        ("shufflenet_v2_x0_5?width_multiplier=1.0", r"Choose another .* shufflenet_v2_x1_0"),
        ("mobilenet_v2?width_multiplier=0", r"a number above 0, such as width_multiplier=1.0"),
        ("mobilenet_v2?width_multiplier=-1", r"width_multiplier=-1 makes no network"),
        ("mobilenet_v2?width_multiplier=nan", r"width_multiplier=nan makes no network"),
        ("mobilenet_v2?width_multiplier=inf", r"width_multiplier=inf makes no network"),
        ("mobilenet_v2?width_multiplier=wide", r"width_multiplier=wide is not a number"),
        ("mobilenet_v2?num_classes=0", r"a whole number above 0, such as num_classes=1000"),
        ("mobilenet_v2?num_classes=10.5", r"num_classes=10.5 is not a whole number"),
        ("mobilenet_v2?num_classes=true", r"num_classes=true is not a whole number"),
        ("mobilenet_v2?in_channels=-3", r"in_channels=-3 makes no network"),
        ("mobilenet_v2?size=0", r"size=0 is not one whole number above 0. Write size=160"),
        ("mobilenet_v2?size=-96", r"size=-96 is not"),
        ("mobilenet_v2?size=96x96", r"size=96x96 is not"),
        ("mobilenet_v2?input=3x96x96", r"not 4 whole numbers above 0. Write input=1x3x160x160"),
        ("mobilenet_v2?input=1x3x0x96", r"input=1x3x0x96 is not"),
        ("mobilenet_v2?input=1x96x96x3", r"has 96 channels and the network takes 3"),
        ("mobilenet_v2?in_channels=4&input=1x3x96x96", r"3 channels and the network takes 4"),
    ],
)
def test_a_bad_reference_is_told_what_to_type(reference, message):
    with pytest.raises(BadReference, match=message):
        parse_reference(reference)


@pytest.mark.parametrize("argument", [f"num_classes={10**30}", "width_multiplier=1e307"])
def test_a_network_beyond_any_memory_is_a_bad_reference(argument):
    with pytest.raises(BadReference, match="could not be built"):
        build(f"mobilenet_v1?{argument}")
