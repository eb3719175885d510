"""The zeros in a model's weights, wherever the model is kept; nothing of a file runs."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latprof.errors import BadReference, UnreadableModel
from latprof.frontends.sniff import sniff

if TYPE_CHECKING:
    from latprof.counting.sparsity import WeightZeros

# Kinds of files whose weights lie in a zip archive of PyTorch's.
_ZIPS = ("pt2", "torch_script", "torch_pickle")
# How often the bytes of a file may be read: tied weights are read for each of their names.
_MOST_READINGS = 8
_FACTORY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def read_zeros(model: Any, *, trust: bool = False) -> dict[str, WeightZeros]:
    """The zeros of every stored tensor, by the name it has in the graph.

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
        from latprof.frontends.torch_weight_zeros import zeros_of_module

        return zeros_of_module(model)
    if not isinstance(model, (str, Path)):
        raise BadReference(
            f"a {type(model).__name__} holds no weights to count zeros in; give the file or the "
            "torch.nn.Module that it came from."
        )
    reference = str(model)
    if reference.startswith(("zoo:", "timm:")):
        raise BadReference(
            f"{reference!r} is built without weights, so that there are no zeros to count. Give a "
            "file that holds trained weights."
        )
    if _FACTORY.fullmatch(reference) and not Path(reference).exists():
        from latprof.frontends.torch_factory import load_factory
        from latprof.frontends.torch_weight_zeros import zeros_of_module

        return zeros_of_module(load_factory(reference))
    path = Path(reference)
    kind = sniff(path)
    if kind not in _ZIPS:
        raise UnreadableModel(
            f"the values of the weights in {reference!r} are not read: it is a file of kind "
            f"{kind}. Give a .pt2 archive, a TorchScript archive or a file of torch.save."
        )
    return _zeros_of_archive(path, pickled=kind == "torch_pickle")


def _zeros_of_archive(path: Path, *, pickled: bool) -> dict[str, WeightZeros]:
    with path.open("rb") as stream:
        if stream.read(2) != b"PK":
            raise UnreadableModel(
                f"{str(path)!r} was written by a PyTorch before 1.6, and the values of its weights "
                "are not read. Load it and save it again."
            )
    from latprof.frontends.array_zeros import zeros_in
    from latprof.frontends.torch_pickle import describe, read_outline
    from latprof.frontends.zip_values import ZipValues

    held = ZipValues(path)
    names = list(held.places)
    if pickled:  # a checkpoint holds the network or its weights under a key
        contents = describe(read_outline(path))
        key = contents.networks[0][0] if contents.networks else contents.where
        prefix = f"{key}." if key else ""
        names = [name for name in names if name.startswith(prefix)]
    else:
        prefix = ""
    if names and all(name.startswith(f"{prefix}module.") for name in names):
        prefix += "module."  # trained on several devices at once
    found: dict[str, WeightZeros] = {}
    room = _MOST_READINGS * path.stat().st_size
    for name in names:
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
        mask = held.array(mask_name) if mask_name in held.places else None
        masked = mask is not None and mask.shape == values.shape
        found[name.removeprefix(prefix)] = zeros_in(values, mask if masked else None)
    return found
