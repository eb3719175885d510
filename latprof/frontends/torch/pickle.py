"""What torch.save wrote: a pickled network, or weights without one.

The pickle is told apart by `outline`, which runs none of it. It is loaded only if the user trusts
the file, because loading a pickle runs whatever its author put in.
"""

from __future__ import annotations

import io
import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

from latprof.errors import BadReference, NoGraph, UnreadableModel, UntrustedModel
from latprof.frontends.bounded import open_zip, read_member
from latprof.frontends.inputs import InputSpec
from latprof.frontends.torch.confined import capture_confined
from latprof.frontends.torch.pickle_outline import Elsewhere, Global, Made, Pairs, outline
from latprof.frontends.torch.stored_weights import Collection, Weight
from latprof.graph import DTYPE_BYTES, Graph, Shape

# What torch.save writes for one tensor (torch/_tensor.py, __reduce_ex__; torch/_utils.py).
_TENSOR_MAKERS = ("torch._utils._rebuild_", "torch._tensor._rebuild_", "torch.nn.parameter.")
_MAPPINGS = ("collections.OrderedDict", "collections.defaultdict")
_DEEPEST = 3  # checkpoint["state"]["model"]
_DTYPES = {
    "torch.DoubleStorage": "float64", "torch.FloatStorage": "float32",
    "torch.HalfStorage": "float16", "torch.BFloat16Storage": "bfloat16",
    "torch.LongStorage": "int64", "torch.IntStorage": "int32", "torch.ShortStorage": "int16",
    "torch.CharStorage": "int8", "torch.ByteStorage": "uint8", "torch.BoolStorage": "bool",
    **{f"torch.{name}": name for name in DTYPE_BYTES},
    "torch.float8_e4m3fn": "float8", "torch.float8_e5m2": "float8",
}  # fmt: skip
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
    """Capture the network that torch.save pickled into `path`, in a process of its own.

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

    graph = capture_confined(path, inputs, "torch_pickle")
    taken = [f"took the network under the key {key!r}" for key, _ in contents.networks if key]
    return replace(graph, assumptions=(*taken, *graph.assumptions))


def weights_in(path: Path) -> tuple[Collection, ...]:
    """Names, shapes and dtypes of the weights in a file that holds weights only.

    Raises
    ------
    BadReference
        If it holds a network.
    UntrustedModel, UnreadableModel
        If it holds something else.
    """
    root = read_outline(path)
    contents = describe(root)
    if contents.networks:
        _, class_name = contents.networks[0]
        raise BadReference(
            f"{str(path)!r} holds a pickled {class_name}, network and weights in one. Leave --arch "
            "out and pass --trust if you wrote the file yourself; or give what --arch names "
            "instead of the file."
        )
    if contents.opaque:
        raise _untrusted(path, contents)
    collections = tuple(_collections(root))
    if not collections:
        raise _no_network(path, contents)
    return collections


def _collections(root: Any) -> Iterator[Collection]:
    """Every collection of tensors, whatever it is nested in."""
    seen: set[int] = set()  # a forged pickle may hold itself
    layer = [("", root)]
    for _ in range(_DEEPEST):
        below = []
        for where, value in layer:
            if id(value) in seen or (pairs := _pairs_of(value)) is None:
                continue
            seen.add(id(value))
            weights = {str(key): _weight(held) for key, held in pairs if _is_tensor(held)}
            if weights:
                yield Collection(where, weights)
            below += [(f"{where}.{key}".removeprefix("."), held) for key, held in pairs]
        layer = below


def _weight(made: Made) -> Weight:
    """Shape and dtype of a pickled tensor (torch/_utils.py, the functions that make them)."""
    for _ in range(_DEEPEST):  # a parameter is made of a tensor, and may be of a class of its own
        maker = made.class_name.rpartition(".")[2]
        given = made.arguments if isinstance(made.arguments, tuple) else ()
        if maker == "_rebuild_from_type_v2" and len(given) > 2:
            made = Made(given[0], given[2])
        elif maker.startswith("_rebuild_parameter") and given and isinstance(given[0], Made):
            made = given[0]
        else:
            break
    if maker.startswith("_rebuild_tensor") and len(given) > 2:
        return Weight(_shape(given[2]), _dtype(given))
    if maker == "_rebuild_meta_tensor_no_storage" and len(given) > 1:
        return Weight(_shape(given[1]), _dtype(given))
    return Weight(None)


def _shape(value: Any) -> Shape | None:
    if isinstance(value, Made) and value.class_name == "torch.Size" and value.arguments:
        value = value.arguments[0]
    whole = isinstance(value, tuple) and all(type(size) is int and size >= 0 for size in value)
    return value if whole else None


def _dtype(given: tuple[Any, ...]) -> str:
    """The dtype among the arguments, or that of the storage."""
    names = [value.name for value in given if isinstance(value, Global)]
    identity = given[0].identity if isinstance(given[0], Elsewhere) else ()
    if isinstance(identity, tuple) and len(identity) > 1 and isinstance(identity[1], Global):
        names.append(identity[1].name)
    found = [_DTYPES[name] for name in names if name in _DTYPES]
    return found[0] if found else ""


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
        "that built it. Name what builds the network with --arch, as in --arch "
        "package.module:factory, --arch zoo:resnet50 or --arch timm:resnet50; or save network and "
        f"weights together: {_export_line()}"
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
