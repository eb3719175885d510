from __future__ import annotations

from latprof.counting import peak_activation_bytes, peak_activations

# Peaks are worked in elements of a map of 1×4×4×4, which are 64 or 256 bytes.


def test_peak_of_a_chain_is_its_widest_pair(net):
    x = net.input((1, 4, 4, 4))  # 64 elements
    y = net.conv(x, 8)  # 128, with 64 behind it
    y = net.conv(y, 16)  # 256, with 128 behind it: the peak
    y = net.conv(y, 4)  # 64, with 256 behind it
    assert peak_activation_bytes(net.finish([y])) == 4 * (128 + 256)


def test_peak_of_a_residual_keeps_the_shortcut(net):
    x = net.input((1, 4, 4, 4))  # 64, read again by the sum
    y = net.conv(x, 8)  # 128
    y = net.conv(y, 8)  # 128 more, while both before it are alive: the peak
    y = net.conv(y, 4)  # 64
    assert peak_activation_bytes(net.finish([net.add_up(x, y)])) == 4 * (64 + 128 + 128)


def test_a_view_takes_no_memory_and_keeps_what_it_views(net):
    x = net.input((1, 4, 4, 4))
    y = net.conv(x, 8)  # 128
    flat = net.add_one("reshape", [y], shape=(1, 128))
    again = net.add_one("reshape", [flat], shape=(2, 64))
    z = net.add_one("relu", [x])  # 64, while input and map are alive: the peak
    w = net.add_one("relu", [again])  # 128, with the map and z
    graph = net.finish([z, w])
    assert peak_activation_bytes(graph) == 4 * max(64 + 128 + 64, 128 + 64 + 128)


def test_a_view_of_an_output_lives_to_the_end(net):
    x = net.input((1, 4, 4, 4))
    y = net.add_one("relu", [x])  # 64, viewed by the first output
    flat = net.add_one("reshape", [y], shape=(64,))
    z = net.conv(x, 8)  # 128, with x and y: 256
    graph = net.finish([flat, net.add_one("relu", [z])])  # y, z and 128 more: 320
    assert peak_activation_bytes(graph) == 4 * (64 + 128 + 128)


def test_what_nobody_reads_is_freed_at_once(net):
    x = net.input((1, 4, 4, 4))
    left, _ = net.add("split", [x], {"axis": 1, "sizes": (1, 3)})  # 16 and 48, with 64
    y = net.add_one("relu", [left])
    assert peak_activation_bytes(net.finish([y])) == 4 * (64 + 16 + 48)


def test_weights_are_no_activations(net):
    x = net.input((1, 8))
    scale = net.add_one("exp", [net.weight(8)])
    y = net.add_one("mul", [x, scale])
    assert peak_activation_bytes(net.finish([y])) == 4 * 24


def test_a_network_that_does_nothing_holds_its_input(net):
    x = net.input((1, 8))
    assert peak_activation_bytes(net.finish([x])) == 32


def test_the_peak_says_where_it_is_and_what_is_alive(net):
    x = net.input((1, 4, 4, 4))  # 64, read again by the sum
    y = net.conv(x, 8)  # 128
    z = net.conv(y, 8)  # 128 more: the peak
    graph = net.finish([net.add_up(x, net.conv(z, 4))])
    peak = peak_activations(graph)
    assert (peak.bytes, peak.node) == (peak_activation_bytes(graph), z)
    assert {tensor.name for tensor in peak.tensors} == {x, y, z}
    assert sum(tensor.bytes for tensor in peak.tensors) == peak.bytes
    assert peak.to_dict()["tensors"][0]["shape"] == [1, 8, 4, 4]


def test_the_peak_of_a_network_that_does_nothing_is_at_no_node(net):
    peak = peak_activations(net.finish([net.input((1, 8))]))
    assert (peak.bytes, peak.node, len(peak.tensors)) == (32, "", 1)


def test_what_is_alive_at_the_peak_adds_up_in_the_zoo(zoo_graph):
    for name in ("mobilenet_v2", "shufflenet_v2_x1_0", "mobilenet_v3_small"):
        peak = peak_activations(zoo_graph(name))
        assert sum(tensor.bytes for tensor in peak.tensors) == peak.bytes
