"""The table of networks and blocks that come with latprof."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from latprof.errors import BadReference

Shape = tuple[int, ...]


@dataclass(frozen=True)
class ZooEntry:
    """One network or block that can be built by name.

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
    kind : {"network", "block"}, default="network"
        A network maps an image to logits; its factory takes `num_classes` and `in_channels`. A
        block is a part of one and maps features to features; its factory takes `channels`, and
        `out_channels` that are as many unless given.
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
    kind: Literal["network", "block"] = "network"

    @property
    def channels_argument(self) -> str:
        """What the factory calls the channels of its input."""
        return "in_channels" if self.kind == "network" else "channels"


ENTRIES: dict[str, ZooEntry] = {}


def register(entry: ZooEntry) -> None:
    """Add one network or block to `ENTRIES`."""
    if entry.name in ENTRIES:
        raise BadReference(f"a zoo model named {entry.name!r} is registered already.")
    ENTRIES[entry.name] = entry
