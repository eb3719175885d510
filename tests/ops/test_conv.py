from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from latprof.errors import ShapeMismatch
from latprof.ops import OPS
from latprof.ops.conv import conv_macs, conv_out_size


def macs(call):
    return OPS[call.node.op].macs(call)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "dilation", "pads", "out"),
    [
        (224, 3, 2, 1, (1, 1), 112),  # (226 - 3) // 2 + 1
        (7, 3, 1, 1, (0, 0), 5),
        (7, 1, 2, 1, (0, 0), 4),  # pixels 0, 2, 4, 6
        (8, 3, 2, 1, (0, 1), 4),  # TensorFlow's "same" pads behind only
        (7, 3, 1, 2, (0, 0), 3),  # reaches over 5
        (5, 3, 1, 2, (2, 2), 5),
        (3, 3, 1, 1, (0, 0), 1),
    ],
)
def test_output_size(size, kernel, stride, dilation, pads, out):
    assert conv_out_size(size, kernel, stride, dilation, pads) == out


def test_a_kernel_larger_than_the_map_asks_for_a_larger_input():
    with pytest.raises(ShapeMismatch, match=r"reaching over 5 pixels .* padded size of 4.*larger"):
        conv_out_size(2, 3, 1, 2, (1, 1))


def test_macs_of_the_mobilenet_stem():
    # 32 channels of 112² outputs, each a product over 3×3×3: 10.8 M.
    assert (
        conv_macs(
            batch=1, out_channels=32, out_pixels=112 * 112, in_channels=3, kernel_pixels=9, groups=1
        )
        == 32 * 12_544 * 27
        == 10_838_016
    )


@pytest.mark.parametrize(
    ("x", "weight", "settings", "out", "expected"),
    [
        # dense: 4·3·3 outputs of 2·3·3 products
        ((1, 2, 5, 5), (4, 2, 3, 3), {}, (1, 4, 3, 3), 36 * 18),
        # two images cost twice as much
        ((2, 2, 5, 5), (4, 2, 3, 3), {}, (2, 4, 3, 3), 2 * 36 * 18),
        # two groups: each output sees half the channels
        ((1, 4, 5, 5), (6, 2, 3, 3), {"groups": 2}, (1, 6, 3, 3), 54 * 18),
        # depthwise: each output sees its own channel
        ((1, 4, 5, 5), (4, 1, 3, 3), {"groups": 4}, (1, 4, 3, 3), 36 * 9),
        # depthwise with a multiplier of two
        ((1, 4, 5, 5), (8, 1, 3, 3), {"groups": 4}, (1, 8, 3, 3), 72 * 9),
        # a stride of two on a padded 5² map: 3² outputs
        (
            (1, 2, 5, 5),
            (4, 2, 3, 3),
            {"stride": (2, 2), "padding": ((1, 1), (1, 1))},
            (1, 4, 3, 3),
            36 * 18,
        ),
        # dilation widens the reach, not the cost of an output
        ((1, 2, 5, 5), (4, 2, 3, 3), {"dilation": (2, 2)}, (1, 4, 1, 1), 4 * 18),
        # 1×7 of Inception-v3, padded along the width alone
        (
            (1, 2, 5, 9),
            (3, 2, 1, 7),
            {"padding": ((0, 0), (3, 3))},
            (1, 3, 5, 9),
            3 * 45 * 14,
        ),
        # strides of two sizes
        ((1, 1, 6, 6), (1, 1, 2, 2), {"stride": (2, 1)}, (1, 1, 3, 5), 15 * 4),
        # pads of two sizes: 4 + 0 + 1 and 4 + 2 + 0
        ((1, 1, 4, 4), (1, 1, 3, 3), {"padding": ((0, 1), (2, 0))}, (1, 1, 3, 4), 12 * 9),
        # one spatial axis, and three
        ((1, 2, 8), (4, 2, 3), {}, (1, 4, 6), 24 * 6),
        ((1, 2, 3, 4, 5), (4, 2, 1, 2, 3), {}, (1, 4, 3, 3, 3), 108 * 12),
    ],
)
def test_convolutions(call_of, x, weight, settings, out, expected):
    call = call_of("conv", x, weight, **settings)
    assert call.outputs[0].shape == out
    assert macs(call) == expected


def test_a_bias_is_an_addition_an_output_and_no_mac(call_of):
    plain = call_of("conv", (1, 2, 5, 5), (4, 2, 3, 3))
    biased = call_of("conv", (1, 2, 5, 5), (4, 2, 3, 3), (4,))
    assert macs(plain) == macs(biased)
    assert OPS["conv"].elementwise_ops(plain) == 0
    assert OPS["conv"].elementwise_ops(biased) == 4 * 3 * 3


@pytest.mark.parametrize(
    ("weight", "groups", "said"),
    [
        ((4, 3, 3, 3), 1, r"2 input channels, but the weight of shape \(4, 3, 3, 3\) .* takes 3"),
        ((4, 2, 3, 3), 2, r"with 2 groups takes 4"),
        ((3, 1, 3, 3), 2, r"3 output channels do not make 2 groups"),
        ((4, 2, 3), 1, r"cannot take inputs of shape \(1, 2, 5, 5\), \(4, 2, 3\)"),
    ],
)
def test_weights_that_do_not_fit_are_named(call_of, weight, groups, said):
    with pytest.raises(ShapeMismatch, match=said):
        call_of("conv", (1, 2, 5, 5), weight, groups=groups)


def test_a_convolution_without_a_weight_says_what_it_lacks(call_of):
    with pytest.raises(ShapeMismatch, match=r"node 'node' \(conv\) lacks its input number 1"):
        call_of("conv", (1, 2, 5, 5))


@pytest.mark.parametrize(
    ("x", "weight", "settings", "out", "expected"),
    [
        # each of 2·3·3 inputs is spread over 4 channels of 2×2
        ((1, 2, 3, 3), (2, 4, 2, 2), {"stride": (2, 2)}, (1, 4, 6, 6), 18 * 4 * 4),
        # padding cuts the edges off: (3 - 1)·2 - 2 + 2 + 1
        (
            (1, 2, 3, 3),
            (2, 4, 3, 3),
            {"stride": (2, 2), "padding": ((1, 1), (1, 1))},
            (1, 4, 5, 5),
            18 * 4 * 9,
        ),
        # output padding adds one row and column
        (
            (1, 2, 3, 3),
            (2, 4, 3, 3),
            {"stride": (2, 2), "padding": ((1, 1), (1, 1)), "output_padding": (1, 1)},
            (1, 4, 6, 6),
            18 * 4 * 9,
        ),
        # two groups: an input reaches the 3 output channels of its own
        ((1, 4, 3, 3), (4, 3, 2, 2), {"groups": 2}, (1, 6, 4, 4), 36 * 3 * 4),
    ],
)
def test_transposed_convolutions(call_of, x, weight, settings, out, expected):
    call = call_of("conv_transpose", x, weight, **settings)
    assert call.outputs[0].shape == out
    assert macs(call) == expected


def test_a_transposed_convolution_takes_the_channels_of_its_weight(call_of):
    with pytest.raises(ShapeMismatch, match=r"3 input channels, but the weight .* takes 2"):
        call_of("conv_transpose", (1, 3, 3, 3), (2, 4, 2, 2))


axis = st.tuples(
    st.integers(1, 12), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(0, 3)
)  # size, kernel, stride, dilation, pad


@given(
    axes=st.lists(axis, min_size=1, max_size=3),
    groups=st.integers(1, 3),
    per_group=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    batch=st.integers(1, 2),
)
def test_a_convolution_has_the_shape_torch_gives_it(call_of, axes, groups, per_group, batch):
    sizes, kernel, stride, dilation, pads = zip(*axes, strict=True)
    assume(all(s + 2 * p >= d * (k - 1) + 1 for s, k, _, d, p in axes))
    x = (batch, groups * per_group[0], *sizes)
    weight = (groups * per_group[1], per_group[0], *kernel)
    call = call_of(
        "conv", x, weight,
        stride=stride, dilation=dilation, padding=[(p, p) for p in pads], groups=groups,
    )  # fmt: skip
    convolve = (torch.conv1d, torch.conv2d, torch.conv3d)[len(axes) - 1]
    there = convolve(
        torch.empty(x, device="meta"), torch.empty(weight, device="meta"), None,
        stride, pads, dilation, groups,
    )  # fmt: skip
    assert call.outputs[0].shape == tuple(there.shape)


@given(
    axes=st.lists(axis, min_size=1, max_size=3),
    groups=st.integers(1, 3),
    per_group=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    data=st.data(),
)
def test_a_transposed_convolution_has_the_shape_torch_gives_it(
    call_of, axes, groups, per_group, data
):
    sizes, kernel, stride, dilation, pads = zip(*axes, strict=True)
    extra = tuple(
        data.draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True)
    )
    x = (1, groups * per_group[0], *sizes)
    weight = (groups * per_group[0], per_group[1], *kernel)
    outs = [(s - 1) * t - 2 * p + d * (k - 1) + e + 1
            for (s, k, t, d, p), e in zip(axes, extra, strict=True)]  # fmt: skip
    assume(min(outs) >= 1)
    call = call_of(
        "conv_transpose", x, weight, stride=stride, dilation=dilation,
        padding=[(p, p) for p in pads], output_padding=extra, groups=groups,
    )  # fmt: skip
    turn = (torch.conv_transpose1d, torch.conv_transpose2d, torch.conv_transpose3d)[len(axes) - 1]
    there = turn(
        torch.empty(x, device="meta"), torch.empty(weight, device="meta"), None,
        stride, pads, extra, groups, dilation,
    )  # fmt: skip
    assert call.outputs[0].shape == tuple(there.shape)
