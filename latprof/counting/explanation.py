"""Why a quoted figure differs from ours: which convention, factor, size or missing term."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from latprof.counting.conventions import ConventionTotal, totals
from latprof.counting.facts import count
from latprof.counting.parts import Parts, parts_of
from latprof.counting.quoted import Quoted
from latprof.graph import Graph

# Image sizes that networks are published at.
SIZES = (96, 112, 128, 160, 192, 224, 240, 256, 260, 280, 288, 299, 300, 320, 331, 336, 380, 384,
         448, 456, 480, 512, 528, 600, 640)  # fmt: skip
_MOST_SIZES = 4  # each is a capture, of a second or more
_SIMPLE = 2.5  # an explanation no more far-fetched than this makes other sizes superfluous
_MOST = 6


@dataclass(frozen=True)
class Explanation:
    """One way to come to a figure.

    Parameters
    ----------
    words : str
        What is counted, as the end of a sentence.
    terms : tuple of (str, int)
        What is added up, before the factor; a negative term is left out.
    factor : int
        2 where a multiply-accumulate counts as two operations.
    total : int
    steps : float
        How far-fetched it is: the simplest is 0.
    lenient : bool
        Whether it fits only if the last zero of the figure was rounded to.
    rounded : int
        What the sum was rounded to before the factor; 0 where it was not.
    """

    words: str
    terms: tuple[tuple[str, int], ...]
    factor: int
    total: int
    steps: float
    lenient: bool = False
    rounded: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {
            "words": self.words,
            "terms": [{"name": name, "value": value} for name, value in self.terms],
            "factor": self.factor,
            "total": self.total,
            "steps": self.steps,
            "lenient": self.lenient,
            "rounded": self.rounded,
        }


@dataclass(frozen=True)
class Explained:
    """What `explain` found.

    Parameters
    ----------
    quoted : Quoted
    found : tuple of Explanation
        Those that fit, the simplest first.
    nearest : Explanation
        Of those that do not fit, the one that comes nearest.
    tried : tuple of str
        What else was looked at, or could not be.
    """

    quoted: Quoted
    found: tuple[Explanation, ...]
    nearest: Explanation | None
    tried: tuple[str, ...] = field(default=())

    @property
    def off_fraction(self) -> float | None:
        """How far the nearest is from the figure, as a fraction of the figure."""
        if self.nearest is None:
            return None
        return float(self.nearest.total / self.quoted.value - 1)

    def to_dict(self) -> dict[str, Any]:
        low, high = self.quoted.interval()
        return {
            "quoted": self.quoted.text,
            "low": float(low),
            "high": float(high),
            "unit": self.quoted.unit,
            "interval": f"{self.quoted.said(low, 1)} to {self.quoted.said(high, 1)}",
            "found": [self._said(explanation) for explanation in self.found],
            "nearest": self._said(self.nearest) if self.nearest else None,
            "off_fraction": self.off_fraction,
            "tried": list(self.tried),
        }

    def _said(self, explanation: Explanation) -> dict[str, Any]:
        return explanation.to_dict() | {
            "said": self.quoted.said(explanation.total),
            "rounded_said": self.quoted.said(explanation.rounded) if explanation.rounded else "",
        }


def explain(
    graph: Graph,
    quoted: Quoted,
    recapture: Callable[[int], Graph | None] | None = None,
    *,
    counted: Sequence[ConventionTotal] | None = None,
) -> Explained:
    """Find what turns our count of `graph` into the quoted figure.

    Parameters
    ----------
    graph : Graph
    quoted : Quoted
        Its digits say which numbers round to it; a zero at the end may be one of them or not.
    recapture : callable, optional
        Gives the same network for images of another size, or None where it has only one size.
    counted : sequence of ConventionTotal, optional
        The totals of `graph` by every convention, where they are known.
    """
    candidates = list(_candidates(graph, quoted, totals(graph) if counted is None else counted))
    tried: list[str] = []
    found = _fitting(candidates, quoted)
    if recapture is not None and (not found or found[0].steps > _SIMPLE):
        others = list(_at_other_sizes(graph, quoted, recapture, tried))
        candidates += others
        found = _fitting(candidates, quoted)
    rest = [c for c in candidates if not quoted.holds(c.total)]
    nearest = min(rest, key=lambda c: _distance(c, quoted), default=None)
    return Explained(quoted, tuple(found[:_MOST]), nearest, tuple(tried))


def _distance(candidate: Explanation, quoted: Quoted) -> float:
    """How far off, with a percent for every step: near by many turns is no nearer."""
    return abs(float(candidate.total / quoted.value) - 1) + 0.01 * candidate.steps


def _fitting(candidates: list[Explanation], quoted: Quoted) -> list[Explanation]:
    found: dict[tuple[int, int], Explanation] = {}
    for candidate in candidates:
        if quoted.holds(candidate.total):
            fits = candidate
        elif quoted.holds(candidate.total, lenient=True):
            fits = replace(candidate, lenient=True, steps=candidate.steps + 0.75)
        else:
            continue
        key = (fits.total, fits.factor)
        if key not in found or fits.steps < found[key].steps:
            found[key] = fits
    return sorted(found.values(), key=lambda c: (c.steps, abs(c.total - quoted.value)))


def _candidates(
    graph: Graph, quoted: Quoted, conventions: Sequence[ConventionTotal]
) -> Iterator[Explanation]:
    parts = parts_of(graph)
    yield from _sums(parts, quoted, "")
    batch = _batch(graph)
    if batch > 1:
        divided = Parts(
            *({n: v // batch for n, v in held.items()}
              for held in (parts.macs, parts.optional, parts.extra))
        )  # fmt: skip
        yield from _replaced(_sums(divided, quoted, f" for one of the {batch} in the batch"), 0.5)
    rounded = round(parts.total_macs / quoted.step) * quoted.step
    if 2 * rounded == quoted.value and not quoted.holds(2 * parts.total_macs):
        # Of 385.8 M: 2 × 0.3858 is 0.77, and 2 × 0.39 is 0.78.
        yield Explanation(
            f"multiply-accumulates, rounded to {quoted.said(rounded)} and then doubled",
            tuple(parts.macs.items()), 2, int(2 * rounded), 1.5, rounded=int(rounded),
        )  # fmt: skip
    taken = {parts.total_macs, 2 * parts.total_macs}
    for counted in conventions:
        if counted.total and counted.total not in taken:
            convention = counted.convention
            yield Explanation(
                f"what {convention.name} counts and calls {convention.called}",
                tuple(counted.terms.items()), 1, counted.total, 1.0,
            )  # fmt: skip
    params = count(graph).params
    if params:
        steps = 0.0 if quoted.unit == "params" else 4.0
        yield Explanation("parameters, not operations", (("parameters", params),), 1, params, steps)


def _sums(parts: Parts, quoted: Quoted, where: str) -> Iterator[Explanation]:
    """The multiply-accumulates, with one or two terms left out or one added, once and twice."""
    base = tuple(parts.macs.items())
    if not base:
        return
    yield from _both(base, "multiply-accumulates" + where, quoted, 0.0)
    left_out = list(parts.optional.items())
    for index, (name, value) in enumerate(left_out):
        words = f"multiply-accumulates without {name}{where}"
        rare = 0.5 if name in ("depthwise convolutions", "attention") else 0.0
        yield from _both((*base, (name, -value)), words, quoted, 1.5 + rare)
        for other, more in left_out[index + 1 :]:
            if name == "squeeze-excite" and value + more < parts.total_macs:
                words = f"multiply-accumulates without {name} and {other}{where}"
                yield from _both((*base, (name, -value), (other, -more)), words, quoted, 3.0 + rare)
    for name, value in parts.extra.items():
        rare = 0.0 if name in ("biases", "everything elementwise") else 0.25
        words = f"multiply-accumulates and {name}{where}"
        yield _explanation((*base, (name, value)), 1, words, quoted, 1.5 + rare)
        doubled = (*((term, 2 * macs) for term, macs in base), (name, value))
        words = f"two operations for each multiply-accumulate, and {name}{where}"
        yield _explanation(doubled, 1, words, quoted, 2.0 + rare)
    both = parts.extra.get("biases", 0), parts.extra.get("batch norms (2 an element)", 0)
    if all(both):
        terms = (*base, ("biases", both[0]), ("batch norms (2 an element)", both[1]))
        words = f"multiply-accumulates, biases and batch norms{where}"
        yield _explanation(terms, 1, words, quoted, 2.5)


def _both(
    terms: tuple[tuple[str, int], ...], words: str, quoted: Quoted, steps: float
) -> Iterator[Explanation]:
    yield _explanation(terms, 1, words, quoted, steps)
    more = 0.5 if quoted.unit == "flops" else 1.5 if quoted.unit == "macs" else 1.0
    twice = f"two operations for each of the {words}"
    yield _explanation(terms, 2, twice, quoted, steps + (more if steps or more > 0.5 else 0.0))


def _explanation(
    terms: tuple[tuple[str, int], ...], factor: int, words: str, quoted: Quoted, steps: float
) -> Explanation:
    called_params = 3.0 if quoted.unit == "params" else 0.0
    total = factor * sum(value for _, value in terms)
    return Explanation(words, terms, factor, total, steps + called_params)


def _replaced(explanations: Iterator[Explanation], more: float) -> Iterator[Explanation]:
    return (replace(each, steps=each.steps + more) for each in explanations)


def _batch(graph: Graph) -> int:
    sizes = {graph.tensors[name].shape[0] for name in graph.inputs if graph.tensors[name].shape}
    return sizes.pop() if len(sizes) == 1 else 1


def _at_other_sizes(
    graph: Graph, quoted: Quoted, recapture: Callable[[int], Graph | None], tried: list[str]
) -> Iterator[Explanation]:
    """Multiply-accumulates at the sizes that would give about the quoted figure."""
    size = image_size(graph)
    macs = parts_of(graph).total_macs
    if not size or not macs:
        return
    # Multiply-accumulates grow about as the square of the size: only sizes near fit are captured.
    fits = {
        other: min(
            abs(math.log(factor * macs * (other / size) ** 2 / float(quoted.value)))
            for factor in (1, 2)
        )
        for other in SIZES
        if other != size
    }
    near = sorted((off, other) for other, off in fits.items() if off < 0.25)[:_MOST_SIZES]
    looked = []
    for _, other in near:
        resized = recapture(other)
        if resized is None:
            tried.append("other input sizes: the model could not be captured at one")
            return
        looked.append(other)
        where = f" at an input of {other}×{other}"
        for each in _sums(parts_of(resized), quoted, where):
            if each.steps <= 1.5:
                yield replace(each, steps=each.steps + 2.0)
    if looked:
        tried.append("input sizes " + ", ".join(map(str, sorted(looked))))


def image_size(graph: Graph) -> int:
    """Height and width of the only input, if that is a square image; else 0."""
    shapes = [graph.tensors[name].shape for name in graph.inputs]
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][2] != shapes[0][3]:
        return 0
    return shapes[0][2]
