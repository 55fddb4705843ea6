"""The list of films in a page from disk: tags, small pictures, a view that comes back, ten thousand films."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from browser import quiet_page
from playwright.sync_api import Browser, Page, expect
from test_viewer import HOSTILE, ramp
from test_viewer_browser import VIEW, example, keys, settle, show, text

from chestlib.viewer import BoxViewer, Embed, read_tags, static

ONLY = "this viewer reads version 1, so it is not shown."
BROKEN = "The view is broken ({}), so only its film is shown."


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with quiet_page(browser, viewport=VIEW, has_touch=True) as opened:
        yield opened


def names(page: Page) -> list[str]:
    settle(page)
    return page.locator(".bv-item > bdi").all_inner_texts()


def pointed(page: Page) -> str:
    """The pixel under a point of the stage."""
    page.locator(".bv-stage").hover(position={"x": 222, "y": 151})
    return text(page, ".bv-bottom-left")


def test_films_are_tagged_filtered_kept_and_exported(page: Page, tmp_path: Path) -> None:
    hostile = [word[:40].strip() for word in HOSTILE]
    viewer = example()
    viewer.tags = {"four.png": hostile}
    show(page, tmp_path, viewer)
    page.locator(".bv-stage").focus()
    keys(page, "ArrowRight", "#")
    page.keyboard.type("  ask   again ")
    keys(page, "Enter")
    page.keyboard.type("x" * 60)
    keys(page, "Enter")
    assert text(page, ".bv-chips").split() == ["ask", "again", "×", "x" * 40, "×"]
    page.get_by_role("button", name="Remove the tag xxx").tap()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Export tags").tap()
    exported = tmp_path / "tags.json"
    waiting.value.save_as(exported)
    assert read_tags(exported) == {"two.png": ["ask again"], "four.png": hostile}
    keys(page, "Escape")
    page.get_by_label("Show images with this tag").select_option("ask again")
    assert names(page) == ["two.png"]
    page.reload()
    expect(page.locator(".bv-words")).to_have_count(2)
    assert page.locator(".bv-words").all_text_contents() == ["ask again", ", ".join(hostile)]
    expect(page.locator("canvas.bv-thumb")).to_have_count(4)
    assert page.locator(".bv img, .bv-list b").count() == 0


def test_a_link_brings_the_view_back(page: Page, tmp_path: Path) -> None:
    viewer = example(heat=[np.ones((8, 8))] * 4)
    show(page, tmp_path, viewer)
    page.get_by_label("Show images of this kind").select_option("alarm")
    page.get_by_label("Order of the images").select_option("missed")
    page.get_by_label("Least score").fill("0.55")
    page.get_by_label("Opacity of the heat map").fill("0.8")
    page.locator(".bv-stage").focus()
    keys(page, "Home", "h", "o", "+", "+", "+", "Shift+ArrowLeft", "Shift+ArrowLeft", "Shift+ArrowUp", "i", "m", "#")
    page.get_by_role("button", name="Copy link").click()
    link = page.get_by_label("Link or line").input_value()
    keys(page, "Escape")
    shown = [".bv-name", ".bv-zoom", ".bv-bottom-right", ".bv-list", ".bv-panel", ".bv-lies", ".bv-strip"]
    before = [text(page, part) for part in shown]
    place = pointed(page)
    assert (before[0], before[-2]) == ("two.png", "Flipped: left and right exchanged. Turned 90°")
    page.goto("about:blank")
    page.goto(link)
    expect(page.locator(".bv-zoom")).to_have_text(before[1])
    assert [text(page, part) for part in shown] == before
    assert pointed(page) == place
    keys(page, "r")
    page.evaluate("(hash) => { location.hash = ''; location.hash = hash; }", link.partition("#")[2])
    expect(page.locator(".bv-zoom")).to_have_text(before[1])
    page.evaluate("location.hash = '#view=0.eyJ2'")
    told = f"The view is without a version; {ONLY}"
    expect(page.locator(".bv-note")).to_have_text(told)


@pytest.mark.parametrize(
    ("view", "told", "film"),
    [
        ({"version": 2, "film": "two.png"}, f"The view is of version 2; {ONLY}", "one.png"),
        (
            {"version": 1, "film": "<b>gone</b>"},
            "The view is of <b>gone</b>, which is not among the films here.",
            "one.png",
        ),
        ({"version": 1, "film": "two.png"}, "", "two.png"),
        ({"version": 1, "film": "two.png", "zoom": {"scale": "x"}}, BROKEN.format("zoom.scale"), "two.png"),
        ({"version": 1, "film": "two.png", "grey": 7}, BROKEN.format("grey"), "two.png"),
        (
            {"version": 1, "film": "two.png", "turn": {"flipped": True, "degrees": 45}},
            BROKEN.format("turn.degrees"),
            "two.png",
        ),
        (
            {"version": 1, "film": "two.png", "settings": {"heat_opacity": None, "threshold": 0.9}},
            BROKEN.format("settings.heat_opacity"),
            "two.png",
        ),
        ({"version": 1, "number": 99}, "The view is of no film, which is not among the films here.", "one.png"),
        ({"version": 1, "film": "two.png", "number": "1"}, "", "two.png"),
    ],
)
def test_a_view_that_is_broken_or_not_for_here_is_one_line(
    page: Page, tmp_path: Path, view: dict[str, object], told: str, film: str
) -> None:
    viewer = example(heat=[np.ones((8, 8))] * 4)
    show(page, tmp_path, viewer)
    seen = [".bv-zoom", ".bv-bottom-right", ".bv-lies", ".bv-strip output"]
    plain = [text(page, part) for part in seen]
    viewer.view = view
    show(page, tmp_path, viewer)
    settle(page)
    assert page.locator(".bv-note").text_content() == told
    assert page.locator(".bv-note").is_visible() == bool(told)
    assert text(page, ".bv-name") == film
    assert [text(page, part) for part in seen] == plain


def films(page: Page, path: Path, n: int) -> Callable[[int], float]:
    """Open `n` films; returns what scrolls to a fortieth of the list and tells how many ms of the processor it took."""
    viewer = BoxViewer([ramp(256, 256)], [([[10, 10, 90, 90]], [4])])
    fragment = static.fragment(viewer._state(), viewer._sources, Embed())
    begin, end = fragment.index('{"state"'), fragment.index("</script>", fragment.index('{"state"'))
    content = json.loads(fragment[begin:end])
    (image,) = content["state"]["_study"]["images"]
    content["state"]["_study"]["images"] = [dict(image, name=f"{i}.png") for i in range(n)]
    content["state"]["tags"] = {f"{i}.png": [f"tag {i % 7}"] for i in range(n)}
    jpeg = fragment[fragment.index('<script type="image/jpeg">') : fragment.index(static.MARK[0])]
    content["pictures"] *= n
    many = fragment.replace(jpeg, jpeg * n).replace(fragment[begin:end], static._json(content))
    path.write_text(static.page(many, "many"), encoding="utf-8")
    page.goto(path.as_uri())
    expect(page.locator(".bv-zoom")).to_contain_text("%", timeout=60_000)
    expect(page.locator("canvas.bv-thumb").nth(8)).to_be_attached()
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable", {"timeDomain": "threadTicks"})

    def spent() -> float:
        metrics = devtools.send("Performance.getMetrics")["metrics"]
        return 1000 * next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration")

    def scroll(step: int) -> float:
        begun = spent()
        page.evaluate("(top) => { document.querySelector('.bv-rows').scrollTop = top; }", step * 0.99 * n)
        settle(page)
        return spent() - begun

    return scroll


def test_ten_thousand_films_scroll_like_a_thousand(browser: Browser, tmp_path: Path) -> None:
    with quiet_page(browser, viewport=VIEW) as one, quiet_page(browser, viewport=VIEW) as other:
        few = films(one, tmp_path / "few.html", 1_000)
        many = films(other, tmp_path / "many.html", 10_000)
        costs = np.array([(few(step), many(step)) for step in range(40)])  # by turns: both find the machine as fast
        assert other.locator(".bv-item").count() < 40
    few_ms, many_ms = np.median(costs, axis=0)
    print(f"ms a scroll, median: {few_ms:.1f} of 1,000 films, {many_ms:.1f} of 10,000")
    assert many_ms < 2 * few_ms, costs
