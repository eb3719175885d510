"""An answer as the terminal shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from latprof.report import wording
from latprof.report.escaping import shorten, visible
from latprof.report.lines import Column, Pen, flow, table, wrap
from latprof.report.rows import Part, Row, by_op, mapping, number, parts, slowest

_INDENT = "  "
_BLOCK_FRACTION = 0.05  # one ▇ for every 5 % of the time
_LIGHT_STYLES = {"within": "green", "unsure": "yellow", "over": "red"}
_TITLE_CELLS, _PROSE_CELLS = 72, 600
_START_CELLS = 10  # of the path that kernels share, in the heading
_WIDE = 100  # columns from which a table names the type of each kernel


def render_text(
    answer: Mapping[str, Any], *, width: int, color: bool, limit: int | None = 15
) -> str:
    """What `latprof predict` and `latprof profile` print.

    Parameters
    ----------
    answer : mapping
        What ``--json`` prints.
    width : int
        No line is longer, colour codes aside.
    color : bool
        Without it the text is ASCII, but for ``· × – ± ▇ … → ² µ``.
    limit : int or None, default=15
        Kernels listed of a profile; a prediction lists a third of it for each device. None: all.
    """
    if answer.get("kind") == "count":
        from latprof.report.count_text import render_count_text

        return render_count_text(answer, width=width, color=color, limit=limit)
    if answer.get("kind") == "detection":
        from latprof.report.detection_text import render_detection

        return render_detection(answer, width=width, color=color)
    if answer.get("kind") == "fusion":
        from latprof.report.fusion_text import render_fusion

        return render_fusion(answer, width=width, color=color, limit=limit)
    pen = Pen(color)
    shown = parts(answer)
    lines = _model_lines(mapping(answer.get("model")), width, pen)
    for part in shown:
        some = limit if limit is None or not part.predicted else max(1, limit // 3)
        lines += ["", *_part_lines(answer, part, width, pen, some)]
        if not lines[-1]:
            lines.pop()
    if not shown:
        lines += ["", "no prediction in this answer"]
    return "\n".join(lines) + "\n"


def _model_lines(model: Mapping[str, Any], width: int, pen: Pen) -> list[str]:
    name = shorten(_safe(model.get("name") or "model", pen), min(width, _TITLE_CELLS))
    lines = flow([name, *wording.model_facts(model)], width, between=" · ", rest=_INDENT)
    lines[0] = pen("bold", name) + lines[0].removeprefix(name)
    return lines + _notes(wording.model_doubts(model), width, pen)


def _part_lines(
    answer: Mapping[str, Any], part: Part, width: int, pen: Pen, limit: int | None
) -> list[str]:
    lines = _head(part, width, pen)
    verdict = wording.verdict(part)
    if verdict:
        painted = wrap(str(verdict), width, first=_INDENT, rest=_INDENT)
        lines += [pen(_LIGHT_STYLES[verdict.light], line) for line in painted]
    lines += _shares(part, width, pen)
    lines += _kernels(part, width, pen, limit)
    lines += _reconciliation(answer, part, width)
    sources = wording.provenance(part)
    lines += _listed("learned from" if part.predicted else "measured by", sources, width, pen)
    return lines + _notes(wording.doubts(part), width, pen)


def _head(part: Part, width: int, pen: Pen) -> list[str]:
    interval = wording.interval(part)
    grade = part.facts.get("grade") if not part.predicted else None
    latency = wording.ms(part.latency_ms)
    chunks = [
        shorten(_safe(part.title, pen), min(width, _TITLE_CELLS)),
        f"{latency}  ({interval})" if interval else latency,
        wording.basis(part),
        f"grade {_safe(grade, pen)}" if grade else "",
    ]
    lines = flow(chunks, width, between="   ", rest=_INDENT)
    # Painting comes last: colour codes would count as width.
    return [line.replace(latency, pen("bold", latency), 1) for line in lines]


def _shares(part: Part, width: int, pen: Pen) -> list[str]:
    if part.kernels_ms <= 0:
        return []
    chunks = []
    for share in by_op(part.rows, most=6, least_fraction=0.01):
        blocks = "▇" * max(1, round(share.time_fraction / _BLOCK_FRACTION))
        op = shorten(_safe(share.op, pen), 24)
        chunks.append(f"{op} {wording.percent(share.time_fraction)} {blocks}")
    return flow(chunks, width, between="   ", first=_INDENT, rest=_INDENT)


def _kernels(part: Part, width: int, pen: Pen, limit: int | None) -> list[str]:
    rows = slowest(part.rows)
    shown = rows if limit is None else rows[:limit]
    if not shown:
        return []
    heading, *lines = table(_columns(part, shown, width, pen), width, indent=_INDENT)
    rest = rows[len(shown) :]
    if rest:
        rest_ms = wording.ms(sum(row.latency_ms or 0.0 for row in rest))
        lines.append(f"{_INDENT}… and {len(rest)} more ({rest_ms})")
    return ["", pen("dim", heading), *lines, ""]


def _columns(part: Part, rows: Sequence[Row], width: int, pen: Pen) -> list[Column]:
    decimals = wording.ms_decimals(max(row.latency_ms or 0.0 for row in rows))
    names = [_safe(row.name, pen) for row in rows]
    shapes = [_safe(row.shape if width >= _WIDE else _brief(row.shape), pen) for row in rows]
    heading = "kernel"
    start = _common_start(names) if width < _WIDE else ""
    if start:
        names = [name.removeprefix(start) for name in names]
        heading = f"kernel in {shorten(start, _START_CELLS)}"
    columns = [Column(heading, names, right=False, least=20)]
    if width >= _WIDE:
        ops = [_safe(row.op, pen) for row in rows]
        columns.append(Column("type", ops, right=False, least=10))
    columns += [
        Column("shape", [shape or wording.DASH for shape in shapes], right=False, least=12),
        Column("ms", [wording.ms_figure(row.latency_ms, decimals) for row in rows]),
        Column("share", [wording.percent(row.time_fraction) for row in rows]),
        Column("MACs", [wording.count(row.macs) for row in rows]),
    ]
    if part.predicted:
        columns.append(
            Column("basis", [_safe(row.basis, pen) or wording.DASH for row in rows], False)
        )
    else:
        columns.append(Column("params", [wording.count(row.params) for row in rows]))
        columns.append(Column("GMAC/s", [wording.rate(row.gmacs_per_s) for row in rows]))
    return columns


def _common_start(names: Sequence[str]) -> str:
    """The first part of dotted names, with its dot, if most of them share it."""
    firsts = Counter(name.split(".", 1)[0] for name in names if "." in name)
    first, often = firsts.most_common(1)[0] if firsts else ("", 0)
    return f"{first}." if often > len(names) / 2 else ""


def _reconciliation(answer: Mapping[str, Any], part: Part, width: int) -> list[str]:
    if part.predicted:
        overhead_ms = number(part.facts.get("overhead_ms"))
        total_ms = wording.ms(part.kernels_ms)
        if not overhead_ms or not part.rows:
            return []
        text = f"kernels {total_ms} {_signed(overhead_ms)} overhead = {wording.ms(part.latency_ms)}"
        return wrap(text, width, first=_INDENT, rest=_INDENT * 2)
    summands = wording.reconciliation(answer)
    if not summands:
        return []
    (name, value_ms), *others = summands
    words = [f"{name.removeprefix('sum of ')} {wording.ms(value_ms)}"]
    words += [f"{_signed(value_ms)} {name}" for name, value_ms in others]
    text = f"{' '.join(words)} = {wording.ms(part.latency_ms)} end to end"
    return wrap(text, width, first=_INDENT, rest=_INDENT * 2)


def _signed(value_ms: float) -> str:
    return f"{'-' if value_ms < 0 else '+'} {wording.ms(abs(value_ms))}"


def _listed(label: str, items: Sequence[str], width: int, pen: Pen) -> list[str]:
    if not items:
        return []
    text = "; ".join(_prose(item, pen) for item in items)
    return wrap(f"{label} {text}", width, first=_INDENT, rest=_INDENT)


def _notes(items: Iterable[str], width: int, pen: Pen) -> list[str]:
    return [
        pen("yellow", line)
        for item in items
        for line in wrap(_prose(item, pen), width, first=f"{_INDENT}doubt: ", rest=_INDENT * 2)
    ]


def _brief(shape: str) -> str:
    """``96 ch, 112² → 56², 3×3/2`` as ``96 112²→56² 3×3/2``."""
    return shape.replace(" → ", "→").replace(" ch,", "").replace(", ", " ")


def _prose(text: Any, pen: Pen) -> str:
    return shorten(_safe(text, pen), _PROSE_CELLS)


def _safe(text: Any, pen: Pen) -> str:
    return visible(text, ascii_only=not pen.color)
