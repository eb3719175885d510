from __future__ import annotations

import pytest


# The authors' Multi-Adds, which are 1 to 2 % more than those of convolutions and the linear layer:
# github.com/tensorflow/tpu, models/official/mnasnet/README.md
@pytest.mark.parametrize(
    ("query", "mega_params", "mega_macs"),
    [
        ("width_multiplier=1.4", 6.1, 591.5),
        ("width_multiplier=0.75", 2.9, 226.7),
        ("width_multiplier=0.5", 2.1, 105.2),
        ("width_multiplier=0.35", 1.7, 63.2),
        ("size=160", 3.9, 161.6),
    ],
)
def test_widths_and_sizes_have_about_the_published_macs(query, mega_params, mega_macs, count):
    params, macs = count(f"mnasnet_a1?{query}")
    assert round(params / 1e6, 1) == mega_params
    assert macs / 1e6 == pytest.approx(mega_macs, rel=0.03)


def test_squeeze_excite_is_where_figure_7_has_it(build_on_meta):
    model, _ = build_on_meta("mnasnet_a1")
    blocks = list(model.features[1:-1])
    squeezing = [block.project.conv.out_channels for block in blocks if has_gate(block)]
    assert squeezing == [40] * 3 + [112] * 2 + [160] * 3
    # A quarter of the 24 channels that enter the first of them, not of the 72 they widen to.
    assert blocks[3].squeeze_excite.reduce.out_channels == 6
    model, _ = build_on_meta("mnasnet_b1")
    assert not any(has_gate(block) for block in model.features[1:-1])


def has_gate(block):
    return hasattr(block, "squeeze_excite")


def test_the_last_convolution_keeps_its_width(build_on_meta):
    for width_multiplier in (0.5, 1.4):
        model, _ = build_on_meta(f"mnasnet_b1?width_multiplier={width_multiplier}")
        assert model.classifier.in_features == 1280
