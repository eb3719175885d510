"""Captured graphs are kept: reading a model twice should not cost twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from latprof import frontends
from latprof.errors import LatprofError, NothingToPredict
from latprof.frontends.guessing import GUESSED
from latprof.frontends.inputs import InputSpec
from latprof.graph import Graph
from latprof.home import home, write_atomically


def capture(
    reference: str,
    *,
    inputs: Sequence[InputSpec] = (),
    trust: bool = False,
    arch: str = "",
    batch: int | None = None,
) -> Graph:
    """The graph of a model, from an earlier capture where nothing has changed since.

    Parameters
    ----------
    reference : str
        A file, ``zoo:NAME``, ``timm:NAME`` or ``package.module:factory``.
    inputs : sequence of InputSpec
    trust : bool
        Whether code that comes with the file may run.
    arch : str
        What builds the network of a file of weights.
    batch : int, optional
        In place of the first size of every input.

    Raises
    ------
    ModelError, UnknownName, BadReference
    """
    key = _key(reference, inputs, trust, arch, batch)
    path = None if key is None else home() / "graphs" / f"{key}.json"
    graph = _kept(path)
    if graph is None:
        graph = frontends.read(reference, inputs=inputs, trust=trust, arch=arch)
        if batch is not None:
            graph = _batched(graph, inputs, batch, reference, trust, arch)
    path = path or home() / "graphs" / f"{hashlib.sha256(reference.encode()).hexdigest()}.json"
    # A capture without a key is never read again under its name, but may be the last one.
    if key is None or not path.is_file():
        write_atomically(path, json.dumps(graph.to_dict()).encode())
    write_atomically(_last(), json.dumps({"graph": path.name}).encode())
    return graph


def _batched(
    graph: Graph, inputs: Sequence[InputSpec], batch: int, reference: str, trust: bool, arch: str
) -> Graph:
    """The model of `graph` once more, for inputs that begin with `batch`."""
    tensors = [graph.tensors[name] for name in graph.inputs]
    named = any(spec.name for spec in inputs)
    wanted = [
        InputSpec((batch, *t.shape[1:]) if t.shape else (), t.dtype, t.name if named else "")
        for t in tensors
    ]
    again = frontends.read(reference, inputs=wanted, trust=trust, arch=arch)
    guesses = [said for said in graph.assumptions if said.startswith(GUESSED)]
    return replace(again, assumptions=(*guesses, *again.assumptions))


def last_captured() -> Graph:
    """The graph captured last.

    Raises
    ------
    NothingToPredict
        If there is none.
    """
    try:
        name = json.loads(_last().read_text(encoding="utf-8"))["graph"]
        graph = _kept(home() / "graphs" / Path(name).name)
    except (OSError, ValueError, KeyError, TypeError):
        graph = None
    if graph is None:
        raise NothingToPredict(
            "no model was given, and none has been profiled or captured before. Name one, as in "
            "`latprof predict zoo:mobilenet_v2 --device host`."
        )
    return graph


def _last() -> Path:
    return home() / "graphs" / "last.json"


def _kept(path: Path | None) -> Graph | None:
    if path is None or not path.is_file():
        return None
    try:
        return Graph.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (LatprofError, ValueError, OSError, RecursionError):
        return None  # written by another version, or damaged: it is captured again


def _key(
    reference: str, inputs: Sequence[InputSpec], trust: bool, arch: str, batch: int | None
) -> str | None:
    """What a capture depends on, hashed; None for code that may change under us.

    That is the user's own factory, and whatever classes a pickle imports.
    """
    parts = [reference, arch, repr(batch), _reader_version()]
    parts += [repr((spec.name, spec.text)) for spec in inputs]
    for built in (reference, arch):
        if built.startswith(frontends.BUILT):
            parts.append(_library_version("torch"))
        if built.startswith("timm:"):
            parts.append(_library_version("timm"))
    if trust or (arch and not arch.startswith(frontends.BUILT)):
        return None
    if not reference.startswith(frontends.BUILT):
        path = Path(reference)
        if not path.is_file():
            return None
        try:
            with path.open("rb") as file:
                parts.append(hashlib.file_digest(file, "sha256").hexdigest())
        except OSError:
            return None  # the reader says what is wrong with it
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _library_version(name: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return ""


@cache
def _reader_version() -> str:
    """Changes whenever the code that reads models changes."""
    digest = hashlib.sha256()
    root = Path(__file__).parent
    files = [*root.glob("*.py")]
    for folder in ("frontends", "zoo", "ops"):
        files += (root / folder).rglob("*.py")
    for path in sorted(files):
        digest.update(path.read_bytes())
    return digest.hexdigest()
