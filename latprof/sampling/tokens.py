"""Blocks that treat a feature map as a sequence of tokens, one a pixel or patch.

References
----------
ViT (arXiv 2010.11929), MobileViT (2110.02178), MobileNetV4 (2404.10518), ConvNeXt (2201.03545).
"""

from __future__ import annotations

from latprof.sampling.net import Net

_MAX_TOKENS = 1024  # attention grows with their square; real networks have 49 to 1024
_HEAD_WIDTHS = (32, 48, 64, 64)
_WIDENINGS = (2, 4, 4)  # hidden features of the MLP per feature


def transformer(net: Net, x: str) -> str:
    """Patches, norm, attention and an MLP, then a feature map again (ViT, MobileViT)."""
    heads = net.chance.choice((1, 2, 3, 4, 6))
    width = heads * net.chance.choice(_HEAD_WIDTHS)
    y = _patches(net, x, width)
    batch, _, height, breadth = net.shape(y)
    tokens = to_tokens(net, y)
    has_class_token = net.chance.random() < 0.4
    has_class_token &= batch == 1  # it is one weight, and would have to be repeated
    if has_class_token:
        tokens = net.builder.add_one("concat", [net.parameter(1, 1, width), tokens], axis=1)
    if net.chance.random() < 0.5:
        tokens = net.add(tokens, net.parameter(1, net.shape(tokens)[1], width))  # positions
    tokens = attend(net, tokens, heads)
    tokens = mlp(net, tokens)
    if has_class_token:
        count = net.shape(tokens)[1]
        tokens = net.builder.add_one("slice", [tokens], axis=1, start=1, stop=count, step=1)
    y = net.builder.add_one("transpose", [tokens], order=(0, 2, 1))
    return net.builder.add_one("reshape", [y], shape=(batch, width, height, breadth))


def map_attention(net: Net, x: str) -> str:
    """Attention whose queries stay on the map, over few keys or few heads (MobileNetV4, MQA).

    Heads share keys and values, so their queries stand one below the other as rows of one head.
    """
    batch, channels, height, width = net.shape(x)
    add, chance = net.builder.add_one, net.chance
    if height * width > _MAX_TOKENS:
        return next_unit(net, x)
    heads, each = chance.choice((4, 8, 8)), chance.choice((32, 48, 64, 64))
    few = chance.choice((1, 1, 2)) if min(height, width) > 3 else 1
    queries = net.conv(x, heads * each, norm=False, activation="")
    rows = add("reshape", [queries], shape=(batch, heads, each, height * width))
    rows = add("transpose", [rows], order=(0, 1, 3, 2))
    rows = add("reshape", [rows], shape=(batch, 1, heads * height * width, each))
    read = net.depthwise(x, 3, few) if few > 1 else x
    keys, values = (_one_head(net, net.conv(read, each, norm=False, activation=""))
                    for _ in range(2))  # fmt: skip
    y = add("attention", [rows, keys, values], causal=False)
    y = add("reshape", [y], shape=(batch, heads, height * width, each))
    y = add("transpose", [y], order=(0, 1, 3, 2))
    y = add("reshape", [y], shape=(batch, heads * each, height, width))
    return net.conv(y, channels, activation="")


def _one_head(net: Net, x: str) -> str:
    """A map as the rows of one head: (batch, 1, pixels, channels)."""
    batch, channels, height, width = net.shape(x)
    y = net.builder.add_one("reshape", [x], shape=(batch, 1, channels, height * width))
    return net.builder.add_one("transpose", [y], order=(0, 1, 3, 2))


def next_unit(net: Net, x: str) -> str:
    """A wide depthwise convolution, then norm and MLP with channels last (ConvNeXt)."""
    add = net.builder.add_one
    channels = net.shape(x)[1]
    kernel = net.chance.choices((7, 5, 9, 11), (8, 1, 1, 0.5))[0]
    y = net.conv(x, channels, kernel, groups=channels, norm=False, activation="")
    y = layer_norm(net, add("transpose", [y], order=(0, 2, 3, 1)))
    y = net.act(linear(net, y, 4 * channels), "gelu")
    y = linear(net, y, channels)
    if net.chance.random() < 0.7:  # a learned scale for each channel
        y = add("mul", [y, net.parameter(channels)])
    return net.add(x, add("transpose", [y], order=(0, 3, 1, 2)))


def to_tokens(net: Net, x: str) -> str:
    """A map as a sequence: (batch, channels, height, width) → (batch, tokens, channels)."""
    batch, channels, height, width = net.shape(x)
    y = net.builder.add_one("reshape", [x], shape=(batch, channels, height * width))
    return net.builder.add_one("transpose", [y], order=(0, 2, 1))


def layer_norm(net: Net, x: str) -> str:
    """A norm over the features of each token."""
    width = net.shape(x)[-1]
    weights = [net.parameter(width), net.parameter(width)]
    return net.builder.add_one("layer_norm", [x, *weights], axes=1, eps=1e-6)


def linear(net: Net, x: str, features: int) -> str:
    """A linear layer with bias over the last axis."""
    weights = [net.parameter(features, net.shape(x)[-1]), net.parameter(features)]
    return net.builder.add_one("linear", [x, *weights])


def _patches(net: Net, x: str, width: int) -> str:
    """A convolution to `width` channels whose windows do not overlap, down to few enough."""
    side = 1
    while net.shape(x)[2] * net.shape(x)[3] > _MAX_TOKENS * side**2:
        side *= 2
    weight = net.parameter(width, net.shape(x)[1], side, side)
    return net.builder.add_one(
        "conv", [x, weight, net.parameter(width)], stride=(side, side),
        padding=((0, 0), (0, 0)), dilation=(1, 1), groups=1,
    )  # fmt: skip


def attend(net: Net, x: str, heads: int) -> str:
    """Norm, queries, keys and values in one layer, attention, projection, addition."""
    batch, count, width = net.shape(x)
    add = net.builder.add_one
    joined = linear(net, layer_norm(net, x), 3 * width)
    parts = net.builder.add("split", [joined], {"axis": 2, "sizes": (width,) * 3})
    by_head = (batch, count, heads, width // heads)
    turned = [
        add("transpose", [add("reshape", [part], shape=by_head)], order=(0, 2, 1, 3))
        for part in parts
    ]
    y = add("attention", turned, causal=False)
    y = add("reshape", [add("transpose", [y], order=(0, 2, 1, 3))], shape=(batch, count, width))
    return net.add(x, linear(net, y, width))


def mlp(net: Net, x: str) -> str:
    """Norm, two linear layers with an activation between, addition."""
    width = net.shape(x)[-1]
    y = linear(net, layer_norm(net, x), width * net.chance.choice(_WIDENINGS))
    chosen = net.chance.choice(("gelu", "gelu", net.activation))
    y = net.act(y, chosen)
    return net.add(x, linear(net, y, width))
