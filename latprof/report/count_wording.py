"""How a count's facts are said, the same in the terminal, in Markdown and on a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from latprof.report import wording
from latprof.report.rows import mapping, number
from latprof.units import format_shape

_MANY = 3


def loud(model: Mapping[str, Any]) -> str:
    """What a total cannot hold: operators without a formula; empty where all are known."""
    unknown = mapping(model.get("unknown_ops"))
    if not unknown:
        return ""
    times = sum(unknown.values())
    names = ", ".join(f"{count} × {op}" for op, count in unknown.items())
    nodes = "node has" if times == 1 else "nodes have"
    return f"NOT COUNTED: {times} {nodes} no cost formula ({names}); every total is a lower bound"


def doubts(model: Mapping[str, Any]) -> list[str]:
    """What was assumed, and what depends on the data."""
    return wording.model_doubts({**model, "unknown_ops": {}})


def arithmetic(answer: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(label, words) of what the model computes, moves and stores."""
    cost, stored = mapping(answer.get("cost")), mapping(answer.get("parameters"))
    listed = [
        (
            "arithmetic",
            f"{wording.count(cost.get('macs'), 'MACs')} = "
            f"{wording.count(2 * (number(cost.get('macs')) or 0))} FLOPs; "
            f"{wording.count(cost.get('norm_ops'))} ops of norms, "
            f"{wording.count(cost.get('elementwise_ops'))} of the rest",
        ),
        (
            "traffic",
            f"{wording.size(cost.get('bytes_read'))} read, "
            f"{wording.size(cost.get('bytes_written'))} written, each operator on its own; "
            f"{wording.rate(cost.get('ops_per_byte'))} ops a byte",
        ),
        ("parameters", parameters(stored)),
        ("weights", dtypes(stored)),
        ("peak", peak(answer)),
    ]
    return [(label, words) for label, words in listed if words]


def parameters(stored: Mapping[str, Any]) -> str:
    """``3,504,872, all trainable; 34,164 in buffers``."""
    total, frozen = stored.get("total") or 0, stored.get("frozen") or 0
    words = f"{total:,}, "
    words += f"{stored.get('trainable', 0):,} trainable and {frozen:,} frozen" if frozen else (
        "all trainable" if total else "none"
    )  # fmt: skip
    for key, where in (("buffers", "in buffers"), ("constants", "in constants")):
        if stored.get(key):
            words += f"; {stored[key]:,} {where}"
    tied, unused = mapping(stored.get("tied")), mapping(stored.get("unused"))
    if tied:
        words += f"; counted once though read more than once: {_some(tied)}"
    if unused:
        words += f"; {sum(unused.values()):,} that no node reads: {_some(unused)}"
    return words


def dtypes(stored: Mapping[str, Any]) -> str:
    """``14.2 MB: float32 3.54 M, int64 52``."""
    held = mapping(stored.get("by_dtype"))
    if not held:
        return ""
    each = ", ".join(f"{dtype} {entry['elements']:,}" for dtype, entry in held.items())
    return f"{wording.size(sum(entry['bytes'] for entry in held.values()))}: {each}"


def peak(answer: Mapping[str, Any]) -> str:
    """``9.63 MB at features.2: 1×96×112×112 4.8 MB + ...``."""
    found = mapping(answer.get("peak"))
    tensors = found.get("tensors") or []
    where = found.get("module") or found.get("node") or "the input"
    shown = [
        f"{format_shape(tuple(t['shape']))} {wording.size(t['bytes'])}" for t in tensors[:_MANY]
    ]
    rest = tensors[_MANY:]
    if rest:
        shown.append(f"{len(rest)} more {wording.size(sum(t['bytes'] for t in rest))}")
    return f"{wording.size(found.get('bytes'))} at {where}: {' + '.join(shown)}"


def share(part: Any, whole: Any) -> str:
    if not number(whole):
        return wording.DASH
    return wording.percent((number(part) or 0) / (number(whole) or 1))


def exact(value: Any) -> str:
    return wording.DASH if value is None else f"{value:,}"


def terms(counted: Mapping[str, Any], room: int = 60) -> str:
    """``conv 299.5 M + batch_norm 13.4 M``, as many terms as fit into `room` cells."""
    said = [_terms(counted, most) for most in (6, 5, 4, 3, 2, 1)]
    return next((text for text in said if len(text) <= room), said[-1])


def _terms(counted: Mapping[str, Any], most: int) -> str:
    held = list(mapping(counted.get("terms")).items())
    if counted.get("total") is None:
        missing = ", ".join(mapping(counted.get("missing")))
        return f"not reproduced for {missing}"
    said = [f"{op} {wording.count(value)}" for op, value in held[:most]]
    rest = held[most:]
    if rest:
        said.append(f"{len(rest)} more {wording.count(sum(value for _, value in rest))}")
    return " + ".join(said)


def sum_of(explanation: Mapping[str, Any]) -> str:
    """``2 × (384.5 M convolutions + 1.28 M linear layers) = 771.6 M, which is 0.77 G``."""
    text = ""
    for index, term in enumerate(explanation["terms"]):
        sign = ("- " if term["value"] < 0 else "+ ") if index else ""
        space = " " if index else ""
        text += f"{space}{sign}{wording.count(abs(term['value']))} {term['name']}"
    if explanation.get("rounded_said"):
        whole, rounded = sum(t["value"] for t in explanation["terms"]), explanation["rounded_said"]
        factor = explanation["factor"]
        return f"{text} = {whole:,}, or {rounded}; {factor} × {rounded} = {explanation['said']}"
    if explanation["factor"] != 1:
        text = f"{explanation['factor']} × ({text})"
    return f"{text} = {explanation['total']:,}, which is {explanation['said']}"


def called(explained: Mapping[str, Any], explanation: Mapping[str, Any]) -> str:
    """What the quoted unit means under an explanation; empty where it says so itself."""
    plain = explanation["words"].startswith("multiply-accumulates")
    if plain and explanation["factor"] == 1 and explained.get("unit") == "flops":
        return "the quoted figure calls multiply-accumulates FLOPs: one for each, not two"
    if plain and explanation["factor"] == 1 and not explained.get("unit"):
        return "if it was quoted as FLOPs, that is one for each multiply-accumulate, not two"
    if explanation["factor"] == 2 and explained.get("unit") == "macs":
        return "the quoted figure calls two operations a MAC"
    return ""


def nearest(explained: Mapping[str, Any]) -> str:
    """What is said when nothing explains a figure."""
    near = explained.get("nearest")
    if not near:
        return "nothing explains it: this network has nothing to count"
    off = number(explained.get("off_fraction")) or 0.0
    way = "more" if off > 0 else "less"
    return (
        f"nothing explains it; the nearest is {near['words']}: {sum_of(near)}, "
        f"{wording.percent(abs(off))} {way}"
    )


NOT_SEEN = (
    "not looked at: another network of the same name (strides placed elsewhere, another width, "
    "other layers at the end)"
)


def sparsity_lines(found: Mapping[str, Any]) -> list[str]:
    """What zeros among the weights come to, line by line."""
    elements, zeros = found.get("elements") or 0, found.get("zeros") or 0
    macs = found.get("macs") or 0
    lines = [
        f"{zeros:,} of {elements:,} parameters are zero ({share(zeros, elements)})",
        f"scattered zeros: {wording.count(found.get('nonzero_macs'))} of "
        f"{wording.count(macs)} MACs have a weight that is not zero "
        f"({share(found.get('nonzero_macs'), macs)})",
        f"whole channels of zeros taken out: {wording.count(found.get('kept_macs'))} MACs are "
        f"left ({share(found.get('kept_macs'), macs)})",
        str(found.get("note") or ""),
    ]
    unread = found.get("unread") or []
    if unread:
        lines.append(f"values of {len(unread)} parameters were not found: {_some(unread)}")
    return lines


def _some(names: Mapping[str, Any] | Sequence[str]) -> str:
    listed = [f"{n} ({v:,})" for n, v in names.items()] if isinstance(names, Mapping) else names
    rest = len(listed) - _MANY
    return ", ".join(listed[:_MANY]) + (f" and {rest} more" if rest > 0 else "")
