"""Whose code a node of an inlined TorchScript graph was."""

from __future__ import annotations

import re
from itertools import takewhile
from typing import Any

_MODULE = re.compile(r"([^.()]+)\([^()]*\)")
_NOT_MODULES = ("SELF", "TOP", "UNKNOWN_INSTANCE")
_CONTAINERS = ("ModuleList", "ModuleDict")


class ModulePaths:
    """Dotted paths of modules, told from the calls that led to a node.

    Parameters
    ----------
    module : torch.jit.ScriptModule
    """

    def __init__(self, module: Any) -> None:
        # A list of modules is indexed and never called, so no node remembers it: "blocks.0.conv"
        # leaves "0.conv", and so may a list beside it.
        containers = {
            path
            for path, child in module.named_modules()
            if getattr(child, "original_name", "") in _CONTAINERS
        }
        self._by_calls: dict[str, list[str]] = {}
        for path in {path for path, _ in module.named_modules()} - containers:
            parts = path.split(".")
            called = [
                part for i, part in enumerate(parts) if ".".join(parts[: i + 1]) not in containers
            ]
            self._by_calls.setdefault(".".join(called), []).append(path)
        self._owner = ""  # of the weight that was read last

    def saw_weight(self, path: str) -> None:
        """Note that a weight of the module at `path` is being read."""
        self._owner = path

    def of(self, node: Any) -> str:
        """Path of the module that `node` was written in; of several, the one being run."""
        names = _MODULE.findall(node.getModuleHierarchy())
        called = ".".join(name for name in names if name not in _NOT_MODULES)
        candidates = self._by_calls.get(called, [called])
        return max(candidates, key=lambda path: _shared(path, self._owner))


def _shared(path: str, other: str) -> int:
    """How many modules two paths begin with in common."""
    pairs = zip(path.split("."), other.split("."), strict=False)
    return len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))
