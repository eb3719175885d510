from __future__ import annotations

from torch import nn


def test_the_stages_are_those_of_table_1(build_on_meta):
    model, x = build_on_meta("efficientnet_b0")
    shapes = []
    for layer in model.features:
        x = layer(x)
        if tuple(x.shape[1:3]) not in shapes:
            shapes.append(tuple(x.shape[1:3]))
    assert shapes == [
        (32, 112),
        (16, 112),
        (24, 56),
        (40, 28),
        (80, 14),
        (112, 14),
        (192, 7),
        (320, 7),
        (1280, 7),
    ]


def test_every_block_squeezes_to_a_quarter_of_what_enters_it(build_on_meta):
    model, _ = build_on_meta("efficientnet_b0")
    block = model.features[2]
    assert block.expand.conv.in_channels == 16
    assert block.squeeze_excite.reduce.out_channels == 4
    assert all(hasattr(block, "squeeze_excite") for block in model.features[1:-1])
    assert isinstance(block.squeeze_excite.gate, nn.Sigmoid)
