"""``timm:NAME``: the networks of Ross Wightman's PyTorch Image Models, where it is installed."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import re
from collections.abc import Callable
from typing import Any

from torch import nn

from latprof.errors import BadReference, CaptureFailed, UnknownName, UnreadableModel
from latprof.frontends.inputs import InputSpec, parse_input
from latprof.frontends.torch.module import first_line

_WORDS: dict[str, Any] = {"true": True, "false": False, "none": None}


def model(reference: str) -> Callable[[], tuple[nn.Module, tuple[InputSpec, ...]]]:
    """What builds ``NAME?argument=value&argument=value``, and knows what goes into it.

    Arguments are those of ``timm.create_model``: numbers, words, true, false, none, and sizes
    joined by x. ``size=160`` and ``input=1x3x160x160`` choose the input, not the network.

    Raises
    ------
    UnreadableModel
        If timm is not installed, or cannot be imported.
    UnknownName
        If timm has no such network.
    BadReference
        If the arguments cannot be read.
    """
    name, _, query = reference.partition("?")
    arguments = _parse(query, reference)
    timm = _timm()
    if not timm.is_model(name):  # names with a hub before them would be fetched from it
        near = difflib.get_close_matches(name, timm.list_models(), cutoff=0.5)  # of 1,300 names
        raise UnknownName("timm model", name, near, "timm.list_models() gives all names.")
    wanted: dict[str, Any] = {}
    for key in ("size", "input"):
        if key in arguments:
            wanted[key] = arguments.pop(key)
    return lambda: _made(timm, name, arguments, wanted)


def _timm() -> Any:
    if importlib.util.find_spec("timm") is None:
        raise UnreadableModel("timm:NAME needs timm, which is not installed. Run pip install timm.")
    try:
        return importlib.import_module("timm")
    except Exception as error:  # torchvision raises RuntimeError where it does not fit torch
        raise UnreadableModel(
            f"timm is installed but cannot be imported: {type(error).__name__}: "
            f"{first_line(error)} It needs a torchvision that fits the installed torch: run "
            "pip install --upgrade torch torchvision timm. Or export the model where timm works, "
            "with torch.export.save, and give latprof the .pt2 file."
        ) from error


def _made(
    timm: Any, name: str, arguments: dict[str, Any], wanted: dict[str, Any]
) -> tuple[nn.Module, tuple[InputSpec, ...]]:
    try:
        module = timm.create_model(name, pretrained=False, **arguments)
    except (TypeError, AssertionError) as error:
        raise BadReference(
            f"timm refuses the arguments of 'timm:{name}' ({_spelled(arguments)}): "
            f"{first_line(error)} See the signature of the network in timm."
        ) from error
    except Exception as error:  # constructors that look into their weights
        raise CaptureFailed(
            f"'timm:{name}' could not be built: {type(error).__name__}: {first_line(error)}"
        ) from error
    return module.eval(), (_input(module, arguments, wanted),)


def _input(module: Any, arguments: dict[str, Any], wanted: dict[str, Any]) -> InputSpec:
    """The input that timm quotes the network at, unless the arguments say otherwise."""
    if "input" in wanted:
        return InputSpec(wanted["input"])
    quoted = getattr(module, "pretrained_cfg", None) or getattr(module, "default_cfg", None) or {}
    channels, height, width = quoted.get("input_size") or (3, 224, 224)
    sizes = wanted.get("size", arguments.get("img_size", (height, width)))
    height, width = sizes if isinstance(sizes, tuple) else (sizes, sizes)
    return InputSpec((1, arguments.get("in_chans", channels), height, width))


def _parse(query: str, reference: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in query.split("&") if query else ():
        key, _, text = part.partition("=")
        if not key.isidentifier() or not text:
            raise BadReference(
                f"cannot read {part!r} in 'timm:{reference}'. Write argument=value, and & between "
                "two, as in timm:resnet50?num_classes=10&in_chans=1."
            )
        if key in found:
            raise BadReference(f"{key!r} is given twice in 'timm:{reference}'. Give it once.")
        found[key] = _value(text)
    for key, axes in (("size", 1), ("input", 4)):
        if key in found and len(_sizes(found[key])) != axes:
            raise BadReference(
                f"{key}={found[key]} in 'timm:{reference}' is no size. Write size=160, or "
                "input=1x3x160x160."
            )
    if "input" in found and "size" in found:
        raise BadReference("input and size both say how large the input is. Give one of them.")
    return found


def _sizes(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,) if isinstance(value, int) else ()


def _value(text: str) -> Any:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if re.fullmatch(r"\d+(x\d+)+", text):
        return parse_input(text).shape
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


def _spelled(arguments: dict[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in arguments.items()) or "none"
