"""Arithmetic on shapes is done while reading; weights are left alone."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from latprof.errors import ShapeMismatch, UnreadableModel

node = helper.make_node


def reshaped(read_onnx, nodes, **constants):
    """Shape of what a Reshape to `s` gives, once `nodes` have computed it."""
    arrays = {name: np.asarray(value) for name, value in constants.items()}
    graph = read_onnx(
        [*nodes, node("Reshape", ["x", "s"], ["y"])], {"x": (2, 3, 4, 4)}, initializers=arrays
    )
    assert [n.op for n in graph.nodes] == ["reshape"]
    assert [t for t in graph.tensors.values() if t.is_weight] == []
    return graph.tensors["y"].shape


def test_flattening_as_torch_writes_it(read_onnx):
    nodes = [
        node("Shape", ["x"], ["shape"]),
        node("Gather", ["shape", "zero"], ["batch"]),
        node("Unsqueeze", ["batch", "axis"], ["lead"]),
        node("Concat", ["lead", "rest"], ["s"], axis=0),
    ]
    assert reshaped(read_onnx, nodes, zero=0, axis=[0], rest=[-1]) == (2, 48)


def test_sizes_are_divided_towards_zero(read_onnx):
    nodes = [
        node("Shape", ["x"], ["shape"], start=1, end=2),
        node("Div", ["shape", "two"], ["half"]),
        node("Mul", ["half", "minus"], ["negative"]),
        node("Div", ["negative", "two"], ["quarter"]),
        node("Sub", ["one", "quarter"], ["lead"]),
        node("Concat", ["lead", "rest"], ["s"], axis=0),
    ]
    constants = {"two": [2], "minus": [-1], "one": [1], "rest": [96]}
    assert reshaped(read_onnx, nodes, **constants) == (1, 96)  # 3 // 2 = 1; -1 / 2 = 0


def test_reshape_copies_sizes_marked_zero(read_onnx):
    assert reshaped(read_onnx, [], s=[0, -1, 8]) == (2, 6, 8)


def test_a_resize_by_computed_scales(read_onnx):
    nodes = [
        node("Concat", ["ones", "twice"], ["scales"], axis=0),
        node("Resize", ["x", "", "scales"], ["y"], mode="nearest"),
    ]
    scales = {"ones": np.ones(2, np.float32), "twice": np.full(2, 2, np.float32)}
    graph = read_onnx(nodes, {"x": (1, 3, 5, 5)}, initializers=scales)
    assert graph.tensors["y"].shape == (1, 3, 10, 10)
    assert graph.nodes[0].attributes["size"] == (10, 10)


def test_weights_are_not_numbers_to_fold(read_onnx):
    nodes = [node("Unsqueeze", ["bias", "axis"], ["b"]), node("Add", ["x", "b"], ["y"])]
    arrays = {"bias": np.ones(16, np.float32), "axis": np.array([0])}
    graph = read_onnx(nodes, {"x": (2, 16)}, initializers=arrays)
    (stored,) = [t for t in graph.tensors.values() if t.is_weight]
    assert (stored.name, stored.role, stored.shape, stored.values) == (
        "bias", "parameter", (1, 16), None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("op", "constants", "why"),
    [
        ("Div", {"a": [1], "b": [0]}, "division by zero"),
        ("Add", {"a": [1, 2], "b": [1, 2, 3]}, "do not fit each other"),
        ("Gather", {"a": [1, 2], "b": [7]}, "cannot be computed from its constants"),
        ("Range", {"a": 0, "b": 5, "c": 0}, "steps of zero"),
    ],
)
def test_nonsense_is_refused(read_onnx, op, constants, why):
    with pytest.raises(ShapeMismatch, match=why):
        reshaped(read_onnx, [node(op, list(constants), ["s"])], **constants)


@pytest.mark.parametrize(
    ("op", "constants"),
    [
        ("Expand", {"a": [4], "b": [2**40]}),
        ("Tile", {"a": [4], "b": [2**40]}),
        ("ConstantOfShape", {"a": [2**40]}),
        ("Range", {"a": 0, "b": 2**62, "c": 1}),
    ],
)
def test_what_would_fill_the_memory_is_not_computed(read_onnx, op, constants):
    with pytest.raises(UnreadableModel, match="not a short list of numbers"):
        reshaped(read_onnx, [node(op, list(constants), ["s"])], **constants)


def test_arithmetic_ends(read_onnx):
    chain = [node("Add", [f"a{i}", f"a{i}"], [f"a{i + 1}"]) for i in range(6000)]
    with pytest.raises(UnreadableModel, match="too much arithmetic"):
        read_onnx(
            [*chain, node("Add", ["x", "a6000"], ["y"])], {"x": (4096, "int64")},
            initializers={"a0": np.zeros(4096, np.int64)},
        )  # fmt: skip
