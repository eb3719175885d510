"""Networks to save and files that must not run, for every reader's tests."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from latprof.frontends.inputs import InputSpec
from latprof.frontends.torch_module import capture
from latprof.graph import Graph
from latprof.ops import OPS
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
