"""Walking through a report in a real browser: search, the place that is read, a phone, many pages, paper."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import CHROMIUM, quiet_page, screenshot
from playwright.sync_api import Browser, Page, expect
from reports import Project, walk
from test_pages import build

from chestlib.report import paper

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True}


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Project]:
    made = {name: walk(tmp_path_factory.mktemp(name)) for name in ("single", "split")}
    for name, project in made.items():
        build(project, split=name == "split")
    return made


@pytest.fixture
def page(browser: Browser, projects: dict[str, Project], request: pytest.FixtureRequest) -> Iterator[Page]:
    """A report, opened; parameter: single or split, and options of the context."""
    kind, options = getattr(request, "param", ("single", {}))
    with quiet_page(browser, offline=True, reduced_motion="reduce", **options) as page:
        page.goto((projects[kind].out / "index.html").as_uri())
        yield page


def marked(page: Page) -> list[str]:
    """The words that are marked as found, each once."""
    words = "[...CSS.highlights.get('found') ?? []].map((range) => range.toString().toLowerCase())"
    return sorted(set(page.evaluate(words)))


def here(page: Page) -> str:
    """What the contents mark as read."""
    return page.locator(".toc a[aria-current]").inner_text()


@pytest.mark.parametrize("page", [("single", {}), ("split", {}), ("single", PHONE), ("split", PHONE)], indirect=True)
def test_search_finds_and_leads_to_folded_words_in_all_chapters(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("Zebrafish CURVE")
    expect(page.locator("#count")).to_have_text("1 section")
    assert not page.locator(".toc").is_visible()
    assert page.locator("#found a strong").inner_text() == "05 9 · How good, and how sure?"
    assert page.locator("#found mark").all_inner_texts() == ["curve", "zebrafish"]
    page.keyboard.press("Enter")
    block = page.locator("#ch-05-evaluate--cell-3 details.code")
    expect(block).to_have_attribute("open", "")
    expect(block.locator(".highlight")).to_be_in_viewport()
    assert marked(page) == ["curve", "zebrafish"]
    screenshot(page, "report-search")


def test_search_by_keys(page: Page) -> None:
    find = page.locator("#find")
    page.keyboard.press("/")
    page.keyboard.type("okapi")
    expect(page.locator("#found li")).to_have_count(2)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#ch-05b-careful-reader")).to_be_in_viewport()
    page.keyboard.press("/")
    page.keyboard.type('"the okapi"')
    expect(page.locator("#found li")).to_have_count(1)
    page.keyboard.press("Escape")
    assert find.input_value() == "" and page.locator(".toc").is_visible() and marked(page) == []
    page.keyboard.type("unheard-of")
    expect(page.locator("#count")).to_contain_text("Nothing found")
    page.keyboard.type("<img src=x onerror=alert(1)>/")
    assert page.locator("#found li, .side img").count() == 0 and find.input_value().endswith("/")


def test_contents_mark_what_fills_the_window(page: Page) -> None:
    nine = page.locator("#ch-01-explore--9-how-many-in-one-image")
    for share, section in (
        (0.7, "8 · Before"),
        (0.4, "9 · How many in one image"),
        (0.05, "9 · How many in one image"),
    ):
        nine.evaluate(f"element => scrollBy(0, element.getBoundingClientRect().top - innerHeight * {share})")
        page.mouse.wheel(0, 1)
        expect(page.locator(".toc a[aria-current]")).to_have_text(section)
    page.locator(".toc a", has_text="How good is it?").click()
    expect(page.locator(".toc a[aria-current]")).to_contain_text("How good is it?")
    page.locator(".toc a[href$='#ch-05-evaluate--exercises']").click()
    page.wait_for_timeout(100)
    assert here(page) == "Exercises", "short, but it is what the reader asked for"
    assert page.locator(".toc a[aria-current]").get_attribute("href") == "#ch-05-evaluate--exercises"


@pytest.mark.parametrize("kind", ["single", "split"])
@pytest.mark.parametrize(
    "place", ["05_evaluate--9-·-How-good,-and-how-sure?", "ch-05-evaluate--9-how-good-and-how-sure"]
)
def test_an_address_of_another_report_still_leads(
    browser: Browser, projects: dict[str, Project], kind: str, place: str
) -> None:
    with quiet_page(browser, offline=True) as page:
        page.goto((projects[kind].out / "index.html").as_uri() + f"#{place}")
        expect(page.locator("#ch-05-evaluate--9-how-good-and-how-sure")).to_be_in_viewport()
        expect(page.locator(".toc a[aria-current]")).to_have_text("9 · How good, and how sure?")


@pytest.mark.parametrize("page", [("single", {}), ("split", {})], indirect=True)
def test_a_broken_address_is_harmless(page: Page) -> None:
    page.goto(page.locator(".toc a", has_text="How good is it?").evaluate("(link) => link.href.split('#')[0]"))
    for place in ("%E0%A4%A", "ch-05-evaluate--%", "ch-nowhere--at-all"):
        page.evaluate("(place) => { location.hash = place; }", place)
        page.reload()
        assert page.locator("figure img").first.get_attribute("role") == "button", "the script has run to its end"
        page.evaluate("location.hash = ''")


@pytest.mark.parametrize("page", [("single", {}), ("split", {})], indirect=True)
def test_walks_from_chapter_to_chapter(page: Page) -> None:
    page.locator(".chapters a").first.click()
    for id in ("ch-05-evaluate", "ch-05b-careful-reader", "ch-06-next"):
        page.locator(".turn [rel=next]:visible").locator(f"xpath=self::*[contains(@href, '#{id}')]").click()
        expect(page.locator(f"#{id} > header")).to_be_in_viewport()
        expect(page.locator(".toc .here")).to_contain_text(page.locator(f"#{id} > header :is(h1, h2)").inner_text())
    page.locator("#ch-06-next .turn [rel=prev]").click()
    expect(page.locator("#ch-05b-careful-reader > header")).to_be_in_viewport()
    page.locator(".toc a", has_text="Summary").click()
    expect(page.locator("#summary h2")).to_be_in_viewport()


@pytest.mark.parametrize("page", [("single", PHONE), ("split", PHONE)], indirect=True)
def test_a_phone_needs_no_sideways_scrolling(page: Page) -> None:
    pages = page.evaluate(
        "[...new Set([...document.querySelectorAll('.toc > li > a')].map((a) => a.href.split('#')[0]))]"
    )
    for address in pages:
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert not page.locator(".toc").is_visible()
        page.locator("#contents > summary").tap()
        box = page.locator("#find").bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= 360
        page.locator("#contents > summary").tap()


def test_paper_has_answers_and_no_tools(page: Page, projects: dict[str, Project], tmp_path: Path) -> None:
    sheets = count(page.pdf(prefer_css_page_size=True))
    answer = page.locator(".prose details")
    assert not answer.evaluate("element => element.open"), "as it was before"
    answer.evaluate("element => element.remove()")
    assert sheets - count(page.pdf(prefer_css_page_size=True)) >= 2, "an answer three sheets long"
    assert CHROMIUM.exists() and paper.browser()
    result = build(projects["split"], split=True, pdf=True)
    assert result.pdf and count(result.pdf.read_bytes()) == sheets, "all chapters, whatever stands on the page"
    assert "report.pdf" in str(result)
    assert not [path for path in projects["split"].out.iterdir() if "print" in path.name or "part" in path.name]


def count(pdf: bytes) -> int:
    """The sheets of a PDF as Chromium writes it."""
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf))
