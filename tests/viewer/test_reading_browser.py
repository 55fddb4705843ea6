"""Read first, and several detectors: in a page from disk, with no kernel and every remote request refused."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from browser import quiet_page, screenshot
from playwright.sync_api import Browser, Page, expect
from test_viewer import HOSTILE, ramp
from test_viewer_browser import keys, settle, show, text
from typer.testing import CliRunner

from chestlib import metrics
from chestlib.cli import app
from chestlib.data import Record
from chestlib.detections import Detections
from chestlib.viewer import BoxViewer

SIDE = 1024
VIEW = {"width": 1200, "height": 760}
EFFUSION, MASS = [200, 300, 400, 500], [600, 100, 700, 220]
TRUTH = [
    Record("one.png", [EFFUSION], [4], "p1"),
    Record("two.png", [EFFUSION, MASS], [4, 8], "p1"),
    Record("three.png", patient="p2"),
]
GOOD = Detections([EFFUSION, [500, 600, 560, 660]], [4, 9], [0.9, 0.3])
OTHER = Detections([MASS], [8], [0.8])


def viewer(**options: object) -> BoxViewer:
    film = np.tile(ramp(256, 256), (4, 4))
    answers = {"scratch": [GOOD] * 3, "chest weights": {"two.png": OTHER, "one.png": GOOD}}
    return BoxViewer([film] * 3, TRUTH, answers, **options)


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    with quiet_page(browser, viewport=VIEW) as opened:
        show(opened, tmp_path, viewer(read=True, layers=["truth", "detections", "yours"]))
        yield opened


def at(page: Page, x: float, y: float, side: int = SIDE) -> tuple[float, float]:
    """Where a pixel of a square film lies in the window, as the film is first shown."""
    box = page.locator(".bv-stage").bounding_box()
    assert box
    scale = min(box["width"], box["height"]) / side
    left, top = (box["width"] - side * scale) / 2, (box["height"] - side * scale) / 2
    return box["x"] + left + x * scale, box["y"] + top + y * scale


def drag(page: Page, begin: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*at(page, *begin))
    page.mouse.down()
    page.mouse.move(*at(page, *end), steps=4)
    page.mouse.up()
    settle(page)


def rows(page: Page) -> list[str]:
    settle(page)
    return page.locator(".bv-row").all_inner_texts()


def exported(page: Page, target: Path) -> list[dict]:
    with page.expect_download() as download:
        page.get_by_role("button", name="Export JSON").click()
    download.value.save_as(target)
    return json.loads(target.read_text(encoding="utf-8"))


def lines(page: Page, table: str) -> dict[str, list[str]]:
    shown = page.get_by_role("table", name=table).locator(".bv-line")
    shown.filter(has_text="You").first.wait_for()
    found = shown.all_inner_texts()
    return {name.strip(): figures for name, *figures in (line.split("\n") for line in found)}


def test_drawn_by_mouse_and_scored_as_python_scores(page: Page, tmp_path: Path) -> None:
    drag(page, (210, 310), (400, 490))
    keys(page, "4", "]")
    drag(page, (700, 700), (800, 800))
    keys(page, "Enter")
    assert "no finding yet" in text(page, ".bv-says >> nth=0"), "what has no name is not committed"
    keys(page, "9", "Enter")
    assert lines(page, "This film")["You"][:3] == ["1", "1", "0"]
    keys(page, "Enter")
    drag(page, (610, 110), (700, 240))
    keys(page, "8", "Enter", "Enter")
    assert text(page, ".bv-name") == "three.png"
    keys(page, "Enter")
    screenshot(page, "viewer-reading")
    file = tmp_path / "reading.json"
    exported(page, file)
    said = metrics.read_predictions(file, TRUTH)
    assert [len(said[record.file_name]) for record in TRUTH] == [2, 1, 0]
    matches = [metrics.match(r.boxes, r.labels, said[r.file_name]) for r in TRUTH]
    hits, overlaps = sum(m.hit.sum() for m in matches), np.concatenate([m.iou[m.hit] for m in matches])
    figures = [f"{hits / 3:.2f}", f"{sum((~m.hit).sum() for m in matches) / 3:.2f}", f"{overlaps.mean():.2f}"]
    assert lines(page, "All films read")["You"] == figures
    rate, recall = metrics.froc_pooled(TRUTH, said)
    assert [f"{recall[-1]:.2f}", f"{rate[-1]:.2f}"] == figures[:2]
    scores = metrics.evaluate(TRUTH, said)
    assert np.trace(np.array(scores["boxes"]["confusion"]["counts"])[:-1, :-1]) == hits
    detector = {record.file_name: GOOD.above(0.5) for record in TRUTH}
    rate, recall = metrics.froc_pooled(TRUTH, detector)
    assert lines(page, "All films read")["scratch"][:2] == [f"{recall[-1]:.2f}", f"{rate[-1]:.2f}"]
    assert f"scratch: recall {recall[-1]:.2f}" in (page.locator(".bv-froc").get_attribute("aria-label") or "")
    annotations = tmp_path / "truth.json"
    named = [(r.file_name, [r.names[i - 1] for i in r.labels], r.boxes.tolist()) for r in TRUTH]
    annotations.write_text(json.dumps([dict(zip(("file_name", "syms", "boxes"), row, strict=True)) for row in named]))
    result = CliRunner().invoke(app, ["evaluate", str(annotations), str(file), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["froc"] == scores["froc"]


def test_nothing_is_shown_before_the_film_is_committed(page: Page, tmp_path: Path) -> None:
    stage = page.locator(".bv-stage")
    stage.focus()
    assert rows(page) == []
    keys(page, "t", "d", "m", "a", "{")
    assert rows(page) == [] and (stage.get_attribute("aria-label") or "").endswith("boxes shown: 0")
    assert not page.get_by_role("button", name="Truth").is_visible()
    assert page.locator(".bv-item").all_inner_texts() == [f"{r.file_name}\nto read" for r in TRUTH]
    page.get_by_label("Show images with this finding").select_option(label="Mass")
    assert rows(page) == [] and page.locator(".bv-item").count() == 0, "a filter tells nothing either"
    page.get_by_label("Show images with this finding").select_option(label="Any finding")
    stage.focus()
    keys(page, "Enter", "t")
    assert [row.split("\n")[0] for row in rows(page)] == ["Effusion"], "the detector's"
    drag(page, (100, 100), (200, 200))
    assert len(rows(page)) == 1, "what is committed stays as it is"


def test_the_keyboard_alone_suffices(page: Page, tmp_path: Path) -> None:
    page.locator(".bv-stage").focus()
    keys(page, "n", "4")
    before = page.locator(".bv-row").get_attribute("title") or ""
    keys(page, *["ArrowLeft"] * 3, *["ArrowUp"] * 2, *["Shift+ArrowRight"] * 4, "[", "[", ".")
    after = page.locator(".bv-row").get_attribute("title") or ""
    width = [int(re.findall(r"(\d+) × ", title)[0]) for title in (before, after)]
    assert width[1] > width[0] and "sure 0.50" in after
    keys(page, "n", "8")
    assert len(rows(page)) == 2
    keys(page, "Backspace", "Enter", "Enter")
    assert text(page, ".bv-name") == "two.png"
    keys(page, "Enter")
    (first, second) = exported(page, tmp_path / "reading.json")
    (box,) = first["detections"]
    x1, y1, x2, y2 = box["box"]
    assert (box["finding"], box["score"], second["detections"]) == ("Effusion", 0.5, [])
    assert (x1 + x2) / 2 < 512 and y1 < 448 and x2 - x1 > y2 - y1


def test_boxes_are_moved_resized_and_kept_on_the_film(page: Page, tmp_path: Path) -> None:
    drag(page, (500, 500), (1400, 1200))  # outside
    keys(page, "4")
    drag(page, (500, 700), (600, 700))  # its left edge
    drag(page, (800, 800), (700, 400))  # the inside
    keys(page, "Escape")
    drag(page, (-120, 100), (-40, 300))  # nothing of it on the film
    assert "no area" in text(page, ".bv-says >> nth=0")
    page.mouse.click(*at(page, 50, 900))  # a click draws nothing
    keys(page, "Enter")
    (film,) = exported(page, tmp_path / "reading.json")
    (box,) = film["detections"]
    assert box["box"] == pytest.approx([500, 100, 924, 624], abs=4)
    page.reload()
    expect(page.locator(".bv-heading").first).to_have_text("Film 1 of 3 · 1 read")  # kept by the browser
    page.get_by_role("button", name="Start over").click()
    page.get_by_role("button", name="Erase all 1?").click()
    assert text(page, ".bv-heading >> nth=0").lower() == "film 1 of 3 · 0 read" and rows(page) == []


def test_where_nothing_may_be_kept_the_page_still_has_it(browser: Browser, tmp_path: Path) -> None:
    record = Record("part.png", [EFFUSION], [4], annotated=frozenset({4}))
    with quiet_page(browser, viewport=VIEW) as page:
        page.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new Error('no') } })")
        show(page, tmp_path, BoxViewer([np.tile(ramp(256, 256), (4, 4))], [record], read=True))
        page.locator(".bv-stage").focus()
        keys(page, "n", "9")
        drag(page, (200, 300), (400, 500))
        keys(page, "4", "Enter")
        film = lines(page, "This film")
        assert film["You"] == ["1", "0", "0", "1.00"], "nobody looked for nodules here: they are not judged"
        assert "Detector" not in film
        assert text(page, ".bv-legend") == "1 hit\n0 false alarms\n0 missed"
        assert "until this page is closed" in text(page, ".bv-sheet")


@pytest.mark.parametrize(
    "kept", ['{"version": 2, "films": {}}', "[", '{"version": 1, "films": {"0": {"boxes": [[1]], "done": true}}}']
)
def test_a_reading_of_another_version_is_left_out(page: Page, kept: str) -> None:
    page.locator(".bv-stage").focus()
    keys(page, "Enter")
    (name,) = page.evaluate("Object.keys(localStorage)")
    page.evaluate("([name, text]) => localStorage.setItem(name, text)", [name, kept])
    page.reload()
    assert text(page, ".bv-heading >> nth=0").lower() == "film 1 of 3 · 0 read"
    page.locator(".bv-stage").focus()
    keys(page, "Enter")
    assert "another version" in text(page, ".bv-sheet")


def test_a_finger_draws_and_two_only_zoom(browser: Browser, tmp_path: Path) -> None:
    with quiet_page(browser, viewport={"width": 360, "height": 780}, has_touch=True) as page:
        show(page, tmp_path, viewer(read=True))
        session = page.context.new_cdp_session(page)

        def touch(kind: str, *points: tuple[float, float]) -> None:
            places = [dict(zip("xy", at(page, *point), strict=True)) | {"id": i} for i, point in enumerate(points)]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

        touch("touchStart", (200, 300))
        for step in (250, 320, 400):
            touch("touchMove", (step, step + 100))
        touch("touchEnd")
        settle(page)
        page.get_by_role("button", name="Effusion").click()  # a synthetic tap is lost now and then on a busy machine
        touch("touchStart", (500, 500))
        touch("touchStart", (500, 500), (600, 600))
        touch("touchMove", (400, 400), (700, 700))
        touch("touchEnd")
        assert len(rows(page)) == 1
        page.get_by_role("button", name="Commit 1 box").click()
        assert lines(page, "This film")["You"][:3] == ["1", "0", "0"]
        screenshot(page, "viewer-reading-narrow")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_film_that_is_missing_cannot_be_read_and_names_stay_text(browser: Browser, tmp_path: Path) -> None:
    names = (*(name[:60] for name in HOSTILE), "Mass")
    truth = [Record(f"{i}.png", [[10, 10, 40, 40]], [2], names=names) for i in range(2)]
    with quiet_page(browser, viewport=VIEW) as page:
        page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
        page.goto(BoxViewer([None, ramp(100, 100)], truth, read=True).to_html(tmp_path / "page.html").as_uri())
        page.locator(".bv-stage").focus()
        settle(page)
        keys(page, "n", "Enter")
        assert "cannot be committed" in text(page, ".bv-says >> nth=0") and rows(page) == []
        keys(page, "ArrowRight")
        expect(page.locator(".bv-message")).to_have_text("")
        keys(page, "n", "2", "Enter")
        (film,) = exported(page, tmp_path / "reading.json")
        assert film["detections"][0]["finding"] == names[1]
        assert page.locator(".bv img, .bv b").count() == 0


def test_two_detectors_side_by_side(browser: Browser, tmp_path: Path) -> None:
    with quiet_page(browser, viewport=VIEW) as page:
        show(page, tmp_path, viewer(index=1))
        page.locator(".bv-stage").focus()
        assert [row.split("\n")[0] for row in rows(page)] == ["Effusion", "Effusion", "Mass"]
        keys(page, "a")
        assert [row.split("\n")[0] for row in rows(page)] == ["Mass", "Effusion", "Mass"]
        keys(page, "m", "m")
        legend = "0 both\n1 only A\n1 only B\n0 neither"
        assert text(page, ".bv-legend") == legend
        assert text(page, ".bv-differences").lower().split("\n")[1:] == ["1 both", "1 only a", "1 only b", "0 neither"]
        screenshot(page, "viewer-detectors")
        keys(page, "a")
        assert text(page, ".bv-legend") == legend, "A stays A, whichever is shown"
        page.get_by_label("Show images of this kind").select_option("disagree")
        settle(page)
        assert page.locator(".bv-item > bdi").all_inner_texts() == ["two.png"]
        page.get_by_label("Show images of this kind").select_option("all")
        page.get_by_label("Order of the images").select_option("disagree")
        settle(page)
        assert page.locator(".bv-item > bdi").all_inner_texts() == ["two.png", "one.png", "three.png"]
        page.locator(".bv-stage").focus()
        keys(page, "ArrowRight")
        assert text(page, ".bv-name") == "one.png", "the keys follow the list"
        with page.expect_download() as download:
            keys(page, "s")
        assert download.value.suggested_filename == "one.png.png"
