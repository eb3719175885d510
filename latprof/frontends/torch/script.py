"""A TorchScript archive (torch.jit.save) → graph, captured in a process of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from latprof.frontends.bounded import refuse_bomb
from latprof.frontends.inputs import InputSpec
from latprof.frontends.torch.confined import Limits, capture_confined
from latprof.graph import Graph

_STRANGERS = Limits(memory_bytes=2 * 2**30, seconds=120.0)


def read(path: Path, *, inputs: Sequence[InputSpec] = (), trust: bool = False) -> Graph:
    """Capture the script in the archive at `path`, in evaluation mode.

    Raises
    ------
    UntrustedModel
        If loading it would run code of its own, and `trust` is not set.
    UnreadableModel
        If it cannot be loaded, or has no ``forward``.
    CaptureFailed
        If it cannot be followed for these inputs.
    """
    refuse_bomb(path)
    limits = Limits() if trust else _STRANGERS
    return capture_confined(path, inputs, "torch_script", limits, trust=trust)
