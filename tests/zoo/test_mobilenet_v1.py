from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("width_multiplier", "mega_macs"), [(1.0, 569), (0.75, 325), (0.5, 149), (0.25, 41)]
)
def test_widths_have_the_macs_of_table_6(width_multiplier, mega_macs, count):
    _, macs = count(f"mobilenet_v1?width_multiplier={width_multiplier}")
    assert round(macs / 1e6) == mega_macs


def test_the_image_shrinks_as_in_table_1(build_on_meta):
    model, x = build_on_meta("mobilenet_v1")
    heights = []
    for block in model.features:
        x = block(x)
        heights.append(x.shape[2])
    assert heights == [112, 112, 56, 56, 28, 28, 14, 14, 14, 14, 14, 14, 7, 7]
