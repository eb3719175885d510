"""What a layer is called with: values with their layout, and settings beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from latprof.errors import UnreadableModel
from latprof.frontends.keras.config import Layer, OpenShape, flat


@dataclass(frozen=True)
class Value:
    """A tensor of the graph, and how Keras's axes are held in it.

    Parameters
    ----------
    name : str
    image : bool
        Whether it holds Keras's last axis in the second place.
    split : bool
        Whether it holds the last two there: channels in groups, as when they are shuffled.
    """

    name: str
    image: bool = False
    split: bool = False


@dataclass(frozen=True)
class LayerCall:
    """One call of a layer.

    Parameters
    ----------
    layer : Layer
    path : str
        Dotted path of the layer.
    args, kwargs
        As in the file, with a `Value` for every tensor.
    given : mapping of int to open shape
        The shapes of its outputs, as far as the file says.
    trainable : bool
        Whether its weights, and those of every network around it, are.
    depth : int
        How deep in wrappers and networks it stands.
    """

    layer: Layer
    path: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    given: Mapping[int, OpenShape]
    trainable: bool = True
    depth: int = 0

    def get(self, key: str, default: Any = None) -> Any:
        """A setting of the layer."""
        found = self.layer.config.get(key, default)
        return default if found is None else found

    def argument(self, index: int, name: str, default: Any = None) -> Any:
        """An argument of the call, by place or name, or of the layer's constructor."""
        if name in self.kwargs:
            return self.kwargs[name]
        if 0 <= index < len(self.args):
            return self.args[index]
        return self.layer.config.get(name, default)

    def with_values(self, change: Callable[[Value], Value]) -> LayerCall:
        """The call with each of its tensors changed."""

        def changed(held: Any) -> Any:
            if isinstance(held, Value):
                return change(held)
            if isinstance(held, (list, tuple)):
                return [changed(item) for item in held]
            return {k: changed(v) for k, v in held.items()} if isinstance(held, dict) else held

        kwargs = {key: changed(held) for key, held in self.kwargs.items()}
        return replace(self, args=tuple(changed(item) for item in self.args), kwargs=kwargs)

    @property
    def values(self) -> list[Value]:
        """Every tensor that goes in."""
        held = [*flat(self.args), *flat(self.kwargs)]
        return [item for item in held if isinstance(item, Value)]

    @property
    def value(self) -> Value:
        """The first tensor that goes in."""
        found = self.values
        if not found:
            raise UnreadableModel(
                f"layer {self.path!r} ({self.layer.kind}) is called without a tensor."
            )
        return found[0]
