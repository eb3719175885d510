"""The state of translating: values with their layout, weights by name, nodes as they come.

Keras keeps channels where ``data_format`` says, mostly last; a graph of ours has them second.
A value of a network is therefore held in one of two ways: as Keras has it (*plain*), or with its
last axis moved to the second place (*image*). A layer asks for the one it needs; what the other
way round would cost is a transposition, written down once for each value that needs it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from latprof.builder import GraphBuilder
from latprof.errors import UnreadableModel
from latprof.frontends.keras.calls import LayerCall, Value
from latprof.frontends.keras.config import Array, Layer, OpenShape, TensorRef, dtypes, flat, shown
from latprof.graph import Call, Node, Role, Scalar, Shape, Tensor
from latprof.ops import infer_shapes

MAX_CALLS = 10_000  # of layers; the largest of keras.applications has under 1,000
MAX_NODES = 40_000
MAX_NESTING = 40  # networks in networks, wrappers in wrappers
_TAKE_SPLIT = ("Reshape", "Permute", "Transpose")  # layers and operations that shuffle channels
_KEPT_VALUES = 64  # constants larger than this are weights, not settings


Result = Value | list[Any]
Handler = Callable[["Translator", LayerCall], Result]


class Translator:
    """Turns calls of layers into nodes.

    Parameters
    ----------
    name, source : str
        As in `Graph`.
    find : callable
        The handler of a layer.
    images : collection of str
        Names of inputs to hold as images, as an earlier translation found (`wanted_as_image`).
    """

    def __init__(
        self, name: str, source: str, find: Callable[[Layer], Handler], images: Iterable[str] = ()
    ) -> None:
        self.builder = GraphBuilder(name, source)
        self.images = frozenset(images)
        self.wanted_as_image: set[str] = set()
        self._find = find
        self._calls = self._nodes = 0
        self._counters: dict[str, int] = {}
        self._origins: dict[str, frozenset[str]] = {}
        self._turned: dict[tuple[str, bool], Value] = {}
        self._vectors: dict[str, str] = {}
        self._modules: dict[str, str] = {}
        self._cast: dict[tuple[str, str], Value] = {}
        self._shared: dict[int, str] = {}
        self._weight_paths: dict[str, str] = {}

    # Calling

    def run(
        self,
        layer: Layer,
        args: Sequence[Any],
        kwargs: Mapping[str, Any] | None = None,
        *,
        path: str,
        given: Mapping[int, OpenShape] | None = None,
        trainable: bool = True,
        depth: int = 0,
    ) -> Result:
        """Translate one call of `layer`; what it gives comes back."""
        self._calls += 1
        if self._calls > MAX_CALLS or depth > MAX_NESTING:
            raise UnreadableModel(
                f"layer {path!r} is one of more than {MAX_CALLS} calls, or nested more than "
                f"{MAX_NESTING} deep; no real network is."
            )
        if layer.shared_as is not None:
            self._weight_paths.setdefault(path, self._shared.setdefault(layer.shared_as, path))
        own = layer.config.get("trainable", True) is not False
        call = LayerCall(
            layer, path, tuple(args), kwargs or {}, given or {}, trainable and own, depth
        )
        if layer.kind not in _TAKE_SPLIT:
            call = call.with_values(lambda value: self.plain(value) if value.split else value)
        compute = dtypes(layer.config.get("dtype"))[1]
        is_plain_layer = layer.origin in ("layer", "application") and "layers" not in layer.config
        # Keras casts what is a float, and nothing else, before a layer sees it.
        if is_plain_layer and "float" in compute and call.get("autocast", True) is not False:
            call = call.with_values(lambda value: self._autocast(call, value, compute))
        try:
            return self._find(layer)(self, call)
        except UnreadableModel as error:
            if repr(path)[:-1] in str(error):
                raise
            raise UnreadableModel(f"layer {path!r} ({layer.kind}): {error}") from error

    def run_within(
        self, call: LayerCall, layer: Layer, args: Sequence[Any], *, name: str = ""
    ) -> Result:
        """Translate a call of a layer that another one holds."""
        return self.run(
            layer, args, path=f"{call.path}.{name or layer.name}", trainable=call.trainable,
            depth=call.depth + 1,
        )  # fmt: skip

    def note(self, said: str) -> None:
        """Write down an assumption, once."""
        if said not in self.builder.assumptions:
            self.builder.assumptions.append(said)

    # Values

    def stored(self, value: Value) -> Tensor:
        """The tensor of a value, in the layout it is held in."""
        return self.builder.tensor(value.name)

    def shape(self, value: Value) -> Shape:
        """The shape of a value, in Keras's order."""
        shape = self.stored(value).shape
        ahead = 2 if value.split else int(value.image)
        return (shape[0], *shape[1 + ahead :], *shape[1 : 1 + ahead]) if ahead else shape

    def axis(self, value: Value, axis: int) -> int:
        """Where an axis of Keras's order (from the front) is held."""
        if not value.image or axis == 0:
            return axis
        return 1 if axis == len(self.stored(value).shape) - 1 else axis + 1

    def plain(self, value: Value) -> Value:
        """The value in Keras's order."""
        return self._turn(value, image=False) if value.image or value.split else value

    def image(self, value: Value) -> Value:
        """The value with its last axis second."""
        if value.image or len(self.shape(value)) < 3:
            return value
        self.wish_image(value)
        return self._turn(value, image=True)

    def wish_image(self, value: Value) -> None:
        """Say that the inputs behind `value` are images."""
        self.wanted_as_image |= self._origins.get(value.name, frozenset())

    def _turn(self, value: Value, *, image: bool) -> Value:
        key = (value.name, image)
        if key not in self._turned:
            shape = self.shape(value)
            rank = len(shape)
            wanted = (shape[0], shape[-1], *shape[1:-1]) if image else shape
            order = (0, rank - 1, *range(1, rank - 1)) if image else (0, *range(2, rank), 1)
            if value.split:
                order = (0, *range(3, rank), 1, 2)
            vector = self._vectors.get(value.name)
            name = f"{value.name}.{'channels_second' if image else 'channels_last'}"
            module = self._modules.get(value.name, "")
            if vector is not None:  # the features of a vector have no layout of their own
                found = self._emit(name, module, "reshape", [vector], {"shape": wanted})
            elif not value.split and (shape[-1] == 1 or math.prod(shape[1:-1]) == 1):
                found = self._emit(name, module, "reshape", [value.name], {"shape": wanted})
            else:
                found = self._emit(name, module, "transpose", [value.name], {"order": order})
            self._turned[key] = Value(found[0], image)
        return self._turned[key]

    def reshaped(
        self, call: LayerCall, value: Value, shape: Sequence[int], part: str = ""
    ) -> Value:
        """`value` in another shape of as many elements, both in Keras's order."""
        old, new = self.shape(value), tuple(shape)
        if old == new:
            return value
        same_batch = bool(new) and bool(old) and new[0] == old[0]
        if value.split:
            if new != (*old[:-2], old[-2] * old[-1]):
                return self.reshaped(call, self.plain(value), new, part)
            second = (new[0], new[-1], *new[1:-1])
            return Value(self.emit(call, "reshape", [value], part=part, shape=second), True)
        if value.image and new[:-2] == old[:-1]:
            ahead = (new[0], *new[-2:], *new[1:-2])
            name = self.emit(call, "reshape", [value], part=part, shape=ahead)
            return Value(name, split=True)
        if value.image:
            if len(new) >= 3 and same_batch and new[-1] == old[-1]:
                second = (new[0], new[-1], *new[1:-1])
                return Value(self.emit(call, "reshape", [value], part=part, shape=second), True)
            # A vector's features have no order: the weights behind it are stored in this one.
            if not (len(new) == 2 and same_batch) and math.prod(old[1:-1]) != 1 and old[-1] != 1:
                value = self.plain(value)
        found = Value(self.emit(call, "reshape", [value], part=part, shape=new))
        if len(old) == 2 and same_batch and len(new) >= 3:
            self._vectors[found.name] = value.name
        return found

    def aligned(
        self, call: LayerCall, values: Sequence[Any], *, batch_first: bool = False
    ) -> tuple[list[str], bool]:
        """Tensors of one layout that stretch to each other, and whether it is the image's.

        Parameters
        ----------
        batch_first : bool
            Whether a value of fewer axes keeps its first, as in Keras's merging layers, rather
            than its last, as in numpy.
        """
        held = [item if isinstance(item, Value) else None for item in values]
        rank = max((len(self.shape(item)) for item in held if item), default=0)
        image = any(item.image for item in held if item) and rank >= 3
        names = []
        for item, given in zip(held, values, strict=True):
            if item is None:
                names.append(self.constant(call, given, rank if image else 0))
                continue
            shape = self.shape(item)
            missing = rank - len(shape)
            if missing and (image or batch_first) and shape:
                ones = (1,) * missing
                wide = (shape[0], *ones, *shape[1:]) if batch_first else (*ones, *shape)
                item = self.reshaped(call, item, wide, part="stretched")
            names.append((self.image(item) if image else self.plain(item)).name)
        return names, image

    def constant(self, call: LayerCall, given: Any, image_rank: int = 0) -> str:
        """A number or an array of the file as a tensor, laid out for an image of that rank."""
        array = given
        if isinstance(given, (int, float)):
            array = Array((), (given,))
        elif isinstance(given, list):
            leaves = flat(given)
            if not all(isinstance(leaf, (int, float)) for leaf in leaves):
                raise UnreadableModel(f"layer {call.path!r} is given {shown(given)}.")
            array = Array((len(given),), tuple(leaves)) if len(leaves) == len(given) else given
        if not isinstance(array, Array):
            raise UnreadableModel(f"layer {call.path!r} is given {shown(given)}.")
        shape: Shape = array.shape
        values: tuple[Scalar, ...] | None = array.values
        if image_rank and shape:
            shape = (1,) * (image_rank - len(shape)) + shape
            if sum(size != 1 for size in shape) > 1:
                values = None  # their order would be another
            shape = (shape[0], shape[-1], *shape[1:-1])
        if len(array.values) > _KEPT_VALUES or not all(abs(v) < 1e300 for v in array.values):
            values = None
        name = self.free(f"{call.path}.constant")
        return self.builder.add_tensor(Tensor(name, shape, array.dtype, "constant", values))

    # Weights

    def weight(
        self, call: LayerCall, name: str, shape: Sequence[int], *, role: Role = "parameter",
        dtype: str = "",
    ) -> str:  # fmt: skip
        """A weight of the layer, the same one at every call of it."""
        path = self._weight_path(call.path).replace(".", "/")
        full = f"{path}/{name}"
        if full in self.builder and self.builder.tensor(full).shape == tuple(shape):
            return full
        stored_as = dtype or dtypes(call.layer.config.get("dtype"))[0]
        trainable = call.trainable if role == "parameter" else True
        tensor = Tensor(full, tuple(shape), stored_as, role, trainable=trainable)
        return self.builder.add_tensor(tensor)

    def _weight_path(self, path: str) -> str:
        """`path`, or that of the first place where the same object stood."""
        parts = path.split(".")
        for end in range(len(parts), 0, -1):
            first = self._weight_paths.get(".".join(parts[:end]))
            if first is not None and first != ".".join(parts[:end]):
                return ".".join([first, *parts[end:]])
        return path

    # Nodes

    def emit(
        self, call: LayerCall, op: str, inputs: Sequence[Value | str], *, part: str = "",
        dtype: str = "", **attributes: Any,
    ) -> str:  # fmt: skip
        """Add a node of one output, in the layout its inputs have; its name comes back."""
        (found,) = self.emit_all(call, op, inputs, part=part, dtype=dtype, **attributes)
        return found

    def emit_all(
        self, call: LayerCall, op: str, inputs: Sequence[Value | str], *, part: str = "",
        dtype: str = "", shapes: Sequence[Shape] | None = None, **attributes: Any,
    ) -> tuple[str, ...]:  # fmt: skip
        """Add a node; the names of its outputs come back. Without `shapes` they are inferred."""
        names = [item.name if isinstance(item, Value) else item for item in inputs]
        name = f"{call.path}.{part}" if part else call.path
        return self._emit(name, call.path, op, names, attributes, dtype, shapes)

    def _emit(
        self, wanted: str, module: str, op: str, inputs: Sequence[str],
        attributes: Mapping[str, Any], dtype: str = "", shapes: Sequence[Shape] | None = None,
    ) -> tuple[str, ...]:  # fmt: skip
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise UnreadableModel(
                f"there are more than {MAX_NODES} operations; no real network is."
            )
        name = self.free(wanted)
        operands = tuple(self.builder.tensor(each) if each else None for each in inputs)
        if shapes is None:
            shapes = infer_shapes(Call(Node(name, op, tuple(inputs), (), attributes), operands, ()))
        kept = dtype or next((t.dtype for t in operands if t is not None), "float32")
        names = [name] if len(shapes) == 1 else [f"{name}:{i}" for i in range(len(shapes))]
        outputs = [Tensor(each, shape, kept) for each, shape in zip(names, shapes, strict=True)]
        for each in names:
            self._modules[each] = module
        return self.builder.add(op, inputs, attributes, name=name, module=module, outputs=outputs)

    def elementwise(
        self, call: LayerCall, value: Value, op: str, others: Sequence[str] = (), *,
        part: str = "", dtype: str = "", **attributes: Any,
    ) -> Value:  # fmt: skip
        """A node that gives what is shaped and laid out like `value`."""
        name = self.emit(call, op, [value, *others], part=part, dtype=dtype, **attributes)
        self.follows(name, [value.name])
        return Value(name, value.image)

    def follows(self, name: str, inputs: Iterable[str]) -> None:
        """Say that a tensor is laid out like others, for whatever it will be used as."""
        found = frozenset[str]().union(*(self._origins.get(each, frozenset()) for each in inputs))
        if found:
            self._origins[name] = found

    def unknown(self, call: LayerCall, kind: str, outputs: Sequence[Shape], why: str) -> Result:
        """A node of an operator that latprof has no formula for, and why."""
        self.note(f"layer {call.path!r} {why}")
        inputs, dtype = call.values, dtypes(call.layer.config.get("dtype"))[1]
        # Keras would move nothing around it: images go in and come out as images.
        rank = len(self.shape(inputs[0])) if inputs else 0
        image = all(value.image for value in inputs) and rank >= 3
        image = image and all(len(shape) == rank for shape in outputs)
        if image:
            outputs = [(shape[0], shape[-1], *shape[1:-1]) for shape in outputs]
        else:
            inputs = [self.plain(value) for value in inputs]
        found = self.emit_all(call, f"keras.{kind}", inputs, dtype=dtype, shapes=outputs)
        values = [Value(name, image) for name in found]
        return values[0] if len(values) == 1 else values

    def input(self, name: str, shape: Shape, dtype: str) -> Value:
        """An input of the model, of a shape in Keras's order."""
        image = name in self.images and len(shape) >= 3
        held = (shape[0], shape[-1], *shape[1:-1]) if image else shape
        free = self.free(name)
        self.builder.input(held, dtype, free)
        self._origins[free] = frozenset([name])
        return Value(free, image)

    def free(self, wanted: str) -> str:
        """`wanted`, or it with a number behind it if the name is taken."""
        count = self._counters.get(wanted, 0)
        name = f"{wanted}_{count}" if count else wanted
        while name in self.builder:
            count += 1
            name = f"{wanted}_{count}"
        self._counters[wanted] = count + 1
        return name

    def cast(self, call: LayerCall, value: Value, dtype: str) -> Value:
        """`value` in another type."""
        if self.stored(value).dtype == dtype:
            return value
        key = (value.name, dtype)
        if key not in self._cast:
            self._cast[key] = self.elementwise(call, value, "cast", part="cast", dtype=dtype)
        return self._cast[key]

    def _autocast(self, call: LayerCall, value: Value, dtype: str) -> Value:
        return self.cast(call, value, dtype) if "float" in self.stored(value).dtype else value

    def floating(self, call: LayerCall, value: Value) -> Value:
        """`value` in the type that the layer computes in."""
        return self.cast(call, value, dtypes(call.layer.config.get("dtype"))[1])


def fill(shape: OpenShape, like: Shape | None) -> Shape | None:
    """`shape` with every open size taken from the same place of `like`; None if that fails."""
    found = []
    for axis, size in enumerate(shape):
        if size is None:
            if like is None or axis >= len(like) or (axis and len(like) != len(shape)):
                return None
            size = like[axis]
        found.append(size)
    return tuple(found)


__all__ = ["Handler", "LayerCall", "Result", "TensorRef", "Translator", "Value", "fill"]
