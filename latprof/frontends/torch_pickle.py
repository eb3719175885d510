"""What torch.save wrote: a pickled network, or weights without one.

The pickle is told apart by `outline`, which runs none of it. It is loaded only if the user trusts
the file, because loading a pickle runs whatever its author put in.
"""

from __future__ import annotations

import io
import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

from latprof.errors import NoGraph, UnreadableModel, UntrustedModel
from latprof.frontends.bounded import open_zip, read_member
from latprof.frontends.inputs import InputSpec
from latprof.frontends.pickle_outline import Global, Made, Pairs, outline
from latprof.graph import Graph

# What torch.save writes for one tensor (torch/_tensor.py, __reduce_ex__; torch/_utils.py).
_TENSOR_MAKERS = ("torch._utils._rebuild_", "torch._tensor._rebuild_", "torch.nn.parameter.")
_MAPPINGS = ("collections.OrderedDict", "collections.defaultdict")
_MAGIC_PARTS = 3  # before 1.6: a magic number, a version and the byte order come first


@dataclass(frozen=True)
class Contents:
    """What a pickle holds.

    Parameters
    ----------
    networks : tuple of (str, str)
        Key and class of every pickled network; the key is empty for the pickled object itself.
    tensors : tuple of str
        Names of the tensors in the largest collection of tensors.
    where : str
        Key of that collection.
    opaque : str
        Class of the pickled object, if it is neither a network nor a collection.
    """

    networks: tuple[tuple[str, str], ...] = ()
    tensors: tuple[str, ...] = ()
    where: str = ""
    opaque: str = ""


def read(path: Path, *, inputs: Sequence[InputSpec] = (), trust: bool = False) -> Graph:
    """Capture the network that torch.save pickled into `path`.

    Raises
    ------
    UntrustedModel
        If `trust` is not set; nothing of the file has run.
    NoGraph
        If the file holds weights only.
    UnreadableModel
        If it is broken, or its classes cannot be found here.
    """
    contents = describe(read_outline(path))
    if not contents.networks and not contents.opaque:
        raise _no_network(path, contents)
    if not trust:
        raise _untrusted(path, contents)

    from latprof.frontends.torch_module import capture  # torch: only once it is needed
    from latprof.frontends.torch_unpickle import unpickle_network

    module = unpickle_network(path)
    graph = capture(module, inputs, name=path.stem, source=str(path))
    taken = [f"took the network under the key {key!r}" for key, _ in contents.networks if key]
    return replace(graph, assumptions=(*taken, *graph.assumptions))


def read_outline(path: Path) -> Any:
    """The outline of the object that torch.save wrote into `path`."""
    what = repr(str(path))
    with path.open("rb") as stream:
        is_zip = stream.read(2) == b"PK"
    if is_zip:
        with open_zip(path) as archive:
            names = archive.namelist()
            member = next(n for n in names if n.split("/", 1)[-1] == "data.pkl")
            return outline(io.BytesIO(read_member(archive, member)), what)
    # Before torch 1.6 the tensors follow the pickle in the same file: a map reads no further than
    # it must, and never past the end, however long a forged string claims to be.
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as stream:
        for _ in range(_MAGIC_PARTS):
            outline(stream, what)
        return outline(stream, what)


def describe(root: Any) -> Contents:
    """What kind of object an outline shows."""
    if _is_network(root):
        return Contents(networks=(("", root.class_name),))
    if _is_tensor(root):
        return Contents(tensors=("",))
    pairs = _pairs_of(root)
    if pairs is None:
        opaque = root.class_name if isinstance(root, Made) else ""
        opaque = root.name if isinstance(root, Global) else opaque
        return Contents(opaque=opaque)
    networks = tuple((str(key), value.class_name) for key, value in pairs if _is_network(value))
    candidates = {"": pairs} | {
        key: inner
        for key, value in pairs
        if isinstance(key, str) and (inner := _pairs_of(value)) is not None
    }
    tensors = {
        where: tuple(str(key) for key, value in inner if _is_tensor(value))
        for where, inner in candidates.items()
    }
    where = max(tensors, key=lambda key: len(tensors[key]))
    return Contents(networks, tensors[where], where)


def _pairs_of(value: Any) -> list[tuple[Any, Any]] | None:
    """The items of a dict or of what passes for one."""
    if isinstance(value, Pairs):
        return value.items
    if isinstance(value, Made) and value.class_name in _MAPPINGS:
        # A forged mapping may hold items that are no pairs: they belong to nothing.
        return [item for item in value.items if isinstance(item, tuple) and len(item) == 2]
    if isinstance(value, (list, tuple)):
        return list(enumerate(value))
    return None


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Made) and value.class_name.startswith(_TENSOR_MAKERS)


def _is_network(value: Any) -> bool:
    """Whether `value` has the state that every torch.nn.Module has, or is a torch.fx one."""
    if not isinstance(value, Made):
        return False
    if value.class_name.startswith("torch.fx.graph_module.reduce_"):
        return True
    state = _pairs_of(value.state) or []
    return {"_modules", "_parameters"} <= {key for key, _ in state if isinstance(key, str)}


def _no_network(path: Path, contents: Contents) -> NoGraph | UnreadableModel:
    name = repr(str(path))
    if not contents.tensors:
        return UnreadableModel(
            f"{name} was written by torch.save but holds neither a network nor weights. Save the "
            "network itself with torch.export.save, or give package.module:factory."
        )
    if contents.tensors == ("",):
        held = "a single tensor"
    else:
        first = ", ".join(contents.tensors[:3]) + (", ..." if len(contents.tensors) > 3 else "")
        count = len(contents.tensors)
        held = f"the weights of {count} tensor{'s' if count > 1 else ''} ({first})"
        held += f" under the key {contents.where!r}" if contents.where else ""
    return NoGraph(
        f"{name} holds {held} and no network: which layers use them is written only in the code "
        "that built it. Give what builds the network, as in latprof profile "
        f"package.module:factory, or save network and weights together: {_export_line()}"
    )


def _untrusted(path: Path, contents: Contents) -> UntrustedModel:
    if not contents.networks:
        return UntrustedModel(
            f"{str(path)!r} shows no network, and loading it would call {contents.opaque}. Do not "
            "load it unless you know what that does; if you wrote the file yourself, rerun with "
            "--trust."
        )
    key, class_name = contents.networks[0]
    held = f"a pickled {class_name}" + (f" under the key {key!r}" if key else "")
    return UntrustedModel(
        f"{str(path)!r} holds {held}; loading it would run code that came with the file. Where you "
        f"trust it, export it: {_export_line(path)} Or, if you wrote the file yourself, rerun with "
        "--trust."
    )


def _export_line(path: Path | None = None) -> str:
    """One line to copy; with a path it begins by loading the pickle."""
    target = json.dumps(str(path.with_suffix(".pt2")) if path else "model.pt2")
    export = (
        f"torch.export.save(torch.export.export(model, (torch.zeros(1, 3, 224, 224),)), {target})"
    )
    if path is None:
        return export
    load = f"model = torch.load({json.dumps(str(path))}, weights_only=False).eval()"
    return "python -c " + shlex.quote(f"import torch; {load}; {export}")
