from __future__ import annotations

import re
from html.parser import HTMLParser

from latprof.report.escaping import shorten, visible
from latprof.report.html import render_html

from .samples import HOSTILE_NAMES, hostile_kernels, many_kernels, predict_answer, profile_answer

LARGEST_BYTES = 2_000_000


class Page(HTMLParser):
    """Elements, attributes and text of a page, as a browser would read them."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str | None]] = []
        self.rows: list[list[str]] = []
        self._cell: list[str] | None = None
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, key, value) for key, value in attrs]
        if tag == "tr":
            self.rows.append([])
        if tag == "td":
            self._cell = []

    def handle_endtag(self, tag):
        if tag == "td":
            self.rows[-1].append("".join(self._cell))
            self._cell = None

    def handle_data(self, data):
        if self._cell is not None:
            self._cell.append(data)


def test_every_answer_becomes_a_page(any_answer):
    source = render_html(any_answer)
    assert source.lstrip().startswith("<!doctype html>")
    assert len(source.encode()) <= LARGEST_BYTES


def test_hostile_names_are_text_and_nothing_else():
    harmless = Page(render_html(predict_answer()))
    page = Page(render_html(predict_answer(kernels=hostile_kernels())))
    # The same elements as with harmless names, but for legend entries of the odd types.
    odd = {"li", "span"}
    assert set(page.tags) == set(harmless.tags)
    for tag in set(page.tags) - odd:
        assert page.tags.count(tag) == harmless.tags.count(tag), tag
    assert not [a for a in page.attributes if a[1].startswith("on") or a[1] == "src"]
    names = {row[1] for row in page.rows if len(row) == 11}
    for name in HOSTILE_NAMES:
        assert shorten(visible(name), 40) in names
    assert "<script>alert(1)</script>" in names


def test_hostile_facts_are_text_too():
    answer = predict_answer(targets=("<script>alert(1)</script>/\u202e",))
    name = "<script>alert(1)</script>"
    answer["model"].update(name=name, source=name, unknown_ops={name: 1}, assumptions=[name])
    answer.update(command=name, created=name, latprof=name)
    answer["predictions"][0].update(doubts=[name], provenance=[name])
    page = Page(render_html(answer))
    assert page.tags.count("script") == Page(render_html(predict_answer())).tags.count("script")


def test_nothing_is_loaded_from_anywhere():
    page = Page(render_html(predict_answer(targets=("a/b", "c/d"))))
    links = [
        v for _, key, v in page.attributes if key in ("src", "href", "srcset", "action", "data")
    ]
    assert links
    assert all(link == "data:," or link.startswith("#") for link in links)
    policy = next(v for tag, key, v in page.attributes if tag == "meta" and "default-src" in str(v))
    assert "default-src 'none'" in policy


def test_500_kernels_fit():
    size = len(render_html(profile_answer(many_kernels(500))).encode())
    long_names = [{**k, "name": f"{i}" + "y" * 10_000} for i, k in enumerate(many_kernels(500))]
    assert size <= LARGEST_BYTES
    assert len(render_html(predict_answer(kernels=long_names)).encode()) <= LARGEST_BYTES


def test_the_same_answer_gives_the_same_bytes():
    assert render_html(predict_answer()) == render_html(predict_answer())


def test_ids_are_unique_with_several_targets():
    page = Page(render_html(predict_answer(targets=("a/b", "c/d", "e/f"))))
    ids = [value for _, key, value in page.attributes if key == "id"]
    assert len(ids) == len(set(ids))


def test_what_is_missing_is_a_dash():
    answer = predict_answer()
    answer["predictions"][0]["kernels"][4].update(macs=None, params=None, latency_ms=None)
    page = Page(render_html(answer))
    row = next(row for row in page.rows if len(row) == 11 and row[0] == "5")
    assert [row[i] for i in (5, 6, 7, 8, 9)] == ["–"] * 5


def test_the_table_lists_every_kernel_slowest_first():
    page = Page(render_html(profile_answer()))
    rows = [row for row in page.rows if len(row) == 11]
    times = [float(row[5]) for row in rows]
    assert len(rows) == 61
    assert times == sorted(times, reverse=True)
    assert re.fullmatch(r"\d\.\d{3} – \d\.\d{3}", rows[0][10])


def test_the_budget_is_said_in_words():
    assert "Over the budget of 9.00 ms" in render_html(predict_answer(budget_ms=9.0))
    assert "Probably within the budget of 16.0 ms" in render_html(predict_answer(budget_ms=16.0))
    assert "Within the budget of 90.0 ms" in render_html(predict_answer(budget_ms=90.0))
