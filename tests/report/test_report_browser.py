"""The report in a real browser, opened as a file with the network cut off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import quiet_page, screenshot
from playwright.sync_api import Browser, Page
from reports import HOSTILE, Project, code, text

from chestlib import report

VIEWER = f"""
import numpy as np
from chestlib.viewer import BoxViewer
names = {HOSTILE!r}
picture = np.linspace(0, 1, 256 * 256, dtype=np.float32).reshape(256, 256)
truth = [(np.array([[20, 30, 120, 150]]), np.array([8]))] * len(names)
BoxViewer([picture] * len(names), truth=truth, names=names, patients=names)
"""


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = Project(tmp_path_factory.mktemp("project"))
    project.write(
        "01_look",
        text("# Look\n\nTwo viewers, one script. [A site](https://example.org)"),
        text(f"## Names\n\n$\\text{{{HOSTILE[0]}}}$ ![badge](https://example.org/b.png)\n\n{HOSTILE[0]}{HOSTILE[1]}"),
        code(VIEWER),
        code(VIEWER),
        text("## Tables\n\n" + "word " * 400),
        code(f"import pandas as pd\npd.DataFrame([[0.5] * 30], index={HOSTILE[:1]!r})"),
        code("import matplotlib.pyplot as plt\nplt.figure(figsize=(12, 3))\nplt.plot([1, 2])\nplt.show()"),
        code(f"print({HOSTILE[1]!r})"),
    )
    project.write("03_stop", text("# Stop"), code(f"raise ValueError({HOSTILE[1]!r})"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHESTLIB_HOME", str(project.home))
        return report.build(project.notebooks, project.out, data=project.data, profile="quick").page


@pytest.fixture
def page(browser: Browser, page_file: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The report, opened; the test fails if it asks for anything or the console shows an error."""
    with quiet_page(browser, offline=True, **getattr(request, "param", {})) as page:
        requested = []
        page.on("request", lambda request: requested.append(request.url))
        page.goto(page_file.as_uri())
        page.locator(".bv").nth(1).wait_for()
        yield page
        remote = [url for url in requested if not url.startswith(("data:", "blob:"))]
        assert remote == [page_file.as_uri()]
        assert page.evaluate("window.pwned") is None


def test_viewers_run_from_one_script(page: Page) -> None:
    assert page.locator("script:not([type])").count() == 4, "three of the page's own and the viewer's"
    viewer = page.locator(".bv").first
    assert HOSTILE[0] in viewer.inner_text()
    viewer.locator(".bv-stage").click(position={"x": 5, "y": 5})
    page.keyboard.press("ArrowRight")
    viewer.get_by_text("2 / 5").wait_for()
    assert HOSTILE[1] in viewer.locator(".bv-bar").inner_text()
    screenshot(page, "report-viewer")


def test_hostile_text_stays_text(page: Page) -> None:
    assert page.locator("tbody th", has_text=HOSTILE[0]).count() == 1
    assert page.locator("pre.stdout").inner_text() == HOSTILE[1]
    assert HOSTILE[1] in page.locator("details.error summary").inner_text()
    assert page.locator("img[src=x]").count() == page.locator("[onerror]").count() == 0


def test_reader_steers_the_page(page: Page) -> None:
    screenshot(page, "report-title")
    block = page.locator("details.code").first
    assert not block.evaluate("e => e.open")
    page.get_by_role("button", name="Show all code").click()
    assert block.evaluate("e => e.open")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    theme = page.get_by_role("button", name="Theme")
    theme.click()
    theme.click()
    assert theme.inner_text() == "Theme: dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light
    screenshot(page, "report-dark")
    page.locator("figure img").first.click()
    assert page.locator("dialog").evaluate("e => e.open")
    page.keyboard.press("Escape")
    assert not page.locator("dialog").evaluate("e => e.open")


def test_contents_lead_and_follow(page: Page) -> None:
    page.locator(".toc a[href='#ch-03-stop']").click()
    page.locator(".toc a[aria-current][href='#ch-03-stop']").wait_for()
    page.locator(".toc a[href='#ch-01-look']").click()
    page.locator(".toc a[href='#ch-01-look--names']").wait_for(state="visible")


@pytest.mark.parametrize("page", [{"viewport": {"width": 360, "height": 740}}], indirect=True)
def test_a_phone_shows_all_without_sideways_scrolling(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert not page.locator(".toc").is_visible()
    page.get_by_text("Contents and search", exact=True).click()
    page.locator(".toc a[href='#ch-03-stop']").click()
    assert not page.locator(".toc").is_visible()
    screenshot(page, "report-phone")


def test_prints(page: Page, tmp_path: Path) -> None:
    page.emulate_media(media="print")
    assert not page.locator(".side").is_visible()
    assert not page.locator("details.code").first.is_visible()
    assert page.pdf(prefer_css_page_size=True).count(b"/Type /Page\n") >= 4, "title, summary, two chapters"
