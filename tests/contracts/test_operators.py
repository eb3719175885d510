"""What holds for every operator: a new one needs an example here, and is tested with it."""

from __future__ import annotations

from typing import get_args

import pytest

from latprof.errors import BadReference, ShapeMismatch
from latprof.fusion.launches import Launch, kernel_of
from latprof.graph import Call, Node
from latprof.ops import OPS, infer_shapes, register
from latprof.ops.elementwise import ACTIVATION_OPS_PER_ELEMENT, BINARY, TERNARY_OPS_PER_ELEMENT
from latprof.ops.spec import Family

MAP, ROWS = (1, 8, 6, 6), (2, 5, 12)

# Input shapes and attributes of a call that each operator takes.
EXAMPLES = {
    "conv": ([MAP, (4, 8, 3, 3), (4,)], {}),
    "conv_transpose": ([MAP, (8, 4, 3, 3), (4,)], {}),
    "linear": ([ROWS, (7, 12), (7,)], {}),
    "matmul": ([ROWS, (2, 12, 7)], {}),
    "attention": ([ROWS, ROWS, ROWS], {}),
    "batch_norm": ([MAP, (8,), (8,), (8,), (8,)], {"eps": 1e-5}),
    "layer_norm": ([ROWS, (12,), (12,)], {"axes": 1, "eps": 1e-5}),
    "group_norm": ([MAP, (8,), (8,)], {"groups": 2, "eps": 1e-5}),
    "instance_norm": ([MAP, (8,), (8,)], {"eps": 1e-5}),
    "rms_norm": ([ROWS, (12,)], {"axes": 1, "eps": 1e-5}),
    **{op: ([MAP], {}) for op in ACTIVATION_OPS_PER_ELEMENT},
    **{op: ([MAP, (8, 1, 1)], {}) for op in BINARY},
    **{op: ([MAP, MAP, ()], {}) for op in ("where", *TERNARY_OPS_PER_ELEMENT)},
    "glu": ([MAP], {"axis": 1}),
    "einsum": ([ROWS, (2, 12, 7)], {"equation": "bij,bjk->bik"}),
    **{op: ([ROWS], {"hidden_size": 4}) for op in ("lstm", "gru", "rnn")},
    "local_response_norm": ([MAP], {"size": 5}),
    "l2_norm": ([MAP], {"axes": (1,)}),
    **{op: ([MAP], {}) for op in ("quantize", "dequantize")},
    **{op: ([MAP], {"axis": 1}) for op in ("sort", "argsort", "kth_value", "cumsum", "cumprod")},
    "topk": ([ROWS], {"k": 3, "axis": -1}),
    "searchsorted": ([(9,), MAP], {}),
    "nonzero": ([MAP], {}),
    "nms": ([(20, 4), (20,)], {"max_outputs": 5}),
    "roi_align": ([MAP, (3, 5)], {"output_size": (2, 2)}),
    "grid_sample": ([MAP, (1, 3, 4, 2)], {"mode": "linear"}),
    **{op: ([MAP], {"kernel": (2, 2)}) for op in ("max_pool", "avg_pool")},
    **{
        op: ([MAP], {"output_size": (1, 1)}) for op in ("adaptive_avg_pool", "adaptive_max_pool")
    },
    **{
        op: ([MAP], {"axes": (2, 3)})
        for op in ("mean", "sum", "max", "min", "prod", "argmax", "argmin", "norm", "var",
                   "std", "all", "any", "logsumexp")
    },
    **{op: ([ROWS], {"axis": 2}) for op in ("softmax", "log_softmax")},
    "identity": ([MAP], {}),
    "copy": ([MAP], {}),
    "reshape": ([MAP], {"shape": (1, -1)}),
    "expand": ([(8, 1, 1)], {"shape": (8, 6, 6)}),
    "transpose": ([ROWS], {"order": (0, 2, 1)}),
    "channel_shuffle": ([MAP], {"groups": 2}),
    "concat": ([MAP, MAP], {"axis": 1}),
    "stack": ([MAP, MAP], {"axis": 0}),
    "split": ([MAP], {"axis": 1, "sizes": (3, 5)}),
    "slice": ([MAP], {"axis": 1, "start": 0, "stop": 4, "step": 1}),
    "select": ([MAP], {"axis": 1, "index": 0}),
    "unbind": ([MAP], {"axis": 1}),
    "pad": ([MAP], {"padding": ((0, 0), (0, 0), (1, 1), (1, 1)), "mode": "constant"}),
    "resize": ([MAP], {"size": (12, 12), "mode": "nearest"}),
    "embedding": ([(100, 12), (2, 5)], {}),
    "gather": ([MAP, (3,)], {"axis": 1}),
    "gather_nd": ([MAP, (3,), (3,)], {"axes": (2, 3)}),
    "take_along": ([MAP, (1, 8, 6, 2)], {"axis": 3}),
    "scatter": ([MAP, (1, 8, 6, 2), (1, 8, 6, 2)], {"axis": 3}),
    "one_hot": ([(2, 5)], {"depth": 10}),
    "tile": ([MAP], {"repeats": (1, 1, 2, 2)}),
    "repeat": ([MAP], {"axis": 1, "repeats": 2}),
    "trilu": ([ROWS], {"upper": True, "diagonal": 0}),
    "unfold": ([MAP], {"kernel": (3, 3)}),
    "fold": ([(1, 72, 16)], {"kernel": (3, 3), "output_size": (6, 6)}),
    "write": ([MAP, (1, 2, 6, 6)], {}),
    "as_strided": ([MAP], {"shape": (3, 4), "strides": (4, 1), "offset": 0}),
    "windows": ([MAP], {"axis": 3, "size": 3, "step": 2}),
}  # fmt: skip
ARITHMETIC = {"convolution", "matmul", "recurrent"}
MOVES = {"movement", "view"}


def test_every_operator_has_an_example():
    assert EXAMPLES.keys() == OPS.keys()


@pytest.fixture(params=EXAMPLES)
def example(request, call_of):
    shapes, attributes = EXAMPLES[request.param]
    return call_of(request.param, *shapes, **attributes)


def test_an_operator_has_a_name_and_a_family(example):
    spec = OPS[example.node.op]
    assert spec.name == example.node.op
    assert spec.family in get_args(Family)


def test_shapes_are_tuples_of_sizes(example):
    for shape in infer_shapes(example):
        assert isinstance(shape, tuple)
        assert all(type(size) is int and size >= 0 for size in shape)


def test_costs_are_whole_numbers_of_the_right_kind(example):
    spec = OPS[example.node.op]
    macs, elementwise = spec.macs(example), spec.elementwise_ops(example)
    assert type(macs) is type(elementwise) is int
    assert (macs > 0) == (spec.family in ARITHMETIC)
    if spec.family in MOVES:
        assert elementwise == 0
    elif spec.family not in ARITHMETIC:
        assert elementwise > 0


def test_bytes_are_moved_unless_it_is_a_view(example):
    spec = OPS[example.node.op]
    moves = spec.family != "view"
    assert (spec.bytes_read(example) > 0) == (spec.bytes_written(example) > 0) == moves


def test_an_operator_makes_a_kernel(example):
    kernel = kernel_of(Launch.of(example))
    spec = OPS[example.node.op]
    assert (kernel.macs, kernel.elementwise_ops) == (
        spec.macs(example), spec.elementwise_ops(example),
    )  # fmt: skip
    assert kernel.bytes_moved == spec.bytes_read(example) + spec.bytes_written(example)
    sizes = ("batch", "in_channels", "in_height", "in_width", "out_channels", "out_height",
             "out_width", "kernel_height", "stride_width", "dilation", "groups")  # fmt: skip
    assert all(type(getattr(kernel, size)) is int and getattr(kernel, size) > 0 for size in sizes)
    assert kernel.shape_text


def test_without_its_inputs_an_operator_says_what_it_lacks(example):
    bare = Call(Node("bare", example.node.op, (), (), example.attributes), (), ())
    with pytest.raises(ShapeMismatch, match=r"node 'bare' .* lacks its input number [01]"):
        infer_shapes(bare)


def test_an_operator_cannot_be_registered_again(example):
    with pytest.raises(BadReference, match="is registered already"):
        register(OPS[example.node.op])
