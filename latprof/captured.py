"""Captured graphs are kept: reading a model twice should not cost twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from latprof import frontends
from latprof.errors import LatprofError, NothingToPredict
from latprof.frontends.inputs import InputSpec
from latprof.graph import Graph
from latprof.home import home, write_atomically


def capture(reference: str, *, inputs: Sequence[InputSpec] = (), trust: bool = False) -> Graph:
    """The graph of a model, from an earlier capture where nothing has changed since.

    Parameters
    ----------
    reference : str
        A file, ``zoo:NAME`` or ``package.module:factory``.
    inputs : sequence of InputSpec
    trust : bool
        Whether code that comes with the file may run.

    Raises
    ------
    ModelError, UnknownName, BadReference
    """
    key = _key(reference, inputs, trust)
    path = None if key is None else home() / "graphs" / f"{key}.json"
    graph = _kept(path)
    if graph is None:
        graph = frontends.read(reference, inputs=inputs, trust=trust)
    path = path or home() / "graphs" / f"{hashlib.sha256(reference.encode()).hexdigest()}.json"
    if not path.is_file():
        write_atomically(path, json.dumps(graph.to_dict()).encode())
    write_atomically(_last(), json.dumps({"graph": path.name}).encode())
    return graph


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


def _key(reference: str, inputs: Sequence[InputSpec], trust: bool) -> str | None:
    """What a capture depends on, hashed; None for code that may change under us."""
    path = Path(reference)
    if reference.startswith("zoo:"):
        content = ""
    elif path.is_file():
        try:
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return None  # the reader says what is wrong with it
    else:
        return None
    shapes = [(spec.name, spec.text) for spec in inputs]
    parts = (reference, content, repr(shapes), repr(trust), _reader_version())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@cache
def _reader_version() -> str:
    """Changes whenever the code that reads models changes."""
    digest = hashlib.sha256()
    root = Path(__file__).parent
    for folder in ("frontends", "zoo", "ops"):
        for path in sorted((root / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()
