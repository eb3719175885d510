"""Weights in a file without a network, and whether they are those of a network named for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from latprof.errors import WrongWeights
from latprof.graph import Shape


@dataclass(frozen=True)
class Weight:
    """One stored tensor.

    Parameters
    ----------
    shape : tuple of int, or None
        None where the file does not tell.
    dtype : str
        As in a graph; empty where the file does not tell.
    """

    shape: Shape | None
    dtype: str = ""


@dataclass(frozen=True)
class Collection:
    """Weights by name, and the key under which the file holds them; empty for the file itself."""

    where: str
    weights: Mapping[str, Weight]


# What trainers and tools add to a state dict, and that no network needs: the counter of each norm,
# of averaged models (torch.optim.swa_utils), and what thop leaves behind.
_BOOKKEEPING = ("num_batches_tracked", "n_averaged", "total_ops", "total_params")

# What wraps a network, and puts its own name before those of the weights: DataParallel, then
# torch.compile, then what people call the network in a LightningModule.
_WRAPPERS = ("module.", "_orig_mod.", "model.", "network.", "net.")

_DEEPEST = 3
_SHOWN = 3


def fit(
    collections: Sequence[Collection], wanted: Mapping[str, Weight], *, file: str, network: str
) -> tuple[str, ...]:
    """What had to be assumed for the weights of a file to be those that a network wants.

    Parameters
    ----------
    collections : sequence of Collection
        What the file holds, at least one; the one with most names in common is taken.
    wanted : mapping of str to Weight
        The network's weights.
    file, network : str
        For errors.

    Raises
    ------
    WrongWeights
        If a weight is missing, is left over, or has another shape.
    """
    tried = [(held, *_unwrapped(held.weights, wanted)) for held in collections]
    held, found, cut = max(tried, key=lambda one: len(one[1].keys() & wanted.keys()))
    _check(found, wanted, file=file, network=network)
    said = []
    if held.where:
        fitting = [one for one, names, _ in tried if names.keys() >= wanted.keys()]
        others = [one.where for one in fitting if one is not held]
        beside = f" (others would do: {', '.join(map(repr, others))})" if others else ""
        said.append(f"took the weights under the key {held.where!r}{beside}")
    if cut:
        wrappers = " and ".join(map(repr, cut))
        said.append(f"left {wrappers} out of the names that the file gives its weights")
    stored, built = _main_dtype(found.values()), _main_dtype(wanted.values())
    if unknown := sum(weight.shape is None for weight in found.values()):
        said.append(f"the file does not tell the shapes of {unknown} weights; not compared")
    if stored and built and stored != built:
        said.append(f"the file stores {stored} weights; the network is taken as built, in {built}")
    return tuple(said)


def _unwrapped(
    weights: Mapping[str, Weight], wanted: Mapping[str, Weight]
) -> tuple[dict[str, Weight], tuple[str, ...]]:
    """`weights` by the names that the network uses, and what was cut off before them."""
    start: tuple[dict[str, Weight], tuple[str, ...]] = (dict(weights), ())
    tried = layer = [start]
    for _ in range(_DEEPEST):  # wrappers within wrappers
        layer = [
            (shorter, (*cut, wrapper))
            for held, cut in layer
            for wrapper in _WRAPPERS
            if len((shorter := _without(held, wrapper)).keys() - held.keys()) > len(held) / 2
        ]
        tried = tried + layer
    return max(tried, key=lambda one: len(one[0].keys() & wanted.keys()))


def _without(weights: Mapping[str, Weight], wrapper: str) -> dict[str, Weight]:
    # torch.compile may have wrapped a part as well as the whole.
    within = wrapper if wrapper == "_orig_mod." else "\0"
    return {
        name.removeprefix(wrapper).replace(within, ""): weight for name, weight in weights.items()
    }


def _check(
    found: Mapping[str, Weight], wanted: Mapping[str, Weight], *, file: str, network: str
) -> None:
    missing = [name for name in wanted if _counts(name) and name not in found]
    left_over = [name for name in found if _counts(name) and name not in wanted]
    common = [name for name in wanted if _counts(name) and name in found]
    other = [
        f"{name} is {_sizes(found[name])} in the file and {_sizes(wanted[name])} in the network"
        for name in common
        if None not in (found[name].shape, wanted[name].shape)
        and found[name].shape != wanted[name].shape
    ]
    if not common:
        raise WrongWeights(
            f"none of the {len(found)} weights in {file} is one of the {len(wanted)} of {network}: "
            f"the file calls them {_some(found)}, the network {_some(wanted)}. Name the network "
            "that was trained with --arch."
        )
    wrong = [
        f"{len(other)} of another shape ({_some(other)})" if other else "",
        f"{len(missing)} missing from the file ({_some(missing)})" if missing else "",
        f"{len(left_over)} that the network lacks ({_some(left_over)})" if left_over else "",
    ]
    if any(wrong):
        raise WrongWeights(
            f"the weights in {file} are not those of {network}: {'; '.join(filter(None, wrong))}. "
            "Name the network that was trained; arguments of zoo: and timm: networks go behind a "
            "question mark, as in --arch 'zoo:mobilenet_v2?num_classes=10'."
        )


def _counts(name: str) -> bool:
    return name.rpartition(".")[2] not in _BOOKKEEPING


def _some(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")


def _sizes(weight: Weight) -> str:
    return "x".join(map(str, weight.shape or ())) or "a single number"


def _main_dtype(weights: Iterable[Weight]) -> str:
    """The float dtype that most weights have."""
    counted = Counter(weight.dtype for weight in weights if "float" in weight.dtype)
    return counted.most_common(1)[0][0] if counted else ""
