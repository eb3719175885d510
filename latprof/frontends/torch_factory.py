"""Networks that are built rather than read: from the zoo, or by a factory of the user's own."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from latprof.errors import BadReference, CaptureFailed, UnknownName, UnreadableModel
from latprof.frontends.inputs import InputSpec
from latprof.frontends.torch_module import capture, first_line
from latprof.graph import Graph
from latprof.zoo import build


def read_zoo(reference: str, *, inputs: Sequence[InputSpec] = ()) -> Graph:
    """Build ``zoo:NAME?arguments`` and capture it at `inputs`, or at the size its paper quotes."""
    name = reference.removeprefix("zoo:")
    with torch.device("meta"):  # no weight is drawn nor stored
        module, shape = build(name)
    return capture(module, inputs or (InputSpec(shape),), name=name, source=reference)


def read_factory(reference: str, *, inputs: Sequence[InputSpec] = ()) -> Graph:
    """Call ``package.module:factory`` and capture the network that it gives.

    The module is found as Python finds it, or in the current directory. It is the user's own
    code, named by the user: it runs without further leave.
    """
    module = load_factory(reference)
    return capture(module, inputs, name=reference.partition(":")[2], source=reference)


def load_factory(reference: str) -> nn.Module:
    """The network behind ``package.module:factory``.

    What stands behind the colon may be a function without required arguments, a class of
    network, or a network.

    Raises
    ------
    UnreadableModel
        If the module cannot be imported, or gives something else than a network.
    UnknownName
        If the module has nothing of that name.
    CaptureFailed
        If the factory raises.
    """
    path, separator, name = reference.partition(":")
    if not (path and separator and name):
        raise BadReference(f"{reference!r} is not of the form package.module:factory.")
    with current_directory_importable():
        factory = _find(path, name)
        if isinstance(factory, nn.Module):
            return factory
        if not callable(factory):
            raise UnreadableModel(
                f"{reference!r} is of type {type(factory).__name__}; it must be a function that "
                "gives a torch.nn.Module, or a torch.nn.Module."
            )
        try:
            made = factory()
        except Exception as error:  # the user's own code may raise anything
            raise CaptureFailed(
                f"{reference!r} failed: {type(error).__name__}: {first_line(error)} It is called "
                "without arguments; write a function that calls it with those it needs."
            ) from error
    if not isinstance(made, nn.Module):
        raise UnreadableModel(
            f"{reference!r} gave something of type {type(made).__name__}; it must give a "
            "torch.nn.Module."
        )
    return made


@contextmanager
def current_directory_importable() -> Iterator[None]:
    """Import from the current directory too, as ``python -m`` does and a command does not."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        if here in sys.path:  # imported code may have changed it
            sys.path.remove(here)


def _find(path: str, name: str) -> Any:
    try:
        module = importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name and (path == error.name or path.startswith(f"{error.name}.")):
            raise UnreadableModel(
                f"there is no Python module {error.name!r} here. Run latprof where "
                f"python -c 'import {path}' works, in the directory that holds it."
            ) from error
        raise UnreadableModel(
            f"importing {path!r} failed: it needs {error.name!r}, which is not installed here."
        ) from error
    except Exception as error:  # whatever the module does when it is imported
        raise UnreadableModel(
            f"importing {path!r} failed: {type(error).__name__}: {first_line(error)} Make "
            f"python -c 'import {path}' work first."
        ) from error
    try:
        return getattr(module, name)
    except AttributeError as error:
        known = [key for key, value in vars(module).items() if callable(value) and key[0] != "_"]
        raise UnknownName(f"{path} factory", name, known) from error
