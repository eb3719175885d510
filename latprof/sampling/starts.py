"""How a network begins where it is not a feature map: an image, tokens, or a row of features.

References
----------
ViT (arXiv 2010.11929), VGG (1409.1556), AlexNet (1404.5997), ConvNeXt (2201.03545).
"""

from __future__ import annotations

from collections.abc import Callable

from latprof.sampling.net import Net
from latprof.sampling.tokens import attend, layer_norm, linear, mlp

Fits = Callable[[str], bool]

# Layers of classifiers that are larger than the rest of their network (VGG-16, AlexNet).
_LARGE_LAYERS = ((25088, 4096), (9216, 4096), (9216, 4096), (4096, 4096), (4096, 4096))
_LARGE_EVERY = 8  # each takes hundreds of megabytes
_MOST_WEIGHTS = 16_000_000  # of a layer that is not one of these
_TOKENS = (49, 50, 64, 144, 196, 197, 197, 197, 256, 257, 577, 1024)
_HEADS = (1, 2, 3, 3, 4, 6, 6, 8, 12, 16)  # of 64 features each: ViT-Tiny has 3, -Large 16
_STEM_WIDTHS = (16, 16, 24, 32, 32, 32, 40, 48, 64, 64, 96)
_PATCH_WIDTHS = (96, 128, 192, 256, 384)


def stem(net: Net, x: str) -> str:
    """The first convolution on an image; now and then one whose windows do not overlap."""
    chance = net.chance
    if chance.random() < 0.2:
        side = chance.choice([s for s in (4, 8, 14, 16, 16, 32) if s <= net.shape(x)[2]] or [1])
        weight = net.parameter(width := chance.choice(_PATCH_WIDTHS), net.shape(x)[1], side, side)
        return net.builder.add_one(
            "conv", [x, weight, net.parameter(width)], stride=(side, side),
            padding=((0, 0), (0, 0)), dilation=(1, 1), groups=1,
        )  # fmt: skip
    kernel, stride = chance.choices(((3, 2), (3, 1), (7, 2), (5, 2)), (8, 2, 2, 0.5))[0]
    return net.conv(x, chance.choice(_STEM_WIDTHS), kernel, stride=stride)


def tokens(net: Net, fits: Fits) -> str | None:
    """Layers of a transformer at the lengths and widths of ViT; None if the first is too large."""
    chance = net.chance
    count, heads = chance.choice(_TOKENS), chance.choice(_HEADS)
    x = net.builder.input((chance.choice((1, 1, 1, 1, 2, 8)), count, 64 * heads))
    grown = None
    for _ in range(chance.randint(2, 6)):
        layer = chance.choice((attend, mlp, mlp, linear, linear))
        if layer is attend:
            x = attend(net, x, heads)
        elif layer is mlp:
            x = mlp(net, x)
        else:
            x = linear(net, layer_norm(net, x), 64 * heads)
        if not fits(x):
            break
        grown = x
    return grown


def features(net: Net, fits: Fits) -> str | None:
    """Linear layers on a row of features, as large as classifiers have them."""
    chance = net.chance
    batch = chance.choice((1, 1, 1, 1, 4, 16, 32))
    large = chance.randrange(_LARGE_EVERY) == 0
    if large:
        inner, outer = chance.choice(_LARGE_LAYERS)
    else:
        inner = round(2 ** chance.uniform(8, 14.6))
        outer = max(8, min(round(2 ** chance.uniform(8, 12)), _MOST_WEIGHTS // inner))
    x = net.builder.input((batch, inner))
    x = net.act(linear(net, x, outer), chance.choice(("relu", net.activation)))
    grown = x if fits(x) else None
    for _ in range(0 if large else chance.randint(1, 3)):
        wanted = round(2 ** chance.uniform(5, 12))
        x = linear(net, x, max(8, min(wanted, _MOST_WEIGHTS // net.shape(x)[1])))
        x = net.act(x, "relu") if chance.random() < 0.6 else x
        if not fits(x):
            break
        grown = x
    return grown
