"""A small network in the making, and the layers that its blocks share."""

from __future__ import annotations

import random
from dataclasses import dataclass

from latprof.builder import GraphBuilder
from latprof.graph import Graph, Shape, Tensor

ACTIVATIONS = ("relu", "relu6", "hard_swish", "silu", "gelu", "leaky_relu", "sigmoid", "tanh")
# How often light networks use each; the rare ones still have to be in the table.
_ACTIVATION_WEIGHTS = (10, 8, 6, 6, 2, 1, 1, 1)


@dataclass
class Net:
    """A small network in the making, with the style its blocks share.

    Parameters
    ----------
    builder : GraphBuilder
    chance : random.Random
    activation : str
    inplace : bool
        Whether activations overwrite their input, as most published code has it.
    biased : bool
        Whether convolutions carry a bias instead of a norm behind them.
    """

    builder: GraphBuilder
    chance: random.Random
    activation: str = "relu"
    inplace: bool = True
    biased: bool = False
    _count: int = 0

    @classmethod
    def draw(cls, name: str, chance: random.Random) -> Net:
        """A network with a style drawn at random."""
        return cls(
            GraphBuilder(name, source="micro-network"),
            chance,
            activation=chance.choices(ACTIVATIONS, _ACTIVATION_WEIGHTS)[0],
            inplace=chance.random() < 0.7,
            biased=chance.random() < 0.15,
        )

    def shape(self, x: str) -> Shape:
        return self.builder.tensor(x).shape

    def parameter(self, *shape: int) -> str:
        self._count += 1
        return self.builder.parameter(f"w{self._count}", shape)

    def number(self, value: float) -> str:
        """A constant holding one number."""
        self._count += 1
        return self.builder.add_tensor(
            Tensor(f"c{self._count}", (), "float32", "constant", (value,))
        )

    def conv(
        self,
        x: str,
        out_channels: int,
        kernel: int | tuple[int, int] = 1,
        *,
        stride: int = 1,
        groups: int = 1,
        dilation: int = 1,
        norm: bool = True,
        activation: str | None = None,
    ) -> str:
        """Convolution, norm (or bias) and activation; same padding."""
        height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
        weight = self.parameter(out_channels, self.shape(x)[1] // groups, height, width)
        inputs = [x, weight]
        if self.biased or not norm:
            inputs.append(self.parameter(out_channels))
        pads = tuple((dilation * (k - 1) // 2,) * 2 for k in (height, width))
        y = self.builder.add_one(
            "conv", inputs, stride=(stride, stride), padding=pads,
            dilation=(dilation, dilation), groups=groups,
        )  # fmt: skip
        if norm and not self.biased:
            y = self.norm(y)
        chosen = self.activation if activation is None else activation
        return self.act(y, chosen) if chosen else y

    def norm(self, x: str) -> str:
        channels = self.shape(x)[1]
        weights = [self.parameter(channels) for _ in range(4)]
        return self.builder.add_one("batch_norm", [x, *weights], eps=1e-5)

    def act(self, x: str, activation: str) -> str:
        settings = {"slope": 0.1} if activation == "leaky_relu" else {}
        in_place = self.inplace and activation not in ("gelu", "sigmoid", "tanh", "hard_sigmoid")
        return self.builder.add_one(
            activation, [x], **settings, **({"inplace": True} if in_place else {})
        )

    def add(self, x: str, y: str) -> str:
        return self.builder.add_one("add", [x, y])

    def depthwise(self, x: str, kernel: int, stride: int = 1, *, dilation: int = 1) -> str:
        channels = self.shape(x)[1]
        return self.conv(x, channels, kernel, stride=stride, groups=channels, dilation=dilation)

    def finish(self, x: str) -> Graph:
        return self.builder.finish([x])
