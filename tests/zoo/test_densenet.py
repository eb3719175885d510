from __future__ import annotations

import torch

from latprof.zoo.densenet import DenseLayer


def test_the_image_shrinks_and_the_channels_grow_as_in_table_1(build_on_meta):
    model, x = build_on_meta("densenet121")
    shapes = {}
    for name, part in model.features.named_children():
        x = part(x)
        shapes[name] = tuple(x.shape[1:3])
    assert shapes["stem"] == (64, 112)
    assert shapes["pool"] == (64, 56)
    assert shapes["dense1"] == (64 + 6 * 32, 56)
    assert shapes["transition1"] == (128, 28)
    assert shapes["dense2"] == (128 + 12 * 32, 28)
    assert shapes["transition2"] == (256, 14)
    assert shapes["dense3"] == (256 + 24 * 32, 14)
    assert shapes["transition3"] == (512, 7)
    assert shapes["dense4"] == (512 + 16 * 32, 7)


def test_it_has_121_layers_with_weights(build_on_meta):
    model, _ = build_on_meta("densenet121")
    kinds = [type(module).__name__ for module in model.modules()]
    assert kinds.count("Conv2d") + kinds.count("Linear") == 121


def test_a_layer_passes_on_what_came_in_untouched():
    layer = DenseLayer(8).eval()
    x = torch.randn(1, 8, 4, 4)
    before = x.clone()
    out = layer(x)
    assert out.shape == (1, 8 + 32, 4, 4)
    assert torch.equal(out[:, :8], before)
