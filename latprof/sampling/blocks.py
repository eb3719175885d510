"""The blocks of light networks, each a few lines on a builder of small networks.

A block takes the name of a feature map and gives the name of the next.

References
----------
MobileNetV1 (arXiv 1704.04861), V2 (1801.04381), V3 (1905.02244), ShuffleNet v1 (1707.01083) and
v2 (1807.11164), SE (1709.01507), ResNet (1512.03385), ResNeXt (1611.05431), Inception v1
(1409.4842) and v3 (1512.00567), SqueezeNet (1602.07360), DenseNet (1608.06993), U-Net (1505.04597).
"""

from __future__ import annotations

import random
from collections.abc import Callable

from latprof.sampling.net import Net
from latprof.sampling.tokens import (
    layer_norm,
    linear,
    map_attention,
    next_unit,
    to_tokens,
    transformer,
)

Block = Callable[[Net, str], str]


def near_width(net: Net, x: str) -> int:
    """A channel count such as real networks step to from that of `x`."""
    factor = net.chance.choice((0.25, 0.5, 0.5, 0.75, 1, 1, 1, 1.5, 2, 2, 3))
    return rounded_width(net.chance, net.shape(x)[1] * factor)


def rounded_width(chance: random.Random, channels: float) -> int:
    """Most networks round widths to 8 or 16; searched, pruned and scaled ones do not."""
    step = chance.choice((8, 8, 8, 16, 16, 32, 4, 2, 1))
    return max(step, min(2048, round(channels / step) * step))


def _kernel(net: Net) -> int:
    return net.chance.choices((3, 5, 7, 9, 11), (6, 3, 1.2, 0.3, 0.15))[0]


def _stride(net: Net) -> int:
    return 2 if net.chance.random() < 0.3 else 1


def standard(net: Net, x: str) -> str:
    """A dense convolution."""
    kernel = net.chance.choices((3, 5, 7), (8, 1, 1))[0]
    return net.conv(x, near_width(net, x), kernel, stride=_stride(net))


def pointwise(net: Net, x: str) -> str:
    """A 1×1 convolution, now and then with a stride or without an activation."""
    stride = 2 if net.chance.random() < 0.1 else 1
    activation = "" if net.chance.random() < 0.3 else None
    return net.conv(x, near_width(net, x), 1, stride=stride, activation=activation)


def depthwise(net: Net, x: str) -> str:
    return net.depthwise(x, _kernel(net), _stride(net))


def separable(net: Net, x: str) -> str:
    """Depthwise then pointwise (MobileNetV1)."""
    return net.conv(depthwise(net, x), near_width(net, x))


def rectangular(net: Net, x: str) -> str:
    """1×k then k×1 (Inception-v3)."""
    length = net.chance.choice((3, 5, 7))
    y = net.conv(x, near_width(net, x), (1, length))
    return net.conv(y, near_width(net, x), (length, 1))


def dilated(net: Net, x: str) -> str:
    """An atrous convolution, dense or depthwise (DeepLab)."""
    dilation = net.chance.choice((2, 2, 4))
    if net.chance.random() < 0.5:
        return net.depthwise(x, 3, dilation=dilation)
    return net.conv(x, near_width(net, x), 3, dilation=dilation)


def grouped(net: Net, x: str) -> str:
    """A grouped convolution, 3×3 (ResNeXt) or 1×1 followed by a shuffle (ShuffleNetV1)."""
    channels = net.shape(x)[1]
    groups = net.chance.choice(
        [g for g in (2, 3, 4, 8, 16, 32, 32, 64, 64) if channels % g == 0] or [1]
    )
    wide = max(1, round(near_width(net, x) / groups)) * groups
    if net.chance.random() < 0.5:
        return net.conv(x, wide, 3, stride=_stride(net), groups=groups)
    return shuffle(net, net.conv(x, wide, 1, groups=groups), groups)


def grouped_residual(net: Net, x: str) -> str:
    """Grouped convolutions around a shuffle and a depthwise one, and an addition (ShuffleNetV1)."""
    channels = net.shape(x)[1]
    groups = net.chance.choice([g for g in (2, 3, 4, 8) if channels % g == 0] or [1])
    narrow = max(1, round(channels / 4 / groups)) * groups
    y = shuffle(net, net.conv(x, narrow, groups=groups), groups)
    y = net.conv(y, narrow, 3, groups=narrow, activation="")
    y = net.conv(y, channels, groups=groups, activation="")
    return net.act(net.add(x, y), net.activation)


def swapped_groups(net: Net, x: str) -> str:
    """Reshape, transpose, reshape (a ShuffleNetV1 written for any number of groups)."""
    batch, channels, height, width = net.shape(x)
    groups = net.chance.choice([g for g in (1, 1, 2, 3, 4, 8) if channels % g == 0])
    add = net.builder.add_one
    y = add("reshape", [x], shape=(batch, groups, channels // groups, height, width))
    y = add("transpose", [y], order=(0, 2, 1, 3, 4))
    return add("reshape", [y], shape=(batch, channels, height, width))


def shuffle(net: Net, x: str, groups: int = 2) -> str:
    """A channel shuffle, as readers tell it: one node."""
    if net.shape(x)[1] % groups or 1 in (groups, net.shape(x)[1] // groups):
        return x
    return net.builder.add_one("channel_shuffle", [x], groups=groups)


def squeeze_excite(net: Net, x: str) -> str:
    """Global mean, two 1×1 convolutions, a gate, a product."""
    channels = net.shape(x)[1]
    gate = net.chance.choice(("hard_sigmoid", "sigmoid"))
    squeezed = rounded_width(net.chance, max(4, channels / net.chance.choice((4, 4, 8, 16))))
    add = net.builder.add_one
    if net.chance.random() < 0.8:
        y = add("adaptive_avg_pool", [x], output_size=(1, 1))
    else:
        y = add("mean", [x], axes=(2, 3), keepdims=True)
    inner = net.activation if net.chance.random() < 0.5 else "relu"
    y = net.conv(y, squeezed, norm=False, activation=inner)
    y = net.conv(y, channels, norm=False, activation=gate)
    return add("mul", [x, y])


def inverted_residual(net: Net, x: str) -> str:
    """Expand, depthwise, maybe squeeze-excite, project, maybe add (MobileNetV2 and V3)."""
    channels, stride = net.shape(x)[1], _stride(net)
    expanded = rounded_width(net.chance, channels * net.chance.choice((2, 3, 4, 6, 6)))
    y = net.conv(x, expanded)
    y = net.depthwise(y, _kernel(net), stride)
    if net.chance.random() < 0.4:
        y = squeeze_excite(net, y)
    out = channels if net.chance.random() < 0.6 else near_width(net, x)
    y = net.conv(y, out, activation="")
    return net.add(x, y) if stride == 1 and out == channels else y


def basic_residual(net: Net, x: str) -> str:
    """Two 3×3 convolutions and an addition, or a 1×1 bottleneck (ResNet)."""
    channels = net.shape(x)[1]
    if net.chance.random() < 0.5:
        y = net.conv(net.conv(x, channels, 3), channels, 3, activation="")
    else:
        narrow = rounded_width(net.chance, channels / 4)
        y = net.conv(net.conv(x, narrow), narrow, 3)
        y = net.conv(y, channels, activation="")
    return net.act(net.add(y, x), net.activation)


def shuffle_unit(net: Net, x: str) -> str:
    """Split, transform one half, concatenate, shuffle (ShuffleNetV2)."""
    channels = net.shape(x)[1]
    if channels % 2 or channels < 8:
        return separable(net, x)
    half = channels // 2
    left, right = net.builder.add("split", [x], {"axis": 1, "sizes": (half, half)})
    y = net.conv(right, half)
    y = (
        net.depthwise(y, 3)
        if net.chance.random() < 0.3
        else net.conv(y, half, 3, groups=half, activation="")
    )
    y = net.conv(y, half)
    return shuffle(net, net.builder.add_one("concat", [left, y], axis=1))


def branches(net: Net, x: str) -> str:
    """Parallel convolutions and a pool, concatenated (Inception, Fire)."""
    parts = [net.conv(x, near_width(net, x) // 2 or 1)]
    for kernel in net.chance.sample((3, 5, 3), net.chance.choice((1, 1, 2))):
        squeezed = net.conv(x, max(4, near_width(net, x) // 4))
        parts.append(net.conv(squeezed, near_width(net, x) // 2 or 1, kernel))
    if net.chance.random() < 0.4:
        pooled = pool(net, x, stride=1)
        parts.append(net.conv(pooled, max(4, near_width(net, x) // 4)))
    return net.builder.add_one("concat", parts, axis=1)


def dense_growth(net: Net, x: str) -> str:
    """Norm and activation first, then a convolution whose result is appended (DenseNet)."""
    y = net.conv(net.act(net.norm(x), net.activation), 4 * 32 if net.chance.random() < 0.5 else 64)
    y = net.conv(y, net.chance.choice((12, 16, 32)), 3, norm=False, activation="")
    return net.builder.add_one("concat", [x, y], axis=1)


def pool(net: Net, x: str, stride: int = 2) -> str:
    """A pooling window."""
    kernel = net.chance.choice((2, 3, 3)) if stride == 2 else 3
    pad = (kernel - 1) // 2
    settings = {"kernel": (kernel,) * 2, "stride": (stride,) * 2, "padding": ((pad, pad),) * 2}
    op = net.chance.choice(("max_pool", "max_pool", "avg_pool"))
    return net.builder.add_one(op, [x], **settings)


def upsampled(net: Net, x: str) -> str:
    """Twice the size, by a transposed convolution or by interpolation and a convolution (U-Net)."""
    if net.chance.random() < 0.5:
        kernel = net.chance.choice((2, 4))
        channels = near_width(net, x)
        weight = net.parameter(net.shape(x)[1], channels, kernel, kernel)
        pads = ((kernel // 2 - 1,) * 2,) * 2
        y = net.builder.add_one(
            "conv_transpose", [x, weight, net.parameter(channels)], stride=(2, 2), padding=pads,
            dilation=(1, 1), groups=1, output_padding=(0, 0),
        )  # fmt: skip
        return net.act(net.norm(y), net.activation)
    mode = net.chance.choice(("nearest", "linear"))
    size = tuple(2 * side for side in net.shape(x)[2:])
    y = net.builder.add_one("resize", [x], size=size, mode=mode, align_corners=False)
    return net.conv(y, near_width(net, x), 3)


def local_response_norm(net: Net, x: str) -> str:
    """Each value over a power of the mean of its neighbours' squares, in PyTorch's steps."""
    add = net.builder.add_one
    batch, channels, height, width = net.shape(x)
    squares = add("reshape", [add("mul", [x, x])], shape=(batch, 1, channels, height, width))
    padded = add("pad", [squares], padding=((0, 0), (0, 0), (2, 2), (0, 0), (0, 0)),
                 mode="constant", value=0.0)  # fmt: skip
    mean = add("avg_pool", [padded], kernel=(5, 1, 1), stride=(1, 1, 1),
               padding=((0, 0),) * 3, ceil_mode=False, count_padding=True)  # fmt: skip
    scaled = add("mul", [add("reshape", [mean], shape=net.shape(x)), net.number(1e-4)])
    power = add("pow", [add("add", [scaled, net.number(1.0)]), net.number(0.75)])
    return add("div", [x, power])


def loose_ends(net: Net, x: str) -> str:
    """Operators that seldom stand alone but must be known: a lone activation, sum or product."""
    kind = net.chance.choice(("activation", "add", "mul", "norm"))
    if kind == "activation":
        return net.builder.add_one(
            net.activation, [x], **({"slope": 0.1} if net.activation == "leaky_relu" else {})
        )
    if kind == "norm":
        return net.norm(pool(net, x, stride=1))
    y = net.conv(x, net.shape(x)[1], activation="sigmoid" if kind == "mul" else "")
    return net.builder.add_one(kind, [x, y])


def classifier(net: Net, x: str) -> str:
    """Global mean, flatten, one or two linear layers."""
    add = net.builder.add_one
    batch, channels = net.shape(x)[:2]
    head = net.chance.random()
    if head < 0.1:
        tokens = to_tokens(net, x)
        if net.chance.random() < 0.5:
            tokens = net.add(tokens, linear(net, tokens, channels))
        y = add("select", [layer_norm(net, tokens)], axis=1, index=0)
    elif head < 0.7:
        y = add("adaptive_avg_pool", [x], output_size=(1, 1))
        y = add("reshape", [y], shape=(batch, channels))
    else:
        y = add("mean", [x], axes=(2, 3), keepdims=False)
    if net.chance.random() < 0.3:
        hidden = net.chance.choice((256, 512, 1024, 1280, 4096))
        y = net.act(linear(net, y, hidden), net.activation)
    classes = net.chance.choice((10, 100, 1000, 1000, 1000, 1024, 2048))
    y = linear(net, y, classes)
    return add("softmax", [y], axis=1) if net.chance.random() < 0.2 else y


# How often each block is drawn.
BLOCKS: tuple[tuple[Block, float], ...] = (
    (standard, 3),
    (pointwise, 3),
    (depthwise, 2),
    (separable, 4),
    (rectangular, 1),
    (dilated, 1),
    (grouped, 2.5),
    (squeeze_excite, 1.5),
    (inverted_residual, 6),
    (basic_residual, 2.5),
    (shuffle_unit, 3),
    (branches, 2),
    (dense_growth, 1),
    (pool, 1),
    (transformer, 1.5),
    (map_attention, 0.4),
    (next_unit, 0.8),
    (swapped_groups, 0.3),
    (grouped_residual, 1),
    (upsampled, 0.7),
    (local_response_norm, 0.2),
    (loose_ends, 1),
)
