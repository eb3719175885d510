from __future__ import annotations

from dataclasses import fields, replace

import pytest

from latprof.kernel import COLUMNS, Kernel, labels

CONV = Kernel(
    name="conv", op="conv", in_channels=3, in_height=224, in_width=224, out_channels=32,
    out_height=112, out_width=112, kernel_height=3, kernel_width=3, stride_height=2,
    stride_width=2, nodes=("conv", "norm"), module="features.0",
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "3→32 ch, 224²→112², 3×3/2"),
        ({"op": "depthwise", "in_channels": 32}, "32 ch, 224²→112², 3×3/2"),
        (
            {"op": "pointwise", "kernel_height": 1, "kernel_width": 1, "stride_height": 1,
             "stride_width": 1, "out_height": 224, "out_width": 224},
            "3→32 ch, 224², 1×1",
        ),
        ({"kernel_height": 1, "kernel_width": 7}, "3→32 ch, 224²→112², 1×7/2"),
        ({"stride_height": 1}, "3→32 ch, 224²→112², 3×3/2"),
        ({"in_width": 160, "out_width": 80}, "3→32 ch, 224×160→112×80, 3×3/2"),
        ({"op": "grouped", "groups": 4}, "3→32 ch, 224²→112², 3×3/2, 4 groups"),
        ({"dilation": 2}, "3→32 ch, 224²→112², 3×3/2, dilation 2"),
    ],
)  # fmt: skip
def test_a_convolution_says_its_shape_as_a_person_would(changes, text):
    assert replace(CONV, **changes).shape_text == text


def test_what_has_no_window_shows_none():
    relu = Kernel("relu", "relu", in_channels=16, out_channels=16, in_height=7, in_width=7,
                  out_height=7, out_width=7)  # fmt: skip
    assert relu.shape_text == "16 ch, 7²"


def test_a_product_says_rows_inner_and_columns():
    linear = Kernel("fc", "linear", in_channels=1280, out_channels=1000, in_height=1, out_height=1)
    assert linear.shape_text == "1×1280 · →1000"
    heads = Kernel("qk", "matmul", batch=3, in_channels=64, out_channels=197, out_height=197)
    assert heads.shape_text == "591×64 · →197"


def test_bytes_moved_are_read_and_written():
    assert replace(CONV, bytes_read=100, bytes_written=50).bytes_moved == 150


def test_columns_are_all_fields_but_the_names():
    assert set(COLUMNS) == {f.name for f in fields(Kernel)} - {"name", "nodes", "module"}


@pytest.mark.parametrize("changes", [{"name": "other"}, {"nodes": ()}, {"module": "classifier"}])
def test_where_a_kernel_stands_does_not_change_its_signature(changes):
    assert replace(CONV, **changes).signature == CONV.signature


@pytest.mark.parametrize("column", COLUMNS)
def test_everything_else_does(column):
    value = getattr(CONV, column)
    other = not value if isinstance(value, bool) else value * 2 + type(value)(1)
    assert replace(CONV, **{column: other}).signature != CONV.signature


def test_equal_kernels_may_compute_other_nodes():
    assert replace(CONV, nodes=(), module="") == CONV
    assert replace(CONV, name="other") != CONV


def test_a_label_is_the_module_where_it_wrote_one_kernel_only():
    kernels = [replace(CONV, name="a", module="stem"), replace(CONV, name="b", module="head")]
    assert labels(kernels) == ("stem", "head")


def test_labels_tell_kernels_of_one_module_apart():
    kernels = [
        replace(CONV, name="conv", module="block"),
        replace(CONV, name="relu", op="relu", module="block"),
        replace(CONV, name="relu/reorder_output", op="reorder_output", module="block"),
        replace(CONV, name="loose", module=""),
    ]
    assert labels(kernels) == ("block:conv", "block:relu", "block/reorder_output", "loose")
