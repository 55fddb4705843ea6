"""How fast the viewer is, in headless Chromium: frames while zooming, the first picture of a cell, memory of the page.

    python benchmarks/viewer_speed.py

The page of the memory test is walked through from the first image to the last; what counts is the memory that all
processes of the browser hold more than with an empty page.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from browser import Lab, chromium, quiet_page
from playwright.sync_api import Browser, Page

from chestlib.detections import Detections
from chestlib.viewer import BoxViewer, Embed

VIEW = {"width": 1200, "height": 760}
BOXES, IMAGES = 200, 500

ZOOM = """async () => {
    const stage = document.querySelector(".bv-stage");
    stage.focus();
    const times = [];
    let last = performance.now();
    for (let i = 0; i < 300; i++) {
        await new Promise(requestAnimationFrame);
        const now = performance.now();
        times.push(now - last);
        last = now;
        const deltaY = i % 60 < 30 ? -60 : 60;
        stage.dispatchEvent(new WheelEvent("wheel", { deltaY, clientX: 500, clientY: 300, cancelable: true }));
    }
    times.sort((a, b) => a - b);
    return [150, 285].map((i) => 1000 / times[i]);
}"""

FIRST = """async () => {
    const start = performance.now();
    const { commands, shell } = jupyterapp;
    shell.currentWidget.content.activeCellIndex = 1;
    commands.execute("notebook:run-cell");
    while (!document.querySelector(".bv-zoom")?.textContent) await new Promise(requestAnimationFrame);
    return performance.now() - start;
}"""


def noise(seed: int) -> np.ndarray:
    """An image as hard to compress as a radiograph."""
    draw = np.random.default_rng(seed)
    return (np.linspace(0, 1, 1024)[:, None] * 0.8 + draw.normal(0.1, 0.014, (1024, 1024))).clip(0, 1)


def crowded() -> BoxViewer:
    draw = np.random.default_rng(0)
    corner, size = draw.uniform(0, 900, (BOXES, 2)), draw.uniform(20, 120, (BOXES, 2))
    boxes = np.hstack([corner, corner + size])
    return BoxViewer(noise(0), None, Detections(boxes, draw.integers(1, 11, BOXES), draw.uniform(0.5, 1, BOXES)))


def ready(page: Page) -> None:
    page.locator(".bv-zoom:not(:empty)").wait_for(timeout=60_000)


def resident(browser: Browser) -> float:
    """MB that the browser's processes hold, shared pages divided among them."""
    session = browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    total = 0
    for process in processes:
        lines = Path(f"/proc/{process['id']}/smaps_rollup").read_text().splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def frames(browser: Browser, folder: Path) -> None:
    page_file = crowded().to_html(folder / "crowded.html", Embed(side=1024))
    with quiet_page(browser, viewport=VIEW) as page:
        page.goto(page_file.as_uri())
        ready(page)
        median, slow = page.evaluate(ZOOM)
    print(f"{BOXES} boxes, zooming: {median:.0f} frames/s, {slow:.0f} in the slowest twentieth")


def first_picture(browser: Browser, folder: Path) -> None:
    tools = json.dumps(str(Path(__file__).parent))
    with Lab(folder) as lab, quiet_page(browser, viewport=VIEW) as page:
        lab.write("speed.ipynb", [f"import sys; sys.path.append({tools})\nfrom viewer_speed import *", "crowded()"])
        lab.open(page, "speed.ipynb")
        lab.ask(page, f"import sys; sys.path.append({tools})\nfrom viewer_speed import *")
        print(f"JupyterLab, from the cell to the first picture: {page.evaluate(FIRST) / 1000:.2f} s")


def memory(browser: Browser, folder: Path) -> None:
    image = [noise(seed) for seed in range(8)]
    viewer = BoxViewer([image[i % 8] for i in range(IMAGES)])
    page_file = viewer.to_html(folder / "many.html")
    with quiet_page(browser, viewport=VIEW) as page:
        page.goto("about:blank")
        empty = resident(browser)
        page.goto(page_file.as_uri())
        ready(page)
        for _ in range(IMAGES - 1):
            page.locator(".bv-stage").press("ArrowRight")
        page.get_by_text(f"{IMAGES} / {IMAGES}").wait_for()
        page.wait_for_timeout(2000)
        print(
            f"{IMAGES} images ({page_file.stat().st_size / 1e6:.0f} MB page): {resident(browser) - empty:.0f} MB more"
        )


def main() -> None:
    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        folder = Path(name)
        frames(browser, folder)
        first_picture(browser, folder)
        memory(browser, folder)


if __name__ == "__main__":
    main()
