"""An answer as one page that opens anywhere: no network, no file beside it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from latprof.report import wording
from latprof.report.escaping import shorten, visible
from latprof.report.rows import Part, Row, mapping, number, parts, slowest

_HERE = Path(__file__).parent
_NAME_CELLS, _MODULE_CELLS, _TITLE_CELLS = 40, 24, 300  # the last: shown when pointed at
_PROSE_CELLS = 2000


@dataclass(frozen=True)
class Heading:
    """One column of the kernel table; `sort` is the aria-sort it starts with."""

    text: str
    help: str = ""
    figures: bool = True
    sort: str = "none"


@dataclass(frozen=True)
class Cell:
    """One cell; `order` is what it sorts by where the text will not do, `full` a name uncut."""

    text: str
    order: str = ""
    full: str = ""


def render_html(answer: Mapping[str, Any]) -> str:
    """A self-contained HTML page; the same answer gives the same bytes.

    Parameters
    ----------
    answer : mapping
        What ``latprof predict --json`` or ``latprof profile --json`` prints.
    """
    if answer.get("kind") == "count":
        from latprof.report.count_html import render_count_html

        return render_count_html(answer)
    # The charts load plotly, which no other renderer needs.
    from latprof.report.pictures import pictures, targets_picture

    model = mapping(answer.get("model"))
    shown = parts(answer)
    sections = [
        {
            "id": f"part-{index}",
            "part": part,
            "title": _prose(part.title),
            "interval": wording.interval(part),
            "verdict": wording.verdict(part),
            "facts": _part_facts(part),
            "doubts": [_prose(doubt) for doubt in wording.doubts(part)],
            "pictures": pictures(answer, part, f"part-{index}"),
            "headings": _headings(part),
            "rows": _table(part),
            "provenance": [_prose(source) for source in wording.provenance(part)],
            "environment": _environment(part),
        }
        for index, part in enumerate(shown)
    ]
    script = inline("templates/page.js")
    plotly = inline("vendor/plotly-basic.min.js")
    page: str = template("report.html.j2").render(
        kind="Profile" if answer.get("kind") == "profile" else "Prediction",
        name=_prose(model.get("name") or "model"),
        source=_prose(model.get("source") or ""),
        model_facts=_model_facts(model),
        model_doubts=[_prose(doubt) for doubt in wording.model_doubts(model)],
        targets=[_target(section) for section in sections] if len(sections) > 1 else [],
        targets_picture=targets_picture(shown) if len(shown) > 1 else None,
        sections=sections,
        wording=wording,
        command=_prose(answer.get("command") or ""),
        created=_prose(answer.get("created") or wording.DASH),
        version=_prose(answer.get("latprof") or wording.DASH),
        style=inline("templates/page.css"),
        scripts=[plotly, script],
        script_hashes=[_sha256(plotly), _sha256(script)],
        lights={"within": "within budget", "unsure": "unsure", "over": "over budget"},
    )
    # A lone surrogate can come out of JSON and into no file.
    return page.encode("utf-8", "backslashreplace").decode("utf-8")


def _model_facts(model: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(label, value, unit or remark) of what does not depend on a device."""
    flops = number(model.get("flops"))
    elementwise = wording.count(model.get("elementwise_ops"))
    return [
        ("Input", wording.inputs(model), ""),
        ("Parameters", wording.count(model.get("params")), ""),
        ("MACs", wording.count(model.get("macs")), f"{wording.count(flops)} FLOPs"),
        ("Elementwise", elementwise, "operations outside the MACs"),
        ("Weights", wording.size(model.get("weight_bytes")), ""),
        ("Peak activations", wording.size(model.get("peak_activation_bytes")), ""),
    ]


def _part_facts(part: Part) -> list[tuple[str, str]]:
    facts = part.facts
    if part.predicted:
        listed = [
            ("Basis", wording.basis(part) or wording.DASH),
            ("Kernels", f"{len(part.rows)}, {wording.ms(part.kernels_ms)} together"),
            ("Between kernels", wording.ms(facts.get("overhead_ms"))),
        ]
    else:
        listed = [
            ("Grade", _prose(facts.get("grade") or wording.DASH)),
            ("Kernels", f"{len(part.rows)}, {wording.ms(part.kernels_ms)} together"),
        ]
    roofline = part.roofline
    if roofline:
        peak = wording.rate(roofline.get("peak_gmacs_per_s"))
        bandwidth = wording.rate(roofline.get("bandwidth_gb_per_s"))
        launch = wording.ms(roofline.get("launch_overhead_ms"))
        listed.append(("Roofline", f"{peak} GMAC/s, {bandwidth} GB/s, {launch} a launch"))
    return listed


def _environment(part: Part) -> list[tuple[str, str]]:
    given = mapping(part.facts.get("environment"))
    return [(_prose(key), _prose(value)) for key, value in given.items()]


def _target(section: Mapping[str, Any]) -> dict[str, Any]:
    part: Part = section["part"]
    return {
        "id": section["id"],
        "title": section["title"],
        "latency": wording.ms(part.latency_ms),
        "interval": section["interval"] or wording.DASH,
        "basis": wording.basis(part) or wording.DASH,
        "verdict": section["verdict"],
        "doubts": len(section["doubts"]),
    }


def _headings(part: Part) -> list[Heading]:
    last = (
        Heading("Basis", "how the time is known", figures=False)
        if part.predicted
        else Heading("p10 – p90", "spread over the runs, in milliseconds")
    )
    return [
        Heading("#", "place in the network"),
        Heading("Kernel", figures=False),
        Heading("Module", "module that wrote the main node", figures=False),
        Heading("Type", figures=False),
        Heading("Shape", "channels, sizes, window", figures=False),
        Heading("ms", "milliseconds of one launch", sort="descending"),
        Heading("Share", "of the time inside kernels"),
        Heading("MACs", "multiply-accumulates"),
        Heading("Params", "trained numbers read"),
        Heading("GMAC/s", "MACs over time"),
        last,
    ]


def _table(part: Part) -> list[list[Cell]]:
    places = {id(row): place for place, row in enumerate(part.rows, start=1)}
    largest_ms = max((row.latency_ms or 0.0 for row in part.rows), default=0.0)
    decimals = wording.ms_decimals(largest_ms)
    return [_cells(part, row, places[id(row)], decimals) for row in slowest(part.rows)]


def _cells(part: Part, row: Row, place: int, decimals: int) -> list[Cell]:
    if part.predicted:
        last = _name(row.basis)
    else:
        low, high = (wording.ms_figure(ms, decimals) for ms in (row.p10_ms, row.p90_ms))
        known = row.p10_ms is not None and row.p90_ms is not None
        last = _figure(f"{low} – {high}" if known else wording.DASH, row.p10_ms)
    return [
        _figure(str(place), place),
        _name(row.name),
        _name(row.module, _MODULE_CELLS),
        _name(row.op),
        _name(row.shape),
        _figure(wording.ms_figure(row.latency_ms, decimals), row.latency_ms),
        _figure(wording.percent(row.time_fraction), row.time_fraction),
        _figure(wording.count(row.macs), row.macs),
        _figure(wording.count(row.params), row.params),
        _figure(wording.rate(row.gmacs_per_s), row.gmacs_per_s),
        last,
    ]


def _figure(text: str, value: float | None) -> Cell:
    return Cell(text, order="" if value is None else f"{value:.6g}")


def _name(text: str, width: int = _NAME_CELLS) -> Cell:
    seen = visible(text)
    cut = shorten(seen, width)
    return Cell(cut or wording.DASH, full="" if cut == seen else shorten(seen, _TITLE_CELLS))


def _prose(text: Any) -> str:
    return shorten(visible(text), _PROSE_CELLS)


@cache
def template(name: str) -> Any:
    """One of our pages, to be filled in; everything put into it is escaped."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["capitalize_first"] = lambda text: text[:1].upper() + text[1:]
    return environment.get_template(name)


@cache
def inline(path: str) -> Any:
    """A file of ours as markup; refused if it could close the element it is put into."""
    from markupsafe import Markup

    text = (_HERE / path).read_text(encoding="utf-8")
    for end in ("</script", "</style", "<!--"):
        if end in text.lower():
            raise ValueError(f"{path} holds {end!r} and cannot be inlined")
    return Markup(text)


def _sha256(text: str) -> str:
    """As a content security policy names a script that may run."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
