"""What a user names → `Graph`: a file, a network of the zoo, or a factory of their own.

Only the reader that is needed is imported, so that importing this package costs neither torch
nor numpy.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from latprof.errors import BadReference, UnreadableModel
from latprof.frontends.inputs import InputSpec, parse_input
from latprof.frontends.patterns.shuffles import join_shuffles
from latprof.frontends.sniff import Kind, sniff
from latprof.graph import Graph

__all__ = ["InputSpec", "parse_input", "read"]

# Each module has `read(path, *, inputs, trust) -> Graph`.
READERS: dict[Kind, str] = {
    "pt2": "latprof.frontends.torch.pt2",
    "torch_script": "latprof.frontends.torch.script",
    "torch_pickle": "latprof.frontends.torch.pickle",
    "safetensors": "latprof.frontends.torch.safetensors",
    "json": "latprof.frontends.graph_json",
    "onnx": "latprof.frontends.onnx.reader",
    "tflite": "latprof.frontends.tflite.reader",
    "keras": "latprof.frontends.keras.reader",
}

FACTORY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


# What stands before the colon of networks that are built by name.
BUILT = ("zoo:", "timm:")


def read(
    reference: str, *, inputs: Sequence[InputSpec] = (), trust: bool = False, arch: str = ""
) -> Graph:
    """The graph of the model that `reference` names.

    Parameters
    ----------
    reference : str
        ``zoo:NAME?argument=value``, ``timm:NAME``, ``package.module:factory``, or a path. What
        kind of file it is is told by its contents.
    inputs : sequence of InputSpec
        Shapes of the model's inputs. Left out, they come from the file or the zoo, or are
        guessed from the first layer; a guess is noted in the graph's `assumptions`.
    trust : bool
        Whether code that came with the file may run.
    arch : str
        For a file of weights alone: what builds their network, as ``zoo:NAME``, ``timm:NAME`` or
        ``package.module:factory``.

    Raises
    ------
    UnreadableModel
        If there is no such file, it is broken, or of a kind that latprof does not read.
    UntrustedModel
        If reading it would run code that came with it, and `trust` is not set.
    NoGraph
        If it holds weights only, and `arch` is not given.
    WrongWeights
        If they are not those of `arch`.
    CaptureFailed, ShapeMismatch
        If the network does not run on `inputs`.
    """
    path = Path(reference)
    try:
        if is_built(reference):
            if arch:
                raise BadReference(
                    f"{reference!r} is a network already; --arch is for files of weights. Leave "
                    "it out."
                )
            built = import_module("latprof.frontends.torch.built")
            return _checked(built.read(reference, inputs=inputs))
        if arch:
            weights = import_module("latprof.frontends.torch.arch")
            return _checked(weights.read(path, arch=arch, inputs=inputs))
        reader = import_module(READERS[sniff(path)])
        return _checked(reader.read(path, inputs=inputs, trust=trust))
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise UnreadableModel(
            f"reading {reference!r} needs PyTorch, which is not installed. Run pip install torch."
        ) from error


def is_built(reference: str) -> bool:
    """Whether `reference` names what builds a network, rather than a file."""
    if reference.startswith(BUILT):
        return True
    return bool(FACTORY.fullmatch(reference)) and not Path(reference).exists()


def _checked(graph: object) -> Graph:
    assert isinstance(graph, Graph)
    return join_shuffles(graph)
