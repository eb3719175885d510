"""One colour and one marker for each type of kernel, on every chart of every report.

Colours are names of CSS variables: `templates/page.css` holds the values (Okabe and Ito's
colour-blind safe set, shifted a little for light and for dark pages).
"""

from __future__ import annotations

from latprof.ops import OPS

_OTHER = ("var(--other)", "circle-open")
_KERNEL_LOOKS = {
    "pointwise": ("var(--blue)", "circle"),
    "depthwise": ("var(--vermilion)", "diamond"),
    "conv": ("var(--green)", "square"),
    "conv_transpose": ("var(--green)", "square-open"),
    "grouped": ("var(--yellow)", "triangle-up"),
}
_FAMILY_LOOKS = {
    "matmul": ("var(--purple)", "cross"),
    "recurrent": ("var(--purple)", "cross-open"),
    "elementwise": ("var(--orange)", "x"),
    "activation": ("var(--orange)", "triangle-down"),
    "pool": ("var(--sky)", "star"),
    "reduction": ("var(--sky)", "hexagon"),
    "norm": ("var(--sky)", "pentagon"),
    "ordering": ("var(--yellow)", "triangle-left"),
}
_GLYPHS = {
    "circle": "●",
    "circle-open": "○",
    "diamond": "◆",
    "square": "■",
    "square-open": "□",
    "triangle-up": "▲",
    "triangle-down": "▼",
    "cross": "✚",
    "cross-open": "✛",
    "triangle-left": "◀",
    "x": "✖",
    "star": "★",
    "hexagon": "⬢",
    "pentagon": "⬟",
}
BASIS_COLORS = {
    "measured": "var(--blue)",
    "interpolated": "var(--sky)",
    "extrapolated": "var(--orange)",
    "bound": "var(--vermilion)",
}
RECONCILIATION_COLORS = {
    "sum of kernels": "var(--blue)",
    "overhead": "var(--sky)",
    "unexplained": "var(--vermilion)",
}


def op_color(op: str) -> str:
    return _look(op)[0]


def op_symbol(op: str) -> str:
    """Marker symbol, in plotly's words: no type is told by its colour alone."""
    return _look(op)[1]


def op_glyph(op: str) -> str:
    """The marker as a character, for a legend in text."""
    return _GLYPHS[op_symbol(op)]


def _look(op: str) -> tuple[str, str]:
    if op in _KERNEL_LOOKS:
        return _KERNEL_LOOKS[op]
    spec = OPS.get(op)
    return _FAMILY_LOOKS.get(spec.family, _OTHER) if spec else _OTHER
