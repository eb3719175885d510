from __future__ import annotations


def test_the_image_shrinks_as_in_figures_3_and_9(build_on_meta):
    model, x = build_on_meta("inception_v4")
    shapes = {}
    for name, part in model.features.named_children():
        x = part(x)
        shapes[name] = tuple(x.shape[1:3])
    assert shapes["conv1"] == (32, 149)
    assert shapes["conv3"] == (64, 147)
    assert shapes["mixed1"] == (160, 73)
    assert shapes["mixed2"] == (192, 71)
    assert shapes["mixed3"] == shapes["inception_a4"] == (384, 35)
    assert shapes["reduction_a"] == shapes["inception_b7"] == (1024, 17)
    assert shapes["reduction_b"] == shapes["inception_c3"] == (1536, 8)
