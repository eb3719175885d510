from __future__ import annotations

from torch import nn


def test_the_image_shrinks_as_in_figure_5(build_on_meta):
    model, x = build_on_meta("xception")
    shapes = []
    for part in model.features:
        x = part(x)
        if tuple(x.shape[1:3]) not in shapes:
            shapes.append(tuple(x.shape[1:3]))
    # The figure ends the entry and middle flows at 19x19x728, and the exit flow at 10x10.
    assert shapes == [
        (32, 149),
        (64, 147),
        (128, 74),
        (256, 37),
        (728, 19),
        (1024, 10),
        (1536, 10),
        (2048, 10),
    ]


def test_the_middle_flow_is_repeated_eight_times(build_on_meta):
    model, _ = build_on_meta("xception")
    middle = [name for name, _ in model.features.named_children() if name.startswith("middle")]
    assert len(middle) == 8


def test_nothing_stands_between_a_depthwise_convolution_and_its_pointwise_one(build_on_meta):
    model, _ = build_on_meta("xception")
    kinds = [type(layer) for layer in model.features.separable1]
    assert kinds == [nn.Conv2d, nn.Conv2d, nn.BatchNorm2d]


def test_the_first_block_begins_without_a_relu(build_on_meta):
    model, _ = build_on_meta("xception")
    assert not isinstance(model.features.entry1.worked[0], nn.ReLU)
    assert isinstance(model.features.entry2.worked[0], nn.ReLU)


def test_a_shortcut_is_not_overwritten_in_place(build_on_meta):
    model, _ = build_on_meta("xception")
    assert not model.features.entry2.worked[0].inplace
    assert not model.features.middle1.worked[0].inplace
    assert model.features.middle1.worked[2].inplace
