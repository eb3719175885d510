"""ONNX Runtime's own operators are read as the parts that they fuse."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from latprof.counting import count


def node(op, inputs, **settings):
    return helper.make_node(op, inputs, ["y"], name=op, domain="com.microsoft", **settings)


ROWS = (1, 6, 8)
VECTOR = np.ones(8, np.float32)


@pytest.mark.parametrize(
    ("made", "ops"),
    [
        (node("Gelu", ["x"]), ["gelu"]),
        (node("FastGelu", ["x", "v"]), ["add", "gelu"]),
        (node("QuickGelu", ["x"], alpha=1.0), ["silu"]),
        (node("QuickGelu", ["x"]), ["mul", "sigmoid", "mul"]),
        (node("LayerNormalization", ["x", "v", "v"]), ["layer_norm"]),
        (node("SkipLayerNormalization", ["x", "x", "v", "v"]), ["add", "layer_norm"]),
        (node("SkipSimplifiedLayerNormalization", ["x", "x", "v"]), ["add", "rms_norm"]),
        (node("FusedMatMul", ["x", "m"], transB=1), ["linear"]),
        (node("FusedMatMul", ["x", "x"], transB=1), ["transpose", "matmul"]),
        (node("GroupQueryAttention", ["x", "x", "x"], num_heads=2, kv_num_heads=2),
         ["com.microsoft.GroupQueryAttention"]),
    ],
    ids=lambda each: getattr(each, "name", None),
)  # fmt: skip
def test_a_fused_operator(read_onnx, made, ops):
    arrays = {"v": VECTOR, "m": np.ones((5, 8), np.float32)}
    graph = read_onnx([made], {"x": ROWS}, initializers=arrays)
    assert [n.op for n in graph.nodes] == ops


@pytest.mark.parametrize(
    ("settings", "ops"),
    [
        ({"activation": "Relu"}, ["conv", "relu"]),
        ({"activation": "Clip", "activation_params": [0.0, 6.0]}, ["conv", "relu6"]),
        ({}, ["conv"]),
    ],
)
def test_a_convolution_with_its_activation(read_onnx, settings, ops):
    weight = {"w": np.ones((4, 3, 1, 1), np.float32), "b": np.ones(4, np.float32)}
    graph = read_onnx(
        [node("FusedConv", ["x", "w", "b"], **settings)], {"x": (1, 3, 4, 4)}, initializers=weight
    )
    assert [n.op for n in graph.nodes] == ops


def test_a_convolution_with_a_sum(read_onnx):
    weight = {"w": np.ones((4, 4, 1, 1), np.float32), "b": np.ones(4, np.float32)}
    made = node("FusedConv", ["x", "w", "b", "x"], activation="Relu")
    graph = read_onnx([made], {"x": (1, 4, 4, 4)}, initializers=weight)
    assert [n.op for n in graph.nodes] == ["conv", "add", "relu"]


def test_attention_with_its_linear_layer(read_onnx):
    arrays = {"w": np.ones((8, 24), np.float32), "b": np.ones(24, np.float32)}
    graph = read_onnx(
        [node("Attention", ["x", "w", "b"], num_heads=2)], {"x": ROWS}, initializers=arrays
    )
    assert graph.tensors["y"].shape == ROWS
    assert [n.op for n in graph.nodes if n.op in ("linear", "attention")] == ["linear", "attention"]
    assert count(graph).macs == 6 * 8 * 24 + 2 * 6 * 6 * 8


def test_attention_of_several_heads(read_onnx):
    made = node("MultiHeadAttention", ["x", "x", "x"], num_heads=2)
    graph = read_onnx([made], {"x": ROWS})
    assert graph.tensors["y"].shape == ROWS
    assert count(graph).macs == 2 * 6 * 6 * 8
