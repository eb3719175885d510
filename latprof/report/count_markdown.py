"""A count as a comment on a pull request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from latprof.report import count_wording as said
from latprof.report import wording
from latprof.report.escaping import markdown_code, markdown_text, shorten, visible
from latprof.report.rows import mapping

LARGEST_CHARACTERS = 60_000  # GitHub refuses a comment of more than 65,536
_KINDS, _MODULES, _LAYERS, _MOST_NOTES = 15, 100, 15, 12
_PROSE_CHARACTERS = 600


def render_count_markdown(answer: Mapping[str, Any]) -> str:
    """What is counted, by kind and by convention; modules in a folded table.

    At most `LARGEST_CHARACTERS` long: tables are cut, and say so.
    """
    model = mapping(answer.get("model"))
    loud = said.loud(model)
    blocks = [
        f"### latprof count: {markdown_code(model.get('name') or 'model')}",
        markdown_text(" · ".join(wording.model_facts(model))),
        f"**{_prose(loud)}**" if loud else "",
        _bullets("", [f"{label}: {words}" for label, words in said.arithmetic(answer)]),
    ]
    if answer.get("explained"):
        blocks.append(_explained(mapping(answer["explained"])))
    blocks += [_kinds(answer), _conventions(answer)]
    if answer.get("sparsity"):
        blocks.append(_sparsity(mapping(answer["sparsity"])))
    blocks += [_modules(answer), _bullets("Doubts", said.doubts(model)), _footer(answer)]
    return "\n\n".join(block for block in blocks if block)


def _explained(explained: Mapping[str, Any]) -> str:
    found = explained.get("found") or []
    lines = [
        f"{each['words']}: {said.sum_of(each)}" for each in found[:3]
    ] or [said.nearest(explained), said.NOT_SEEN]  # fmt: skip
    title = f"{explained['quoted']} (anything from {explained['interval']})"
    return _bullets(title, lines)


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
    return _table(titles, lines, "lrrrrrrr") + note


def _conventions(answer: Mapping[str, Any]) -> str:
    rows = [
        [row["convention"], said.exact(row["total"]), _prose(row["called"]), _prose(row["means"])]
        for row in answer.get("conventions") or []
    ]
    return _table(["counted by", "total", "called", "counts"], rows, "lrll")


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
    bullets = _bullets("Sparsity", [line for line in said.sparsity_lines(found) if line])
    return f"{bullets}\n\n{_table(titles, rows, 'lrrrr')}" if rows else bullets


def _footer(answer: Mapping[str, Any]) -> str:
    version = _prose(answer.get("latprof") or wording.DASH)
    command = answer.get("command")
    more = f" · {markdown_code(command, width=200)}" if command else ""
    return f"<sub>latprof {version}{more}</sub>\n"


def _bullets(title: str, items: Sequence[str]) -> str:
    if not items:
        return ""
    lines = [f"- {_prose(item)}" for item in items[:_MOST_NOTES]]
    if len(items) > _MOST_NOTES:
        lines.append(f"- … and {len(items) - _MOST_NOTES} more")
    return "\n".join([f"**{_prose(title)}**", "", *lines] if title else lines)


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]], align: str) -> str:
    rules = ["---:" if side == "r" else "---" for side in align]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heading, rules, *rows))


def _prose(text: Any) -> str:
    return markdown_text(shorten(visible(text), _PROSE_CHARACTERS))
