import pytest
import torch
from torch import nn

import latprof
from latprof.errors import BadReference, ShapeMismatch


def test_a_module_in_memory_and_its_exported_program_are_the_same_model():
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval()
    program = torch.export.export(module, (torch.zeros(1, 3, 8, 8),))
    assert latprof.read(program).nodes == latprof.read(module, (1, 3, 8, 8)).nodes


def test_a_program_has_the_shapes_it_was_exported_for():
    program = torch.export.export(nn.ReLU().eval(), (torch.zeros(1, 3),))
    assert latprof.read(program, "1x3").inputs == ("input",)
    with pytest.raises(ShapeMismatch, match="export it again"):
        latprof.read(program, "1x4")


def test_weights_are_read_with_their_network(tmp_path):
    with torch.device("meta"):
        from latprof.zoo import build

        weights = build("mobilenet_v2")[0].state_dict()
    torch.save(weights, tmp_path / "weights.pt")
    facts = latprof.count(tmp_path / "weights.pt", arch="zoo:mobilenet_v2")
    assert facts.macs == 300_774_272


def test_inputs_may_be_several_and_named():
    class Product(nn.Module):
        def forward(self, x, y):
            return x * y

    graph = latprof.read(Product(), ["y=1x4", "x=2x4"])
    assert {name: graph.tensors[name].shape for name in graph.inputs} == {"x": (2, 4), "y": (1, 4)}


@pytest.mark.parametrize(
    ("model", "settings", "said"),
    [
        (7, {}, "cannot read a model from int"),
        (nn.ReLU(), {"arch": "zoo:resnet18"}, "a model in memory is one already"),
    ],
)
def test_what_is_no_model(model, settings, said):
    with pytest.raises(BadReference, match=said):
        latprof.read(model, **settings)
