"""ATen calls → graph: the one place where PyTorch's operators meet ours.

Every PyTorch frontend (torch.export in memory, a ``.pt2`` archive, TorchScript) turns what it
holds into `AtenCall` values, with arguments named as in the operator's schema, and hands them
to `translate`. Nothing here imports torch.

References
----------
PyTorch, aten/src/ATen/native/native_functions.yaml: operators and the names of their arguments.
"""

from __future__ import annotations

from collections.abc import Iterable

from latprof.errors import CaptureFailed
from latprof.frontends.aten.calls import AtenCall, Ref, Translator, module_path, target_name
from latprof.frontends.aten.operators import TRANSLATIONS

__all__ = ["AtenCall", "Ref", "Translator", "module_path", "target_name", "translate"]


def translate(translator: Translator, call: AtenCall) -> None:
    """Add `call` to the graph; an operator we do not know is kept under its own name.

    Raises
    ------
    CaptureFailed
        If the arguments are not those of the operator.
    """
    if not call.outputs:
        return  # assertions and the like: nothing is computed
    known = TRANSLATIONS.get(call.operator)
    try:
        if known is None:
            # Operators of other libraries say whose they are: torchvision.nms.
            op = call.operator if "." in call.operator else f"aten.{call.operator}"
            translator.emit(call, op, _refs(call.arguments.values()))
        else:
            known(translator, call)
        if call.in_place:
            translator.note_write(call)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise CaptureFailed(
            f"{translator.builder.name!r}: cannot read the call of aten.{call.target} that makes "
            f"{call.outputs[0].name!r}: {error!r}."
        ) from error


def _refs(values: Iterable[object]) -> list[Ref]:
    found: list[Ref] = []
    for value in values:
        if isinstance(value, Ref):
            found.append(value)
        elif isinstance(value, (tuple, list)):
            found += _refs(value)
    return found
