"""Loads a pickled network: the one place in latprof where a file can run code of its own.

Called only for a file that the user said to trust, in a process that has confined itself.
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import nn

from latprof.errors import NoGraph, UnreadableModel
from latprof.frontends.inputs import InputSpec
from latprof.frontends.torch.factory import current_directory_importable
from latprof.frontends.torch.module import capture, first_line
from latprof.graph import Graph


def capture_pickled(path: Path, inputs: Sequence[InputSpec]) -> Graph:
    """The graph of the network that torch.save pickled into `path`."""
    return capture(_unpickle_network(path), inputs, name=path.stem, source=str(path))


def _unpickle_network(path: Path) -> nn.Module:
    """The network in a file that the user trusts, on the meta device.

    Raises
    ------
    UnreadableModel
        If it cannot be loaded, most often because its class cannot be imported here.
    NoGraph
        If what is loaded holds no network, or more than one.
    """
    name = repr(str(path))
    try:
        with current_directory_importable(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Mapped, where the form of the file allows it, so that no weight is ever read.
            loaded = torch.load(
                path, map_location="meta", weights_only=False, mmap=zipfile.is_zipfile(path)
            )
    except (AttributeError, ModuleNotFoundError) as error:
        raise UnreadableModel(
            f"{name} cannot be loaded: {first_line(error)} The code of the network is not in the "
            "file. Run latprof where its class can be imported, or, in the script that defines "
            "it, save the network with torch.export.save."
        ) from error
    except MemoryError:
        raise  # the process has less than the file wants, and knows how to say so
    except Exception as error:  # a trusted pickle may still be broken, or raise anything
        raise UnreadableModel(
            f"{name} cannot be loaded: {type(error).__name__}: {first_line(error)} Save it again, "
            "best with torch.export.save."
        ) from error
    return _only_network(loaded, name)


def _only_network(loaded: object, name: str) -> nn.Module:
    if isinstance(loaded, nn.Module):
        return loaded
    held = loaded if isinstance(loaded, Mapping) else {}
    networks = {key: value for key, value in held.items() if isinstance(value, nn.Module)}
    if len(networks) == 1:
        (network,) = networks.values()
        return network
    if networks:
        raise NoGraph(
            f"{name} holds several networks, under the keys {', '.join(map(str, networks))}. Save "
            "the one you mean with torch.export.save."
        )
    raise NoGraph(
        f"{name} holds something of type {type(loaded).__name__} and no network. Give what builds "
        "the network, as in latprof profile package.module:factory."
    )
