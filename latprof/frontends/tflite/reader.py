"""A ``.tflite`` file → graph, read from its FlatBuffer; nothing in it is run.

The file is mapped into memory and its weights are never touched: a file of several GB costs
what its graph costs. Neither torch nor numpy nor a TFLite runtime is needed.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from pathlib import Path

from latprof.builder import GraphBuilder
from latprof.errors import ModelError, UnreadableModel
from latprof.frontends.inputs import InputSpec, require_inputs
from latprof.frontends.tflite.detection import CUSTOM, DETECTION
from latprof.frontends.tflite.elementwise import ELEMENTWISE
from latprof.frontends.tflite.flatbuffer import FlatBuffer
from latprof.frontends.tflite.folding import fold
from latprof.frontends.tflite.images import IMAGES
from latprof.frontends.tflite.inline import INLINED, inline
from latprof.frontends.tflite.layers import LAYERS
from latprof.frontends.tflite.layout import logical, stored
from latprof.frontends.tflite.model import FileSubgraph, TfliteModel
from latprof.frontends.tflite.movements import MOVEMENTS
from latprof.frontends.tflite.names import MAX_LENGTH
from latprof.frontends.tflite.recurrent import RECURRENT
from latprof.frontends.tflite.selections import SELECTIONS
from latprof.frontends.tflite.translator import NotTold, Translator
from latprof.graph import Graph

TRANSLATIONS = {
    **LAYERS, **ELEMENTWISE, **MOVEMENTS, **SELECTIONS, **IMAGES, **RECURRENT, **DETECTION,
}  # fmt: skip

# Operators that only the data or another program can tell the cost of, and why.
_OPAQUE = {
    "IF": "which branch runs depends on the data",
    "WHILE": "how often its body runs depends on the data",
    "DELEGATE": "a delegate took the operators in it out of the file",
    **dict.fromkeys(INLINED, "the subgraph it runs is not in the file"),
}


def read(path: Path, *, inputs: Sequence[InputSpec] = (), trust: bool = False) -> Graph:
    """Read the TFLite file at `path`.

    Shapes come out with channels second, whatever the file keeps: an image input of
    ``[1, 224, 224, 3]`` is ``1x3x224x224``. Sizes that the file leaves open come from `inputs`.
    """
    return read_operators(path, inputs)[0]


def read_operators(
    path: Path, inputs: Sequence[InputSpec] = ()
) -> tuple[Graph, FileSubgraph, tuple[tuple[str, ...], ...]]:
    """The graph, the network as the file has it, and the nodes that each operator became."""
    try:
        with (
            path.open("rb") as stream,
            mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            return _read(FlatBuffer(data, repr(str(path))), path, inputs)
    except (OSError, ValueError) as error:  # ValueError: nothing in the file to map
        raise UnreadableModel(f"cannot read {str(path)!r}: {error}.") from error


def _read(
    buffer: FlatBuffer, path: Path, inputs: Sequence[InputSpec]
) -> tuple[Graph, FileSubgraph, tuple[tuple[str, ...], ...]]:
    model = TfliteModel(buffer)
    try:
        main = inline(model.subgraphs)
        builder = GraphBuilder(path.stem, source=str(path))
        translator = Translator(builder, model, main)
        _add_inputs(translator, model, main, inputs)
        ends = []
        for call in main.operators:
            translator.call = call
            _translate(translator)
            ends.append(builder.node_count)
        if not main.outputs:
            raise UnreadableModel("its network gives no output. Convert or fetch it again.")
        outputs = [translator.image(index)[0] for index in main.outputs]
        builder.assumptions += _assumptions(translator, model)
        names = builder.node_names
        made = tuple(names[i:j] for i, j in zip([0, *ends], ends, strict=False))
        return builder.finish(outputs), main, made
    except ModelError as error:
        if str(path) in str(error):
            raise
        raise type(error)(f"{str(path)!r}: {error}") from error


def _translate(t: Translator) -> None:
    """Add the current call to the graph."""
    call = t.call
    known = CUSTOM.get(call.custom) if call.kind == "CUSTOM" else TRANSLATIONS.get(call.kind)
    try:
        if not call.outputs:
            t.doubt("gives no result, but sets something up or checks it; left out")
            return
        if fold(t):
            return
        if known is None:
            if call.kind in _OPAQUE:
                t.doubt(f"{_OPAQUE[call.kind]}; listed as tflite.{call.kind}, not counted")
            t.unknown()
        else:
            known(t)
    except NotTold:
        t.doubt("its settings are computed while running; taken as the file has its result")
        t.unknown()
    except (KeyError, IndexError, TypeError, ValueError, ArithmeticError) as error:
        raise UnreadableModel(
            f"cannot read the {call.kind} that makes {t.file_name(call.outputs[0])!r}: {error!r}. "
            "The file is broken; convert or fetch it again."
        ) from error


def _add_inputs(
    t: Translator, model: TfliteModel, main: FileSubgraph, wanted: Sequence[InputSpec]
) -> None:
    """Add the model's inputs; what `wanted` says goes where the file leaves a size open."""
    aliases = next((each.inputs for each in model.signatures if each.subgraph == 0), {})
    names = []
    for index in main.inputs:
        name = aliases.get(index) or main.tensors[index].name
        names.append(t.free_name(name[:MAX_LENGTH] or "input"))
    specs = _by_input(wanted, names)
    for index, name in zip(main.inputs, names, strict=True):
        tensor, spec = main.tensors[index], specs.get(name)
        spatial = t.spatial(index)
        shape = tensor.shape
        if spec is not None and len(spec.shape) == tensor.rank:
            asked = stored(spec.shape, spatial)
            shape = tuple(
                asked[axis] if axis in tensor.open_axes else size for axis, size in enumerate(shape)
            )
        elif tensor.open_axes:
            opened = [
                logical(tuple(range(tensor.rank)), spatial).index(a) for a in tensor.open_axes
            ]
            axes = ", ".join(map(str, sorted(opened)))
            t.builder.assumptions.append(
                f"the file leaves sizes of its input {name!r} open (axis {axes}); taken as "
                f"{InputSpec(logical(shape, spatial)).text}: --input says otherwise"
            )
        t.reshaped_inputs |= shape != tensor.shape
        t.add_input(index, shape, name)
    require_inputs(
        wanted,
        [t.builder.tensor(name) for name in names],
        advice="Shapes of images are written channels second (1x3x224x224), also where the file "
        "keeps them last; sizes that it fixes can only be changed by converting the model again.",
    )


def _by_input(wanted: Sequence[InputSpec], names: Sequence[str]) -> dict[str, InputSpec]:
    """What the user said of each input: by name, and the rest in order."""
    in_order = iter(names)
    return {spec.name or next(in_order, ""): spec for spec in wanted}


def _assumptions(t: Translator, model: TfliteModel) -> list[str]:
    """What had to be guessed while reading."""
    found = [*t.assumptions, *sorted(model.doubts)]
    used = {
        operator.options[key]
        for graph in model.subgraphs
        for operator in graph.operators
        for key in ("first_subgraph", "second_subgraph")
        if key in operator.options
    }
    others = [g for number, g in enumerate(model.subgraphs) if number and number not in used]
    if others:
        named = ", ".join(repr(graph.name[:40]) for graph in others[:3])
        found.append(
            f"the file holds {len(model.subgraphs)} networks; the first, "
            f"{model.subgraphs[0].name[:40]!r}, is read, and not {named}"
        )
    if any(tensor.sparse for tensor in t.graph.tensors):
        found.append("weights are stored sparse; they are counted as if they were dense")
    return found
