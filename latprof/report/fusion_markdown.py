"""What a runtime launched, beside what was predicted, as a comment on a pull request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from latprof.report import wording
from latprof.report.escaping import markdown_code, markdown_text
from latprof.report.fusion_text import covered, slowest_first, summary
from latprof.report.markdown_pieces import (
    LARGEST_CHARACTERS,
    bullets,
    footer,
    prose,
    table,
    table_line,
)
from latprof.report.rows import mapping

_MOST_STRAYS = 20


def render_fusion_markdown(answer: Mapping[str, Any]) -> str:
    """Summary, launches that nobody predicted, then every kernel in running order.

    At most `LARGEST_CHARACTERS` long: the table of kernels is cut, and says so.
    """
    model = mapping(answer.get("model"))
    strays = slowest_first(answer["not_predicted"])
    listed = [
        f"{stray['name']} ({stray['kind']}): {wording.ms(stray['latency_ms'])}"
        for stray in strays[:_MOST_STRAYS]
    ]
    blocks = [
        f"### latprof fusion: {markdown_code(model.get('name') or 'model')}",
        markdown_text(" · ".join(wording.model_facts(model))),
        markdown_text(f"{summary(answer)}."),
        bullets("Launched, not predicted", listed),
        bullets("Predicted, not launched", answer["not_launched"]),
        bullets("Doubts", answer.get("doubts", ())),
    ]
    foot = footer(answer)
    blocks = [block for block in blocks if block]
    room = LARGEST_CHARACTERS - sum(len(block) + 2 for block in blocks) - len(foot) - 300
    return "\n\n".join([*blocks, _kernels(answer, room), foot])


def _kernels(answer: Mapping[str, Any], room: int) -> str:
    heading = ["kernel", "runs as", "computes", "launched", "ms"]
    lines: list[str] = []
    for kernel in answer["kernels"]:
        seen = ", ".join(kernel["seen"]) if kernel["launches"] else wording.DASH
        cells = [
            markdown_code(kernel["name"], width=40),
            prose(kernel["op"]),
            prose(covered(kernel)),
            prose(seen),
            wording.ms_figure(kernel["latency_ms"], 3),
        ]
        lines.append(table_line(cells))
        room -= len(lines[-1]) + 1
        if room < 0:
            break
    cut = len(answer["kernels"]) - len(lines)
    note = f"\n\n*Cut here: {cut} more kernels do not fit in a comment.*" if cut else ""
    return "\n".join([table(heading, [], "llllr"), *lines]) + note
