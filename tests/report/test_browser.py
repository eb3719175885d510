"""The page in a browser: it loads nothing, draws everything, sorts and fits a phone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from latprof.report.html import render_html

from .samples import hostile_kernels, many_kernels, predict_answer, profile_answer

playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")

PAGES = {
    "predict": lambda: predict_answer(budget_ms=16.0),
    "profile": profile_answer,
    "several": lambda: predict_answer(targets=("a/b", "c/d"), budget_ms=16.0),
    "hostile": lambda: predict_answer(kernels=hostile_kernels()),
    "many": lambda: profile_answer(many_kernels(500)),
}
MARKS = ".barlayer path, .scatterlayer .point"


@pytest.fixture(scope="module")
def browser():
    arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
    with playwright_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    for name, answer in PAGES.items():
        (folder / f"{name}.html").write_text(render_html(answer()), encoding="utf-8")
    return {name: folder / f"{name}.html" for name in PAGES}


@pytest.fixture
def visit(browser, files):
    """Opens a page; afterwards nothing else was asked for and nothing was complained about."""
    opened, said, asked = [], [], []

    def open_page(name, *, width=1280, scheme="light"):
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        opened.append(page)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: (said.append("a dialog"), dialog.dismiss()))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(files[name].as_uri())
        return page

    yield open_page
    for page in opened:
        page.close()
    assert said == []
    assert {url for url in asked if url != "data:,"} <= {file.as_uri() for file in files.values()}
    assert len([url for url in asked if url != "data:,"]) == len(opened)


def wait_until(page, condition):
    """Ask the page from outside until it says yes.

    playwright's own waiting evaluates text inside the page once the first answer is no, which
    the page's content security policy forbids: whether a test failed was a matter of speed.
    """
    for _ in range(200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"not within 10 s: {condition}")


@pytest.mark.parametrize("name", PAGES)
def test_every_chart_is_drawn_and_fits_a_desk_and_a_phone(visit, name):
    page = visit(name)
    assert min(_marks(page)) > 0
    assert len(_marks(page)) == {"several": 9}.get(name, 4)
    assert name == "hostile" or _labels_outside(page) == []  # odd names may be wide, and are cut

    page.set_viewport_size({"width": 390, "height": 900})
    wait_until(page, "document.querySelector('.main-svg').clientWidth < 390")
    assert min(_marks(page)) > 0
    assert name == "hostile" or _labels_outside(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_page_opened_on_a_phone_keeps_the_height_it_reserved(visit):
    page = visit("predict", width=390)
    sizes = page.evaluate(
        "[...document.querySelectorAll('.chart')].map(chart => {"
        " const svg = chart.querySelector('.main-svg');"
        " return [chart.clientWidth, chart.clientHeight, svg.clientWidth, svg.clientHeight]; })"
    )
    for width, height, drawn_width, drawn_height in sizes:
        assert (drawn_width, drawn_height) == (width, height)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_dark_page_has_dark_charts(visit):
    page = visit("profile", scheme="dark")
    ink = page.evaluate("getComputedStyle(document.body).color")
    text = page.locator(".chart text.annotation-text").first
    assert text.evaluate("e => getComputedStyle(e).fill") == ink == "rgb(228, 232, 235)"


def test_charts_change_with_the_scheme_and_turn_light_for_paper(visit):
    page = visit("predict")
    fill = "document.querySelector('.barlayer path').style.fill"
    light = page.evaluate(fill)
    page.emulate_media(color_scheme="dark")
    wait_until(page, f"{fill} !== '{light}'")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate(fill) == light
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(fill) != light


def test_headings_sort_with_mouse_and_keyboard(visit):
    page = visit("predict")
    heading = page.locator(".sortable th", has_text="Params")
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    assert page.locator(".sortable th[aria-sort$=cending]").count() == 1
    values = page.evaluate(
        "[...document.querySelectorAll('.sortable tbody td:nth-child(9)')].map(td => +td.dataset.v)"
    )
    assert values == sorted(values, reverse=True)

    kernel = page.locator(".sortable th", has_text="Kernel").locator("button")
    kernel.focus()
    page.keyboard.press("Enter")
    names = _column(page, 2)
    assert names[0] == "classifier.1"
    assert names.index("features.2.conv.1") < names.index("features.12.conv.1")
    page.keyboard.press("Enter")
    assert _column(page, 2)[-1] == "classifier.1"

    page.locator(".sortable th", has_text="#").locator("button").click()
    assert _column(page, 1) == [str(place) for place in range(1, 62)]

    rate = page.locator(".sortable th", has_text="GMAC/s").locator("button")
    for _ in range(2):  # what is unknown stays last in both orders
        rate.click()
        assert _column(page, 10)[-1] == "–"


def test_a_hostile_name_is_seen_as_it_is(visit):
    page = visit("hostile")
    assert "<script>alert(1)</script>" in _column(page, 2)
    labels = page.locator(".chart text").all_text_contents()
    assert any("<img src=x" in label for label in labels)
    assert not any("#" in label and "&" in label and "amp" in label for label in labels)


def _marks(page):
    return page.evaluate(
        "marks => [...document.querySelectorAll('.chart')]"
        ".map(chart => chart.querySelectorAll(marks).length)",
        MARKS,
    )


def _labels_outside(page):
    return page.evaluate(
        "[...document.querySelectorAll('.chart')].flatMap(chart => {"
        " const box = chart.getBoundingClientRect();"
        " return [...chart.querySelectorAll('.main-svg text')].filter(text => {"
        "  const t = text.getBoundingClientRect();"
        "  return t.width && (t.left < box.left - 1 || t.right > box.right + 1"
        "   || t.top < box.top - 1 || t.bottom > box.bottom + 1);"
        " }).map(text => text.textContent); })"
    )


def _column(page, index):
    return page.locator(f".sortable tbody td:nth-child({index})").all_text_contents()
