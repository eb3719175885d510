from __future__ import annotations

from latprof.counting.sparsity import NO_GAIN, WeightZeros, sparsity_of


def test_zeros_scattered_and_in_whole_channels(net):
    x = net.input((1, 4, 2, 2))
    y = net.conv(x, 8, bias=False)  # 32 weights, 128 MACs
    graph = net.finish([y])
    (weight,) = [t.name for t in graph.tensors.values() if t.is_weight]
    # Two of eight outputs and one of four inputs: 2·4 + 1·8 - 2 zeros, and two more scattered.
    found = sparsity_of(graph, {weight: WeightZeros((8, 4, 1, 1), 16, 2, 1)})
    assert (found.elements, found.zeros, found.unread) == (32, 16, ())
    assert found.nonzero_macs == 128 * 16 // 32
    assert found.kept_macs == 128 * 6 * 3 // (8 * 4)
    (layer,) = found.layers
    assert (layer.zero_outputs, layer.outputs, layer.zero_inputs, layer.inputs) == (2, 8, 1, 4)
    assert found.to_dict()["note"] == NO_GAIN
    assert found.to_dict()["zero_fraction"] == 0.5


def test_inputs_of_a_grouped_convolution_are_not_taken_out(net):
    x = net.input((1, 8, 2, 2))
    graph = net.finish([net.conv(x, 8, 3, groups=8, bias=False)])
    (weight,) = [t.name for t in graph.tensors.values() if t.is_weight]
    found = sparsity_of(graph, {weight: WeightZeros((8, 1, 3, 3), 36, 4, 1)})
    assert found.kept_macs == found.macs // 2


def test_a_transposed_convolution_has_its_inputs_first(net):
    x, weight = net.input((1, 8, 2, 2)), net.weight(8, 4, 2, 2)
    y = net.add_one("conv_transpose", [x, weight], stride=(2, 2), padding=((0, 0),) * 2)
    found = sparsity_of(net.finish([y]), {weight: WeightZeros((8, 4, 2, 2), 16, 1, 0)})
    (layer,) = found.layers
    assert (layer.zero_inputs, layer.inputs, layer.zero_outputs, layer.outputs) == (1, 8, 0, 4)


def test_a_masked_weight_is_found_behind_its_mask(net):
    x, weight, mask = net.input((1, 4)), net.weight(8, 4), net.constant(*[1.0] * 32, shape=(8, 4))
    masked = net.add_one("mul", [mask, weight])
    graph = net.finish([net.add_one("linear", [x, masked])])
    found = sparsity_of(graph, {weight: WeightZeros((8, 4), 8, 2, 0)})
    assert found.layers[0].weight == weight
    assert (found.macs, found.nonzero_macs, found.kept_macs) == (32, 24, 24)


def test_a_product_with_a_stored_matrix_has_its_inputs_first(net):
    x, weight = net.input((2, 3, 4)), net.weight(4, 8)
    graph = net.finish([net.add_one("matmul", [x, weight])])
    found = sparsity_of(graph, {weight: WeightZeros((4, 8), 8, 1, 0)})
    assert (found.layers[0].zero_inputs, found.layers[0].inputs) == (1, 4)


def test_what_was_not_read_is_named_and_stays_as_it_is(net):
    x = net.input((1, 4, 2, 2))
    graph = net.finish([net.conv(x, 8, bias=False)])
    found = sparsity_of(graph, {})
    assert len(found.unread) == 1
    assert (found.nonzero_macs, found.kept_macs, found.layers) == (128, 128, ())


def test_values_of_another_shape_belong_to_something_else(net):
    x = net.input((1, 4, 2, 2))
    graph = net.finish([net.conv(x, 8, bias=False)])
    (weight,) = [t.name for t in graph.tensors.values() if t.is_weight]
    assert sparsity_of(graph, {weight: WeightZeros((8, 4), 32, 8, 4)}).layers == ()


def test_weights_below_a_key_or_in_a_wrapper_are_found(net):
    x, weight, other = net.input((1, 4)), net.weight(8, 4), net.weight(4, 8)
    graph = net.finish([net.add_one("linear", [net.add_one("linear", [x, weight]), other])])
    held = {weight: WeightZeros((8, 4), 4, 1, 0), other: WeightZeros((4, 8), 8, 0, 1)}
    before = {f"state.model.module.{name}": zeros for name, zeros in held.items()}
    stray = {f"optimizer.{weight}": WeightZeros((8, 4), 32, 8, 4)}
    assert sparsity_of(graph, {**stray, **before}) == sparsity_of(graph, held)


def test_a_matrix_kept_the_other_way_round(net):
    x, weight = net.input((1, 4)), net.weight(8, 4)
    graph = net.finish([net.add_one("linear", [x, weight])])
    (layer,) = sparsity_of(graph, {weight: WeightZeros((4, 8), 8, 1, 0)}).layers
    assert (layer.zero_inputs, layer.inputs, layer.zero_outputs, layer.outputs) == (1, 4, 0, 8)
