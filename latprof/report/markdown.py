"""An answer as a comment on a pull request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from latprof.report import wording
from latprof.report.escaping import markdown_code, markdown_text, shorten, visible
from latprof.report.markdown_pieces import (
    LARGEST_CHARACTERS,
    bullets,
    footer,
    prose,
    table,
    table_line,
)
from latprof.report.rows import Part, Row, by_op, mapping, parts, slowest

_TOP = 5
_LIGHTS = {"within": "🟢", "unsure": "🟡", "over": "🔴"}
_DETAILS_END = "\n</details>\n"


def render_markdown(answer: Mapping[str, Any]) -> str:
    """Summary table, where the time goes, doubts; every kernel in a folded table.

    At most `LARGEST_CHARACTERS` long: the folded tables are cut first, and say so.
    """
    if answer.get("kind") == "count":
        from latprof.report.count_markdown import render_count_markdown

        return render_count_markdown(answer)
    if answer.get("kind") == "detection":
        from latprof.report.detection_text import render_detection_markdown

        return render_detection_markdown(answer)
    if answer.get("kind") == "fusion":
        from latprof.report.fusion_markdown import render_fusion_markdown

        return render_fusion_markdown(answer)
    model = mapping(answer.get("model"))
    shown = parts(answer)
    kind = "profile" if answer.get("kind") == "profile" else "prediction"
    blocks = [
        f"### latprof {kind}: {markdown_code(model.get('name') or 'model')}",
        markdown_text(" · ".join(wording.model_facts(model))),
        _summary(shown),
        bullets("What these counts leave open", wording.model_doubts(model)),
    ]
    for part in shown:
        blocks += _part_blocks(answer, part, titled=len(shown) > 1)
    blocks = [block for block in blocks if block]
    foot = footer(answer)
    used = sum(len(block) + 2 for block in blocks) + len(foot)
    if used > LARGEST_CHARACTERS:  # very many devices: what does not fit is dropped whole
        blocks, used = _fitting(blocks, LARGEST_CHARACTERS - len(foot) - 200)
        blocks.append("*Cut here: the rest does not fit in a comment.*")
        return "\n\n".join([*blocks, foot])
    for left, part in zip(range(len(shown), 0, -1), shown, strict=True):
        details = _details(part, (LARGEST_CHARACTERS - used) // left)
        blocks.append(details)
        used += len(details) + 2
    return "\n\n".join(block for block in [*blocks, foot] if block)


def _summary(shown: Sequence[Part]) -> str:
    predicted = bool(shown) and shown[0].predicted
    budgets = any(wording.verdict(part) for part in shown)
    heading = ["target", "latency", "interval" if predicted else "spread"]
    heading += ["basis" if predicted else "grade"] + ["budget"] * budgets
    rows = []
    for part in shown:
        verdict = wording.verdict(part)
        trust = wording.basis(part) if predicted else part.facts.get("grade")
        cells = [
            markdown_code(part.title),
            f"**{markdown_text(wording.ms(part.latency_ms))}**",
            markdown_text(wording.interval(part) or wording.DASH),
            prose(trust or wording.DASH),
        ]
        if budgets:
            light = f"{_LIGHTS[verdict.light]} {markdown_text(verdict)}" if verdict else ""
            cells.append(light or wording.DASH)
        rows.append(cells)
    return table(heading, rows, "lrlll"[: len(heading)])


def _part_blocks(answer: Mapping[str, Any], part: Part, *, titled: bool) -> list[str]:
    blocks = [f"#### {markdown_code(part.title)}"] if titled else []
    if part.kernels_ms > 0:
        shares = [
            f"{markdown_code(share.op, width=30)} {wording.percent(share.time_fraction)}"
            for share in by_op(part.rows, most=6, least_fraction=0.01)
        ]
        blocks.append(f"Time by kernel type: {' · '.join(shares)}")
    top = slowest(part.rows)[:_TOP]
    if top:
        heading = ["slowest kernels", "shape", "ms", "of time", "MACs"]
        blocks.append(table(heading, [_short_cells(row, part) for row in top], "llrrr"))
    summands = wording.reconciliation(answer) if not part.predicted else []
    if summands:
        said = ", ".join(f"{name} {wording.ms(value_ms)}" for name, value_ms in summands)
        blocks.append(markdown_text(f"Reconciliation: {said}."))
    blocks.append(bullets("Doubts", wording.doubts(part)))
    blocks.append(bullets("Learned from" if part.predicted else "Source", wording.provenance(part)))
    return [block for block in blocks if block]


def _details(part: Part, room: int) -> str:
    """Every kernel, in a fold; as many as fit in `room` characters, and a line on the others."""
    rows = slowest(part.rows)
    if not rows:
        return ""
    last = "basis" if part.predicted else "p10 – p90"
    heading = ["kernel", "type", "shape", "ms", "of time", "MACs", "params", "GMAC/s", last]
    begin = (
        f"<details><summary>All {len(rows)} kernels of "
        f"{markdown_code(part.title)}</summary>\n\n{table(heading, [], 'lllrrrrrl')}\n"
    )
    lines: list[str] = []
    room -= len(begin) + len(_DETAILS_END) + 100
    for row in rows:
        line = table_line(_long_cells(row, part)) + "\n"
        room -= len(line)
        if room < 0:
            break
        lines.append(line)
    if not lines:
        return ""
    left = len(rows) - len(lines)
    note = f"\n*Cut here: {left} faster kernels do not fit in a comment.*\n" if left else ""
    return begin + "".join(lines) + note + _DETAILS_END


def _short_cells(row: Row, part: Part) -> list[str]:
    decimals = _decimals(part)
    return [
        markdown_code(row.name, width=40),
        prose(shorten(visible(wording.shape_and_op(row)), 60)),
        markdown_text(wording.ms_figure(row.latency_ms, decimals)),
        markdown_text(wording.percent(row.time_fraction)),
        wording.count(row.macs),
    ]


def _long_cells(row: Row, part: Part) -> list[str]:
    decimals = _decimals(part)
    last = row.basis if part.predicted else wording.span(row.p10_ms, row.p90_ms)
    return [
        markdown_code(row.name, width=40),
        prose(shorten(visible(row.op), 24)),
        prose(shorten(visible(row.shape), 48) or wording.DASH),
        markdown_text(wording.ms_figure(row.latency_ms, decimals)),
        markdown_text(wording.percent(row.time_fraction)),
        wording.count(row.macs),
        wording.count(row.params),
        markdown_text(wording.rate(row.gmacs_per_s)),
        prose(shorten(visible(last), 24) or wording.DASH),
    ]


def _decimals(part: Part) -> int:
    return wording.ms_decimals(max((row.latency_ms or 0.0 for row in part.rows), default=0.0))


def _fitting(blocks: Sequence[str], room: int) -> tuple[list[str], int]:
    kept, used = [], 0
    for block in blocks:
        used += len(block) + 2
        if used > room:
            break
        kept.append(block)
    return kept, used
