"""What goes into a model: shapes and dtypes, as the user writes them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from latprof.errors import BadReference, ShapeMismatch
from latprof.graph import DTYPE_BYTES, Shape, Tensor

_SPEC = re.compile(r"^(?:(?P<name>[\w.\-/:]+)=)?(?P<shape>\d+(?:x\d+)*)(?::(?P<dtype>\w+))?$")


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


def match_inputs(
    wanted: Sequence[InputSpec], names: Sequence[str], *, advice: str
) -> dict[str, InputSpec]:
    """Which of the inputs called `names` each spec is about: by its name, else in order.

    Raises
    ------
    ShapeMismatch
        If there is no such input, or not as many.
    """
    unnamed = iter(names)
    found: dict[str, InputSpec] = {}
    for spec in wanted:
        name = spec.name if spec.name in names else "" if spec.name else next(unnamed, "")
        if not name:
            which = f"an input {spec.name!r}" if spec.name else f"{len(wanted)} inputs"
            has = ", ".join(map(repr, names)) or "none"
            raise ShapeMismatch(f"--input names {which}; the file has {has}. {advice}")
        found[name] = spec
    return found


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
    by_name = {tensor.name: tensor for tensor in held}
    for name, spec in match_inputs(wanted, list(by_name), advice=advice).items():
        tensor = by_name[name]
        # float32 is what a spec says when the user named no dtype.
        if spec.shape != tensor.shape or spec.dtype not in ("float32", tensor.dtype):
            in_file = InputSpec(tensor.shape, tensor.dtype).text
            raise ShapeMismatch(
                f"--input says {spec.text} and the file has {in_file} for its input "
                f"{tensor.name!r}. {advice}"
            )
