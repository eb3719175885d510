"""Networks that are built rather than read: from the zoo, from timm, or by the user's own code.

They are built on the meta device, where tensors have shapes and no contents: a network of 10 GB
costs none. Not every constructor runs there; such a network is built for real, and that is said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from latprof.errors import BadReference, CaptureFailed
from latprof.frontends import FACTORY
from latprof.frontends.inputs import InputSpec
from latprof.frontends.torch.module import capture
from latprof.graph import Graph

# A network that cannot be captured without weights is built with them if they are no more.
MOST_REAL_BYTES = 2 * 2**30


@dataclass(frozen=True)
class Recipe:
    """How to build a network.

    Parameters
    ----------
    name : str
    make : function
        Gives the network, and what goes into it, as far as its author says. Raises CaptureFailed
        where another device may help.
    runs_on_meta : bool
        Whether it is known to need no weights.
    """

    name: str
    make: Callable[[], tuple[nn.Module, tuple[InputSpec, ...]]]
    runs_on_meta: bool = False


@dataclass(frozen=True)
class Built:
    """A network, what goes into it, and what was assumed."""

    recipe: Recipe
    module: nn.Module
    inputs: tuple[InputSpec, ...]
    assumptions: tuple[str, ...] = ()


def read(reference: str, *, inputs: Sequence[InputSpec] = ()) -> Graph:
    """Build the network that `reference` names and capture it."""
    network = build(recipe_for(reference))
    return capture_built(network, inputs, name=network.recipe.name, source=reference)


def recipe_for(reference: str) -> Recipe:
    """How to build ``zoo:NAME``, ``timm:NAME`` or ``package.module:factory``.

    Raises
    ------
    BadReference
        If it is none of these.
    UnknownName, UnreadableModel
        If there is no such network.
    """
    kind, _, name = reference.partition(":")
    if kind == "zoo":
        return Recipe(name, lambda: _from_zoo(name), runs_on_meta=True)
    if kind == "timm":
        from latprof.frontends.torch.timm import model

        return Recipe(name, model(name))
    if not FACTORY.fullmatch(reference):
        raise BadReference(
            f"{reference!r} names no network. Write package.module:factory, zoo:NAME as in "
            "zoo:mobilenet_v2, or timm:NAME as in timm:resnet50."
        )
    from latprof.frontends.torch.factory import find_factory

    factory = find_factory(reference)
    return Recipe(name, lambda: (factory(), ()))


def _from_zoo(name: str) -> tuple[nn.Module, tuple[InputSpec, ...]]:
    from latprof.zoo import build

    module, shape = build(name)
    return module, (InputSpec(shape),)


def build(recipe: Recipe) -> Built:
    """The network on the meta device, or with weights if it must have them."""
    try:
        with torch.device("meta"):
            module, inputs = recipe.make()
    except CaptureFailed as error:
        return _build_for_real(recipe, error)
    if len({t.device for t in (*module.parameters(), *module.buffers())}) > 1:
        return _build_for_real(recipe, CaptureFailed("parts of it have weights all the same."))
    return Built(recipe, module, inputs)


def _build_for_real(recipe: Recipe, why: CaptureFailed) -> Built:
    module, inputs = recipe.make()
    said = f"{recipe.name!r} was built with weights, because without them: {why!s:.300}"
    return Built(recipe, module, inputs, (said,))


def capture_built(network: Built, inputs: Sequence[InputSpec], *, name: str, source: str) -> Graph:
    """Capture a network that `build` gave, at `inputs` or else at what its author says."""
    wanted = inputs or network.inputs
    try:
        graph = capture(network.module, wanted, name=name, source=source)
    except CaptureFailed as error:
        if not _may_need_weights(network):
            raise
        network = _build_for_real(network.recipe, error)
        graph = capture(network.module, wanted, name=name, source=source)
    return replace(graph, assumptions=(*network.assumptions, *graph.assumptions))


def _may_need_weights(network: Built) -> bool:
    """Whether building it for real is worth a try: it is without weights now, and not large."""
    if network.recipe.runs_on_meta:
        return False
    held = [*network.module.parameters(), *network.module.buffers()]
    size = sum(tensor.numel() * tensor.element_size() for tensor in held)
    return any(tensor.is_meta for tensor in held) and size <= MOST_REAL_BYTES
