"""The table of conventions: what each adds up, and where that is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from latprof.errors import BadReference, UnknownName
from latprof.graph import Call, Graph
from latprof.ops import OPS

# A call and its multiply-accumulates → what it adds to the total.
Rule = Callable[[Call, int], int]


@dataclass(frozen=True)
class Convention:
    """One way of counting.

    Parameters
    ----------
    name : str
    called : str
        What its users call the total: ``MACs``, ``FLOPs``, ...
    means : str
        What is added up, in one line.
    source : str
        The tool and version that the rules were read from and compared with, or the paper.
    rules : mapping of str to callable
        By operator: what one call, with its multiply-accumulates, adds to the total. Operators
        that are not here add nothing.
    unreproduced : set of str
        Operators that the tool counts by rules not followed here: a network with one of them has
        no total under this convention.
    notes : tuple of str
        Where the total depends on how a network is written, and other traps.
    """

    name: str
    called: str
    means: str
    source: str
    rules: Mapping[str, Rule]
    unreproduced: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()

    def count(self, graph: Graph) -> ConventionTotal:
        """The total of a graph under this convention, with what each operator adds."""
        return self.count_calls(calls_with_macs(graph))

    def count_calls(self, calls: Iterable[tuple[Call, int]]) -> ConventionTotal:
        """`count` for calls whose multiply-accumulates are known."""
        terms: Counter[str] = Counter()
        missing: Counter[str] = Counter()
        for call, macs in calls:
            op = call.node.op
            if op in self.unreproduced or op not in OPS:
                missing[op] += 1
            elif op in self.rules:
                terms[op] += self.rules[op](call, macs)
        follows = not self.unreproduced.intersection(missing)
        terms = +terms
        return ConventionTotal(
            self, sum(terms.values()) if follows else None, dict(terms.most_common()), dict(missing)
        )


@dataclass(frozen=True)
class ConventionTotal:
    """A network counted by one convention.

    Parameters
    ----------
    convention : Convention
    total : int or None
        None where the network holds an operator whose rule is not reproduced.
    terms : mapping of str to int
        What each operator adds, the largest first.
    missing : mapping of str to int
        Operators that no rule could be applied to, with how often each occurs.
    """

    convention: Convention
    total: int | None
    terms: Mapping[str, int]
    missing: Mapping[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {
            "convention": self.convention.name,
            "called": self.convention.called,
            "total": self.total,
            "terms": dict(self.terms),
            "missing": dict(self.missing),
            "means": self.convention.means,
            "source": self.convention.source,
            "notes": list(self.convention.notes),
        }


CONVENTIONS: dict[str, Convention] = {}


def register(convention: Convention) -> Convention:
    """Put a convention in the table.

    Raises
    ------
    BadReference
        If one of that name is there already.
    """
    if convention.name in CONVENTIONS:
        raise BadReference(f"a convention named {convention.name!r} is registered already.")
    CONVENTIONS[convention.name] = convention
    return convention


def find_convention(name: str) -> Convention:
    """The convention of that name.

    Raises
    ------
    UnknownName
        If there is none.
    """
    if name not in CONVENTIONS:
        raise UnknownName("convention", name, CONVENTIONS)
    return CONVENTIONS[name]


def totals(graph: Graph) -> tuple[ConventionTotal, ...]:
    """A graph counted by every convention: our own first, the tools by name."""
    ours = ("latprof", "paper")
    names = sorted(CONVENTIONS, key=lambda name: (name not in ours, name))
    calls = calls_with_macs(graph)
    return tuple(CONVENTIONS[name].count_calls(calls) for name in names)


def calls_with_macs(graph: Graph) -> list[tuple[Call, int]]:
    """Every call with its multiply-accumulates; 0 for operators without a formula."""
    return [(c, OPS[c.node.op].macs(c) if c.node.op in OPS else 0) for c in graph.calls]


def products(call: Call, macs: int) -> int:
    """What latprof counts: multiply-accumulates."""
    return macs


def with_bias(call: Call, macs: int) -> int:
    """Multiply-accumulates, and one for each output element where there is a bias."""
    biased = len(call.inputs) > 2 and call.inputs[2] is not None
    return macs + (call.outputs[0].elements if biased else 0)


def nothing(call: Call, macs: int) -> int:
    """A call that is seen and not counted."""
    return 0


def per_input(times: int) -> Rule:
    """`times` for each element of the first input."""
    return lambda call, macs: times * call.input(0).elements


def per_output(times: int) -> Rule:
    """`times` for each element of the first output."""
    return lambda call, macs: times * call.outputs[0].elements


def has_scale(call: Call) -> bool:
    """Whether a norm has a weight."""
    return len(call.inputs) > 1 and call.inputs[1] is not None


def per_norm(plain: int, scaled: int) -> Rule:
    """`scaled` an input element for a norm with a weight, else `plain`."""
    return lambda call, macs: (scaled if has_scale(call) else plain) * call.input(0).elements


def is_vector_product(call: Call) -> bool:
    """Whether a product is one of PyTorch's dot and mv, which take a vector on the right."""
    return len(call.input(1).shape) == 1


PRODUCTS = ("conv", "conv_transpose", "linear", "matmul", "attention", "einsum",
            "lstm", "gru", "rnn")  # fmt: skip
RECURRENT = frozenset(("lstm", "gru", "rnn"))
