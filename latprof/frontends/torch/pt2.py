"""A ``.pt2`` archive (torch.export.save) → graph, from its JSON alone.

torch is not imported and nothing is unpickled: weights, sample inputs and custom objects, which
the archive may hold as pickles, are never opened.

References
----------
PyTorch, torch/_export/serde/schema.py: the JSON, here called by the names it has there.
PyTorch, torch/export/pt2_archive/constants.py: the members of the archive.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from latprof.errors import UnreadableModel
from latprof.frontends.aten import AtenCall, Ref, Translator, module_path, target_name, translate
from latprof.frontends.aten.calls import WRAPPERS
from latprof.frontends.bounded import open_zip, parse_json, read_member
from latprof.frontends.inputs import InputSpec, match_inputs, require_inputs
from latprof.frontends.torch.pt2_sizes import OpenSizes
from latprof.frontends.torch.pt2_values import SubGraph, Values, case, tensor_names, text
from latprof.frontends.unread import with_unread
from latprof.graph import Graph, Role

_MODEL = re.compile(r"([^/]+/)?(models/[^/]+\.json|serialized_exported_program\.json)")
_STORAGE = re.compile(r"([^/]+/)?data/(weights|constants)/[^/]+_config\.json")
_MOST_CONFIGS = 4  # an archive of one model has two
_LONGEST_CONFIG = 32 * 2**20  # 10,000 weights take 5 MB
_ADVICE = (
    "A .pt2 file has the shapes it was exported for: export it again for others, best with "
    "dynamic_shapes, or leave --input and --batch out."
)
_REEXPORT = "Export it again, with torch.export.save(torch.export.export(model, inputs), path)."

# Cases of an InputSpec that hold a tensor of the model: role, and the field with its name.
_STORED: Mapping[str, tuple[Role, str]] = {
    "parameter": ("parameter", "parameter_name"),
    "buffer": ("buffer", "buffer_name"),
    "tensor_constant": ("constant", "tensor_constant_name"),
}


def read(path: Path, *, inputs: Sequence[InputSpec] = (), trust: bool = False) -> Graph:
    """Read the exported program in the archive at `path`.

    Raises
    ------
    UnreadableModel
        If the archive is broken, or of a schema that cannot be followed.
    ShapeMismatch
        If `inputs` are neither the shapes it was exported for nor others that it allows.
    """
    program, shared = _program(path)
    try:
        graph = _translate(program, shared, inputs, name=path.stem, source=str(path))
    except (
        KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError,
    ) as error:  # fmt: skip
        raise UnreadableModel(
            f"cannot follow the exported program in {str(path)!r}, written by torch "
            f"{_written_by(program)}: {error!r}. {_REEXPORT}"
        ) from error
    require_inputs(
        inputs,
        [graph.tensors[name] for name in graph.inputs],
        advice=_ADVICE,
    )
    return graph


def _program(path: Path) -> tuple[Any, dict[str, str]]:
    """The program in an archive, and where each of its weights is stored."""
    with open_zip(path) as archive:
        names = archive.namelist()
        found = [name for name in names if _MODEL.fullmatch(name)]
        if len(found) > 1:
            found = [name for name in found if name.endswith("models/model.json")] or found
        if len(found) != 1:
            shown = ", ".join(found) or "none"
            raise UnreadableModel(
                f"{str(path)!r} should hold one exported program; it holds {shown}. {_REEXPORT}"
            )
        data = read_member(archive, found[0])
        program = parse_json(data, f"{found[0]!r} in {str(path)!r}")
        shared: dict[str, str] = {}
        for name in [*filter(_STORAGE.fullmatch, names)][:_MOST_CONFIGS]:
            held = read_member(archive, name, limit=_LONGEST_CONFIG)
            told = parse_json(held, f"{name!r} in {str(path)!r}")
            shared |= _places(told)
    return program, shared


def _places(told: Any) -> dict[str, str]:
    """Where each weight lies, by its name: what two names of one weight have in common."""
    config = told.get("config") if isinstance(told, dict) else None
    found = {}
    for name, held in config.items() if isinstance(config, dict) else ():
        meta = held.get("tensor_meta") if isinstance(held, dict) else None
        if isinstance(meta, dict) and isinstance(held.get("path_name"), str):
            view = [meta.get(key) for key in ("sizes", "strides", "storage_offset", "dtype")]
            found[name] = f"{held['path_name']} {view}"
    return found


def _written_by(program: Any) -> str:
    held = program if isinstance(program, dict) else {}
    version = held.get("schema_version") or {}
    known = isinstance(version, dict) and "major" in version
    schema = f" (schema {version['major']}.{version.get('minor')})" if known else ""
    return f"{held.get('torch_version', 'of unknown version')}{schema}"


def _translate(
    program: Any, places: Mapping[str, str], inputs: Sequence[InputSpec], *, name: str, source: str
) -> Graph:
    module = program["graph_module"]
    translator = Translator(name, source)
    values = Values(module["graph"], OpenSizes(program.get("range_constraints")))
    specs = [case(spec) for spec in module["signature"]["input_specs"]]
    _settle_sizes(values, specs, inputs)
    stored: dict[str, str] = {}
    for kind, spec in specs:
        _add_input(translator, values, kind, spec, places, stored)
    _add_nodes(translator, module["graph"], values, prefix="")
    outputs = [
        text(argument["name"])
        for spec in module["signature"]["output_specs"]
        if (held := case(spec))[0] == "user_output"
        for kind, argument in [case(held[1]["arg"])]
        if kind == "as_tensor"
    ]
    translator.builder.assumptions += values.open_sizes.said.values()
    weights = [translator.tensor(Ref(known_as)) for known_as in stored.values()]
    return with_unread(translator.finish(outputs), weights)


def _settle_sizes(
    values: Values, specs: Sequence[tuple[str, Any]], inputs: Sequence[InputSpec]
) -> None:
    """Give the sizes that the file leaves open the values that `inputs` ask for."""
    names = [name for kind, spec in specs if (name := _input_name(kind, spec))]
    wanted = match_inputs(inputs, names, advice=_ADVICE)
    settled = [values.settle(name, spec.shape) for name, spec in wanted.items()]
    if any(settled):
        for name in names:
            values.settle_as_exported(name)


def _input_name(kind: str, spec: Any) -> str:
    """The name of an input that is a tensor; others are numbers, fixed by exporting."""
    if kind != "user_input":
        return ""
    held, argument = case(spec["arg"])
    return text(argument["name"]) if held == "as_tensor" else ""


def _add_input(
    translator: Translator, values: Values, kind: str, spec: Any,
    places: Mapping[str, str], stored: dict[str, str],
) -> None:  # fmt: skip
    """Add an input or weight; a weight is noted in `stored` by its place, and added once."""
    if kind in _STORED:
        role, field = _STORED[kind]
        name, shown = text(spec["arg"]["name"]), text(spec[field])
        place = places.get(shown, f"%{name}")
        if place in stored:
            translator.rename(name, Ref(stored[place]))
            return
        translator.add_input(values.tensor(name, shown, role), known_as=name)
        stored[place] = name
    elif name := _input_name(kind, spec):
        translator.add_input(values.tensor(name, name, "input"))


def _add_nodes(translator: Translator, graph: Any, values: Values, *, prefix: str) -> None:
    """Translate every node of `graph`, putting `prefix` before the names of its tensors."""
    for node in graph["nodes"]:
        target = target_name(text(node["target"]))
        arguments = {
            named["name"] or f"argument_{i}": values.argument(named["arg"], prefix)
            for i, named in enumerate(node["inputs"])
        }
        outputs = [
            (name, values.tensor(name, prefix + shown))
            for name, shown in tensor_names(node["outputs"])
        ]
        inner = [value for value in arguments.values() if isinstance(value, SubGraph)]
        if target in WRAPPERS and len(inner) == 1:
            operands = list(arguments.values())
            operands = operands[operands.index(inner[0]) + 1 :]
            shown = [tensor.name for _, tensor in outputs]
            within = Values(inner[0].graph, values.open_sizes)
            _add_wrapped(translator, inner[0], within, operands, shown, prefix)
            continue
        call = AtenCall(
            target,
            {key: None if value in inner else value for key, value in arguments.items()},
            tuple(tensor for _, tensor in outputs),
            _module_path(node.get("metadata") or {}),
        )
        translate(translator, call)


def _add_wrapped(
    translator: Translator,
    inner: SubGraph,
    values: Values,
    operands: Sequence[Any],
    outputs: Sequence[str],
    prefix: str,
) -> None:
    """Translate the nodes of a graph within the graph, as if they stood outside."""
    prefix = f"{prefix}{inner.name}."
    for held, operand in zip(inner.graph["inputs"], operands, strict=True):
        kind, argument = case(held)
        if kind == "as_tensor" and isinstance(operand, Ref):
            translator.rename(prefix + text(argument["name"]), operand)
    _add_nodes(translator, inner.graph, values, prefix=prefix)
    names = [name for name, _ in tensor_names(inner.graph["outputs"])]
    for outside, inside in zip(outputs, names, strict=True):
        translator.rename(outside, Ref(prefix + inside))


def _module_path(metadata: Mapping[str, Any]) -> str:
    """Path of the innermost module of "key,path,type;key,path,type", outermost first."""
    stack = metadata.get("nn_module_stack")
    if not stack:
        return ""
    parts = _split_outside_brackets(text(stack).split(";")[-1])
    return module_path(parts[1] if len(parts) == 3 else "")


def _split_outside_brackets(entry: str) -> list[str]:
    parts, depth = [""], 0
    for character in entry:
        depth += (character in "[(") - (character in ")]")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts
