"""The same model for images of another size, where it can be had."""

from __future__ import annotations

from dataclasses import replace

from latprof.errors import LatprofError
from latprof.frontends import read
from latprof.frontends.inputs import InputSpec
from latprof.graph import Graph


def at_image_size(reference: str, graph: Graph, size: int, *, trust: bool = False) -> Graph | None:
    """Capture the model behind `reference` for images of ``size × size``.

    Returns
    -------
    graph : Graph or None
        None if it has one size only, as a file that was exported for it.
    """
    (tensor,) = (graph.tensors[name] for name in graph.inputs)
    spec = InputSpec((*tensor.shape[:2], size, size), tensor.dtype)
    try:
        resized = read(reference, inputs=(spec,), trust=trust)
    except LatprofError:
        return None
    # What was assumed for the first capture was said once.
    return replace(resized, assumptions=())
