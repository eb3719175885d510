"""A small fixed network, timed beside everything else: what slows it down slows down the rest.

Clocks, caches and neighbours change within seconds on a shared machine. A network of the same kinds
of kernel, run by the same runtime in the same process, meets the same conditions; plain loops over
registers or memory do not. On a virtual server, one-second medians of six zoo networks moved with
this canary's (correlation 0.82 to 0.91, slope 0.55 to 0.99) and not with those of a copy loop;
brought to one state by it, they scattered by 0.6 to 0.8 % instead of 1.0 to 1.7 %.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from latprof.builder import GraphBuilder
from latprof.graph import Graph

# How a time is thought to follow the canary before anything is known of it: one network moves a
# little more, another a little less.
_PRIOR_ELASTICITY, _PRIOR_DEVIATION = 0.8, 0.4
_NOISE = 0.02  # typical relative deviation of one round's median around that law


def canary_graph() -> Graph:
    """Inverted residual blocks at two sizes, between a dense convolution and a classifier.

    104 M MACs; activations of up to 4.8 MB do not stay in a core's own caches, as in real networks.
    """
    builder = GraphBuilder("canary", source="canary")
    x = _conv(builder, builder.input((1, 3, 224, 224)), 3, 16, 3, stride=2)
    x = _block(builder, x, 16, 96, 24, stride=2)
    x = _block(builder, x, 24, 144, 24)
    x = _block(builder, x, 24, 144, 40, stride=2)
    x = _block(builder, x, 40, 240, 40)
    x = _conv(builder, x, 40, 320, 1)
    x = builder.add_one("adaptive_avg_pool", [x], output_size=(1, 1))
    x = builder.add_one("reshape", [x], shape=(1, 320))
    weights = [builder.parameter("fc.weight", (1000, 320)), builder.parameter("fc.bias", (1000,))]
    return builder.finish([builder.add_one("linear", [x, *weights])])


def _block(
    builder: GraphBuilder, x: str, inner: int, wide: int, outer: int, stride: int = 1
) -> str:
    y = _conv(builder, x, inner, wide, 1)
    y = _conv(builder, y, wide, wide, 3, stride=stride, groups=wide)
    y = _conv(builder, y, wide, outer, 1, activation="")
    return builder.add_one("add", [y, x]) if stride == 1 and inner == outer else y


def _conv(
    builder: GraphBuilder, x: str, inner: int, outer: int, kernel: int, *,
    stride: int = 1, groups: int = 1, activation: str = "relu",
) -> str:  # fmt: skip
    name = f"{x}.{outer}"
    weights = [
        builder.parameter(f"{name}.weight", (outer, inner // groups, kernel, kernel)),
        builder.parameter(f"{name}.bias", (outer,)),
    ]
    pads = ((kernel // 2, kernel // 2),) * 2
    y = builder.add_one("conv", [x, *weights], stride=(stride, stride), padding=pads,
                        dilation=(1, 1), groups=groups)  # fmt: skip
    return builder.add_one(activation, [y]) if activation else y


@dataclass(frozen=True)
class Drift:
    """How the machine moved while something was timed, and what that did to the times.

    Parameters
    ----------
    reference_ms : float
        The canary's time in the state of the machine that all times are brought to.
    elasticity : float
        A time changes by this power of the canary's change.
    """

    reference_ms: float
    elasticity: float = _PRIOR_ELASTICITY

    def factor(self, canary_ms: float) -> float:
        """What a time taken while the canary took `canary_ms` is multiplied by."""
        return float((self.reference_ms / canary_ms) ** self.elasticity)


def elasticity_of(times_ms: Sequence[float], canary_ms: Sequence[float]) -> float:
    """How strongly a time followed the canary, round by round.

    Parameters
    ----------
    times_ms, canary_ms : sequence of float, one for each round
        Medians of the same moments.

    Returns
    -------
    elasticity : float
        Slope of log time on log canary, drawn towards 0.8 as far as the canary hardly moved.

    Notes
    -----
    Posterior mean of a normal slope (Gelman et al., Bayesian Data Analysis, 3rd ed., 2013,
    section 14.2), with the noise of a round and the spread of slopes as seen on the zoo.
    """
    return _slope([(_centred(canary_ms), _centred(times_ms))])


def pooled_elasticity(
    networks: Sequence[int], times_ms: Sequence[float], canary_ms: Sequence[float]
) -> float:
    """One elasticity for many networks, each timed at several visits.

    Parameters
    ----------
    networks : sequence of int, one for each visit
        Which network it was: only visits to the same one are compared.
    times_ms, canary_ms : sequence of float, one for each visit
    """
    visits: dict[int, list[int]] = {}
    for index, network in enumerate(networks):
        visits.setdefault(network, []).append(index)
    return _slope(
        [
            (_centred([canary_ms[i] for i in found]), _centred([times_ms[i] for i in found]))
            for found in visits.values()
        ]
    )


def _slope(groups: Sequence[tuple[Sequence[float], Sequence[float]]]) -> float:
    """Of the second on the first, over pairs centred group by group."""
    pairs = [(x, y) for xs, ys in groups for x, y in zip(xs, ys, strict=True)]
    prior = (_NOISE / _PRIOR_DEVIATION) ** 2
    followed = sum(x * y for x, y in pairs) + prior * _PRIOR_ELASTICITY
    return followed / (sum(x * x for x, _ in pairs) + prior)


def _centred(values_ms: Sequence[float]) -> list[float]:
    logs = [math.log(value) for value in values_ms]
    mean = statistics.fmean(logs)
    return [value - mean for value in logs]
