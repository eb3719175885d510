import psutil
import pytest
import torch
from torch import nn

from latprof.errors import BadReference, CaptureFailed
from latprof.frontends.inputs import InputSpec
from latprof.frontends.torch import built as torch_built
from latprof.frontends.torch.built import Recipe, build, capture_built, recipe_for

INPUT = (InputSpec((1, 4)),)


class Spread(nn.Module):
    """A network whose layers depend on what a tensor holds, as drop-path rates often do."""

    def __init__(self):
        super().__init__()
        rates = [x.item() for x in torch.linspace(0, 1, 3)]
        self.layers = nn.Sequential(*(nn.Linear(4, 4) for rate in rates if rate > 0))

    def forward(self, x):
        return self.layers(x)


class Looks(nn.Linear):
    """A network that looks into its weights when it runs."""

    def forward(self, x):
        if self.weight.is_meta:
            raise ValueError("there is nothing to look into")
        return super().forward(x)


def recipe(make):
    def make_or_fail():
        try:
            return make(), INPUT
        except Exception as error:
            raise CaptureFailed(str(error)) from error

    return Recipe("net", make_or_fail)


def captured(network, inputs=()):
    return capture_built(network, inputs, name="net", source="here")


def test_a_network_is_built_without_weights():
    network = build(recipe(lambda: nn.Linear(4, 2)))
    assert network.module.weight.is_meta
    assert captured(network).assumptions == ()


def test_a_network_of_many_gigabytes_costs_none():
    before = psutil.Process().memory_info().rss
    network = build(recipe(lambda: nn.Sequential(*(nn.Linear(50_000, 50_000) for _ in range(4)))))
    graph = captured(network, [InputSpec((1, 50_000))])
    assert sum(t.bytes for t in graph.tensors.values() if t.is_weight) > 40e9
    assert psutil.Process().memory_info().rss - before < 300e6


def test_a_constructor_that_needs_weights_gets_them_and_it_is_said():
    network = build(recipe(Spread))
    assert len(network.module.layers) == 2
    (said,) = captured(network).assumptions
    assert said.startswith("'net' was built with weights, because without them: ")


def test_a_forward_that_needs_weights_gets_them_and_it_is_said():
    network = build(recipe(lambda: Looks(4, 2)))
    assert network.module.weight.is_meta
    graph = captured(network)
    assert [node.op for node in graph.nodes] == ["linear"]
    assert graph.assumptions[0].startswith("'net' was built with weights")


def test_a_large_network_is_not_built_for_real_to_try_again(monkeypatch):
    monkeypatch.setattr(torch_built, "MOST_REAL_BYTES", 10)
    with pytest.raises(CaptureFailed, match="does not run"):
        captured(build(recipe(lambda: Looks(4, 2))))


def test_a_network_with_some_real_weights_is_built_with_all():
    made = build(
        recipe(lambda: nn.Sequential(nn.Linear(4, 2), nn.Linear(2, 2).to_empty(device="cpu")))
    )
    assert {p.device.type for p in made.module.parameters()} == {"cpu"}
    assert "parts of it have weights all the same" in made.assumptions[0]


def test_inputs_that_do_not_fit_are_told_once_more_with_weights():
    with pytest.raises(CaptureFailed, match="does not run on inputs 1x5"):
        captured(build(recipe(lambda: nn.Linear(4, 2))), [InputSpec((1, 5))])


def test_the_zoo_says_what_goes_in():
    network = build(recipe_for("zoo:resnet18?size=64"))
    assert network.inputs == (InputSpec((1, 3, 64, 64)),)
    assert next(network.module.parameters()).is_meta


@pytest.mark.parametrize("reference", ["resnet18", "a b:c", "./model.pt", ""])
def test_what_names_no_network(reference):
    with pytest.raises(BadReference, match="names no network"):
        recipe_for(reference)
