"""A count as one page that opens anywhere; tables only, no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from latprof.report import count_wording as said
from latprof.report import wording
from latprof.report.escaping import shorten, visible
from latprof.report.html import inline, template
from latprof.report.rows import mapping

_NAME_CELLS, _PROSE_CELLS = 60, 2000
_MOST_ROWS = 2000  # a page of more is slow to open, and --json has them all


@dataclass(frozen=True)
class _Table:
    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    words: Sequence[int] = (0,)  # columns of words; the rest are figures

    @property
    def classes(self) -> list[str]:
        """How each column is set; a last one of words is prose, and may take several lines."""
        last = len(self.headings) - 1
        prose = {last: "prose"} if last in self.words else {}
        words = dict.fromkeys(self.words, "words") | prose
        return [words.get(index, "figures") for index in range(len(self.headings))]


def render_count_html(answer: Mapping[str, Any]) -> str:
    """A self-contained HTML page; the same answer gives the same bytes.

    Parameters
    ----------
    answer : mapping
        What ``latprof count --json`` prints.
    """
    model = mapping(answer.get("model"))
    loud = said.loud(model)
    page: str = template("count.html.j2").render(
        name=_prose(model.get("name") or "model"),
        source=_prose(model.get("source") or ""),
        model_facts=[(label, _prose(words), "") for label, words in _facts(model)],
        doubts=[_prose(doubt) for doubt in ([loud] if loud else []) + said.doubts(model)],
        prose=_paragraphs(answer),
        tables=[table for table in _tables(answer) if table.rows],
        command=_prose(answer.get("command") or ""),
        created=_prose(answer.get("created") or wording.DASH),
        version=_prose(answer.get("latprof") or wording.DASH),
        style=inline("templates/page.css"),
    )
    # A lone surrogate can come out of JSON and into no file.
    return page.encode("utf-8", "backslashreplace").decode("utf-8")


def _facts(model: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        ("Input", wording.inputs(model)),
        ("Parameters", said.exact(model.get("params"))),
        ("MACs", said.exact(model.get("macs"))),
        ("FLOPs", said.exact(model.get("flops"))),
        ("Weights", wording.size(model.get("weight_bytes"))),
        ("Peak activations", wording.size(model.get("peak_activation_bytes"))),
    ]


def _paragraphs(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    listed = [("What it takes", [f"{k}: {words}" for k, words in said.arithmetic(answer)])]
    explained = mapping(answer.get("explained"))
    if explained:
        found = explained.get("found") or []
        lines = [f"{each['words']}: {said.sum_of(each)}" for each in found]
        title = f"{explained['quoted']}: anything from {explained['interval']}"
        listed.insert(0, (title, lines or [said.nearest(explained), said.NOT_SEEN]))
    sparsity = mapping(answer.get("sparsity"))
    if sparsity:
        listed.append(("Zeros among the weights", said.sparsity_lines(sparsity)))
    return [
        {"title": _prose(title), "lines": [_prose(line) for line in lines if line]}
        for title, lines in listed
    ]


def _tables(answer: Mapping[str, Any]) -> list[_Table]:
    modules = [row for row in answer.get("modules") or [] if row["depth"]]
    conventions = [
        (row["convention"], said.exact(row["total"]), row["called"], row["means"])
        for row in answer.get("conventions") or []
    ]
    return [
        _costs("By kind of operator", "kind", answer.get("kinds") or [], answer),
        _costs("By module", "module", modules, answer),
        _Table(
            "As others count",
            ("counted by", "total", "called", "counts"),
            conventions,
            words=(0, 2, 3),
        ),
        _layers(mapping(answer.get("sparsity"))),
    ]


def _costs(
    title: str, heading: str, rows: Sequence[Mapping[str, Any]], answer: Mapping[str, Any]
) -> _Table:
    macs = mapping(answer.get("cost")).get("macs")
    headings = (heading, "nodes", "params", "MACs", "share", "elementwise ops", "norm ops",
                "activations", "read", "written")  # fmt: skip
    lines = [
        (
            shorten(visible(row["name"]), _NAME_CELLS),
            f"{row['nodes']:,}",
            f"{row['params']:,}",
            f"{row['macs']:,}",
            said.share(row["macs"], macs),
            f"{row['elementwise_ops']:,}",
            f"{row['norm_ops']:,}",
            wording.size(row["activation_bytes"]),
            wording.size(row["bytes_read"]),
            wording.size(row["bytes_written"]),
        )
        for row in rows[:_MOST_ROWS]
    ]
    more = len(rows) - len(lines)
    return _Table(title, headings, lines, f"{more} more are in --json." if more > 0 else "")


def _layers(found: Mapping[str, Any]) -> _Table:
    headings = ("layer", "kind", "zeros", "outputs of 0", "inputs of 0", "MACs", "not zero", "kept")
    rows = [
        (
            shorten(visible(row["weight"]), _NAME_CELLS),
            visible(row["op"]),
            said.share(row["zeros"], row["elements"]),
            f"{row['zero_outputs']} of {row['outputs']}",
            f"{row['zero_inputs']} of {row['inputs']}",
            f"{row['macs']:,}",
            f"{row['nonzero_macs']:,}",
            f"{row['kept_macs']:,}",
        )
        for row in (found.get("layers") or [])[:_MOST_ROWS]
    ]
    return _Table("Zeros by layer", headings, rows, words=(0, 1))


def _prose(text: Any) -> str:
    return shorten(visible(text), _PROSE_CELLS)
