from __future__ import annotations

import pytest


# MACs that the authors publish beside their checkpoints:
# github.com/tensorflow/models, research/slim/nets/mobilenet/README.md
@pytest.mark.parametrize(
    ("query", "mega_macs"),
    [
        ("width_multiplier=1.4", 582),
        ("width_multiplier=1.3", 509),
        ("width_multiplier=0.75", 209),
        ("width_multiplier=0.5", 97),
        ("width_multiplier=0.35", 59),
        ("size=96", 56),
        ("width_multiplier=0.75&size=160", 107),
    ],
)
def test_widths_and_sizes_have_the_published_macs(query, mega_macs, count):
    _, macs = count(f"mobilenet_v2?{query}")
    assert macs / 1e6 == pytest.approx(mega_macs, abs=1)


def test_the_last_convolution_is_not_narrowed(build_on_meta):
    model, _ = build_on_meta("mobilenet_v2?width_multiplier=0.5")
    assert model.classifier.in_features == 1280
    model, _ = build_on_meta("mobilenet_v2?width_multiplier=1.4")
    assert model.classifier.in_features == 1792


def test_a_layer_is_found_by_a_name_that_reads_well(build_on_meta):
    model, _ = build_on_meta("mobilenet_v2")
    conv = model.get_submodule("features.2.depthwise.conv")
    assert (conv.in_channels, conv.groups, conv.stride) == (96, 96, (2, 2))
