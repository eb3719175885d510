"""The zeros in a model's weights, wherever the model is kept; nothing of a file runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from latprof.errors import BadReference, UnreadableModel
from latprof.frontends import BUILT, is_built
from latprof.frontends.sniff import Kind, sniff

if TYPE_CHECKING:
    from latprof.counting.sparsity import WeightZeros

# How often the bytes of a file may be read: tied weights are read for each of their names.
_MOST_READINGS = 8


class _Values(Protocol):
    """An open file: names of tensors, and their values as a map of the file."""

    names: list[str]

    def array(self, name: str) -> Any: ...


def read_zeros(model: Any, *, trust: bool = False) -> dict[str, WeightZeros]:
    """The zeros of every stored tensor, by the name the file gives it.

    Parameters
    ----------
    model : str, Path or torch.nn.Module
        A file of weights or of a network with its weights, ``package.module:factory``, or a
        network in memory.
    trust : bool
        Not needed: weights are read without running anything of the file.

    Raises
    ------
    BadReference
        If the model has no weights, as the networks of the zoo.
    UnreadableModel
        If the file's weights cannot be read.
    """
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(model, torch.nn.Module):
        from latprof.frontends.torch.weight_zeros import zeros_of_module

        return zeros_of_module(model)
    if not isinstance(model, (str, Path)):
        raise BadReference(
            f"a {type(model).__name__} holds no weights to count zeros in; give the file or the "
            "torch.nn.Module that it came from."
        )
    reference = str(model)
    if reference.startswith(BUILT):
        raise BadReference(
            f"{reference!r} is built without weights, so that there are no zeros to count. Give a "
            "file that holds trained weights."
        )
    if is_built(reference):
        from latprof.frontends.torch.built import recipe_for
        from latprof.frontends.torch.weight_zeros import zeros_of_module

        return zeros_of_module(recipe_for(reference).make()[0])
    path = Path(reference)
    kind = sniff(path)
    if kind not in _OPENERS:
        raise UnreadableModel(
            f"the values of the weights in {reference!r} are not read: it is a file of kind "
            f"{kind}. Give a .pt2 archive, a TorchScript archive, a file of torch.save, "
            "safetensors or ONNX."
        )
    return _zeros_of(_OPENERS[kind](path), path)


def _zeros_of(held: _Values, path: Path) -> dict[str, WeightZeros]:
    from latprof.frontends.zeros.array_zeros import zeros_in

    names = set(held.names)
    found: dict[str, WeightZeros] = {}
    room = _MOST_READINGS * path.stat().st_size
    for name in held.names:
        values = held.array(name)
        if values is None:
            continue
        room -= values.nbytes
        if room < 0:
            raise UnreadableModel(
                f"the weights in {str(path)!r} are the same bytes over and over: the file is "
                "broken or was made to take forever. Save it again."
            )
        mask_name = f"{name.removesuffix('_orig')}_mask" if name.endswith("_orig") else ""
        mask = held.array(mask_name) if mask_name in names else None
        masked = mask is not None and mask.shape == values.shape
        found[name] = zeros_in(values, mask if masked else None)
    return found


def _open_zip(path: Path) -> _Values:
    from latprof.frontends.zeros.zip_values import ZipValues

    with path.open("rb") as stream:
        if stream.read(2) != b"PK":
            raise UnreadableModel(
                f"{str(path)!r} was written by a PyTorch before 1.6, and the values of its weights "
                "are not read. Load it and save it again."
            )
    return ZipValues(path)


def _open_safetensors(path: Path) -> _Values:
    from latprof.frontends.zeros import flat_values

    return flat_values.safetensors(path)


def _open_onnx(path: Path) -> _Values:
    from latprof.frontends.zeros import flat_values

    return flat_values.onnx(path)


# By the kind of file; another kind is added here.
_OPENERS: Mapping[Kind, Callable[[Path], _Values]] = {
    "pt2": _open_zip,
    "torch_script": _open_zip,
    "torch_pickle": _open_zip,
    "safetensors": _open_safetensors,
    "onnx": _open_onnx,
}
