"""Networks that a factory of the user's own builds."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn

from latprof.errors import CaptureFailed, UnknownName, UnreadableModel
from latprof.frontends.torch.module import first_line


def find_factory(reference: str) -> Callable[[], nn.Module]:
    """What builds the network behind ``package.module:factory``.

    The module is found as Python finds it, or in the current directory. It is the user's own
    code, named by the user: it runs without further leave. What stands behind the colon may be a
    function without required arguments, a class of network, or a network.

    Raises
    ------
    UnreadableModel
        If the module cannot be imported, or what is behind the colon can give no network.
    UnknownName
        If the module has nothing of that name.
    """
    path, _, name = reference.partition(":")
    with current_directory_importable():
        factory = _find(path, name)
    if isinstance(factory, nn.Module):
        return lambda: factory
    if not callable(factory):
        raise UnreadableModel(
            f"{reference!r} is of type {type(factory).__name__}; it must be a function that "
            "gives a torch.nn.Module, or a torch.nn.Module."
        )
    return lambda: _called(factory, reference)


def _called(factory: Callable[[], Any], reference: str) -> nn.Module:
    """The network that `factory` gives.

    Raises
    ------
    CaptureFailed
        If it raises.
    UnreadableModel
        If it gives something else.
    """
    with current_directory_importable():
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
