"""Photograph a written report for the README: figures/report-title.png, -summary.png and -chapter.png.

python benchmarks/report_screenshots.py report/index.html
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from browser import chromium, quiet_page

FIGURES = Path(__file__).parents[1] / "figures"
VIEW = {"viewport": {"width": 1280, "height": 860}, "device_scale_factor": 1.5}
SHOTS = {
    "title": ("#top", "light"),
    "summary": ("#summary", "light"),
    "chapter": (".chapter:nth-of-type(5)", "dark"),
}
"""Name of the picture to what stands at its top, and the colour scheme."""


def main(page_file: Path) -> None:
    with chromium() as browser:
        for name, (selector, scheme) in SHOTS.items():
            with quiet_page(browser, color_scheme=scheme, **VIEW) as page:
                page.goto(page_file.resolve().as_uri())
                page.add_style_tag(content="html { scroll-behavior: auto !important }")
                page.locator(selector).evaluate("element => element.scrollIntoView()")
                page.wait_for_timeout(500)
                picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
                # 256 colours are enough for grey images and a few hues, and a third of the size.
                picture.quantize(256, dither=Image.Dither.NONE).save(FIGURES / f"report-{name}.png", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("report/index.html"))
