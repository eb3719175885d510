from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latprof.errors import LatprofError, MeasurementError
from latprof.kernel import Kernel
from latprof.runtimes.onnxruntime_profile import kernel_times
from latprof.runtimes.protocol import Stray

# One blocked convolution between its reorders, and a hard_swish that ONNX Runtime writes out as
# two nodes of its own naming.
KERNELS = (
    Kernel("x/reorder_input", "reorder_input", in_channels=20, in_height=7, in_width=7,
           nodes=("x/reorder_input",)),
    Kernel("conv", "conv", activation="relu", nodes=("conv", "norm", "relu")),
    Kernel("relu/reorder_output", "reorder_output", in_channels=32, in_height=7, in_width=7,
           nodes=("relu/reorder_output",)),
    Kernel("swish", "hard_swish", in_channels=32, in_height=7, in_width=7, nodes=("swish",)),
    Kernel("fc", "linear", activation="relu", nodes=("fc", "relu_1")),
)  # fmt: skip


def node_time(launch: str, duration_us: object, op: str = "", **shapes: list[int]) -> dict:
    """An event, made by hand after the format of ONNX Runtime 1.31's profiles."""
    args = {"op_name": op, "provider": "CPUExecutionProvider", "node_index": "3"}
    args |= {f"{side}_type_shape": [{"float": shape}] for side, shape in shapes.items()}
    return {"cat": "Node", "pid": 4711, "tid": 4711, "ts": 17, "ph": "X", "args": args,
            "dur": duration_us, "name": f"{launch}_kernel_time"}  # fmt: skip


def one_run(scale: int = 1) -> list[dict]:
    """What one run leaves behind; ReorderInput pads its 20 channels to 32, a block of 16 each."""
    plain, padded, inner = [1, 20, 7, 7], [1, 32, 7, 7], [1, 32, 7, 7]
    return [
        {"cat": "Session", "name": "model_run", "dur": 999, "args": {}},
        node_time("ReorderInput_token_8", 2 * scale, "ReorderInput", input=plain, output=padded),
        node_time("norm_nchwc", 40 * scale, "Conv", input=padded, output=inner),
        node_time("ReorderOutput_token_9", 3 * scale, "ReorderOutput", input=inner, output=inner),
        node_time("HardSigmoid_41", 4 * scale, "HardSigmoid", input=inner, output=inner),
        node_time("Mul_42", 5 * scale, "Mul", input=inner, output=inner),
        node_time("fused fc", 6 * scale, "FusedGemm", input=[1, 32], output=[1, 10]),
    ]


def test_launches_find_their_kernels():
    found, unmatched = kernel_times(one_run(), KERNELS)

    assert unmatched == ()
    assert [(k.kernel.name, k.times_ms, k.launches) for k in found] == [
        ("x/reorder_input", (0.002,), 1),
        ("conv", (0.040,), 1),
        ("relu/reorder_output", (0.003,), 1),
        ("swish", (pytest.approx(0.009),), 2),  # 4 µs of HardSigmoid and 5 µs of Mul
        ("fc", (0.006,), 1),
    ]


def test_each_run_has_its_own_time():
    found, _ = kernel_times(one_run(1) + one_run(10) + one_run(2), KERNELS)

    assert found[1].times_ms == (0.040, 0.400, 0.080)
    assert found[3].times_ms == pytest.approx((0.009, 0.090, 0.018))


def test_reorders_of_one_shape_are_told_apart_by_their_order():
    reorders = [
        Kernel(
            name,
            "reorder_output",
            in_channels=16,
            in_height=3,
            in_width=3,
            out_channels=16,
            out_height=3,
            out_width=3,
        )
        for name in ("first", "second")
    ]
    shape = [1, 16, 3, 3]
    events = [
        node_time("ReorderOutput_token_5", 7, "ReorderOutput", output=shape),
        node_time("ReorderOutput_token_1", 8, "ReorderOutput", output=shape),
    ]

    found, _ = kernel_times(events, reorders)

    assert [(k.kernel.name, k.times_ms) for k in found] == [
        ("first", (0.007,)),
        ("second", (0.008,)),
    ]


def test_a_reorder_of_rows_is_found_although_its_shape_has_no_pixels():
    kernel = Kernel("x/reorder_input", "reorder_input", in_channels=64)
    event = node_time("ReorderInput", 1, "ReorderInput", input=[1, 64], output=[1, 64])

    found, unmatched = kernel_times([event], [kernel])

    assert [k.kernel for k in found] == [kernel]
    assert unmatched == ()


def test_a_function_written_out_in_blocks_shows_the_channels_of_whole_blocks():
    kernel = Kernel("swish", "hard_swish", in_channels=72, in_height=7, in_width=7,
                    layout="blocked", nodes=("swish",))  # fmt: skip
    shape = [1, 80, 7, 7]  # five blocks of 16
    events = [
        node_time("HardSigmoid_1", 4, "HardSigmoid", input=shape, output=shape),
        node_time("Mul_2", 5, "Mul", input=shape, output=shape),
    ]

    found, unmatched = kernel_times(events, [kernel])

    assert [(k.kernel, k.times_ms) for k in found] == [(kernel, (pytest.approx(0.009),))]
    assert unmatched == ()


def test_a_launch_that_fits_no_kernel_is_listed():
    events = [
        *one_run(),
        node_time("Transpose_77", 5, "Transpose", output=[1, 7, 7, 20]),
        node_time("ReorderOutput_token_3", 5, "ReorderOutput", output=[1, 48, 7, 7]),
        node_time("HardSigmoid_99", 5, "HardSigmoid", output=[1, 32, 7, 7]),  # its own is taken
    ]

    found, unmatched = kernel_times(events, KERNELS)

    assert len(found) == len(KERNELS)
    assert tuple(map(str, unmatched)) == (
        "Transpose_77 (Transpose)",
        "ReorderOutput_token_3 (ReorderOutput)",
        "HardSigmoid_99 (HardSigmoid)",
    )


def test_a_kernel_that_did_not_run_is_left_out():
    found, _ = kernel_times(one_run()[:3], KERNELS)

    assert [k.kernel.name for k in found] == ["x/reorder_input", "conv"]


def test_inner_steps_belong_to_their_node():
    """Softmax and friends that the writer puts in for one node are named node/step."""
    kernel = Kernel("/block/attention", "attention", nodes=("/block/attention",))
    events = [
        node_time("/block/attention/scores", 3, "MatMul"),
        node_time("/block/attention/softmax", 4, "Softmax"),
        node_time("/block/attention", 5, "MatMul"),
    ]

    found, unmatched = kernel_times(events, [kernel])

    assert [(k.times_ms, k.launches) for k in found] == [((pytest.approx(0.012),), 3)]
    assert unmatched == ()


def test_a_node_may_be_named_like_what_the_runtime_adds_to_names():
    kernels = [
        Kernel("layer1", "conv", nodes=("layer1",)),
        Kernel("layer1_bn", "batch_norm", nodes=("layer1_bn",)),
    ]
    found, _ = kernel_times([node_time("layer1", 30), node_time("layer1_bn", 2)], kernels)

    assert [(k.kernel.name, k.times_ms) for k in found] == [
        ("layer1", (0.03,)),
        ("layer1_bn", (0.002,)),
    ]


@pytest.mark.parametrize(
    "event",
    [
        None,
        7,
        "model_run",
        [],
        {},
        {"cat": "Node"},
        {"cat": "Node", "name": 12, "dur": 3},
        {"cat": ["Node"], "name": "conv_kernel_time", "dur": 3},
        {"cat": "Session", "name": "conv_kernel_time", "dur": 3},
        {"cat": "Node", "name": "conv_fence_before", "dur": 3},
    ],
)
def test_what_is_no_node_time_is_skipped(event):
    assert kernel_times([event], KERNELS) == ((), ())


@pytest.mark.parametrize("args", [None, 5, [], {}, {"op_name": 3, "output_type_shape": "1x3"}])
def test_a_node_time_without_details_still_counts(args):
    found, unmatched = kernel_times(
        [node_time("conv", 3) | {"args": args}, node_time("odd", 3) | {"args": args}], KERNELS
    )

    assert [k.times_ms for k in found] == [(0.003,)]
    assert [launch.name for launch in unmatched] == ["odd"]


@pytest.mark.parametrize(
    "duration", [None, "3", True, [], {}, -1, math.nan, math.inf, -math.inf, 10**400]
)
def test_a_node_without_a_time_makes_the_profile_worthless(duration):
    with pytest.raises(MeasurementError, match=r"'conv' took .* µs; measure again"):
        kernel_times([node_time("conv", duration)], KERNELS)


def test_a_profile_that_is_no_list_is_refused():
    with pytest.raises(MeasurementError, match=r"profile is int instead of a list"):
        kernel_times(7, KERNELS)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
LAUNCHES = st.sampled_from(["conv", "fused fc", "ReorderInput_token_8", "Mul_42", "/", ""])
OPERATORS = st.sampled_from(["ReorderInput", "ReorderOutput", "HardSigmoid", "Mul", "Conv"])
SHAPES = ANYTHING | st.lists(st.dictionaries(st.just("float"), ANYTHING | st.lists(ANYTHING)))
NEARLY_EVENTS = st.fixed_dictionaries(
    {
        "cat": st.just("Node") | ANYTHING,
        "name": LAUNCHES.map("{}_kernel_time".format) | ANYTHING,
        "dur": st.integers(0, 100) | ANYTHING,
    },
    optional={
        "args": ANYTHING
        | st.fixed_dictionaries(
            {"op_name": OPERATORS | ANYTHING},
            optional={"input_type_shape": SHAPES, "output_type_shape": SHAPES},
        )
    },
)


@settings(max_examples=400)
@given(st.lists(NEARLY_EVENTS | ANYTHING, max_size=6) | ANYTHING)
def test_whatever_a_profile_holds_only_errors_of_ours_come_out(events):
    try:
        found, unmatched = kernel_times(events, KERNELS)
    except LatprofError:
        return
    times = [time for k in found for time in k.times_ms]
    assert all(0 <= time < math.inf for time in times)
    assert all(isinstance(launch, Stray) for launch in unmatched)


ROWS = (
    Kernel("fc", "linear", in_channels=64, in_height=9, out_channels=8, nodes=("fc",)),
    Kernel("turn", "transpose", in_channels=9, in_width=8, nodes=("turn",)),
)


def product_of_rows(between: list[int]) -> list[dict]:
    """A linear layer on 9 rows as ONNX Runtime 1.31 runs it, then a transpose under a new name."""
    return [
        node_time("gemm_input_reshape", 1, "Reshape", input=[1, 9, 64], output=between),
        node_time("fc/product/MatMulAddFusion", 20, "Gemm", input=[9, 64], output=[9, 8]),
        node_time("gemm_output_reshape_token_4", 2, "Reshape", input=[9, 8], output=[1, 9, 8]),
        node_time("Transpose_token_7", 5, "Transpose", input=[1, 9, 8], output=[1, 8, 9]),
    ]


def test_reshapes_beside_a_product_of_rows_belong_to_it():
    (fc, _), unmatched = kernel_times(product_of_rows([9, 64]), ROWS)
    assert unmatched == ()
    assert (fc.times_ms, fc.launches) == ((pytest.approx(0.023),), 3)


def test_a_reshape_to_other_rows_does_not():
    (fc, _), unmatched = kernel_times(product_of_rows([18, 32]), ROWS)
    assert tuple(map(str, unmatched)) == ("gemm_input_reshape (Reshape)",)
    assert fc.launches == 2


def test_a_transpose_under_a_new_name_is_the_one_that_is_missing():
    (_, turn), _ = kernel_times(product_of_rows([9, 64]), ROWS)
    assert (turn.kernel.name, turn.times_ms) == ("turn", (0.005,))


def test_two_new_transposes_for_one_missing_are_left_unmatched():
    second = node_time("Transpose_token_9", 5, "Transpose", input=[1, 9, 8], output=[1, 8, 9])
    found, unmatched = kernel_times([*product_of_rows([9, 64]), second], ROWS)
    assert [times.kernel.name for times in found] == ["fc"]
    assert tuple(map(str, unmatched)) == (
        "Transpose_token_7 (Transpose)",
        "Transpose_token_9 (Transpose)",
    )


def test_a_reorder_that_stands_for_a_transpose_gives_channels_last():
    kernel = Kernel("transpose", "reorder_output", in_channels=24, in_height=7, in_width=7,
                    out_channels=7, out_height=7, out_width=24, nodes=("transpose",))  # fmt: skip
    details = {"op_name": "ReorderOutput", "output_type_shape": [{"float": [1, 7, 7, 24]}]}
    event = {"cat": "Node", "name": "ReorderOutput_kernel_time", "dur": 5, "args": details}
    found, strays = kernel_times([event], [kernel])
    assert [(k.kernel.name, k.times_ms) for k in found] == [("transpose", (0.005,))]
    assert strays == ()
