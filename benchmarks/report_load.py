"""How soon a written report is there: seconds to first paint, to the whole page, and until the reader can steer it.

    python benchmarks/report_load.py [report/index.html]

Headless Chromium opens the file three times, cold each time; the middle value counts. `steered` is when theme, contents
and search answer, `whole` when the last chapter is read, `CPU` what all processes of the browser worked until then.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from browser import chromium, quiet_page

VIEW = {"width": 1280, "height": 860}
MEASURE = """() => {
    const [page] = performance.getEntriesByType("navigation");
    const paint = performance.getEntriesByName("first-contentful-paint")[0].startTime;
    return { "first paint": paint, steered: window.steered, whole: page.domInteractive };
}"""
WATCH = """new MutationObserver((_, watching) => {
    if (!document.documentElement?.dataset.theme) return;
    window.steered = performance.now();
    watching.disconnect();
}).observe(document, { attributes: true, subtree: true, childList: true });"""


def worked(root: int) -> float:
    """CPU seconds of all processes under `root`, it itself left out."""
    parents, spent = {}, {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            fields = (place / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(place.name)], spent[int(place.name)] = int(fields[1]), int(fields[11]) + int(fields[12])
    under: set[int] = set()
    while more := {pid for pid, parent in parents.items() if parent in {root, *under}} - under:
        under |= more
    return sum(spent[pid] for pid in under) / os.sysconf("SC_CLK_TCK")


def opened(page_file: Path) -> dict[str, float]:
    """Seconds of one opening in a browser of its own."""
    with chromium() as browser, quiet_page(browser, offline=True, viewport=VIEW) as page:
        page.add_init_script(WATCH)
        before = worked(os.getpid())
        page.goto(page_file.as_uri())
        page.wait_for_function("document.readyState === 'complete'")
        seconds = {name: value / 1000 for name, value in page.evaluate(MEASURE).items()}
        return seconds | {"CPU": worked(os.getpid()) - before}


def main(page_file: Path) -> None:
    runs = [opened(page_file.resolve()) for _ in range(3)]
    load = os.getloadavg()[0]
    print(f"{page_file}: {page_file.stat().st_size / 1e6:.1f} MB")
    print(f"{platform.machine()}, {len(os.sched_getaffinity(0))} of {os.cpu_count()} cores, load {load:.1f}")
    for name in runs[0]:
        print(f"{name:<12} {statistics.median(run[name] for run in runs):.2f} s")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("report/index.html"))
