"""A file of weights, and what builds the network that they are for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from latprof.errors import BadReference
from latprof.frontends.inputs import InputSpec
from latprof.frontends.sniff import sniff
from latprof.frontends.torch import pickle as torch_pickle
from latprof.frontends.torch import safetensors as safetensors_file
from latprof.frontends.torch.built import build, capture_built, recipe_for
from latprof.frontends.torch.module import DTYPE_NAMES
from latprof.frontends.torch.stored_weights import Collection, Weight, fit
from latprof.graph import Graph


def read(path: Path, *, arch: str, inputs: Sequence[InputSpec] = ()) -> Graph:
    """Capture the network that `arch` names, once the weights at `path` are known to be its.

    Names and shapes are compared; nothing of the file is loaded, so nothing in it can run.

    Raises
    ------
    WrongWeights
        If a weight is missing, is left over, or has another shape.
    BadReference
        If the file holds a network of its own, or `arch` names none.
    """
    collections = _weights_in(path)
    network = build(recipe_for(arch))
    wanted = {
        name: Weight(tuple(tensor.shape), DTYPE_NAMES.get(tensor.dtype, ""))
        for name, tensor in network.module.state_dict().items()
        if hasattr(tensor, "shape")
    }
    said = fit(collections, wanted, file=repr(str(path)), network=repr(arch))
    graph = capture_built(network, inputs, name=path.stem, source=f"{path} as {arch}")
    return replace(graph, assumptions=(*said, *graph.assumptions))


def _weights_in(path: Path) -> Sequence[Collection]:
    kind = sniff(path)
    if kind == "safetensors":
        return safetensors_file.weights_in(path)
    if kind == "torch_pickle":
        return torch_pickle.weights_in(path)
    raise BadReference(
        f"{str(path)!r} holds its network already; --arch is for files of weights alone. Leave "
        "it out."
    )
