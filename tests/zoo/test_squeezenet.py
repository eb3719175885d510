from __future__ import annotations

import pytest
import torch

from latprof.zoo.squeezenet import Fire


def test_the_image_shrinks_as_in_table_1(build_on_meta):
    # The table says 224x224, and gives the sizes that 227x227, the authors' crop, leads to.
    model, x = build_on_meta("squeezenet1_0?size=227")
    shapes = {}
    for name, part in model.features.named_children():
        x = part(x)
        shapes[name] = tuple(x.shape[1:3])
    assert shapes == {
        "stem": (96, 111),
        "pool1": (96, 55),
        "fire2": (128, 55),
        "fire3": (128, 55),
        "fire4": (256, 55),
        "pool4": (256, 27),
        "fire5": (256, 27),
        "fire6": (384, 27),
        "fire7": (384, 27),
        "fire8": (512, 27),
        "pool8": (512, 13),
        "fire9": (512, 13),
        "conv10": (1000, 13),
    }


@pytest.mark.parametrize(
    ("name", "params"),
    [("fire2", 11_920), ("fire4", 45_344), ("fire6", 104_880), ("fire9", 197_184)],
)
def test_fire_modules_have_the_parameters_of_table_1(name, params, build_on_meta):
    model, _ = build_on_meta("squeezenet1_0")
    fire = model.features.get_submodule(name)
    assert sum(parameter.numel() for parameter in fire.parameters()) == params


def test_version_1_1_does_less_than_half_the_work(count):
    ratio = count("squeezenet1_0")[1] / count("squeezenet1_1")[1]
    assert round(ratio, 1) == 2.3  # the authors say 2.4


def test_a_fire_module_joins_its_two_expansions():
    fire = Fire(8, 2, 4).eval()
    x = torch.randn(1, 8, 5, 5)
    out = fire(x)
    assert torch.equal(out[:, :4], fire.expand1x1(fire.squeeze(x)))
    assert torch.equal(out[:, 4:], fire.expand3x3(fire.squeeze(x)))
