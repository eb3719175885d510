"""Random small networks: cheap probes that time kernels in the context real networks give them.

A network starts on a feature map of a size and width that real ones pair, and grows by eight to
sixteen blocks. Networks are numbered: the same seed and number always give the same network, so a
measurement can be resumed and repeated.
"""

from __future__ import annotations

import json
import random
import zlib
from functools import cache

from latprof.graph import Graph
from latprof.ops import OPS
from latprof.sampling.blocks import BLOCKS, classifier, rounded_width
from latprof.sampling.net import Net
from latprof.sampling.starts import features, stem, tokens

# Feature-map size → narrowest and widest channel count met there in the zoo's architectures.
WIDTHS = {
    384: (3, 3),
    224: (3, 3),
    160: (3, 32),
    112: (8, 96),
    96: (3, 96),
    80: (12, 160),
    56: (12, 256),
    40: (16, 320),
    28: (16, 512),
    20: (24, 640),
    14: (32, 1024),
    10: (40, 1280),
    7: (64, 2048),
    4: (64, 2048),
    1: (64, 4096),
}
_SIZE_WEIGHTS = (0.7, 2, 1, 3, 1, 2, 5, 2, 6, 2, 7, 1, 6, 1, 0.5)
# Of feature maps, of tokens and of rows of features.
_START_WEIGHTS = (93, 4, 3)
BATCHES = (1, 2, 4, 8, 16, 32)
_BATCH_WEIGHTS = (86, 4, 3, 3, 2, 2)
_STEM_SHARE = 0.8  # of networks on an image
LEAST_BLOCKS, MOST_BLOCKS = 8, 16
# A probe should take milliseconds: one in `_LARGE_EVERY` may be ten times larger.
MAX_MACS, MAX_MACS_LARGE, _LARGE_EVERY = 300_000_000, 2_000_000_000, 12
_MAX_ELEMENTS = 6_000_000
_SHORTEST_SIDE = 3
_DIGESTED = 20


def draw_network(seed: int, number: int) -> Graph:
    """The network of that number.

    Parameters
    ----------
    seed, number : int

    Returns
    -------
    graph : Graph
        At most `MAX_MACS_LARGE` multiply-accumulates.
    """
    chance = random.Random(f"{seed}/{number}")
    limit = MAX_MACS_LARGE if chance.randrange(_LARGE_EVERY) == 0 else MAX_MACS
    while True:
        graph = _grow(f"micro-{seed}-{number}", chance, limit)
        if graph is not None:
            return graph


def _grow(name: str, chance: random.Random, limit: int) -> Graph | None:
    """A network, or None when the first blocks drawn were already too large."""
    net = Net.draw(name, chance)

    def fits(x: str) -> bool:
        small = net.builder.tensor(x).elements <= _MAX_ELEMENTS
        return small and _macs(net.finish(x)) <= limit

    start = chance.choices((None, tokens, features), _START_WEIGHTS)[0]
    if start is not None:
        last = start(net, fits)
        return None if last is None else net.finish(last)
    batch = chance.choices(BATCHES, _BATCH_WEIGHTS)[0]
    size = chance.choices(list(WIDTHS), _SIZE_WEIGHTS)[0]
    if size > 4:
        size = max(1, size + chance.choice((0, 0, 0, 0, -1, 1, 2, 4)))
    narrow, wide = WIDTHS[min(WIDTHS, key=lambda s: abs(s - size))]
    channels = rounded_width(chance, narrow * (wide / narrow) ** chance.random())
    channels = 3 if wide == 3 else channels
    x = net.builder.input((batch, channels, size, size))
    if size < _SHORTEST_SIDE:
        return net.finish(classifier(net, x))
    blocks, weights = zip(*BLOCKS, strict=True)
    grown: str | None = None
    for number in range(chance.randint(LEAST_BLOCKS, MOST_BLOCKS)):
        begins = number == 0 and channels == 3 and chance.random() < _STEM_SHARE
        block = stem if begins else chance.choices(blocks, weights)[0]
        x = block(net, x)
        if not fits(x):
            break
        grown = x
        if min(net.shape(x)[2:]) < _SHORTEST_SIDE:
            break
    if grown is None:
        return None
    graph = net.finish(grown)
    if not _macs(graph):  # pools and activations alone are no network
        return None
    whole = net.finish(classifier(net, grown)) if chance.random() < 0.35 else graph
    return whole if _macs(whole) <= limit else graph


def _macs(graph: Graph) -> int:
    return sum(OPS[call.node.op].macs(call) for call in graph.calls)


@cache
def sampler_digest() -> str:
    """Eight letters that change when the same seed and number begin to mean other networks."""
    drawn = [draw_network(seed=0, number=number).to_dict() for number in range(_DIGESTED)]
    return f"{zlib.crc32(json.dumps(drawn).encode()):08x}"
