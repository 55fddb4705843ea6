"""The report: what stands in the page, what becomes of a failure and of a kill, and that nothing in it is active."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bs4 import BeautifulSoup
from PIL import Image
from reports import HOSTILE, Project, code, text

from chestlib import course, report, settings
from chestlib.data import DataFolder, Record, open_data, write_annotations
from chestlib.errors import ChestlibError
from chestlib.report import facts
from chestlib.report.markup import FRUGAL, Place, data_uri, markdown, mathml, tidy
from chestlib.train import Run

PLACE = Place(Path(), "02_b", frozenset({"01_a", "02_b"}))

COUNTS = """## Counts

One $x < y$ and

$$\\frac{1}{2}$$

![a box](local.png) ![badge](https://example.org/b.png)"""

TABLE = f"""# the table of counts
import pandas as pd
pd.DataFrame({{"boxes": [3]}}, pd.Index({HOSTILE[:1]}, name="file"))"""

PRINTS = """import os
for i in range(3):
    print(f"\\r{i} of 3", end="")
print()
print(os.environ["CHESTLIB_PROFILE"], os.environ["CHESTLIB_DATA"], os.getcwd())"""

SHOWS = f"""from IPython.display import HTML, Markdown, display
display(Markdown({HOSTILE[0]!r}))
HTML('<b onclick="x()">kept</b>' + {HOSTILE[1]!r})"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Four notebooks, of which the third fails and the fourth kills its kernel."""
    project = Project(tmp_path_factory.mktemp("project"))
    Image.fromarray(np.zeros((4, 9), np.uint8)).save(project.home / "notebooks" / "local.png")
    project.write(
        "01_explore",
        text("# 01 · Know your *data*\n\nHow many.\n\n[on](02_see.ipynb#The-second), [here](#Counts), [x](../a.csv)"),
        text(COUNTS),
        code(TABLE),
        code(PRINTS),
        code("1 / 0", "raises-exception"),
    )
    project.write(
        "02_see",
        text("# See\n\nA picture."),
        text("## The second"),
        code("import matplotlib.pyplot as plt\nplt.figure(figsize=(3, 2))\nplt.plot([1, 2])\nplt.show()"),
        code(SHOWS),
        code("import ipywidgets\nipywidgets.IntSlider()"),
    )
    fails = code(f"raise KeyError({HOSTILE[0]!r})")
    project.write("03_fail", text("# Fail"), code("print('so far')"), fails, code("1"))
    project.write("04_die", text("# Die"), code("import os\nos.kill(os.getpid(), 9)"))
    calls = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHESTLIB_HOME", str(project.home))
        project.result = report.build(
            project.notebooks,
            project.out,
            data=project.data,
            profile="quick",
            progress=lambda *call, **more: calls.append((*call, more)),
        )
    project.calls = calls
    return project


def test_one_page_with_chapters_in_order(project: Project) -> None:
    soup = project.soup()
    assert [h.get_text() for h in soup.select(".chapter h2")][:2] == ["Know your data", "Counts"]
    assert [c["id"] for c in soup.select(".chapter")] == ["ch-01-explore", "ch-02-see", "ch-03-fail", "ch-04-die"]
    assert soup.select_one(".side a[href='#ch-01-explore--counts']").get_text() == "Counts"
    assert soup.select_one(".card.data h2 small").get_text() == "tiny"
    assert [cell.get_text() for cell in soup.select(".card.data tbody tr")[0]("td")] == ["2", "2"]
    marks = [[m.get_text() for m in chapter.select(".mark")] for chapter in soup.select(".chapter")]
    assert marks[0] == ["Synthetic data"]
    assert marks[2] == ["Synthetic data", "Not for clinical use"]


def test_every_link_leads_somewhere(project: Project) -> None:
    soup = project.soup()
    targets = {element["id"] for element in soup.find_all(id=True)} - {"contents"}
    inner = [a["href"][1:] for a in soup.select("a[href^='#']")]
    assert set(inner) <= targets
    assert {"ch-02-see--the-second", "ch-01-explore--counts"} <= set(inner)
    assert soup.select_one("span.file").get_text() == "x"


def test_code_is_folded_but_there(project: Project) -> None:
    blocks = project.soup().select("details.code")
    assert not any(block.has_attr("open") for block in blocks)
    assert "table of counts" in blocks[0].summary.get_text() and "pd.DataFrame" in blocks[0].get_text()


def test_outputs(project: Project) -> None:
    first, second, *_ = project.soup().select(".chapter")
    assert [th.get_text() for th in first.select("thead th")] == ["file", "boxes"]
    assert f"2 of 3\nquick {project.data} {project.home / 'notebooks'}" in first.select_one("pre.stdout").get_text()
    assert "expected" in first.select_one("details.error")["class"]
    assert len(first("math")) == 2 and "$" not in first.get_text()
    figure = second.select_one("figure img")
    assert figure["alt"] == "Figure in “The second”: A picture."
    size = Image.open(_file(figure["src"])).width
    assert abs(size - 2 * int(figure["width"])) <= 1, "twice the pixels, for sharp screens"
    assert "IntSlider" not in second.select(".cell")[-1].select_one(".code").find_next_siblings().__str__()


def test_failures_are_told_and_the_rest_is_written(project: Project) -> None:
    failed, died = project.result.failed
    assert "03_fail.ipynb: stopped at cell 3: KeyError" in failed
    assert "04_die.ipynb: stopped at cell 2: DeadKernelError" in died
    chapter = project.soup().find(id="ch-03-fail")
    assert HOSTILE[0] in chapter.select_one("details.error").get_text()
    assert "so far" in chapter.get_text() and "were not run" in chapter.get_text()
    assert len(project.soup().select("#summary .notice li")) == 2


def test_progress_counts_all_cells(project: Project) -> None:
    total = 5 + 5 + 4 + 2
    assert [call[0] for call in project.calls] == sorted(call[0] for call in project.calls)
    *last, more = project.calls[-1]
    assert project.calls[0][:2] == (0, total) and last == [total, total, "04_die 2/2"] and more["left"] == 0


def test_nothing_active_and_nothing_remote(project: Project) -> None:
    soup = project.soup()
    policy = soup.find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"]
    assert "default-src 'none'" in policy and "http" not in policy
    scripts = [script for script in soup("script") if not script.get("type")]
    assert [hashlib.sha256(s.string.encode()).digest() for s in scripts] == [
        base64.b64decode(h) for h in re.findall(r"'sha256-(.+?)'", policy)
    ]
    assert not [tag for tag in soup.find_all(True) if any(name.startswith("on") for name in tag.attrs)]
    assert all(img.get("src", "data:").startswith("data:") for img in soup("img"))
    assert not soup(["iframe", "object", "embed", "link", "base", "form"])


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_takes_up_a_killed_report_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: signal.Signals
) -> None:
    project = Project(tmp_path)
    note = "from pathlib import Path\nwith open('../log', 'a') as log:\n    log.write(Path('../now').read_text())\n"
    wait = note + "import time\nwhile not Path('../go').exists():\n    time.sleep(0.05)"
    project.write("01_a", code(note.replace("read_text()", "read_text() + 'a'")))
    project.write("02_b", code(wait.replace("read_text()", "read_text() + 'b'")))
    log, now = tmp_path / "log", tmp_path / "now"
    monkeypatch.setenv("CHESTLIB_HOME", str(tmp_path))
    arguments = f"{[str(p) for p in project.notebooks]!r}, {str(project.out)!r}, {str(project.data)!r}"
    call = "import sys; from pathlib import Path; from chestlib import report; n, o, d = " + arguments
    call += "; report.build([Path(p) for p in n], Path(o), data=Path(d), profile='quick')"
    now.write_text("1")
    killed = subprocess.Popen(
        [sys.executable, "-c", call], cwd=Path(report.__file__).parents[2], stderr=subprocess.DEVNULL
    )
    while not log.exists() or not log.read_text().endswith("b"):
        assert killed.poll() is None, "the report ended before it could be killed"
        time.sleep(0.05)
    os.kill(killed.pid, how)
    assert killed.wait(60) == -how
    assert not (project.out / "index.html").exists()
    (tmp_path / "go").touch()
    for run in "23":
        now.write_text(run)
        assert not report.build(project.notebooks, project.out, data=project.data, profile="quick").failed
    assert log.read_text() == "1a1b2b3a3b", "the second call goes on at b, the third starts afresh"


def test_what_a_kernel_says_while_it_ends_is_not_the_report_s(
    tmp_path: Path, capfd: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHESTLIB_HOME", str(tmp_path))
    project = Project(tmp_path)
    project.write("01_a", code("import atexit, sys\natexit.register(print, 'noise', file=sys.__stderr__, flush=True)"))
    assert not report.build(project.notebooks, project.out, data=project.data, profile="quick").failed
    assert "noise" not in capfd.readouterr().err


def test_a_page_is_never_of_an_older_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a report that failed, chapters are taken as they are only if notebook and package are; then all afresh."""
    monkeypatch.setenv("CHESTLIB_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sys.modules["chestlib.report.execute"], "PACKAGE", tmp_path / "package")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "module.py").write_text("1")
    project = Project(tmp_path / "home")
    runs = "log = open('../log', 'a')\nlog.write('run ')\nlog.close()\nprint(len(open('../log').read().split()), {})"
    fails = code("assert __import__('os').path.exists('../go')")
    project.write("02_b", fails)

    def shown(first: str) -> str:
        project.write("01_a", code(runs.format(repr(first))))
        report.build(project.notebooks, project.out, data=project.data, profile="quick")
        return project.soup().find(id="ch-01-a").select_one("pre.stdout").get_text().strip()

    assert shown("old") == shown("old") == "1 old"
    assert shown("new") == "2 new"
    (tmp_path / "package" / "module.py").write_text("2")
    (project.home / "go").touch()
    assert shown("new") == "3 new"
    assert shown("new") == "4 new", "that report was whole, this is another one"


@pytest.mark.parametrize("change", ["cell", "profile", "data"])
def test_a_changed_notebook_is_not_taken_up(tmp_path: Path, change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from chestlib.report.execute import _key, read_notebook

    project = Project(tmp_path)
    environment = {"CHESTLIB_PROFILE": "quick", "CHESTLIB_DATA": str(project.data)}

    def state() -> str:
        return course.run_folder(open_data(project.data), settings.QUICK).name

    monkeypatch.setenv("CHESTLIB_HOME", str(tmp_path))
    before = _key(read_notebook(project.write("01_a", code("1"))), environment, state())
    if change == "cell":
        project.write("01_a", code("2"))
    elif change == "profile":
        environment["CHESTLIB_PROFILE"] = "full"
    else:
        write_annotations([Record("train1.png", [[10, 10, 60, 91]], [9])], project.data / "train.json")
    assert _key(read_notebook(project.notebooks[0]), environment, state()) != before


def test_wrong_input_is_one_line_before_anything_runs(tmp_path: Path) -> None:
    project = Project(tmp_path)
    good, broken = project.write("01_a", code("1")), tmp_path / "broken.ipynb"
    broken.write_text('{"cells": [')
    (tmp_path / "file").touch()
    for notebooks, out, data, profile, names in [
        ([], "out", project.data, "quick", "no notebooks"),
        ([tmp_path / "none.ipynb"], "out", project.data, "quick", "none.ipynb"),
        ([good, broken], "out", project.data, "quick", "broken.ipynb"),
        ([good], "out", tmp_path / "nowhere", "quick", "nowhere"),
        ([good], "out", project.data, "swift", "swift"),
        ([good], "file/out", project.data, "quick", "file/out"),
    ]:
        with pytest.raises(ChestlibError, match=re.escape(names)) as caught:
            report.build(notebooks, tmp_path / out, data=data, profile=profile)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_headline_tells_only_what_the_runs_tell(tmp_path: Path) -> None:
    assert facts.finished_runs(tmp_path) == []
    run = Run(tmp_path / "detector")
    about = {"kind": "detector", "data": {"name": "phantom-quick"}, "split": {"name": "official"}, "identity": {}}
    run.write("settings", about)
    run.write("test", {"images": 24, "scores": {"coco": {"AP50": 0.5, "AP": None}, "intervals": {"AP50": [0.4, 0.6]}}})
    found = facts.finished_runs(tmp_path)
    assert [r.path for r in found] == [run.path]
    (stage,) = facts.headline(found)
    assert (stage.data, stage.split, stage.images) == ("phantom-quick", "official", 24)
    assert [(f.label.split()[0], f.value, f.interval) for f in stage.figures] == [("AP", 0.5, [0.4, 0.6])]


def test_every_headline_figure_is_the_one_that_it_is_called(tmp_path: Path) -> None:
    def around(values: dict[str, float]) -> dict[str, tuple[float, float]]:
        return {name: (value - 0.001, value + 0.001) for name, value in values.items()}

    first = {"recall": 0.01, "specificity": 0.02, "auroc": 0.03, "precision": 0.04, "f1": 0.05, "accuracy": 0.06}
    second = {"coco": {"AP": 0.11, "AP50": 0.12, "AP75": 0.13}, "froc": {"average": 0.14}}
    second |= {"macro": {"f1": 0.15, "recall": 0.16, "AP50": 0.17}, "boxes": {"macro": {"f1": 0.18}}}
    second["intervals"] = around({"AP50": 0.12, "froc_average": 0.14, "macro_f1": 0.15})
    tests = {"classifier": {"scores": first, "intervals": around(first)}, "detector": {"scores": second}}
    for kind, test in tests.items():
        about = {"kind": kind, "data": {"name": "x"}, "split": {"name": "official"}, "identity": {}}
        Run(tmp_path / kind).write("settings", about)
        Run(tmp_path / kind).write("test", {"images": 24, **test})
    stages = facts.headline(facts.finished_runs(tmp_path))
    shown = {figure.label: figure for stage in stages for figure in stage.figures}
    assert {label: figure.value for label, figure in shown.items()} == {
        "Recall of diseased images": 0.01,
        "Specificity": 0.02,
        "Area under the ROC curve": 0.03,
        "AP at IoU .50, mean over findings": 0.12,
        "AP at IoU .50 to .95, mean over findings": 0.11,
        "FROC average recall": 0.14,
        "F1 of findings named, macro": 0.15,
    }
    for figure in shown.values():
        low, high = figure.interval or (0, 1)
        assert low < figure.value < high
    assert [figure.label for figure in shown.values() if not figure.interval] == [
        "AP at IoU .50 to .95, mean over findings"
    ]


@pytest.mark.parametrize(
    "tex",
    [r"\text{<img src=x>}", r"a<b", r"\href{javascript:x}{y}", r"\frac{1", r"\begin{align}a&=b\end{align}", "&lt;"],
)
def test_math_never_becomes_markup(tex: str) -> None:  # fmt: skip
    soup = BeautifulSoup(mathml(tex, "block"), "html.parser")
    assert soup("math") and not soup("img") and not soup.find_all(href=True)


def test_unknown_math_stays_readable() -> None:
    assert mathml(r"\left(") == '<code class="tex">\\left(</code>'


def test_markdown_keeps_dollars_code_and_attachments() -> None:
    pixel = {"image/png": "iVBORw0KGgo="}
    soup = markdown("\\$5 `$x$` ![p](attachment:a.png) ![q](attachment:b.png)", PLACE, {"a.png": pixel})
    assert not soup("math") and soup.code.get_text() == "$x$"
    assert [img["src"] for img in soup("img")] == ["data:image/png;base64,iVBORw0KGgo="] and "q" in soup.get_text()


def test_script_links_lead_nowhere() -> None:
    assert not tidy(
        "<a href='javascript:x'>a</a><a href='\tjavascript:x'>b</a><a href='data:text/html,c'>c</a>", PLACE
    )("a")


def test_words_stand_left_and_numbers_right() -> None:
    html = "<table><tr><th></th><th>finding</th><th>n</th></tr><tr><th>0</th><td>Mass</td><td>-.5 %</td></tr></table>"
    assert [cell.get_text() for cell in tidy(html, PLACE).select(".text")] == ["finding", "Mass"]


def test_large_pictures_travel_as_webp() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (600, 600), np.uint8)
    large, small = _png(noise), _png(noise[:60])
    assert len(large) > FRUGAL > len(small)
    assert data_uri("image/png", large).startswith("data:image/webp") and len(data_uri("image/png", large)) < len(large)
    assert data_uri("image/png", small).startswith("data:image/png")


def test_executed_copies_stay_notebooks(project: Project) -> None:
    copy = json.loads((project.out / ".executed" / "01_explore.ipynb").read_text())
    assert copy["nbformat"] == 4 and copy["metadata"]["chestlib"]["failure"] is None


def _png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _file(uri: str) -> io.BytesIO:
    return io.BytesIO(base64.b64decode(uri.partition(",")[2]))


def test_what_is_done_is_that_of_the_data_the_models_learn_from(
    tmp_path: Path, small: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHESTLIB_HOME", str(tmp_path))
    few = replace(small, train=small.train[:9])
    for data in (None, few):  # the phantom, which is not drawn yet
        assert report._done(data, "quick") == set()
    finished = course.run_folder(small, settings.QUICK) / "classifier" / "test.json"
    finished.parent.mkdir(parents=True)
    finished.touch()
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "phantom-small").symlink_to(small.root)  # a data set one level down gives its own name
    for folder in (small.root, tmp_path / "deeper"):
        assert report._done(open_data(folder), "quick") == {"classifier", "study", "phantom"}
    changed = replace(small, train=small.train[1:])
    assert report._done(changed, "quick") == {"phantom"} and not report._runs(changed, "quick")
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "data" / "phantom-quick").symlink_to(small.root)
    assert report._done(few, "quick") == report._done(None, "quick") == {"classifier", "study", "phantom"}
