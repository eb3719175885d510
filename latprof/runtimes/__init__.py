"""Ways of running a graph on this machine, behind one small protocol."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from latprof.errors import RuntimeUnavailable, UnknownName

if TYPE_CHECKING:
    from latprof.runtimes.protocol import Runtime

# Name as in a target's name → module whose `RUNTIME` implements the protocol.
RUNTIMES = {
    "onnxruntime": "latprof.runtimes.onnxruntime",
    "torch-eager": "latprof.runtimes.torch_eager",
}
ALIASES = {"ort": "onnxruntime", "eager": "torch-eager", "torch": "torch-eager"}


def runtime_name(asked: str) -> str:
    """The full name of a runtime, given it or a short form.

    Raises
    ------
    UnknownName
        If there is no such runtime.
    """
    name = ALIASES.get(asked, asked)
    if name not in RUNTIMES:
        raise UnknownName("runtime", asked, [*RUNTIMES, *ALIASES])
    return name


def load(asked: str) -> Runtime:
    """The runtime of that name; only its own library is imported.

    Raises
    ------
    UnknownName
        If there is no such runtime.
    RuntimeUnavailable
        If its library is not installed.
    """
    name = runtime_name(asked)
    try:
        runtime: Runtime = import_module(RUNTIMES[name]).RUNTIME
    except ImportError as error:
        raise RuntimeUnavailable(
            f"{name} does not work here: {error}. `pip install latprof` brings every runtime; or "
            "choose another --runtime."
        ) from error
    return runtime
