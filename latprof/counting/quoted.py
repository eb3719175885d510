"""A figure as somebody quoted it, and what its digits leave open."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from latprof.errors import BadReference

_SCALES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "b": 10**9, "t": 10**12}
_FIGURE = re.compile(
    r"(?P<digits>\d{1,3}(?:,\d{3})+|\d{1,15})(?:\.(?P<decimals>\d{1,9}))?"
    r"(?:e(?P<exponent>\d{1,2}))?"
    r"\s*(?P<scale>[kmgbt]?)\s*(?P<unit>macs?|madds?|mult-?adds?|flops?|ops?|params?)?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Quoted:
    """A quoted figure.

    Parameters
    ----------
    text : str
        As it was quoted.
    value : int or Fraction
    step : Fraction
        What one more in the last digit would mean.
    round_digits : int
        Zeros at the end of the digits before the point, which may stand for rounding.
    unit : str
        ``macs``, ``flops``, ``params`` or empty, as far as the quote says.
    letter : str
        The prefix it was quoted with: ``k``, ``M``, ``G``, ``T`` or empty.
    """

    text: str
    value: Fraction
    step: Fraction
    round_digits: int
    unit: str
    letter: str = ""

    def interval(self, lenient: bool = False) -> tuple[Fraction, Fraction]:
        """The numbers that are quoted so: half a step of the last digit on either side.

        A zero before the point may be the last digit that counts, or one that was rounded to:
        `lenient` takes one such zero as rounded to.
        """
        half = self.step / 2 * (10 if lenient and self.round_digits else 1)
        return self.value - half, self.value + half

    def holds(self, number: Fraction | int, *, lenient: bool = False) -> bool:
        """Whether `number` would be quoted so."""
        low, high = self.interval(lenient)
        return low <= number <= high

    def said(self, number: Fraction | float, more: int = 0) -> str:
        """`number` with as many decimals as the quoted figure, or `more`, and in its unit."""
        scale = _SCALES[self.letter.lower()]
        decimals = max(0, round(math.log10(scale / self.step))) if self.step < scale else 0
        decimals += more
        return f"{float(number) / scale:,.{decimals}f} {self.letter}".strip()


def parse_quoted(text: str) -> Quoted:
    """Read ``0.39G``, ``780M``, ``0.78 GFLOPs``, ``4.1 GMACs``, ``300,774,272`` or ``3e8``.

    Raises
    ------
    BadReference
        If the text is no such figure, or is zero.
    """
    match = _FIGURE.fullmatch(text.strip())
    if match is None:
        raise BadReference(
            f"cannot read the figure {text!r:.80}; write it as it is quoted, as in 0.39G, 780M, "
            "'0.78 GFLOPs' or '4.1 GMACs'."
        )
    digits = match["digits"].replace(",", "")
    decimals = match["decimals"] or ""
    scale = Fraction(_SCALES[match["scale"].lower()]) * 10 ** int(match["exponent"] or 0)
    value = Fraction(Decimal(f"{digits}.{decimals or 0}")) * scale
    if value == 0:
        raise BadReference(f"the figure {text!r:.80} is zero, which no network costs.")
    zeros = 0 if decimals else len(digits) - len(digits.rstrip("0"))
    return Quoted(
        text=text.strip(),
        value=value,
        step=scale / 10 ** len(decimals),
        round_digits=zeros,
        unit=_unit(match["unit"] or ""),
        letter={"k": "k", "b": "G"}.get(match["scale"].lower(), match["scale"].upper()),
    )


def _unit(word: str) -> str:
    word = word.lower()
    if word.startswith(("mac", "mad", "mult")):
        return "macs"
    if word.startswith(("flop", "op")):
        return "flops"
    return "params" if word else ""
