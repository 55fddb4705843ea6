"""Ruler, flip and turn, heat map, and other films of a patient, in a page from disk: by mouse, keyboard and touch."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from browser import Lab, quiet_page, screenshot
from playwright.sync_api import Browser, Page
from test_canvas_browser import Canvas
from test_reading_browser import drag, exported
from test_viewer import ramp
from test_viewer_browser import keys, settle, show, text

from chestlib.data import Record
from chestlib.detections import Detections
from chestlib.viewer import BoxViewer

VIEW = {"width": 1200, "height": 760}
QUARTERS = np.kron(np.array([[40, 90], [150, 220]], np.uint8), np.ones((512, 512), np.uint8))
BOX = [100, 200, 300, 700]
RECORDS = [
    Record("00000001_002.png", [BOX], [4], "p1"),
    Record("00000001_000.png", [BOX], [8], "p1"),
    Record("00000001_001.png", patient="p1"),
    Record("alone.png", patient="p2"),
    Record("nobody.png"),
]
HEAT = np.zeros((8, 8))
HEAT[:4, 4:] = 1  # upper right


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with quiet_page(browser, viewport=VIEW) as opened:
        yield opened


def viewer(**options: object) -> BoxViewer:
    return BoxViewer([QUARTERS] * 5, RECORDS, **options)


def opened(page: Page, folder: Path, shown: BoxViewer) -> None:
    show(page, folder, shown)
    page.locator(".bv-stage").focus()


def said(page: Page) -> str:
    settle(page)
    return page.locator(".bv-stage").get_attribute("aria-label") or ""


@pytest.mark.parametrize(
    ("spacing", "across", "down"),
    [
        (None, "400 px of the film, mm unknown", "300 px"),
        ((0.5, 0.5), "200.0 mm", "150.0 mm"),
        ((0.5, 0.2), "200.0 mm", "60.0 mm"),
    ],
    ids=["unknown", "square", "not square"],
)
def test_the_ruler_measures_in_mm_or_says_that_it_cannot(
    page: Page, tmp_path: Path, spacing: tuple[float, float] | None, across: str, down: str
) -> None:
    opened(page, tmp_path, viewer(spacing=spacing))
    keys(page, "u")
    drag(page, (200, 600), (600, 600))
    assert said(page).endswith(across)
    drag(page, (600, 600), (200, 900))  # its end is taken hold of
    assert down in said(page)
    keys(page, "o", "h")  # the film turns under it
    assert down in said(page)
    keys(page, "Escape")
    assert "Turned 270°" in said(page) and "mm" not in said(page)


def test_the_scale_bar_is_as_long_as_it_says(page: Page, tmp_path: Path) -> None:
    opened(page, tmp_path, viewer(spacing=(0.5, 0.25)))
    mm = 512 / int(text(page, ".bv-zoom").split()[0]) * 100 / 1024  # of a pixel of the screen, across
    for key, across, down in (("", mm, mm / 2), ("o", mm / 2, mm)):
        keys(page, *filter(None, [key]))
        canvas = Canvas(page, 3).pixels
        bar = (np.abs(canvas.astype(int) - [232, 237, 243, 255]).max(-1) < 40)[-150:]
        wide, tall = bar.sum(1).max() - 1, bar.sum(0).max() - 4
        assert wide * across == pytest.approx(50, rel=0.05), (wide, across)
        assert tall * down == pytest.approx(50, rel=0.05), (tall, down)


def test_keys_alone_measure(page: Page, tmp_path: Path) -> None:
    opened(page, tmp_path, viewer(spacing=(1, 1)))
    keys(page, "u")
    before = float(re.findall(r"([\d.]+) mm", said(page))[0])
    keys(page, *["ArrowRight"] * 5, *["Shift+ArrowLeft"] * 5)
    after = float(re.findall(r"([\d.]+) mm", said(page))[0])
    scale = int(text(page, ".bv-zoom").split()[0]) / 100
    assert after - before == pytest.approx(60 / scale, rel=0.02)
    assert text(page, ".bv-name") == "00000001_002.png"  # the arrows were the ruler's
    keys(page, "u", "ArrowRight")
    assert text(page, ".bv-name") == "00000001_000.png" and "mm" not in said(page)


def test_a_flipped_and_turned_film_keeps_its_boxes_under_the_pointer(page: Page, tmp_path: Path) -> None:
    opened(page, tmp_path, viewer())

    def corner() -> list[int]:
        canvas = Canvas(page, 0).pixels
        height, width = canvas.shape[:2]
        left = (width - height) // 2
        return [int(canvas[y, x, 0]) for y in (9, height - 9) for x in (left + 9, width - left - 9)]

    stage = page.locator(".bv-stage")
    box = stage.bounding_box()
    assert box
    scale, left = box["height"] / 1024, (box["width"] - box["height"]) / 2
    for key, quarters, (x, y), told in (
        ("h", [90, 40, 220, 150], (1024 - 110, 450), "Flipped: left and right exchanged"),
        ("o", [220, 90, 150, 40], (1024 - 450, 1024 - 110), "Flipped: left and right exchanged. Turned 90°"),
        ("h", [90, 220, 40, 150], (450, 1024 - 110), "Turned 270°"),
        ("o", [40, 90, 150, 220], (110, 450), ""),
    ):
        keys(page, key)
        np.testing.assert_allclose(corner(), quarters, atol=4)
        page.mouse.move(box["x"] + left + x * scale, box["y"] + y * scale)
        assert text(page, ".bv-bottom-left").startswith(("x 109", "x 110", "x 111"))
        assert text(page, ".bv-tip").startswith("Effusion")
        assert page.locator(".bv-lies").text_content() == told
    keys(page, "h", "ArrowRight")
    assert page.locator(".bv-lies").text_content() == "", "another film lies as it is"


def test_what_is_drawn_on_a_turned_film_is_in_pixels_of_the_film(page: Page, tmp_path: Path) -> None:
    opened(page, tmp_path, BoxViewer([QUARTERS], [RECORDS[0]], read=True))
    keys(page, "h", "o")
    # Flipped, then turned: (x, y) lies at (1024 - y, 1024 - x).
    drag(page, (1024 - 700, 1024 - 300), (1024 - 200, 1024 - 100))
    keys(page, "4", *["Shift+ArrowRight"] * 3)  # its right edge, which is the film's upper one
    keys(page, "Enter")
    ((film,),) = (shown["detections"] for shown in exported(page, tmp_path / "reading.json"))
    x1, y1, x2, y2 = film["box"]
    assert (x1, x2, y2) == pytest.approx((100, 300, 700), abs=2) and y1 == pytest.approx(200 - 3 * 12, abs=6)


def test_a_heat_map_lies_where_it_is_hot_and_only_when_asked(page: Page, tmp_path: Path) -> None:
    opened(page, tmp_path, viewer(heat={"00000001_002.png": HEAT}))

    def yellow(x: float, y: float) -> int:
        canvas = Canvas(page, 0).pixels
        height, width = canvas.shape[:2]
        red, _, blue, _ = map(int, canvas[round(y * height), round((width - height) / 2 + x * height)])
        return red - blue

    assert yellow(0.75, 0.25) == 0
    keys(page, "c")
    assert yellow(0.75, 0.25) > 90 and yellow(0.25, 0.25) == yellow(0.75, 0.75) == 0
    page.get_by_label("Opacity of the heat map").fill("1")
    settle(page)
    assert yellow(0.75, 0.25) > 180
    page.locator(".bv-stage").focus()
    keys(page, "h")
    assert yellow(0.25, 0.25) > 180 and yellow(0.75, 0.25) == 0
    screenshot(page, "viewer-heat")
    keys(page, "c")
    assert yellow(0.25, 0.25) == 0


def test_who_reads_is_not_shown_the_heat_map(page: Page, tmp_path: Path) -> None:
    opened(page, tmp_path, BoxViewer([QUARTERS], [RECORDS[0]], read=True, heat=[HEAT], heat_opacity=1.0))
    red, _, blue, _ = np.moveaxis(Canvas(page, 0).pixels.astype(int), -1, 0)
    assert (red == blue).all()
    keys(page, "Enter")
    red, _, blue, _ = np.moveaxis(Canvas(page, 0).pixels.astype(int), -1, 0)
    assert (red - blue).max() > 180


def test_other_films_of_the_patient_come_beside_linked(page: Page, tmp_path: Path) -> None:
    opened(page, tmp_path, viewer())
    keys(page, "v")
    caption = ".bv-beside .bv-top-left"
    assert text(page, caption) == "00000001_001.png\nfollow-up 1, earlier"
    keys(page, "<")
    assert text(page, caption) == "00000001_000.png\nfollow-up 0, earlier"
    keys(page, "<")
    assert text(page, ".bv-wheel") == "No earlier film of this patient"
    keys(page, ">")
    assert text(page, caption).startswith("00000001_001.png")
    keys(page, ">")
    assert text(page, caption).startswith("00000001_001.png"), "the film shown is not shown twice"
    keys(page, "+", "Shift+ArrowLeft", "h", "i")
    page.wait_for_timeout(300)
    one, other = (
        page.locator(selector).first.evaluate("""(canvas) => {
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            return [canvas.width, canvas.height, data.reduce((sum, v, i) => (sum * 31 + v * (i % 7)) % 1000003, 0)];
        }""")
        for selector in (".bv-stage canvas", ".bv-beside canvas")
    )
    assert one == other, "the same film under the same zoom, flip and grey window"
    keys(page, "ArrowRight")
    assert text(page, caption) == "00000001_001.png\nfollow-up 1, later"
    keys(page, "End", "ArrowLeft")
    assert text(page, ".bv-alone") == "Patient p2: one film here"
    keys(page, "ArrowRight")
    assert text(page, ".bv-alone") == "Patient unknown: no other film to show"
    keys(page, "v")
    assert page.locator(".bv-beside").is_hidden()


def test_a_film_beside_that_is_missing_says_so(page: Page, tmp_path: Path) -> None:
    records = [Record("a.png", patient="p", path=None), Record("b.png", patient="p", path=tmp_path / "gone.png")]
    opened(page, tmp_path, BoxViewer([ramp(256, 256), records[1]], records))
    keys(page, "v")
    assert text(page, ".bv-beside .bv-top-left") == "b.png\norder in time unknown"
    assert "gone.png" in text(page, ".bv-alone")


def test_a_finger_measures_and_compares_on_a_narrow_page(browser: Browser, tmp_path: Path) -> None:
    with quiet_page(browser, viewport={"width": 360, "height": 900}, has_touch=True) as page:
        opened(page, tmp_path, viewer(spacing=(1, 1), heat={"alone.png": HEAT}))
        page.get_by_role("button", name="Ruler").click()
        box = page.locator(".bv-stage").bounding_box()
        assert box
        session = page.context.new_cdp_session(page)

        def touch(kind: str, *points: tuple[float, float]) -> None:
            places = [{"x": box["x"] + x, "y": box["y"] + y, "id": i} for i, (x, y) in enumerate(points)]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

        touch("touchStart", (50, 100))
        for x in (80, 120, 150):
            touch("touchMove", (x, 100))
        touch("touchEnd")
        measured = float(re.findall(r"([\d.]+) mm", said(page))[0])
        assert measured == pytest.approx(100 * 1024 / min(box["width"], box["height"]), rel=0.03)
        page.get_by_role("button", name="Another film of this patient").click()
        page.get_by_role("button", name="Flip").click()
        assert text(page, ".bv-beside .bv-top-left").startswith("00000001_001.png")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        screenshot(page, "viewer-measure-narrow")


def test_drawing_among_two_hundred_boxes_stays_within_a_frame(page: Page, tmp_path: Path) -> None:
    """CPU time of the page for a move of the hand; the clock of a busy machine says less."""
    places = np.random.default_rng(0).uniform(0, 900, (200, 2))
    found = Detections(np.hstack([places, places + 60]), np.arange(200) % 10 + 1, np.linspace(1, 0.5, 200))
    opened(page, tmp_path, BoxViewer([QUARTERS], [RECORDS[0]], [found], spacing=(0.14, 0.14), heat=[np.ones((8, 8))]))
    keys(page, "c", "h", "o", "u")
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def seconds() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return next(m["value"] for m in metrics if m["name"] == "TaskDuration")

    box = page.locator(".bv-stage").bounding_box()
    assert box
    page.mouse.move(box["x"] + 200, box["y"] + 100)
    page.mouse.down()
    before, moves = seconds(), 60
    for i in range(moves):
        page.mouse.move(box["x"] + 200 + 5 * i, box["y"] + 100 + 4 * i)
        page.evaluate("new Promise(requestAnimationFrame)")
    spent = 1000 * (seconds() - before) / moves
    page.mouse.up()
    print(f"{spent:.1f} ms of CPU a frame")
    assert spent < 1000 / 60


def test_live_in_jupyterlab(browser: Browser, tmp_path: Path) -> None:
    with Lab(tmp_path) as lab, quiet_page(browser, viewport={"width": 1400, "height": 900}) as page:
        paths = json.dumps([str(Path(__file__).parent), str(Path(__file__).parents[1])])
        made = "from test_measure_browser import HEAT, viewer\nlive = viewer(heat=[HEAT] * 5, spacing=(0.5, 0.5))\nlive"
        lab.write("live.ipynb", [f"import sys; sys.path[:0] = {paths}", made])
        lab.open(page, "live.ipynb")
        lab.run_all(page)
        page.wait_for_function("document.querySelector('.bv-zoom')?.textContent", timeout=60_000)
        page.locator(".bv-stage").focus()
        keys(page, "c", "v", "u", "ArrowRight")  # not the notebook's keys
        assert "mm" in said(page) and text(page, ".bv-beside .bv-top-left").startswith("00000001_001.png")
        page.wait_for_function("document.querySelector('.bv-alone').textContent === ''")
        red, _, blue, _ = np.moveaxis(Canvas(page, 0).pixels.astype(int), -1, 0)
        assert (red - blue).max() > 90
        for _ in range(50):
            if lab.ask(page, "print(live.heat_opacity, live.index)") == "0.5 0":
                break
            page.wait_for_timeout(100)
        else:
            pytest.fail(lab.ask(page, "print(live.heat_opacity, live.index)"))
        screenshot(page, "viewer-lab-measure")
