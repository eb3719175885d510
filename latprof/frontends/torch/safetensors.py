"""A safetensors file: weights without a network. Only its header is read.

References
----------
Hugging Face, safetensors: README.md, "Format": eight bytes with the length of the header, the
header as JSON, the weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from latprof.errors import NoGraph, UnreadableModel
from latprof.frontends.bounded import parse_json, read_head
from latprof.frontends.inputs import InputSpec
from latprof.frontends.torch.stored_weights import Collection, Weight
from latprof.graph import Graph

MAX_HEADER = 32 * 2**20  # 10,000 weights take about 1.5 MB; the format itself allows 100 MB

_DTYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "F8_E4M3": "float8",
    "F8_E5M2": "float8", "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8",
    "U64": "uint64", "U32": "uint32", "U16": "uint16", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip


def read(path: Path, *, inputs: Sequence[InputSpec] = (), trust: bool = False) -> Graph:
    """Refuse a file that holds weights alone.

    Raises
    ------
    NoGraph
    """
    (held,) = weights_in(path)
    names = ", ".join(list(held.weights)[:3]) + (", ..." if len(held.weights) > 3 else "")
    raise NoGraph(
        f"{str(path)!r} is a safetensors file: it holds the weights of {len(held.weights)} tensors "
        f"({names}) and no network. Name what builds the network with --arch, as in --arch "
        "package.module:factory, --arch zoo:resnet50 or --arch timm:resnet50."
    )


def weights_in(path: Path) -> tuple[Collection]:
    """Names, shapes and dtypes of the weights.

    Raises
    ------
    UnreadableModel
        If the header is broken.
    """
    length = int.from_bytes(read_head(path, 8), "little")
    if length > MAX_HEADER:
        raise UnreadableModel(
            f"the header of {str(path)!r} claims to be {length} bytes long, more than any real "
            "network needs; it is broken or was made to fill the memory."
        )
    header = parse_json(read_head(path, 8 + length)[8:], f"the header of {str(path)!r}")
    try:
        weights = {name: _weight(held) for name, held in header.items() if name != "__metadata__"}
    except (AttributeError, KeyError, TypeError) as error:
        raise UnreadableModel(
            f"the header of {str(path)!r} is broken: {error!r}. Save or fetch the file again."
        ) from error
    return (Collection("", weights),)


def _weight(held: dict[str, object]) -> Weight:
    shape = held["shape"]
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise TypeError(f"{shape!r:.80} is no shape")
    return Weight(tuple(shape), _DTYPES.get(str(held["dtype"]), ""))
