"""Shapes of an ONNX model's inputs: from the file, from ``--input``, or guessed and said so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from latprof.errors import BadReference, ShapeMismatch
from latprof.frontends.guessing import IMAGE_SIZE, Layer, guess_input
from latprof.frontends.inputs import InputSpec, parse_input
from latprof.frontends.onnx.messages import TypeProto, ValueInfoProto
from latprof.frontends.onnx.values import MAX_RANK, dtype_of
from latprof.graph import Shape, Tensor

Size = int | str | None  # a number, the name of an open one, or nothing at all

_TOKENS = 128  # what an example of a sequence is long, in errors


@dataclass(frozen=True)
class Declared:
    """What a file says about a tensor: its sizes may be open."""

    name: str
    sizes: tuple[Size, ...] | None
    dtype: str

    @classmethod
    def of(cls, info: ValueInfoProto) -> Declared:
        tensor = info.type.tensor_type if isinstance(info.type, TypeProto) else None
        if tensor is None:  # a sequence, a map, or nothing said
            return cls(info.name, None, "float32")
        dtype = dtype_of(tensor.elem_type, info.name) if tensor.elem_type else "float32"
        if tensor.shape is None:
            return cls(info.name, None, dtype)
        if len(tensor.shape.dim) > MAX_RANK:
            raise ShapeMismatch(f"{info.name!r} has more than {MAX_RANK} axes.")
        sizes = tuple(
            dim.dim_param or None if dim.dim_value is None or dim.dim_value < 1 else dim.dim_value
            for dim in tensor.shape.dim
        )
        return cls(info.name, sizes, dtype)

    def shape(self, bound: dict[str, int]) -> Shape | None:
        """The shape with open sizes filled in, if all are known."""
        if self.sizes is None:
            return None
        sizes = [bound.get(size) if isinstance(size, str) else size for size in self.sizes]
        return None if None in sizes else tuple(size for size in sizes if size is not None)


@dataclass
class Inputs:
    """What goes in: tensors, open sizes by name, and what was assumed."""

    tensors: list[Tensor] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    assumptions: list[str] = field(default_factory=list)
    changed: bool = False  # whether a size differs from one the file fixes


def settle_inputs(
    declared: Sequence[Declared], specs: Sequence[InputSpec], weights: Iterable[Shape], model: str
) -> Inputs:
    """Shapes for all inputs.

    Parameters
    ----------
    declared : sequence of Declared
    specs : sequence of InputSpec
        What the user gave, by name or in order.
    weights : iterable of shape
        Of what two-dimensional convolutions store, in the order of their use, for a guess.
    model : str
        The model in words, for errors.

    Raises
    ------
    ShapeMismatch
        If `specs` do not fit the inputs, or a size is open and cannot be guessed.
    """
    found = Inputs()
    given = _assign(declared, specs)
    for entry in declared:  # sizes of one name agree, whichever input says them first
        if entry.name in given:
            _bind(entry, given[entry.name], found)
    for entry in declared:
        spec = given.get(entry.name)
        shape = spec.shape if spec is not None else _settle(entry, found, weights, model)
        found.tensors.append(Tensor(entry.name, shape, _dtype(entry, spec), "input"))
    return found


def _assign(declared: Sequence[Declared], specs: Sequence[InputSpec]) -> dict[str, InputSpec]:
    names = [entry.name for entry in declared]
    found: dict[str, InputSpec] = {}
    for spec in specs:
        if spec.name and spec.name not in names:
            raise ShapeMismatch(f"--input names an input {spec.name!r}; {_has(names)}")
        if spec.name in found:
            raise ShapeMismatch(f"--input names the input {spec.name!r} twice.")
        if spec.name:
            found[spec.name] = spec
    unnamed = [spec for spec in specs if not spec.name]
    free = [name for name in names if name not in found]
    if len(unnamed) > len(free):
        raise ShapeMismatch(f"--input is given {len(specs)} times; {_has(names)}")
    return found | dict(zip(free, unnamed, strict=False))


def _has(names: Sequence[str]) -> str:
    held = ", ".join(repr(name) for name in names[:10]) or "none"
    return f"the file has {len(names)}: {held}."


def _bind(entry: Declared, spec: InputSpec, found: Inputs) -> None:
    if entry.sizes is None:
        return
    if len(entry.sizes) != len(spec.shape):
        raise ShapeMismatch(
            f"--input says {spec.text} and the file has {_sizes(entry)} for its input "
            f"{entry.name!r}. Give {len(entry.sizes)} sizes."
        )
    for said, size in zip(entry.sizes, spec.shape, strict=True):
        if isinstance(said, str):
            if found.sizes.setdefault(said, size) != size:
                raise ShapeMismatch(
                    f"--input makes the size {said!r} both {found.sizes[said]} and {size}; in this "
                    "file it is one."
                )
        elif said is not None and said != size:
            found.changed = True


def _dtype(entry: Declared, spec: InputSpec | None) -> str:
    # float32 is what a spec says when the user named no dtype.
    if spec is not None and spec.dtype not in ("float32", entry.dtype):
        raise ShapeMismatch(
            f"--input says {spec.dtype} and the file has {entry.dtype} for its input "
            f"{entry.name!r}. Leave the dtype out."
        )
    return entry.dtype


def _settle(entry: Declared, found: Inputs, weights: Iterable[Shape], model: str) -> Shape:
    """The shape of an input that the user said nothing about."""
    if entry.sizes is None:
        return _guess_all(entry, found, weights, model)
    shape = entry.shape(found.sizes)
    if shape is not None:
        return shape
    sizes = [found.sizes.get(size) if isinstance(size, str) else size for size in entry.sizes]
    if sizes[0] is None and len(sizes) > 1:
        sizes[0] = 1
        found.assumptions.append(f"batch of the input {entry.name!r} assumed to be 1")
        if isinstance(entry.sizes[0], str):
            found.sizes[entry.sizes[0]] = 1
    if None in sizes:
        _guess_image(entry, sizes, found, weights, model)
    for said, size in zip(entry.sizes, sizes, strict=True):
        if isinstance(said, str) and size is not None:
            found.sizes.setdefault(said, size)
    return tuple(size for size in sizes if size is not None)


def _guess_image(
    entry: Declared, sizes: list[int | None], found: Inputs, weights: Iterable[Shape], model: str
) -> None:
    """Fill in the open sizes of a picture."""
    if len(sizes) != 4 or not (entry.dtype.startswith("float") or entry.dtype == "uint8"):
        raise ShapeMismatch(_ask(entry, sizes, model))
    channels_last = sizes[1] is None and sizes[3] in (1, 3, 4)
    why = "the file leaves its height and width open"
    if not channels_last and sizes[1] is None:
        (guess,), _ = guess_input(map(Layer, weights), model)
        sizes[1] = guess.shape[1]
        why += f", and its first convolution takes {sizes[1]} channels"
    across = next((size for size in sizes[1 + (not channels_last) :][:2] if size), None)
    for axis in (1, 2) if channels_last else (2, 3):
        sizes[axis] = sizes[axis] or across or IMAGE_SIZE
    text = "x".join(map(str, sizes))
    found.assumptions.append(
        f"input {entry.name!r} assumed to be {text}: {why}; --input {text} says otherwise"
    )


def _guess_all(entry: Declared, found: Inputs, weights: Iterable[Shape], model: str) -> Shape:
    convolutions = list(weights)
    if not convolutions or not entry.dtype.startswith("float"):
        raise ShapeMismatch(
            f"{model} does not say the shape of its input {entry.name!r}. Say it, as in "
            f"--input {_prefix(entry.name)}1x3x224x224."
        )
    (spec,), why = guess_input(map(Layer, convolutions), model)
    found.assumptions.append(why)
    return spec.shape


def _ask(entry: Declared, sizes: Sequence[int | None], model: str) -> str:
    example = [size or (1 if axis == 0 else _TOKENS) for axis, size in enumerate(sizes)]
    text = InputSpec(tuple(example), entry.dtype).text
    return (
        f"{model} leaves sizes of its input {entry.name!r} open: {_sizes(entry)}. Say them, as in "
        f"--input {_prefix(entry.name)}{text}."
    )


def _prefix(name: str) -> str:
    try:  # a name that cannot be typed is left out: inputs go by their order too
        return f"{name}=" if parse_input(f"{name}=1").name == name else ""
    except BadReference:
        return ""


def _sizes(entry: Declared) -> str:
    return " x ".join("?" if size is None else str(size) for size in entry.sizes or ())
