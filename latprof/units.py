"""How numbers become text and text becomes numbers; the only place that rounds."""

from __future__ import annotations

import math
import re

from latprof.errors import BadReference

_SECONDS = {"ms": 1e-3, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_MILLISECONDS = {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1e3}
_QUANTITY = re.compile(r"^(\d+(?:\.\d+)?)\s*([a-zµ]*)$")


def format_ms(value_ms: float) -> str:
    """A latency with three figures that matter: ``12.3 ms``, ``850 µs``."""
    rounded = float(f"{value_ms:.3g}")  # 999.7 µs is 1.00 ms, not 1000 µs
    if abs(rounded) < 1:
        return f"{_three_figures(rounded * 1e3)} µs"
    return f"{_three_figures(rounded)} ms" if abs(rounded) < 1e4 else f"{value_ms / 1e3:.1f} s"


def format_count(value: float) -> str:
    """A count in thousands: ``3.50 M``, ``300.8 M``, ``4.09 G``."""
    rounded = abs(float(f"{value:.4g}"))  # 999,960 is 1.00 M, not 1000.0 k
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if rounded >= size:
            scaled = value / size
            return f"{scaled:.1f} {letter}" if abs(scaled) >= 100 else f"{scaled:.2f} {letter}"
    return f"{value:.0f} "


def format_bytes(value: float) -> str:
    """Bytes in decimal units: ``14.0 MB``."""
    for size, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if round(abs(value) / size, 4) >= 1:  # 999,960 is 1.0 MB, not 1000.0 kB
            return f"{value / size:.1f} {unit}"
    return f"{value:.0f} B"


def format_percent(fraction: float) -> str:
    """A share: ``12 %``; under ten percent with one decimal."""
    percent = 100 * fraction
    return f"{percent:.0f} %" if abs(percent) >= 9.95 or percent == 0 else f"{percent:.1f} %"


def format_shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "scalar"


def parse_duration_s(text: str) -> float:
    """Seconds in ``90s``, ``3min``, ``1.5h``; a bare number is seconds.

    Raises
    ------
    BadReference
        If the text is no positive duration.
    """
    value = _quantity(text, _SECONDS, "s")
    if value is None:
        raise BadReference(f"cannot read the duration {text!r}; write 90s, 3min or 1h.")
    return value


def parse_latency_ms(text: str) -> float:
    """Milliseconds in ``12ms``, ``850us``, ``1.5s``; a bare number is milliseconds.

    Raises
    ------
    BadReference
        If the text is no positive latency.
    """
    value = _quantity(text, _MILLISECONDS, "ms")
    if value is None:
        raise BadReference(f"cannot read the latency {text!r}; write 12ms, 850us or 1.5s.")
    return value


def _quantity(text: str, units: dict[str, float], default: str) -> float | None:
    match = _QUANTITY.match(text.strip().lower().replace("μ", "µ"))  # the letter, and the sign
    unit = units.get(match[2] or default) if match else None
    value = float(match[1]) * unit if match and unit else 0.0
    return value if 0 < value < math.inf else None


def _three_figures(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
