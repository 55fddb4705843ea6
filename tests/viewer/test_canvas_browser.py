"""What is drawn: pixels of the viewer's canvases, and of the picture for where no script runs, at known places."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from browser import quiet_page
from PIL import Image, ImageColor
from playwright.sync_api import Browser, Page
from test_viewer_browser import keys, show

from chestlib.data import Record
from chestlib.detections import Detections
from chestlib.findings import COLOUR, ID
from chestlib.viewer import BoxViewer
from chestlib.viewer.study import OUTCOMES

WIDTH, HEIGHT = 1200, 600
GREYS = [[40, 90], [150, 220]]
"""Of the quarters: upper left, upper right; lower left, lower right."""
TRUTH = {"Mass": (100, 80, 300, 200), "Emphysema": (700, 350, 1100, 550)}
FOUND = {"Mass": (110, 80, 300, 200), "Atelectasis": (750, 60, 1000, 220)}
"""A hit and a false alarm; the emphysema is missed. Findings whose lines are solid."""


def viewer() -> BoxViewer:
    film = np.kron(np.array(GREYS, np.uint8), np.ones((HEIGHT // 2, WIDTH // 2), np.uint8))
    truth = Record("film.png", [*TRUTH.values()], [ID[name] for name in TRUTH])
    return BoxViewer(film, [truth], [Detections([*FOUND.values()], [ID[name] for name in FOUND], [0.9, 0.6])])


@pytest.fixture(params=[1, 2], ids="{} pixels a CSS pixel".format)
def page(browser: Browser, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Page]:
    """The film in a window that is higher than it, and with a sharp screen, too."""
    with quiet_page(browser, viewport={"width": 1000, "height": 760}, device_scale_factor=request.param) as page:
        show(page, tmp_path, viewer())
        page.locator(".bv-stage").focus()
        keys(page, "l")  # labels would lie on the lines
        yield page


class Canvas:
    """A canvas of the page as (rows, columns, 4) uint8, and where the film lies on it as it is first shown."""

    def __init__(self, page: Page, number: int) -> None:
        canvas = page.locator(".bv-stage canvas").nth(number)
        width, height = canvas.evaluate("(canvas) => [canvas.width, canvas.height]")
        data = canvas.evaluate("""(canvas) => {
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            let text = "";
            for (let i = 0; i < data.length; i += 32768) text += String.fromCharCode(...data.subarray(i, i + 32768));
            return btoa(text);
        }""")
        self.pixels = np.frombuffer(base64.b64decode(data), np.uint8).reshape(height, width, 4)
        self.scale = min(width / WIDTH, height / HEIGHT)
        self.left, self.top = (width - WIDTH * self.scale) / 2, (height - HEIGHT * self.scale) / 2

    def at(self, x: float, y: float) -> list[int]:
        return self.pixels[round(self.top + y * self.scale), round(self.left + x * self.scale)].tolist()


def edges(pixels: np.ndarray, shown: str, box: tuple[float, ...], reach: float) -> list[list[float]]:
    """For each edge of a box on the pixels: the share of its middle that has a colour, outside, on it and inside.

    `reach` is how far a line may lie beside the edge; the strips outside and inside are as far again beyond it.
    """
    near = np.abs(pixels[..., :3].astype(int) - ImageColor.getrgb(shown)).max(-1) < 60
    near &= pixels[..., 3] > 150 if pixels.shape[-1] == 4 else True
    x1, y1, x2, y2 = box
    shares = []
    for turned, across, begin, end, outwards in (
        (near, y1, x1, x2, -1), (near, y2, x1, x2, 1), (near.T, x1, y1, y2, -1), (near.T, x2, y1, y2, 1)
    ):  # fmt: skip
        quarter = (end - begin) / 4
        middle = slice(round(begin + quarter), round(end - quarter))
        shares.append([])
        for strip in (3 * outwards * reach, 0, -3 * outwards * reach):
            rows = slice(max(0, round(across + strip - reach)), max(0, round(across + strip + reach)) + 1)
            shares[-1].append(float(turned[rows, middle].any(0).mean()))
    return shares


def assert_drawn(pixels: np.ndarray, name: str, box: tuple[float, ...], reach: float, least: float = 0.9) -> None:
    for outside, on, inside in edges(pixels, name, box, reach):
        assert on >= least and outside == inside == 0, (name, outside, on, inside)


def test_the_film_lies_where_it_should_and_is_no_negative(page: Page) -> None:
    def quarters() -> np.ndarray:
        near = [[(x, y) for x in (8, 590, 610, WIDTH - 8)] for y in (8, 290, 310, HEIGHT - 8)]
        seen = np.array([[canvas.at(*place) for place in row] for row in near])
        assert (seen[..., 3] == 255).all() and (seen[..., 0] == seen[..., 2]).all()
        grey = seen[..., 0].reshape(2, 2, 2, 2).swapaxes(1, 2)
        assert (np.ptp(grey, axis=(2, 3)) <= 4).all(), "each quarter has one grey, up to its corners"
        return grey.mean((2, 3))

    canvas = Canvas(page, 0)
    assert canvas.top > 20 and canvas.left < 1, "exchanged offsets would be seen"
    assert canvas.pixels[: int(canvas.top) - 2, :, 3].max() == 0, "nothing above the film"
    np.testing.assert_allclose(quarters(), GREYS, atol=3)  # JPEG
    keys(page, "i")
    canvas = Canvas(page, 0)
    np.testing.assert_allclose(quarters(), 255 - np.array(GREYS), atol=3)


def test_boxes_lie_on_their_places_in_the_colour_of_finding_or_match(page: Page) -> None:
    def assert_all(truth: dict[str, str], found: dict[str, str], least: float) -> None:
        canvas = Canvas(page, 1)
        for boxes, colours in ((TRUTH, truth), (FOUND, found)):
            for name, shown in colours.items():
                x1, y1, x2, y2 = (v * canvas.scale for v in boxes[name])
                place = (canvas.left + x1, canvas.top + y1, canvas.left + x2, canvas.top + y2)
                assert_drawn(canvas.pixels, shown, place, 2.5, least)

    keys(page, "t")  # the truth of a hit lies by its detection
    assert_all({}, {name: COLOUR[name] for name in FOUND}, 0.9)
    keys(page, "t", "d")
    assert_all({name: COLOUR[name] for name in TRUTH}, {}, 0.9)
    hit, alarm, missed = (OUTCOMES[name]["colour"] for name in ("hit", "alarm", "missed"))
    keys(page, "m", "d", "t")
    assert_all({}, {"Mass": hit, "Atelectasis": alarm}, 0.3)  # dashed
    keys(page, "t", "d")
    assert_all({"Mass": hit, "Emphysema": missed}, {}, 0.12)  # dotted


def test_the_picture_for_where_no_script_runs_has_its_boxes_in_place() -> None:
    data, _ = viewer()._repr_mimebundle_()
    jpeg = re.search(r'src="data:image/jpeg;base64,([^"]+)"', data["text/html"])[1]
    for encoded, side in ((data["image/png"], 384), (jpeg, 448)):
        picture = Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB")
        assert picture.size == (side, side // 2)
        pixels, scale = np.asarray(picture), side / WIDTH
        np.testing.assert_allclose(pixels[[[4], [-5]], [4, -5], 0], GREYS, atol=9)
        for name, box in FOUND.items():
            for edge, (_, on, _) in enumerate(edges(pixels, COLOUR[name], tuple(v * scale for v in box), 1.5)):
                assert on > 0.8, (name, edge)
