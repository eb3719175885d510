"""What goes into a model: shapes and dtypes, given by the user or guessed from the weights."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from latprof.errors import BadReference, CaptureFailed, ShapeMismatch
from latprof.graph import DTYPE_BYTES, Shape, Tensor

_SPEC = re.compile(r"^(?:(?P<name>[\w.\-/:]+)=)?(?P<shape>\d+(?:x\d+)*)(?::(?P<dtype>\w+))?$")
# The size every network of the zoo but Inception and Xception is quoted at.
DEFAULT_IMAGE_SIZE = 224


@dataclass(frozen=True)
class InputSpec:
    """Shape and dtype of one model input.

    Parameters
    ----------
    shape : tuple of int
    dtype : str
    name : str
        Which input, for models with several; empty for "in order".
    """

    shape: Shape
    dtype: str = "float32"
    name: str = ""

    @property
    def text(self) -> str:
        sizes = "x".join(map(str, self.shape))
        return sizes if self.dtype == "float32" else f"{sizes}:{self.dtype}"


def parse_input(text: str) -> InputSpec:
    """Read ``1x3x224x224``, ``1x128:int64`` or ``tokens=1x128:int64``.

    Raises
    ------
    BadReference
        If the text is none of these, or a size is zero.
    """
    match = _SPEC.match(text.strip().replace("×", "x"))
    if match is None:
        raise BadReference(
            f"cannot read the input shape {text!r}. Write sizes joined by x, as in "
            "--input 1x3x224x224, or --input tokens=1x128:int64."
        )
    shape = tuple(int(size) for size in match["shape"].split("x"))
    dtype = match["dtype"] or "float32"
    if dtype not in DTYPE_BYTES:
        raise BadReference(f"unknown dtype {dtype!r} in {text!r}; known: {', '.join(DTYPE_BYTES)}.")
    if 0 in shape:
        raise BadReference(f"the input shape {text!r} holds a zero; every size must be at least 1.")
    return InputSpec(shape, dtype, match["name"] or "")


def guess_input(weights: Sequence[Shape], name: str) -> tuple[tuple[InputSpec, ...], str]:
    """An input shape from the shape of the first weight, and the assumption in words.

    Raises
    ------
    CaptureFailed
        If the first weight says too little.
    """
    for shape in weights:
        if len(shape) == 4:
            size = DEFAULT_IMAGE_SIZE
            spec = InputSpec((1, shape[1], size, size))
            why = f"its first convolution takes {shape[1]} channels"
        elif len(shape) == 2:
            spec, why = InputSpec((1, shape[1])), f"its first weight takes {shape[1]} features"
        else:
            continue
        return (spec,), f"input shape assumed to be {spec.text}: {why}; --input says otherwise"
    raise CaptureFailed(
        f"cannot guess what {name!r} takes in: it has no convolution or linear weight. "
        "Say it with --input, as in --input 1x3x224x224."
    )


def require_inputs(wanted: Sequence[InputSpec], held: Sequence[Tensor], *, advice: str) -> None:
    """Check that a file of fixed shapes takes in what the user asked for.

    Parameters
    ----------
    wanted : sequence of InputSpec
        What the user gave; nothing is checked if that is nothing.
    held : sequence of Tensor
        The inputs in the file.
    advice : str
        What to do about a difference.

    Raises
    ------
    ShapeMismatch
        If they differ in number, name, shape or dtype.
    """
    unnamed = iter(held)
    by_name = {tensor.name: tensor for tensor in held}
    for spec in wanted:
        tensor = by_name.get(spec.name) if spec.name else next(unnamed, None)
        if tensor is None:
            which = f"an input {spec.name!r}" if spec.name else f"{len(wanted)} inputs"
            has = ", ".join(repr(tensor.name) for tensor in held) or "none"
            raise ShapeMismatch(f"--input names {which}; the file has {has}. {advice}")
        # float32 is what a spec says when the user named no dtype.
        if spec.shape != tensor.shape or spec.dtype not in ("float32", tensor.dtype):
            in_file = InputSpec(tensor.shape, tensor.dtype).text
            raise ShapeMismatch(
                f"--input says {spec.text} and the file has {in_file} for its input "
                f"{tensor.name!r}. {advice}"
            )
