import pytest

from latprof.report.escaping import (
    cells,
    chart_text,
    markdown_code,
    markdown_text,
    shorten,
    visible,
)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain.name_1", "plain.name_1"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("two\nlines", "two\\nlines"),
        ("\u202eright", "\\u202eright"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("line\u2028separator", "line\\u2028separator"),
        ("\ud800", "\\ud800"),
        ("漢字 é 🦜", "漢字 é 🦜"),
    ],
)
def test_what_cannot_be_seen_is_written_out(name, shown):
    assert visible(name) == shown


def test_plain_text_keeps_only_ascii_and_the_characters_of_our_own():
    assert visible("é 1×2 → 3² µs", ascii_only=True) == "\\xe9 1×2 → 3² µs"


def test_shortening_keeps_both_ends():
    assert shorten("features.12.conv.2", 11) == "featu…onv.2"
    assert shorten("short", 11) == "short"
    assert shorten("anything", 1) == "…"


def test_a_wide_character_takes_two_cells():
    assert cells("漢a") == 3
    assert cells(shorten("漢字漢字漢字", 6)) <= 6


def test_a_chart_label_keeps_no_markup_and_no_colour_of_the_page():
    assert chart_text("<b>&var(--ink)") == "&lt;b&gt;&amp;var&#40;--ink)"


@pytest.mark.parametrize("active", list("\\`*[]|<>&~$#@"))
def test_markdown_keeps_nothing_that_it_would_act_on(active):
    escaped = markdown_text(f"a{active}b")
    assert f"a&#{ord(active)};" in escaped


def test_markdown_leaves_no_link_no_list_and_no_emphasis():
    assert markdown_text("http://a.b www.c.d") == "http&#58;//a.b www&#46;c.d"
    assert markdown_text("- item").startswith("&#45;")
    assert markdown_text("_under_ a_b") == "&#95;under&#95; a_b"
    assert markdown_text("1. first") == "1&#46; first"


def test_a_mention_is_broken_up():
    assert markdown_text("@someone #12") == "&#64;<!-- -->someone &#35;<!-- -->12"


def test_a_markdown_name_is_short_and_on_one_line():
    code = markdown_code("x\n|" * 5000, width=20)
    assert code.startswith("<code>x\\n&#124;".replace("\\", "&#92;"))
    assert "|" not in code
    assert "\n" not in code
