"""What can go wrong, in one tree.

LatprofError
├── ModelError              a model could not be read, captured or understood
│   ├── UnreadableModel     the file is missing, broken or of an unknown kind
│   ├── UntrustedModel      reading it would run code; ``--trust`` was not given
│   ├── NoGraph             the file holds weights but no network
│   ├── WrongWeights        the weights in a file are not those of the network named for them
│   ├── CaptureFailed       the network could not be run on abstract inputs
│   ├── ShapeMismatch       shapes of a graph or of ``--input`` do not fit
│   └── UnsupportedOp       a runtime has no way to run one of the operators
├── UnknownName             no device, runtime, zoo model, ... of that name
├── BadReference            a name or option that cannot be parsed
├── TableError              a device table that does not hold what it should
├── CostModelError          a cost model that is missing, broken or cannot be fitted
├── MeasurementError        a measurement that could not be made
│   └── RuntimeUnavailable  the runtime is not installed here
└── NothingToPredict        ``predict`` without a model, and none captured before

Every message says what happened, where, and what to do next.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_MANY = 30  # names that nobody reads in an error, where a hint says how to list them


class LatprofError(Exception):
    """Root of everything latprof raises on purpose."""


class ModelError(LatprofError):
    """A model could not be read, captured or understood."""


class UnreadableModel(ModelError):
    """The file is missing, broken or of an unknown kind."""


class UntrustedModel(ModelError):
    """Reading the file would run code that came with it."""


class NoGraph(ModelError):
    """The file holds weights but not the network they belong to."""


class WrongWeights(ModelError):
    """The weights in a file are not those of the network that was named for them."""


class CaptureFailed(ModelError):
    """The network could not be run on abstract inputs."""


class ShapeMismatch(ModelError):
    """Shapes inside a graph, or of the inputs given for it, do not fit."""


class UnsupportedOp(ModelError):
    """A runtime has no way to run one of the operators."""


class UnknownName(LatprofError):
    """No device, runtime or model of that name; near names are suggested."""

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        self.kind, self.name, self.known = kind, name, sorted(known)
        near = difflib.get_close_matches(name, self.known, n=3, cutoff=0.5)
        said = f"unknown {kind} {name!r}."
        if near:
            said += f" Did you mean {_either(near)}?"
        elif self.known and not (hint and len(self.known) > _MANY):
            said += f" Known: {', '.join(self.known)}."
        super().__init__(f"{said} {hint}".strip())


class BadReference(LatprofError):
    """A name, option or argument that cannot be parsed."""


class TableError(LatprofError):
    """A device table does not hold what a table must hold."""


class CostModelError(LatprofError):
    """A cost model is missing, broken or cannot be fitted."""


class MeasurementError(LatprofError):
    """A measurement could not be made."""


class RuntimeUnavailable(MeasurementError):
    """The runtime is not installed or does not work here."""


class NothingToPredict(LatprofError):
    """No model was given and none was captured before."""


def _either(names: list[str]) -> str:
    quoted = [repr(name) for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"
