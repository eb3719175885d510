from __future__ import annotations

import pytest
import torch

from latprof.errors import BadReference
from latprof.zoo.shufflenet_v2 import ChannelShuffle, ShuffleBlock, shufflenet_v2


def test_channel_shuffle_interleaves_its_groups():
    channels = torch.arange(6).reshape(1, 6, 1, 1)
    assert ChannelShuffle(groups=2)(channels).flatten().tolist() == [0, 3, 1, 4, 2, 5]
    assert ChannelShuffle(groups=3)(channels).flatten().tolist() == [0, 2, 4, 1, 3, 5]


def test_half_the_channels_pass_a_block_untouched():
    x = torch.randn(2, 8, 4, 4)
    out = ShuffleBlock(8).eval()(x)
    assert torch.equal(out[:, 0::2], x[:, :4])


def test_the_image_shrinks_as_in_table_5(build_on_meta):
    model, x = build_on_meta("shufflenet_v2_x1_0")
    shapes = {}
    for name, part in model.features.named_children():
        x = part(x)
        shapes[name] = tuple(x.shape[1:3])
    assert shapes == {
        "stem": (24, 112),
        "pool": (24, 56),
        "stage2": (116, 28),
        "stage3": (232, 14),
        "stage4": (464, 7),
        "head": (1024, 7),
    }


def test_a_width_the_paper_does_not_define_is_refused():
    with pytest.raises(BadReference, match=r"Give one of 0\.5, 1\.0, 1\.5, 2\.0"):
        shufflenet_v2(width_multiplier=0.75)
