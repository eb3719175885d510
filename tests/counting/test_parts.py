from __future__ import annotations

from latprof.counting.parts import parts_of
from latprof.zoo import ENTRIES


def test_a_gate_between_a_pool_and_a_product_is_squeeze_excite(net):
    x = net.input((1, 8, 4, 4))
    pooled = net.add_one("adaptive_avg_pool", [x], output_size=(1, 1))
    squeezed = net.add_one("relu", [net.conv(pooled, 2)])  # 16 MACs
    gate = net.add_one("sigmoid", [net.conv(squeezed, 8)])  # 16 MACs
    y = net.conv(net.add_one("mul", [x, gate]), 4)  # 16 pixels × 32
    parts = parts_of(net.finish([y]))
    assert parts.optional["squeeze-excite"] == 32
    assert parts.total_macs == 32 + 16 * 32


def test_a_product_of_two_maps_is_no_gate(net):
    x = net.input((1, 8, 4, 4))
    y = net.add_one("mul", [net.conv(x, 8), net.conv(x, 8)])
    assert "squeeze-excite" not in parts_of(net.finish([y])).optional


def test_the_last_layer_on_features_is_the_classifier(net):
    x = net.input((1, 8, 4, 4))
    pooled = net.add_one("adaptive_avg_pool", [net.conv(x, 16)], output_size=(1, 1))
    flat = net.add_one("reshape", [pooled], shape=(1, 16))
    hidden = net.add_one("relu", [net.linear(flat, 32)])
    answer = net.add_one("softmax", [net.linear(hidden, 10)], axis=1)
    parts = parts_of(net.finish([answer]))
    assert parts.optional["the classifier"] == 320
    assert parts.optional["linear layers"] == 16 * 32 + 320


def test_a_map_at_the_end_is_no_classifier(net):
    x = net.input((1, 8, 4, 4))
    assert "the classifier" not in parts_of(net.finish([net.conv(net.conv(x, 4), 2)])).optional


def test_what_is_added_is_counted_an_element(net):
    x = net.input((1, 8, 4, 4))  # 128 elements
    y = net.add_one("relu", [net.norm(net.conv(x, 8))])
    extra = parts_of(net.finish([net.add_up(x, y)])).extra
    assert extra["biases"] == extra["activations (1 an element)"] == 128
    assert extra["batch norms (2 an element)"] == 2 * extra["batch norms (1 an element)"] == 256
    assert extra["additions and products of elements"] == 128
    assert extra["everything elementwise"] == 128 + 256 + 128 + 128


def test_parts_of_the_zoo(zoo_graph):
    parts = parts_of(zoo_graph("mobilenet_v2"))
    assert parts.total_macs == ENTRIES["mobilenet_v2"].macs
    assert parts.macs == {"convolutions": 299_494_272, "linear layers": 1_280_000}
    assert parts.optional["depthwise convolutions"] == 20_716_416
    # The gates of EfficientNet-B0: sixteen pairs of layers on one pixel.
    gates = parts_of(zoo_graph("efficientnet_b0")).optional["squeeze-excite"]
    assert gates == sum(
        2 * channels * squeezed
        for channels, squeezed in [
            (32, 8), (96, 4), (144, 6), (144, 6), (240, 10), (240, 10), (480, 20), (480, 20),
            (480, 20), (672, 28), (672, 28), (672, 28), (1152, 48), (1152, 48), (1152, 48),
            (1152, 48),
        ]
    )  # fmt: skip
