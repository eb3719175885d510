"""The graph that the operators of a TFLite file grow into."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from latprof.builder import GraphBuilder
from latprof.errors import UnreadableModel
from latprof.frontends.tflite import layout
from latprof.frontends.tflite.layout import PLAIN
from latprof.frontends.tflite.model import MAX_RANK, FileOperator, FileSubgraph, TfliteModel
from latprof.frontends.tflite.names import fused_names, readable, weight_name, working_name
from latprof.graph import Call, Node, Role, Scalar, Shape, Tensor
from latprof.ops import OPS, infer_shapes

# Work at most, whatever a file asks for.
MAX_NODES = 100_000
MAX_NUMBERS = 1_000_000  # that steer the network, or are worked out while reading

KEPT_VALUES = 64  # numbers of a constant that go into the graph
# Operators that a layer is there for, rather than what brings its input into shape.
_LAYER_FAMILIES = ("convolution", "matmul", "recurrent", "activation", "pool", "norm")


class NotTold(Exception):
    """What an operator needs to be understood is known only when the model runs."""


class Translator:
    """Collects TFLite operators into a graph of logical shapes.

    Tensors go by their index in the file. Each stands in the graph with the axes that
    `tflite_layout` gives it; an operator that wants it otherwise asks `operand` for it so.

    Parameters
    ----------
    builder : GraphBuilder
    model : TfliteModel
        Where contents of small constants are.
    graph : FileSubgraph
    """

    def __init__(self, builder: GraphBuilder, model: TfliteModel, graph: FileSubgraph) -> None:
        self.builder, self.model, self.graph = builder, model, graph
        self.call = FileOperator("", (), ())  # the one being translated
        self.reshaped_inputs = False  # whether the user asked for other shapes than the file says
        self._images = layout.find_images(graph)
        self._computed = {i for operator in graph.operators for i in operator.outputs}
        self._names: dict[int, tuple[str, int]] = {}  # in the graph: name, spatial axes
        self._views: dict[tuple[str, int], str] = {}
        self._known: dict[int, tuple[Scalar, ...]] = {}
        self._known_shapes: dict[int, Shape] = {}
        self._same: dict[int, int] = {}
        self._stored: dict[tuple[int, str, Shape], str] = {}
        self._doubts: dict[str, list[str]] = {}
        self._nodes_left, self._numbers_left = MAX_NODES, MAX_NUMBERS
        self._taken: Counter[str] = Counter()
        self._used: set[str] = set()

    # What is known of a tensor

    def resolve(self, index: int) -> int:
        """The tensor that `index` is another name for."""
        while index in self._same:
            index = self._same[index]
        return index

    def is_stored(self, index: int) -> bool:
        """Whether a tensor comes with the file rather than being computed."""
        index = self.resolve(index)
        return index not in self._computed and index not in self._names

    def shape(self, index: int) -> Shape:
        """Shape of a tensor, with its axes in the file's order."""
        index = self.resolve(index)
        if index in self._known_shapes:
            return self._known_shapes[index]
        if index in self._names:
            name, spatial = self._names[index]
            return layout.stored(self.builder.tensor(name).shape, spatial)
        if index in self._computed:
            raise UnreadableModel(
                f"an operator reads {self.file_name(index)!r} before anything has computed it."
            )
        return self.graph.tensors[index].shape

    def rank(self, index: int) -> int:
        return len(self.shape(index))

    def spatial(self, index: int, rank: int | None = None) -> int:
        """Spatial axes of a tensor as it stands, or will stand, in the graph; 0 for no image."""
        index = self.resolve(index)
        if index in self._names:
            return self._names[index][1]
        spatial = self._images.get(index, PLAIN)
        rank = self.graph.tensors[index].rank if rank is None else rank
        self.check_rank(rank)
        return spatial if rank >= spatial + 2 else PLAIN

    def dtype(self, index: int) -> str:
        return self.graph.tensors[self.resolve(index)].dtype

    def check_rank(self, rank: int) -> None:
        """Refuse tensors of more axes than any operator takes."""
        if rank > MAX_RANK:
            raise UnreadableModel(
                f"the {self.call.kind} that makes {self.file_name(self.call.outputs[0])!r} gives "
                f"it {rank} axes, more than any real network has."
            )

    def spend(self, numbers: int) -> None:
        """Count numbers that are worked with while reading, so that no file takes forever."""
        self._numbers_left -= numbers
        if self._numbers_left < 0:
            raise UnreadableModel("its shapes take too much arithmetic for a real network.")

    def file_name(self, index: int) -> str:
        return self.graph.tensors[index].name[:80] or f"tensor {index}"

    def known(self, index: int) -> tuple[Scalar, ...] | None:
        """Contents of a tensor that does not depend on the input, if it is small."""
        if index < 0:
            return None
        index = self.resolve(index)
        if index not in self._known and self.is_stored(index):
            found = self.model.values(self.graph.tensors[index])
            if found is not None:
                self._known[index] = found
        return self._known.get(index)

    def whole(self, position: int, count: int | None = None) -> tuple[int, ...]:
        """Whole numbers that the current call takes its settings from, out of one of its inputs.

        Raises
        ------
        NotTold
            If they are known only when the model runs, or are not `count`.
        """
        inputs = self.call.inputs
        found = self.known(inputs[position]) if position < len(inputs) else None
        if found is None or (count is not None and len(found) != count):
            raise NotTold
        self.spend(len(found))
        return tuple(int(value) for value in found)

    # Tensors going into the graph

    def add_input(self, index: int, shape: Shape, name: str) -> None:
        """Add an input of the model under a free name; `shape` is in the file's order."""
        spatial = self.spatial(index, len(shape))
        self._define(index)
        tensor = Tensor(name, layout.logical(shape, spatial), self.dtype(index), "input")
        self._names[index] = (self.builder.add_tensor(tensor), spatial)

    def learn(self, index: int, shape: Shape, values: Sequence[Scalar]) -> None:
        """Note the contents of a tensor that was computed while reading."""
        self._define(index)
        self.spend(len(values))
        self._known[index], self._known_shapes[index] = tuple(values), shape

    def same(self, index: int, other: int) -> None:
        """Let tensor `index` be `other` under another name."""
        self.shape(other)  # which is there already: names never go in a circle
        self._define(index)
        self._same[index] = self.resolve(other)

    def give(self, name: str, spatial: int = PLAIN, output: int = 0) -> None:
        """Let an output of the current call be `name`, which has axes for `spatial`."""
        index = self.call.outputs[output]
        shape = layout.stored(self.builder.tensor(name).shape, spatial)
        wanted = self.spatial(index, len(shape))
        name = self.relayout(name, shape, spatial, wanted)
        self._define(index)
        self._names[index] = (name, wanted)
        said = self.graph.tensors[index]
        if said.shape != shape and not said.open_axes and not self.reshaped_inputs:
            self.doubt("came out in another shape than the file says, and go by their operators")

    def _define(self, index: int) -> None:
        if index in self._names or index in self._same or index in self._known_shapes:
            raise UnreadableModel(f"two operators compute {self.file_name(index)!r}.")

    # Tensors as an operator takes them

    def operand(
        self, index: int, spatial: int = PLAIN, rank: int = 0, role: Role = "constant"
    ) -> str:
        """A tensor with its axes for `spatial`, ready to meet one of `rank` axes.

        A tensor of lower rank is one that stretches: its axes are the last ones of the file's
        order, so that ``(C,)`` beside an image becomes ``(C, 1, 1)``.
        """
        if index < 0:
            return ""
        index = self.resolve(index)
        shape = self.shape(index)
        short = spatial > 0 and 0 < len(shape) < rank
        wide = (1,) * (rank - len(shape)) + shape if short else shape
        spatial = spatial if len(wide) >= spatial + 2 else PLAIN
        if index in self._names:
            name, own = self._names[index]
            if short:
                return self.relayout(self.reshaped(name, wide), wide, PLAIN, spatial)
            return self.relayout(name, shape, own, spatial)
        wanted = layout.logical(wide, spatial)
        while short and len(wanted) > 1 and wanted[0] == 1:
            wanted = wanted[1:]
        return self.constant(index, wanted, role)

    def constant(self, index: int, shape: Shape, role: Role, part: str = "") -> str:
        """A stored tensor in a logical `shape`; one that is used in two is reshaped.

        `part` says what it is of the layer that takes it.
        """
        index = self.resolve(index)
        tensor = self.graph.tensors[index]
        # Tensors of one buffer are one weight; those without are told apart by their index.
        buffer = tensor.buffer if tensor.buffer and index not in self._computed else -1 - index
        key = (buffer, tensor.dtype, self.shape(index))
        if key not in self._stored:
            values = self.known(index) if role == "constant" else None
            if values is not None and len(values) > KEPT_VALUES:
                values = None
            name = self.free_name(weight_name(tensor.name, self.call.kind, part or "constant"))
            self.builder.add_tensor(Tensor(name, shape, tensor.dtype, role, values))
            self._stored[key] = name
        return self.reshaped(self._stored[key], shape)

    def weight(self, index: int, shape: Shape, part: str = "weight") -> str:
        """A stored tensor that training has set."""
        return self.constant(index, shape, "parameter", part)

    def relayout(self, name: str, shape: Shape, held: int, wanted: int) -> str:
        """`name`, of a `shape` in the file's order, with axes for `wanted` instead of `held`."""
        if held == wanted:
            return name
        key = (name, wanted)
        if key not in self._views:
            places, axes = layout.position(held, len(shape)), layout.order(wanted, len(shape))
            order = tuple(places[axis] for axis in axes)
            if layout.moves(self.builder.tensor(name).shape, order):
                # The file moves nothing here: it is our order of the axes that changes.
                self._views[key] = self.emit("transpose", [name], order=order, moved=False)
            else:
                self._views[key] = self.reshaped(name, layout.logical(shape, wanted))
        return self._views[key]

    def reshaped(self, name: str, shape: Shape) -> str:
        """`name` in another logical shape."""
        if self.builder.tensor(name).shape == shape:
            return name
        return self.emit("reshape", [name], shape=shape)

    # Nodes

    def emit(self, op: str, inputs: Sequence[str], *, dtype: str = "", **attributes: Any) -> str:
        """Add a node with one output of interest; its name comes back."""
        return self.emit_all(op, inputs, dtypes=(dtype,), **attributes)[0]

    def emit_all(
        self,
        op: str,
        inputs: Sequence[str],
        *,
        dtypes: Sequence[str],
        shapes: Sequence[Shape] | None = None,
        name: str = "",
        **attributes: Any,
    ) -> tuple[str, ...]:
        """Add a node of any operator; the names of its outputs come back.

        A `dtype` that is empty is that of the first input.
        """
        self._nodes_left -= 1
        if self._nodes_left < 0:
            raise UnreadableModel(
                f"it comes to more than {MAX_NODES:,} nodes, more than any real network has."
            )
        wanted = list(inputs)
        while wanted and not wanted[-1]:
            wanted.pop()
        full = self.graph.tensors[self.call.outputs[0]].name if self.call.outputs else ""
        is_layer = op in OPS and OPS[op].family in _LAYER_FAMILIES
        source = name or working_name(full, self.call.kind)
        short, module = readable(source, op, is_layer=is_layer)
        short = self.free_name(short)
        if shapes is None:
            tensors = tuple(self.builder.tensor(each) if each else None for each in wanted)
            shapes = infer_shapes(Call(Node(short, op, tuple(wanted), (), attributes), tensors, ()))
        self.check_rank(max(map(len, shapes), default=0))
        like = self.builder.tensor(wanted[0]).dtype if wanted and wanted[0] else "float32"
        outputs = []
        for number, shape in enumerate(shapes):
            dtype = dtypes[min(number, len(dtypes) - 1)] or like
            own = short if number == 0 else self.free_name(f"{short}:{number}")
            outputs.append(Tensor(own, shape, dtype))
        return self.builder.add(op, wanted, attributes, name=short, module=module, outputs=outputs)

    def activation_name(self) -> str:
        """What the file calls the activation fused into the current call."""
        full = self.graph.tensors[self.call.outputs[0]].name
        first, work = fused_names(full)[0], working_name(full, self.call.kind)
        return first if first != work else ""

    def unknown(self) -> None:
        """Add the current call under its own name; the file has to say what it gives."""
        call = self.call
        inputs = [self.image(i)[0] for i in call.inputs if i >= 0]
        if not call.outputs:
            return  # nothing of it can be read: it only checks or sets something up
        op = f"tflite.{call.custom if call.kind == 'CUSTOM' and call.custom else call.kind}"
        said = [self.graph.tensors[i] for i in call.outputs]
        spatial = [self.spatial(i) for i in call.outputs]
        assert op not in OPS
        names = self.emit_all(
            op,
            inputs,
            dtypes=[each.dtype for each in said],
            shapes=[layout.logical(t.shape, s) for t, s in zip(said, spatial, strict=True)],
        )
        for number, name in enumerate(names):
            self.give(name, spatial[number], number)

    def doubt(self, what: str) -> None:
        """Note that something had to be guessed for the current call."""
        name = self.file_name(self.call.outputs[0]) if self.call.outputs else self.call.kind
        self._doubts.setdefault(what, []).append(name)

    @property
    def assumptions(self) -> list[str]:
        """What was guessed, a line for each kind of guess."""
        lines = []
        for what, names in self._doubts.items():
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            lines.append(f"{names[0]}{more}: {what}")
        return lines

    def image(self, index: int) -> tuple[str, Shape, int]:
        """A tensor as it stands: its name, its shape in the file's order, its spatial axes."""
        shape = self.shape(index)
        spatial = PLAIN if self.is_stored(index) else self.spatial(index, len(shape))
        return self.operand(index, spatial), shape, spatial

    def free_name(self, wanted: str) -> str:
        """`wanted`, numbered if something has that name already."""
        name = wanted
        while name in self._used:
            self._taken[wanted] += 1  # remembered: a file may give a million tensors one name
            name = f"{wanted}_{self._taken[wanted]}"
        self._used.add(name)
        return name
