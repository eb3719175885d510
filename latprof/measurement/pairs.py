"""Pairs of operators that runtimes may fuse, as small networks to be timed.

Each pair becomes three networks: the first operator `REPEATS` times in a row, the second likewise,
and the two in turn. In a row what a run costs, and what converting the input and the output to the
runtime's own layout costs, is paid once and shared by all repeats.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from latprof.builder import GraphBuilder
from latprof.graph import Graph, Shape

REPEATS = 8
# 800 kB: an activation then takes tens of microseconds, and so does a 1×1 convolution.
_MAP = (1, 16, 112, 112)
_TOKENS = (1, 1024, 128)

# Takes the builder, what comes in, the network's input and a number for names; gives the next.
Step = Callable[[GraphBuilder, str, str, int], str]


@dataclass(frozen=True)
class Pair:
    """Two operators in a row, both of which keep the shape.

    Parameters
    ----------
    first, second : str
        Names of `STEPS`.
    shape : tuple of int
    """

    first: str
    second: str
    shape: Shape = _MAP

    @property
    def name(self) -> str:
        return f"{self.first}+{self.second}"

    def networks(self, repeats: int = REPEATS) -> tuple[Graph, Graph, Graph]:
        """The first alone, the second alone, and both."""
        return (
            self._chain((self.first,), repeats),
            self._chain((self.second,), repeats),
            self._chain((self.first, self.second), repeats),
        )

    def _chain(self, steps: tuple[str, ...], repeats: int) -> Graph:
        builder = GraphBuilder(f"{'+'.join(steps)}×{repeats}", source="fusion pair")
        x = first = builder.input(self.shape)
        for number in range(repeats):
            for step in steps:
                x = STEPS[step](builder, x, first, number)
        return builder.finish([x])


def _conv(kernel: int, *, depthwise: bool = False) -> Step:
    def step(builder: GraphBuilder, x: str, first: str, number: int) -> str:
        channels = builder.tensor(x).shape[1]
        name, inner = f"conv{kernel}{depthwise:d}.{number}", 1 if depthwise else channels
        weights = [
            builder.parameter(f"{name}.weight", (channels, inner, kernel, kernel)),
            builder.parameter(f"{name}.bias", (channels,)),
        ]
        return builder.add_one(
            "conv", [x, *weights], stride=(1, 1), padding=((kernel // 2,) * 2,) * 2,
            dilation=(1, 1), groups=channels if depthwise else 1,
        )  # fmt: skip

    return step


def _activation(op: str) -> Step:
    return lambda builder, x, first, number: builder.add_one(op, [x])


def _with_input(op: str) -> Step:
    """With what came into the network: a skip, as residual blocks have it."""
    return lambda builder, x, first, number: builder.add_one(op, [x, first])


def _batch_norm(builder: GraphBuilder, x: str, first: str, number: int) -> str:
    channels = builder.tensor(x).shape[1]
    weights = [builder.parameter(f"norm.{number}.{part}", (channels,)) for part in range(4)]
    return builder.add_one("batch_norm", [x, *weights], eps=1e-5)


def _gate(builder: GraphBuilder, x: str, first: str, number: int) -> str:
    """Squeeze-excite's product: one factor for each channel."""
    channels = builder.tensor(x).shape[1]
    return builder.add_one("mul", [x, builder.parameter(f"gate.{number}", (1, channels, 1, 1))])


def _max_pool(builder: GraphBuilder, x: str, first: str, number: int) -> str:
    return builder.add_one("max_pool", [x], kernel=(3, 3), stride=(1, 1), padding=((1, 1),) * 2)


def _concat(builder: GraphBuilder, x: str, first: str, number: int) -> str:
    """The upper half of one and the lower half of the other, so that the shape stays."""
    half = builder.tensor(x).shape[1] // 2
    cut = {"axis": 1, "step": 1}
    upper = builder.add_one("slice", [x], start=0, stop=half, **cut)
    lower = builder.add_one("slice", [first], start=half, stop=2 * half, **cut)
    return builder.add_one("concat", [upper, lower], axis=1)


def _linear(builder: GraphBuilder, x: str, first: str, number: int) -> str:
    width = builder.tensor(x).shape[-1]
    weights = [
        builder.parameter(f"linear.{number}.weight", (width, width)),
        builder.parameter(f"linear.{number}.bias", (width,)),
    ]
    return builder.add_one("linear", [x, *weights])


def _transpose(builder: GraphBuilder, x: str, first: str, number: int) -> str:
    return builder.add_one("transpose", [x], order=(0, 1, 3, 2))


STEPS: dict[str, Step] = {
    "conv": _conv(1),
    "depthwise": _conv(3, depthwise=True),
    "linear": _linear,
    "batch_norm": _batch_norm,
    "max_pool": _max_pool,
    "concat": _concat,
    "transpose": _transpose,
    "gate": _gate,
    "add": _with_input("add"),
    "mul": _with_input("mul"),
} | {op: _activation(op) for op in ("relu", "relu6", "hard_swish", "silu", "gelu", "sigmoid")}

PAIRS = (
    *(Pair("conv", second) for second in ("relu", "relu6", "hard_swish", "silu", "sigmoid")),
    Pair("conv", "batch_norm"),
    Pair("conv", "add"),
    Pair("conv", "gate"),
    Pair("conv", "concat"),
    Pair("conv", "transpose"),
    Pair("depthwise", "relu"),
    Pair("depthwise", "conv"),
    Pair("max_pool", "relu"),
    Pair("add", "relu"),
    Pair("gate", "relu"),
    Pair("mul", "add"),
    Pair("sigmoid", "mul"),
    Pair("linear", "relu", _TOKENS),
    Pair("linear", "gelu", _TOKENS),
    Pair("linear", "add", _TOKENS),
)
