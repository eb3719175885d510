"""What each layer becomes: operators and shapes worked by hand, images with channels second."""

import pytest

from latprof.frontends.keras.convolutions import pads_for

# Input shape without its batch, layers as (class, settings), operators, shape of the output.
CASES = {
    "causal": ((20, 6), [("Conv1D", {"filters": 8, "kernel_size": [3], "padding": "causal",
                                     "dilation_rate": [2]})], ["conv"], (1, 8, 20)),
    "grouped": ((16, 16, 6), [("Conv2D", {"filters": 12, "kernel_size": [3, 5], "groups": 3,
                                          "strides": [2, 1], "padding": "same",
                                          "activation": "silu"})],
                ["conv", "silu"], (1, 12, 8, 16)),
    "volume": ((6, 8, 8, 3), [("Conv3D", {"filters": 4, "kernel_size": 3, "strides": 2,
                                          "padding": "same"})], ["conv"], (1, 4, 3, 4, 4)),
    "separable": ((16, 16, 6), [("SeparableConv2D", {"filters": 8, "kernel_size": 3,
                                                     "depth_multiplier": 2})],
                  ["conv", "conv"], (1, 8, 14, 14)),
    "transposed": ((16, 16, 6), [("Conv2DTranspose", {"filters": 8, "kernel_size": 4,
                                                      "strides": 2, "padding": "same"})],
                   ["conv_transpose"], (1, 8, 32, 32)),
    "channels first": ((6, 16, 16), [("Conv2D", {"filters": 8, "kernel_size": 3,
                                                 "data_format": "channels_first"})],
                       ["conv"], (1, 8, 14, 14)),
    "tokens": ((5, 6), [("Dense", {"units": 7, "activation": "softmax"})],
               ["linear", "softmax"], (1, 5, 7)),
    "einsum that is linear": ((5, 6), [("EinsumDense", {"equation": "abc,cde->abde",
                                                        "output_shape": [None, 2, 7],
                                                        "bias_axes": "de"})],
                              ["linear", "reshape"], (1, 5, 2, 7)),
    "einsum over tokens": ((5, 6), [("EinsumDense", {"equation": "abc,bd->adc",
                                                     "output_shape": [7, 6]})],
                           ["einsum"], (1, 7, 6)),
    "norm of an image over its last axis": (
        (16, 16, 6),
        [("Conv2D", {"filters": 4, "kernel_size": 3}), ("LayerNormalization", {"axis": [-1]})],
        ["conv", "transpose", "layer_norm"], (1, 14, 14, 4)),
    "norm of all but the batch": (
        (16, 16, 6),
        [("Conv2D", {"filters": 4, "kernel_size": 3}),
         ("LayerNormalization", {"axis": [1, 2, 3]})],
        ["conv", "layer_norm"], (1, 4, 14, 14)),
    "groups of one channel": ((16, 16, 6), [("GroupNormalization", {"groups": -1})],
                              ["group_norm"], (1, 6, 16, 16)),
    "relu of six": ((16, 16, 6), [("Conv2D", {"filters": 4, "kernel_size": 3}),
                                  ("ReLU", {"max_value": 6.0})],
                    ["conv", "relu6"], (1, 4, 14, 14)),
    "pools": ((16, 16, 6), [("MaxPooling2D", {"pool_size": 3, "strides": 2, "padding": "same"}),
                            ("AveragePooling2D", {"pool_size": [2, 2]})],
              ["max_pool", "avg_pool"], (1, 6, 4, 4)),
    "padding, cropping, enlarging": (
        (16, 16, 6),
        [("ZeroPadding2D", {"padding": [[1, 2], [0, 3]]}),
         ("Cropping2D", {"cropping": [[1, 1], [2, 0]]}), ("UpSampling2D", {"size": [2, 3]})],
        ["pad", "slice", "slice", "resize"], (1, 6, 34, 51)),
    "flattened and back": (
        (16, 16, 6),
        [("MaxPooling2D", {"pool_size": 4}), ("Flatten", {}), ("Dense", {"units": 32}),
         ("Reshape", {"target_shape": [4, 4, 2]}), ("Conv2D", {"filters": 3, "kernel_size": 1})],
        ["max_pool", "reshape", "linear", "reshape", "conv"], (1, 3, 4, 4)),
    "image to tokens": (
        (16, 16, 6),
        [("Conv2D", {"filters": 4, "kernel_size": 3}), ("Reshape", {"target_shape": [-1, 4]}),
         ("Dense", {"units": 3})],
        ["conv", "reshape", "transpose", "linear"], (1, 196, 3)),
    "channel shuffle": (
        (16, 16, 8),
        [("Conv2D", {"filters": 8, "kernel_size": 1}),
         ("Reshape", {"target_shape": [16, 16, 2, 4]}), ("Permute", {"dims": [1, 2, 4, 3]}),
         ("Reshape", {"target_shape": [16, 16, 8]}), ("Conv2D", {"filters": 4, "kernel_size": 1})],
        ["conv", "reshape", "transpose", "reshape", "conv"], (1, 4, 16, 16)),
    "what does nothing": (
        (16, 16, 6),
        [("RandomFlip", {}), ("Dropout", {"rate": 0.5}), ("Identity", {}),
         ("GlobalAveragePooling2D", {})],
        ["adaptive_avg_pool", "reshape"], (1, 6)),
    "recurrent": ((7, 6), [("LSTM", {"units": 5, "return_sequences": True}), ("GRU", {"units": 4})],
                  ["lstm", "gru", "reshape"], (1, 4)),
    "rescaled": ((16, 16, 3), [("Rescaling", {"scale": 0.5, "offset": -1}),
                               ("Conv2D", {"filters": 4, "kernel_size": 1})],
                 ["mul", "add", "conv"], (1, 4, 16, 16)),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_layers_become_operators(graph_of, describe, case):
    shape, layers, operators, output = CASES[case]
    described = [
        describe.layer(kind, f"layer{i}", **settings) for i, (kind, settings) in enumerate(layers)
    ]
    graph = graph_of(describe.sequential(describe.image(*shape), *described))
    assert [node.op for node in graph.nodes] == operators
    assert graph.tensors[graph.outputs[0]].shape == output
    assert not any("by the file" in said for said in graph.assumptions)


def test_same_padding_puts_the_odd_pixel_behind():
    assert pads_for("same", (224,), (3,), (2,), (1,)) == ((0, 1),)
    assert pads_for("same", (7,), (3,), (1,), (2,)) == ((2, 2),)
    assert pads_for("valid", (7,), (3,), (1,), (1,)) == ((0, 0),)
    assert pads_for("causal", (7,), (3,), (1,), (2,)) == ((4, 0),)


def test_attention_is_projected_split_into_heads_and_joined(graph_of, describe):
    d = describe
    heads = d.called(d.layer("MultiHeadAttention", "mha", num_heads=2, key_dim=4),
                     [d.tensor("x"), d.tensor("x")])  # fmt: skip
    graph = graph_of(d.functional([d.called(d.image(5, 8, name="x")), heads],
                                  ["x", 0, 0], ["mha", 0, 0]))  # fmt: skip
    attention = next(call for call in graph.calls if call.node.op == "attention")
    assert attention.outputs[0].shape == (1, 2, 5, 4)
    assert graph.tensors["mha/query/kernel"].shape == (8, 8)
    assert graph.tensors[graph.outputs[0]].shape == (1, 5, 8)


def test_both_directions_are_two_layers_side_by_side(graph_of, describe):
    inner = describe.layer("LSTM", "forward_lstm", units=3)
    both = describe.layer("Bidirectional", "both", layer=inner, merge_mode="concat")
    graph = graph_of(describe.sequential(describe.image(7, 6), both))
    assert [node.op for node in graph.nodes].count("lstm") == 2
    assert graph.tensors[graph.outputs[0]].shape == (1, 6)


def test_operations_take_numbers_and_several_tensors(graph_of, describe):
    d = describe
    layers = [
        d.called(d.image(8, 8, 4, name="x")),
        d.called(d.layer("Conv2D", "conv", filters=4, kernel_size=1), [d.tensor("x")]),
        d.called(d.operation("Multiply", "double"), [d.tensor("conv"), 2]),
        d.called(d.operation("Concatenate", "both", axis=-1),
                 [[d.tensor("conv"), d.tensor("double")]]),
        d.called(d.operation("Mean", "mean", axis=[1, 2], keepdims=False), [d.tensor("both")]),
    ]  # fmt: skip
    graph = graph_of(d.functional(layers, ["x", 0, 0], ["mean", 0, 0]))
    assert [node.op for node in graph.nodes] == ["conv", "mul", "concat", "mean"]
    assert graph.tensors["both"].shape == (1, 8, 8, 8)
    assert graph.tensors["mean"].shape == (1, 8)
    assert graph.tensors["double.constant"].values == (2,)


def test_mixed_precision_casts_what_goes_in(graph_of, describe):
    policy = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "mixed_float16"}}
    conv = describe.layer("Conv2D", "conv", filters=4, kernel_size=1, dtype=policy)
    graph = graph_of(describe.sequential(describe.image(8, 8, 4), conv))
    assert [node.op for node in graph.nodes] == ["cast", "conv"]
    assert graph.tensors["conv"].dtype == "float16"
    assert graph.tensors["conv/kernel"].dtype == "float32"


def test_a_layer_without_a_formula_is_kept_and_listed(graph_of, describe):
    layers = [describe.image(8, name="x"), describe.layer("Discretization", "bins")]
    graph = graph_of(describe.sequential(*layers))
    assert [node.op for node in graph.nodes] == ["keras.Discretization"]
    assert any("latprof has no formula for" in said for said in graph.assumptions)
