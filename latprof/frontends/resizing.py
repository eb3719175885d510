"""The same model for images of another size, where it can be had."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from latprof.errors import LatprofError
from latprof.frontends.inputs import InputSpec
from latprof.graph import Graph


def at_image_size(
    graph: Graph, size: int, read_again: Callable[[InputSpec], Graph]
) -> Graph | None:
    """Capture the model of `graph` for images of ``size × size``.

    Parameters
    ----------
    graph : Graph
        Of one input, an image.
    size : int
    read_again : callable
        Reads the model for another input.

    Returns
    -------
    graph : Graph or None
        None if the model has one size only, as a file that was exported for it.
    """
    (tensor,) = (graph.tensors[name] for name in graph.inputs)
    try:
        resized = read_again(InputSpec((*tensor.shape[:2], size, size), tensor.dtype))
    except LatprofError:
        return None
    # What was assumed for the first capture was said once.
    return replace(resized, assumptions=())
