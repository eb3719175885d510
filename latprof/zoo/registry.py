"""The table of networks that come with latprof."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from latprof.errors import BadReference

Shape = tuple[int, ...]


@dataclass(frozen=True)
class ZooEntry:
    """One network that can be built by name.

    Parameters
    ----------
    name : str
    factory : str
        Where to find what builds it: ``"latprof.zoo.mobilenet_v2:mobilenet_v2"``.
    family : str
        Name to group by and to show.
    paper : str
        Short citation with the arXiv id.
    arguments : mapping, default={}
        Keyword arguments of the factory that are part of the name and that a reference cannot
        change.
    input_shape : tuple of int, default=(1, 3, 224, 224)
        Batch, channels, height, width.
    params, macs : int or None
        Exact counts at `input_shape` and default arguments: trainable parameters, and the MACs
        of convolutions, linear layers, matrix products and attention.
    compared : str
        What `params` and `macs` were compared with: the paper's table and figure, and the
        implementations that agree to the digit.
    """

    name: str
    factory: str
    family: str
    paper: str
    arguments: Mapping[str, object] = field(default_factory=dict)
    input_shape: Shape = (1, 3, 224, 224)
    params: int | None = None
    macs: int | None = None
    compared: str = ""


ENTRIES: dict[str, ZooEntry] = {}


def register(entry: ZooEntry) -> None:
    """Add one network to `ENTRIES`."""
    if entry.name in ENTRIES:
        raise BadReference(f"a zoo model named {entry.name!r} is registered already.")
    ENTRIES[entry.name] = entry
