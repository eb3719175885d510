from __future__ import annotations


def test_the_image_shrinks_as_in_table_1(build_on_meta):
    model, x = build_on_meta("inception_v3")
    shapes = {}
    for name, part in model.features.named_children():
        x = part(x)
        shapes[name] = tuple(x.shape[1:3])
    assert shapes["conv_1a"] == (32, 149)
    assert shapes["conv_2a"] == (32, 147)
    assert shapes["conv_2b"] == (64, 147)
    assert shapes["pool_3a"] == (64, 73)
    assert shapes["conv_4a"] == (192, 71)
    assert shapes["mixed_5d"] == (288, 35)
    assert shapes["mixed_6e"] == (768, 17)
    assert shapes["mixed_7a"] == (1280, 8)
    assert shapes["mixed_7c"] == (2048, 8)


def test_the_auxiliary_head_is_there_and_computed_if_asked_for(build_on_meta, count):
    reference = "inception_v3?auxiliary_head=true"
    params, macs = count(reference)
    assert params == 27_161_264  # torchvision's, with aux_logits
    # On what is left of 17x17 (5x5): 1x1 to 128, 5x5 to one pixel of 768, and the logits.
    assert macs - 5_713_216_096 == 25 * 768 * 128 + 25 * 128 * 768 + 768 * 1000
    model, x = build_on_meta(reference)
    assert [answer.shape for answer in model(x)] == [(1, 1000), (1, 1000)]


def test_a_seven_by_seven_kernel_is_two_one_dimensional_ones(build_on_meta):
    model, _ = build_on_meta("inception_v3")
    kernels = [part.conv.kernel_size for part in model.features.mixed_6b.conv7x7]
    assert kernels == [(1, 1), (1, 7), (7, 1)]
