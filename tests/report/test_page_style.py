"""The page's colours, read from its stylesheet."""

import re
from pathlib import Path

import pytest

import latprof.report.html as html
from latprof.report import palette

STYLE = (Path(html.__file__).parent / "templates/page.css").read_text()
PAIR = re.compile(r"--([\w-]+): (#[0-9a-f]{6})")
LIGHT = dict(PAIR.findall(STYLE.split("@media")[0]))
DARK = {**LIGHT, **dict(PAIR.findall(STYLE.split("@media")[1]))}


def contrast(one, other):
    """WCAG contrast ratio of two ``#rrggbb`` colours."""

    def luminance(color):
        channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("text", ["ink", "muted", "link", "within", "unsure", "over"])
@pytest.mark.parametrize("ground", ["page", "panel"])
def test_text_can_be_read(scheme, text, ground):
    assert contrast(scheme[text], scheme[ground]) >= 4.5


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_doubts_can_be_read(scheme):
    assert contrast(scheme["ink"], scheme["doubt"]) >= 4.5


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_marks_stand_out(scheme):
    for name in (
        "blue",
        "sky",
        "green",
        "orange",
        "vermilion",
        "yellow",
        "purple",
        "other",
        "macs",
    ):
        assert contrast(scheme[name], scheme["panel"]) >= 2.2, name


def test_every_colour_of_a_chart_is_in_the_stylesheet():
    used = {
        palette.op_color(op) for op in ("conv", "pointwise", "grouped", "add", "mean", "no such")
    }
    used |= set(palette.BASIS_COLORS.values()) | set(palette.RECONCILIATION_COLORS.values())
    assert {color.removeprefix("var(--").removesuffix(")") for color in used} <= set(LIGHT)


def test_every_type_has_a_marker_for_the_legend():
    from latprof.ops import OPS

    for op in [*OPS, "pointwise", "depthwise", "grouped", "no such"]:
        assert palette.op_glyph(op)
