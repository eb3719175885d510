"""What a runtime launched, beside what was predicted, as the terminal shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from latprof.report import wording
from latprof.report.escaping import visible
from latprof.report.lines import Column, Pen, flow, table, wrap
from latprof.report.rows import mapping, number

_INDENT = "  "
_WIDE = 100  # columns from which a table names layouts


def render_fusion(answer: Mapping[str, Any], *, width: int, color: bool, limit: int | None) -> str:
    """What `latprof fusion` prints.

    Parameters
    ----------
    answer : mapping
        What ``--json`` prints.
    width : int
        No line is longer, colour codes aside.
    color : bool
    limit : int or None
        Kernels listed, the slowest; None for all, in running order.
    """
    pen = Pen(color)
    model = mapping(answer.get("model"))
    lines = flow([str(model.get("name")), *wording.model_facts(model)], width, between=" · ",
                 rest=_INDENT)  # fmt: skip
    lines += ["", *wrap(summary(answer), width, rest=_INDENT)]
    lines += _kernels(answer, width, pen, limit)
    lines += _strays(answer, width, pen, limit)
    lines += _not_launched(answer, width, pen, limit)
    for doubt in answer.get("doubts", ()):
        lines += wrap(visible(doubt), width, first=f"{_INDENT}doubt: ", rest=_INDENT * 2)
    return "\n".join(lines) + "\n"


def summary(answer: Mapping[str, Any]) -> str:
    """One line: how much of what was predicted was launched, and the reverse."""
    kernels, strays = answer["kernels"], answer["not_predicted"]
    where = f"{answer['target']}, {answer['runtime']}"
    if not answer["ran"]:
        return f"{where}: {len(kernels)} kernels predicted; not run"
    matched = sum(kernel["launches"] > 0 for kernel in kernels)
    return (
        f"{where}: {exact_percent(answer['kernels_matched_fraction'])} of kernels and "
        f"{exact_percent(answer['time_matched_fraction'])} of time matched "
        f"({len(kernels)} predicted, {matched} of them launched; {len(strays)} launches not "
        "predicted)"
    )


def exact_percent(fraction: float | None) -> str:
    """``99.9 %``; only what is whole is said to be 100 %."""
    if fraction is None:
        return wording.DASH
    tenths = round(1000 * fraction)
    tenths = 999 if tenths == 1000 and fraction < 1 else tenths
    return "100 %" if tenths == 1000 else f"{tenths / 10:.1f} %"


def covered(kernel: Mapping[str, Any]) -> str:
    """The operators that a kernel computes: ``conv+batch_norm+relu6``."""
    return "+".join(filter(None, kernel["covers"])) or wording.DASH


def slowest_first(kernels: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """By falling time; those without one keep their order, at the end."""
    return sorted(kernels, key=lambda kernel: -(number(kernel["latency_ms"]) or 0.0))


def _kernels(answer: Mapping[str, Any], width: int, pen: Pen, limit: int | None) -> list[str]:
    everything = answer["kernels"]
    shown = everything if limit is None else slowest_first(everything)[:limit]
    if not shown:
        return []
    columns = [
        Column("kernel", [visible(k["name"]) for k in shown], right=False, least=14),
        Column(
            "runs as", [_runs_as(k, layout=width >= _WIDE) for k in shown], right=False, least=9
        ),
        Column("computes", [covered(k) for k in shown], right=False, least=12),
    ]
    if answer["ran"]:
        launches = [", ".join(map(visible, k["seen"])) or "not launched" for k in shown]
        decimals = wording.ms_decimals(max(number(k["latency_ms"]) or 0.0 for k in shown))
        columns += [
            Column("launched", launches, right=False, least=12),
            Column("ms", [wording.ms_figure(k["latency_ms"], decimals) for k in shown]),
        ]
    heading, *rows = table(columns, width, indent=_INDENT)
    left = len(everything) - len(shown)
    rest = [f"{_INDENT}… and {left} more; --all lists every one"] if left else []
    return ["", pen("dim", heading), *rows, *rest]


def _runs_as(kernel: Mapping[str, Any], *, layout: bool) -> str:
    said = kernel.get("layout") or "nchw"
    return str(kernel["op"]) + (f" ({said})" if layout and said != "nchw" else "")


def _strays(answer: Mapping[str, Any], width: int, pen: Pen, limit: int | None) -> list[str]:
    strays = slowest_first(answer["not_predicted"])
    shown = strays[:limit]
    if not shown:
        return []
    decimals = wording.ms_decimals(max(stray["latency_ms"] for stray in shown))
    columns = [
        Column("launched, not predicted", [visible(s["name"]) for s in shown], False, least=24),
        Column("kind", [visible(s["kind"]) for s in shown], right=False, least=8),
        Column("ms", [wording.ms_figure(s["latency_ms"], decimals) for s in shown]),
    ]
    heading, *rows = table(columns, width, indent=_INDENT)
    left = len(strays) - len(shown)
    return ["", pen("yellow", heading), *rows, *([f"{_INDENT}… and {left} more"] if left else [])]


def _not_launched(answer: Mapping[str, Any], width: int, pen: Pen, limit: int | None) -> list[str]:
    names = [visible(name) for name in answer["not_launched"]]
    if not names:
        return []
    more = f", … and {len(names) - limit} more" if limit and len(names) > limit else ""
    said = wrap(f"predicted, not launched: {', '.join(names[:limit])}{more}", width,
                first=_INDENT, rest=_INDENT * 2)  # fmt: skip
    return ["", *(pen("yellow", line) for line in said)]
