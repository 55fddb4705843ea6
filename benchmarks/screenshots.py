"""Photograph the viewer for the README: figures/viewer-*.png, from phantom images in a page from disk.

    python benchmarks/screenshots.py

The boxes shown as detections are no detector's: they are the truth, moved, with some left out and some invented.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from browser import chromium, quiet_page
from playwright.sync_api import Locator, Page

from chestlib import phantom
from chestlib.data import Record
from chestlib.detections import Detections
from chestlib.metrics import match as matched
from chestlib.viewer import BoxViewer, Embed

FIGURES = Path(__file__).parents[1] / "figures"
SIZE = 1024
COUNT = 24
THRESHOLD = 0.3


def imagined(record: Record, draw: np.random.Generator) -> Detections:
    """Detections as a fair detector might give: true boxes moved by a tenth, one in five missed, some invented."""
    found = draw.random(len(record.labels)) < 0.8
    boxes, labels = record.boxes[found], record.labels[found]
    extent = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    boxes = boxes + draw.normal(0, 0.06, boxes.shape) * extent
    extra = draw.integers(0, 3)
    corner, size = draw.uniform(0.2, 0.6, (extra, 2)) * SIZE, draw.uniform(0.05, 0.2, (extra, 2)) * SIZE
    return Detections(
        np.vstack([boxes, np.hstack([corner, corner + size])]).clip(0, SIZE),
        np.concatenate([labels, draw.integers(1, 11, extra)]),
        np.concatenate([draw.beta(6, 2, len(labels)), draw.beta(3, 4, extra)]),
    )


def telling(record: Record, detections: Detections) -> bool:
    """Does this image have a bit of everything: two findings, a hit, a false alarm, a missed box, and not too many?"""
    match = matched(record.boxes, record.labels, detections.above(THRESHOLD))
    kinds = match.hit.sum() >= 2 and (~match.hit).any() and (~match.found).any()
    return bool(kinds) and len(record.findings) > 1 and len(record.labels) <= 5


def main() -> None:
    draw = np.random.default_rng(3)
    images, records = zip(*(phantom.render(seed, SIZE) for seed in range(COUNT)), strict=True)
    detections = [imagined(record, draw) for record in records]
    index, other = [i for i in range(COUNT) if telling(records[i], detections[i])][:2]
    viewer = BoxViewer(list(images), list(records), detections, index=index, threshold=THRESHOLD, height=640)
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        page_file = viewer.to_html(Path(folder) / "viewer.html", Embed(side=SIZE, quality=92))

        def photograph(name: str, scheme: str, act: Callable[[Page, Locator], None] = lambda page, stage: None) -> None:
            options = {"viewport": {"width": 1240, "height": 672}, "device_scale_factor": 1.5, "color_scheme": scheme}
            with quiet_page(browser, **options) as page:
                page.goto(page_file.as_uri())
                page.locator(".bv-zoom:not(:empty)").wait_for()
                act(page, page.locator(".bv-stage"))
                page.evaluate("document.activeElement.blur()")  # no focus ring, no pointer
                page.mouse.move(0, 0)
                page.wait_for_timeout(300)
                page.screenshot(path=FIGURES / f"viewer-{name}.png")

        def zoom_to_the_first_box(page: Page, stage: Locator) -> None:
            frame = stage.bounding_box()
            x1, y1, x2, y2 = detections[index].boxes[0] * frame["height"] / SIZE
            at = {"x": float(x1 + x2) / 2 + (frame["width"] - frame["height"]) / 2, "y": float(y1 + y2) / 2}
            stage.press("ArrowDown")
            stage.hover(position=at)
            for _ in range(3):
                page.mouse.wheel(0, -200)
            page.keyboard.press("p")
            page.get_by_role("button", name="Lung").click()

        def another_image(page: Page, stage: Locator) -> None:
            for _ in range(other - index):
                stage.press("ArrowRight")

        photograph("light", "light")
        photograph("dark", "dark", another_image)
        photograph("matches", "dark", lambda page, stage: stage.press("m"))
        photograph("zoomed", "light", zoom_to_the_first_box)


if __name__ == "__main__":
    main()
