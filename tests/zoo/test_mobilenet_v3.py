from __future__ import annotations

from torch import nn


def test_large_at_three_quarters_has_the_published_macs(count):
    # github.com/tensorflow/models, research/slim/nets/mobilenet/README.md: 155 M and 4.0 M.
    params, macs = count("mobilenet_v3_large?width_multiplier=0.75")
    assert round(macs / 1e6) == 155
    assert round(params / 1e6, 1) == 4.0


def test_hard_swish_begins_at_the_seventh_block_of_large(build_on_meta):
    model, _ = build_on_meta("mobilenet_v3_large")
    activations = [type(block.depthwise.activation) for block in model.features[1:-1]]
    assert activations == [nn.ReLU] * 6 + [nn.Hardswish] * 9


def test_squeeze_excite_is_where_the_tables_tick_it(build_on_meta):
    def squeezing_blocks(name):
        model, _ = build_on_meta(name)
        blocks = enumerate(model.features[1:-1], start=1)
        return [number for number, block in blocks if hasattr(block, "squeeze_excite")]

    assert squeezing_blocks("mobilenet_v3_large") == [4, 5, 6, 11, 12, 13, 14, 15]
    assert squeezing_blocks("mobilenet_v3_small") == [1, 4, 5, 6, 7, 8, 9, 10, 11]
