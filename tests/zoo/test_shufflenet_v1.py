from __future__ import annotations

import pytest
import torch
from torch import nn

from latprof.errors import BadReference
from latprof.zoo.shufflenet_v1 import ShuffleUnit, shufflenet_v1


# Table 1: output channels of stages 2, 3 and 4 by groups.
@pytest.mark.parametrize(
    ("groups", "channels"),
    [
        (1, [144, 288, 576]),
        (2, [200, 400, 800]),
        (3, [240, 480, 960]),
        (4, [272, 544, 1088]),
        (8, [384, 768, 1536]),
    ],
)
def test_the_stages_are_those_of_table_1(groups, channels, build_on_meta):
    model, x = build_on_meta(f"shufflenet_v1_g{groups}")
    shapes = []
    for part in model.features:
        x = part(x)
        shapes.append(tuple(x.shape[1:3]))
    assert shapes == [(24, 112), (24, 56), *zip(channels, (28, 14, 7), strict=True)]


def test_the_first_1x1_convolution_has_no_groups(build_on_meta):
    model, _ = build_on_meta("shufflenet_v1_g3")
    groups = [unit.branch.reduce.conv.groups for unit in model.features.stage2]
    assert groups == [1, 3, 3, 3]
    assert model.features.stage3[0].branch.reduce.conv.groups == 3


# Tables 2 and 5 of the paper, in M MACs; it does not say how it rounds channels.
@pytest.mark.parametrize(("width_multiplier", "mega_macs"), [(2.0, 524), (1.5, 292), (0.5, 38)])
def test_widths_have_about_the_macs_of_the_paper(width_multiplier, mega_macs, count):
    _, macs = count(f"shufflenet_v1_g3?width_multiplier={width_multiplier}")
    assert macs / 1e6 == pytest.approx(mega_macs, rel=0.03)


def test_channels_that_groups_do_not_divide_are_rounded(build_on_meta):
    # A stem of 24 / 2 = 12 becomes 16; 384 / 2 = 192 is 32 times 6 already.
    model, _ = build_on_meta("shufflenet_v1_g8?width_multiplier=0.5")
    assert model.features.stem.conv.out_channels == 16
    assert model.features.stage2[1].branch.expand.conv.out_channels == 192


def test_a_striding_unit_joins_the_means_of_its_input():
    unit = ShuffleUnit(8, 24, stride=2, groups=2, reduce_groups=2).eval()
    out = unit(torch.ones(1, 8, 6, 6))
    assert out.shape == (1, 24, 3, 3)
    assert out[0, :8, 1, 1].tolist() == [1.0] * 8


def test_a_unit_of_stride_1_adds_its_input():
    unit = ShuffleUnit(8, 8, stride=1, groups=2, reduce_groups=2).eval()
    nn.init.zeros_(unit.branch.expand.conv.weight)
    x = torch.rand(1, 8, 4, 4)
    assert torch.equal(unit(x), x)


def test_groups_the_paper_does_not_define_are_refused():
    with pytest.raises(BadReference, match="Give one of 1, 2, 3, 4, 8"):
        shufflenet_v1(groups=5)
