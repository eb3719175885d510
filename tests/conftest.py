"""What every test shares: a home of its own, the zoo as graphs, and small networks to hand."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import hypothesis
import pytest

from latprof.builder import GraphBuilder
from latprof.graph import Call, Graph, Node, Shape, Tensor
from latprof.ops import infer_shapes

hypothesis.settings.register_profile("latprof", deadline=None)  # two busy cores keep no deadline
hypothesis.settings.load_profile("latprof")


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    """A folder of the test's own to keep tables, models and graphs in; not there yet."""
    monkeypatch.setenv("LATPROF_HOME", str(tmp_path / "latprof-home"))


@pytest.fixture(scope="session")
def zoo_graph() -> Callable[[str], Graph]:
    """The captured graph of a zoo reference; each is captured once a session."""
    return _zoo_graph


@functools.cache
def _zoo_graph(reference: str) -> Graph:
    import torch

    from latprof.frontends.inputs import InputSpec
    from latprof.frontends.torch.module import capture
    from latprof.zoo import build

    with torch.device("meta"):
        model, input_shape = build(reference)
    source = f"zoo:{reference}"
    return capture(model, [InputSpec(input_shape)], name=reference, source=source)


@pytest.fixture(scope="session")
def call_of() -> Callable[..., Call]:
    """Make the call of an operator on inputs of some shapes; its outputs are inferred."""
    return _call_of


def _call_of(op: str, *shapes: Shape | None, **attributes: object) -> Call:
    inputs = tuple(
        None if shape is None else Tensor(f"in{i}", shape) for i, shape in enumerate(shapes)
    )
    names = tuple(tensor.name if tensor else "" for tensor in inputs)
    node = Node("node", op, names, (), attributes)
    found = infer_shapes(Call(node, inputs, ()))
    return Call(node, inputs, tuple(Tensor(f"out{i}", shape) for i, shape in enumerate(found)))


class SmallNet(GraphBuilder):
    """A network in the making, with the layers that tests say most often."""

    def weight(self, *shape: int) -> str:
        return self.parameter(f"weight{len(self._tensors)}", shape)

    def constant(self, *values: float, shape: Sequence[int] = ()) -> str:
        name = f"constant{len(self._tensors)}"
        return self.add_tensor(Tensor(name, tuple(shape), "float32", "constant", values))

    def conv(
        self, x: str, channels: int, kernel: int = 1, *, stride: int = 1, groups: int = 1,
        bias: bool = True,
    ) -> str:  # fmt: skip
        """A convolution that keeps the size of the map, but for its stride."""
        weight = self.weight(channels, self.tensor(x).shape[1] // groups, kernel, kernel)
        return self.add_one(
            "conv", [x, weight, *([self.weight(channels)] if bias else [])],
            stride=(stride,) * 2, padding=((kernel // 2,) * 2,) * 2, dilation=(1, 1),
            groups=groups,
        )  # fmt: skip

    def norm(self, x: str) -> str:
        channels = self.tensor(x).shape[1]
        return self.add_one("batch_norm", [x, *(self.weight(channels) for _ in range(4))], eps=1e-5)

    def linear(self, x: str, features: int) -> str:
        weight = self.weight(features, self.tensor(x).shape[-1])
        return self.add_one("linear", [x, weight, self.weight(features)])

    def max_pool(self, x: str) -> str:
        """The largest of every 2×2."""
        return self.add_one("max_pool", [x], kernel=(2, 2), stride=(2, 2), padding=((0, 0),) * 2)

    def add_up(self, x: str, y: str) -> str:
        return self.add_one("add", [x, y])


@pytest.fixture
def net() -> SmallNet:
    """An empty network."""
    return SmallNet("small")
