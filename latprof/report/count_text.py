"""A count as the terminal shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from latprof.report import count_wording as said
from latprof.report import wording
from latprof.report.escaping import shorten, visible
from latprof.report.lines import Column, Pen, flow, table, wrap
from latprof.report.rows import mapping

_INDENT = "  "
_LABEL_CELLS = 12
_TITLE_CELLS, _PROSE_CELLS = 72, 600
_WIDE = 100  # columns from which tables say more
_KINDS, _MODULES, _LAYERS = 12, 40, 10


def render_count_text(
    answer: Mapping[str, Any], *, width: int, color: bool, limit: int | None = 15
) -> str:
    """What `latprof count` prints.

    Parameters
    ----------
    answer : mapping
        What ``--json`` prints.
    width : int
        No line is longer, colour codes aside.
    color : bool
        Without it the text is ASCII, but for a few characters.
    limit : int or None, default=15
        None lists every kind, module and layer.
    """
    pen = Pen(color)
    model = mapping(answer.get("model"))
    lines = _head(model, width, pen)
    convention = _asked_for(answer)
    if answer.get("explained"):
        lines += ["", *_explained(mapping(answer["explained"]), width, pen)]
    elif convention:
        lines += ["", *_convention(convention, width, pen)]
    else:
        lines += ["", *_labelled(said.arithmetic(answer), width, pen)]
        lines += _kinds(answer, width, pen, None if limit is None else _KINDS)
        lines += _modules(answer, width, pen, None if limit is None else _MODULES)
        lines += _conventions(answer, width, pen)
    if answer.get("sparsity"):
        some = None if limit is None else _LAYERS
        lines += ["", *_sparsity(mapping(answer["sparsity"]), width, pen, some)]
    lines += _notes(said.doubts(model), width, pen)
    return "\n".join(lines) + "\n"


def _head(model: Mapping[str, Any], width: int, pen: Pen) -> list[str]:
    name = shorten(_safe(model.get("name") or "model", pen), min(width, _TITLE_CELLS))
    lines = flow([name, *wording.model_facts(model)], width, between=" · ", rest=_INDENT)
    lines[0] = pen("bold", name) + lines[0].removeprefix(name)
    loud = said.loud(model)
    if loud:
        painted = wrap(_prose(loud, pen), width, first=_INDENT, rest=_INDENT * 2)
        lines += [pen("red", line) for line in painted]
    return lines


def _labelled(listed: Iterable[tuple[str, str]], width: int, pen: Pen) -> list[str]:
    lines = []
    for label, words in listed:
        first = _INDENT + label.ljust(_LABEL_CELLS)
        rest = " " * len(first)
        wrapped = wrap(_prose(words, pen), width, first=first, rest=rest)
        lines += [pen("dim", first) + wrapped[0].removeprefix(first), *wrapped[1:]]
    return lines


def _kinds(answer: Mapping[str, Any], width: int, pen: Pen, limit: int | None) -> list[str]:
    rows = answer.get("kinds") or []
    return _costs("kind", rows, [row["name"] for row in rows], answer, width, pen, limit)


def _modules(answer: Mapping[str, Any], width: int, pen: Pen, limit: int | None) -> list[str]:
    rows = [row for row in answer.get("modules") or [] if row["depth"]]
    names = [". " * (row["depth"] - 1) + row["name"].rpartition(".")[2] for row in rows]
    return _costs("module", rows, names, answer, width, pen, limit)


def _costs(
    heading: str,
    rows: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    answer: Mapping[str, Any],
    width: int,
    pen: Pen,
    limit: int | None,
) -> list[str]:
    if not rows:
        return []
    shown = rows[:limit]
    macs = mapping(answer.get("cost")).get("macs")
    columns = [
        Column(heading, [_safe(name, pen) for name in names[: len(shown)]], right=False, least=14),
        Column("nodes", [f"{row['nodes']:,}" for row in shown]),
        Column("params", [_some_of(row["params"]) for row in shown]),
        Column("MACs", [_some_of(row["macs"]) for row in shown]),
        Column("share", [said.share(row["macs"], macs) for row in shown]),
        Column("other ops", [_some_of(row["elementwise_ops"] + row["norm_ops"]) for row in shown]),
        Column("activations", [wording.size(row["activation_bytes"]) for row in shown]),
    ]
    if width >= _WIDE:
        columns.append(Column("read", [wording.size(row["bytes_read"]) for row in shown]))
        columns.append(Column("written", [wording.size(row["bytes_written"]) for row in shown]))
    first, *lines = table(columns, width, indent=_INDENT)
    if rows[len(shown) :]:
        lines.append(f"{_INDENT}… and {len(rows) - len(shown)} more; --all lists them")
    return ["", pen("dim", first), *lines]


def _some_of(value: int) -> str:
    return wording.count(value) if value else wording.DASH


def _conventions(answer: Mapping[str, Any], width: int, pen: Pen) -> list[str]:
    rows = answer.get("conventions") or []
    if not rows:
        return []
    columns = [
        Column("counted by", [row["convention"] for row in rows], right=False),
        Column("total", [said.exact(row["total"]) for row in rows]),
        Column("called", [row["called"].split(",")[0] for row in rows], right=False),
    ]
    room = width - len(_INDENT) - sum(column.width + 2 for column in columns)
    sums = [_safe(said.terms(row, room), pen) for row in rows]
    heading, *lines = table([*columns, Column("of which", sums, False, 10)], width, indent=_INDENT)
    return ["", pen("dim", heading), *lines]


def _asked_for(answer: Mapping[str, Any]) -> Mapping[str, Any] | None:
    name = answer.get("convention")
    rows = answer.get("conventions") or []
    return next((row for row in rows if row["convention"] == name), None)


def _convention(counted: Mapping[str, Any], width: int, pen: Pen) -> list[str]:
    total = said.exact(counted["total"])
    words = f"{total} {counted['called']}" if counted["total"] is not None else said.terms(counted)
    lines = [f"{_INDENT}{pen('bold', counted['convention'])}  {words}"]
    lines += wrap(f"counts {counted['means']}", width, first=_INDENT, rest=_INDENT)
    terms = mapping(counted.get("terms"))
    if terms:
        columns = [
            Column("operator", [_safe(op, pen) for op in terms], right=False, least=14),
            Column("adds", [f"{value:,}" for value in terms.values()]),
            Column("share", [said.share(value, sum(terms.values())) for value in terms.values()]),
        ]
        heading, *rows = table(columns, width, indent=_INDENT * 2)
        lines += ["", pen("dim", heading), *rows, ""]
    for note in counted.get("notes") or ():
        lines += wrap(f"note: {note}", width, first=_INDENT, rest=_INDENT * 2)
    return lines + wrap(f"source: {counted['source']}", width, first=_INDENT, rest=_INDENT * 2)


def _explained(explained: Mapping[str, Any], width: int, pen: Pen) -> list[str]:
    quoted = _safe(explained["quoted"], pen)
    lines = wrap(f"{quoted} is anything from {explained['interval']}", width,
                 first=_INDENT, rest=_INDENT * 2)  # fmt: skip
    lines[0] = lines[0].replace(quoted, pen("bold", quoted), 1)
    found = explained.get("found") or []
    if found:
        best, *others = found
        lines += wrap(best["words"], width, first=f"{_INDENT}it is: ", rest=_INDENT * 2)
        lines += wrap(said.sum_of(best), width, first=_INDENT * 2, rest=_INDENT * 3)
        if best["lenient"]:
            words = "if the last 0 of the figure was rounded to; taken as it stands, no"
            lines += wrap(words, width, first=_INDENT * 2, rest=_INDENT * 3)
        called = said.called(explained, best)
        if called:
            lines += wrap(called, width, first=_INDENT * 2, rest=_INDENT * 3)
        for other in others[:2]:
            first = f"{_INDENT}or: "
            words = f"{other['words']}, {other['total']:,}"
            lines += wrap(_prose(words, pen), width, first=first, rest=_INDENT * 2)
    else:
        lines += wrap(said.nearest(explained), width, first=_INDENT, rest=_INDENT * 2)
    tried = explained.get("tried") or []
    if tried:
        words = "looked at as well: " + "; ".join(tried)
        lines += wrap(words, width, first=_INDENT, rest=_INDENT * 2)
    if not found:
        lines += wrap(said.NOT_SEEN, width, first=_INDENT, rest=_INDENT * 2)
    return lines


def _sparsity(found: Mapping[str, Any], width: int, pen: Pen, limit: int | None) -> list[str]:
    first, *rest = said.sparsity_lines(found)
    lines = _labelled([("sparsity", first), *(("", line) for line in rest if line)], width, pen)
    layers = sorted(found.get("layers") or [], key=lambda row: row["nonzero_macs"] - row["macs"])
    layers = [row for row in layers if row["zeros"]]
    shown = layers[:limit]
    if not shown:
        return lines
    columns = [
        Column("layer", [_safe(row["weight"], pen) for row in shown], right=False, least=20),
        Column("kind", [row["op"] for row in shown], right=False),
        Column("zeros", [said.share(row["zeros"], row["elements"]) for row in shown]),
        Column("outputs of 0", [f"{row['zero_outputs']} of {row['outputs']}" for row in shown]),
        Column("inputs of 0", [f"{row['zero_inputs']} of {row['inputs']}" for row in shown]),
        Column("MACs", [wording.count(row["macs"]) for row in shown]),
    ]
    heading, *rows = table(columns, width, indent=_INDENT)
    lines += ["", pen("dim", heading), *rows]
    if layers[len(shown) :]:
        lines.append(f"{_INDENT}… and {len(layers) - len(shown)} more; --all lists them")
    return lines


def _notes(items: Iterable[str], width: int, pen: Pen) -> list[str]:
    return [
        pen("yellow", line)
        for item in items
        for line in wrap(_prose(item, pen), width, first=f"{_INDENT}doubt: ", rest=_INDENT * 2)
    ]


def _prose(text: Any, pen: Pen) -> str:
    return shorten(_safe(text, pen), _PROSE_CELLS)


def _safe(text: Any, pen: Pen) -> str:
    return visible(text, ascii_only=not pen.color)
