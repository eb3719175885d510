"""A count as a comment on a pull request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from latprof.report import count_wording as said
from latprof.report import wording
from latprof.report.escaping import markdown_code, markdown_text
from latprof.report.markdown_pieces import (
    bullets,
    footer,
    prose,
    table,
)
from latprof.report.rows import mapping

_KINDS, _MODULES, _LAYERS = 15, 100, 15


def render_count_markdown(answer: Mapping[str, Any]) -> str:
    """What is counted, by kind and by convention; modules in a folded table.

    At most `LARGEST_CHARACTERS` long: tables are cut, and say so.
    """
    model = mapping(answer.get("model"))
    loud = said.loud(model)
    blocks = [
        f"### latprof count: {markdown_code(model.get('name') or 'model')}",
        markdown_text(" · ".join(wording.model_facts(model))),
        f"**{prose(loud)}**" if loud else "",
        bullets("", [f"{label}: {words}" for label, words in said.arithmetic(answer)]),
    ]
    if answer.get("explained"):
        blocks.append(_explained(mapping(answer["explained"])))
    blocks += [_kinds(answer), _conventions(answer)]
    if answer.get("sparsity"):
        blocks.append(_sparsity(mapping(answer["sparsity"])))
    blocks += [_modules(answer), bullets("Doubts", said.doubts(model)), footer(answer)]
    return "\n\n".join(block for block in blocks if block)


def _explained(explained: Mapping[str, Any]) -> str:
    found = explained.get("found") or []
    lines = [
        f"{each['words']}: {said.sum_of(each)}" for each in found[:3]
    ] or [said.nearest(explained), said.NOT_SEEN]  # fmt: skip
    title = f"{explained['quoted']} (anything from {explained['interval']})"
    return bullets(title, lines)


def _kinds(answer: Mapping[str, Any]) -> str:
    rows = list(answer.get("kinds") or [])
    return _costs("kind", rows[:_KINDS], answer, len(rows) - _KINDS)


def _modules(answer: Mapping[str, Any]) -> str:
    rows = [row for row in answer.get("modules") or [] if row["depth"]]
    if not rows:
        return ""
    held = _costs("module", rows[:_MODULES], answer, len(rows) - _MODULES)
    return f"<details><summary>{len(rows)} modules</summary>\n\n{held}\n\n</details>"


def _costs(
    heading: str, rows: Sequence[Mapping[str, Any]], answer: Mapping[str, Any], more: int
) -> str:
    macs = mapping(answer.get("cost")).get("macs")
    lines = [
        [
            markdown_code(row["name"], width=48),
            f"{row['nodes']:,}",
            wording.count(row["params"]),
            wording.count(row["macs"]),
            markdown_text(said.share(row["macs"], macs)),
            wording.count(row["elementwise_ops"] + row["norm_ops"]),
            wording.size(row["bytes_read"]),
            wording.size(row["bytes_written"]),
        ]
        for row in rows
    ]
    titles = [heading, "nodes", "params", "MACs", "share", "other ops", "read", "written"]
    note = f"\n\n*Cut here: {more} more.*" if more > 0 else ""
    return table(titles, lines, "lrrrrrrr") + note


def _conventions(answer: Mapping[str, Any]) -> str:
    rows = [
        [row["convention"], said.exact(row["total"]), prose(row["called"]), prose(row["means"])]
        for row in answer.get("conventions") or []
    ]
    return table(["counted by", "total", "called", "counts"], rows, "lrll")


def _sparsity(found: Mapping[str, Any]) -> str:
    layers = [row for row in found.get("layers") or [] if row["zeros"]]
    rows = [
        [
            markdown_code(row["weight"], width=48),
            markdown_text(said.share(row["zeros"], row["elements"])),
            f"{row['zero_outputs']} of {row['outputs']}",
            f"{row['zero_inputs']} of {row['inputs']}",
            wording.count(row["macs"]),
        ]
        for row in layers[:_LAYERS]
    ]
    titles = ["layer", "zeros", "outputs of 0", "inputs of 0", "MACs"]
    listed = bullets("Sparsity", [line for line in said.sparsity_lines(found) if line])
    return f"{listed}\n\n{table(titles, rows, 'lrrrr')}" if rows else listed
