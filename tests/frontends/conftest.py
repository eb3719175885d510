"""Networks to save and files that must not run, for every reader's tests."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from latprof.frontends.inputs import InputSpec
from latprof.frontends.torch.module import capture
from latprof.graph import Graph
from latprof.ops import OPS, infer_shapes
from latprof.zoo import build

SIZE = 32  # enough for every stride of the zoo, and quick


@cache
def _captured(name: str) -> Graph:
    with torch.device("meta"):
        module, shape = build(f"{name}?size={SIZE}")
    return capture(module, [InputSpec(shape)], name=name)


@pytest.fixture(scope="session")
def captured() -> Callable[[str], Graph]:
    """The graph of a network of the zoo, as captured in memory."""
    return _captured


@pytest.fixture(scope="session")
def built() -> Callable[[str], tuple[nn.Module, torch.Tensor]]:
    """A network of the zoo with weights, and an input for it."""

    def build_at_size(name: str) -> tuple[nn.Module, torch.Tensor]:
        module, shape = build(f"{name}?size={SIZE}")
        return module, torch.zeros(shape)

    return build_at_size


@pytest.fixture(scope="session")
def counts() -> Callable[[Graph], dict[str, Any]]:
    """What must be the same however a network is read."""

    def count(graph: Graph) -> dict[str, Any]:
        weights = [t for t in graph.tensors.values() if t.role == "parameter"]
        return {
            "ops": [node.op for node in graph.nodes],
            "macs": sum(OPS[call.node.op].macs(call) for call in graph.calls),
            "params": sum(tensor.elements for tensor in weights),
            "shapes": [[tensor.shape for tensor in call.outputs] for call in graph.calls],
        }

    return count


class Calls(nn.Module):
    """One function as a network, with a weight and perhaps a layer at hand."""

    def __init__(self, function: Callable[..., Any], *layers: nn.Module) -> None:
        super().__init__()
        self.function = function
        self.w = nn.Parameter(torch.zeros(12, 12))
        self.layers = nn.ModuleList(layers)

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(x, self.w, *self.layers)


@pytest.fixture(scope="session")
def graph_of() -> Callable[..., Graph]:
    """The graph of a function of an input, a 12×12 weight and perhaps layers."""
    return _graph_of


def _graph_of(function: Callable[..., Any], shape: tuple[int, ...], *layers: nn.Module) -> Graph:
    return capture(Calls(function, *layers), [InputSpec(shape)], name="calls")


@pytest.fixture(scope="session")
def ops_of() -> Callable[..., list[str]]:
    """The operators of such a graph; all known ones must infer the shapes that PyTorch gives."""

    def ops(function: Callable[..., Any], shape: tuple[int, ...], *layers: nn.Module) -> list[str]:
        graph = _graph_of(function, shape, *layers)
        for call in graph.calls:
            if call.node.op in OPS:
                there = tuple(tensor.shape for tensor in call.outputs)
                assert infer_shapes(call)[: len(there)] == there, call.node
        return [node.op for node in graph.nodes]

    return ops


@pytest.fixture
def read_onnx(tmp_path: Path) -> Callable[..., Graph]:
    """Write an ONNX model of a few nodes, and read it.

    Inputs are a mapping of names to shapes, of float32 unless the shape ends in a dtype's name;
    initializers a mapping of names to arrays.
    """
    import onnx
    from onnx import helper, numpy_helper

    from latprof.frontends.onnx import reader as onnx_file

    def value(name: str, shape: Any) -> onnx.ValueInfoProto:
        kind = "float32"
        if shape and isinstance(shape[-1], str) and shape[-1] in KINDS:
            *shape, kind = shape
        return helper.make_tensor_value_info(name, KINDS[kind], shape)

    def read(
        nodes: Any, inputs: Any, outputs: Any = ("y",), initializers: Any = (), *,
        opset: int = 17, given: Any = (), functions: Any = (), producer: str = "",
    ) -> Graph:  # fmt: skip
        graph = helper.make_graph(
            list(nodes),
            "small",
            [value(name, shape) for name, shape in dict(inputs).items()],
            [helper.make_tensor_value_info(name, 1, None) for name in outputs],
            [numpy_helper.from_array(array, name) for name, array in dict(initializers).items()],
        )
        domains = {"": opset, "com.microsoft": 1, "mine": 1}
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid(*item) for item in domains.items()],
            functions=list(functions), producer_name=producer,
        )  # fmt: skip
        path = tmp_path / "small.onnx"
        path.write_bytes(model.SerializeToString())
        return onnx_file.read(path, inputs=given)

    return read


# TensorProto.DataType by our names.
KINDS = {
    "float32": 1, "uint8": 2, "int8": 3, "int32": 6, "int64": 7, "bool": 9, "float16": 10,
}  # fmt: skip


class OddWeights(nn.Module):
    """Weights that are shared, frozen, unread, and read by a layer whose result is thrown away."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.head = nn.Embedding(10, 4), nn.Linear(4, 10, bias=False)
        self.head.weight = self.words.weight
        self.frozen = nn.Linear(4, 4, bias=False).requires_grad_(False)
        self.unread, self.unused = nn.Linear(4, 3, bias=False), nn.Linear(4, 2, bias=False)
        self.register_buffer("kept", torch.ones(4))
        self.register_buffer("not_saved", torch.ones(4), persistent=False)
        self.plain = torch.ones(4)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.words(tokens)
        self.unused(x)
        return self.head(self.frozen(x) * self.kept + self.not_saved + self.plain)


@pytest.fixture
def odd_weights() -> tuple[nn.Module, torch.Tensor]:
    """`OddWeights` and an input for it."""
    return OddWeights().eval(), torch.zeros((1, 5), dtype=torch.int64)


@pytest.fixture(scope="session")
def weights_told() -> Callable[[Graph | None], Any]:
    """What a graph says of the weights of `OddWeights`; None for what it should say."""

    def told(graph: Graph | None) -> Any:
        if graph is None:
            expected = {
                ("words.weight", "parameter", (10, 4), True),  # head.weight is the same
                ("frozen.weight", "parameter", (4, 4), False),
                ("unread.weight", "parameter", (3, 4), True),
                ("unused.weight", "parameter", (2, 4), True),
                ("kept", "buffer", (4,), True),
                ("not_saved", "buffer", (4,), True),
            }
            said = "no operation reads 2 weights of the model (unread.weight, unused.weight): 20 "
            return expected, 1, (said + "parameters, counted with it all the same",)
        held = [t for t in graph.tensors.values() if t.is_weight]
        named = {(t.name, t.role, t.shape, t.trainable) for t in held if t.role != "constant"}
        return named, sum(t.role == "constant" for t in held), graph.assumptions

    return told


class TouchesFile:
    """Creates a file when it is unpickled: what a hostile pickle does, made harmless."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """The file that `hostile` would create."""
    return tmp_path / "code_of_the_file_ran"


@pytest.fixture
def hostile(marker: Path) -> TouchesFile:
    """An object that runs code when it is unpickled."""
    return TouchesFile(marker)
