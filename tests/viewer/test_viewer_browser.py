"""The viewer in a real browser: in a page from disk and in a real JupyterLab, with every remote request refused."""

import json
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
from browser import Lab, quiet_page, screenshot
from nbformat.sign import NotebookNotary
from playwright.sync_api import expect
from test_viewer import HOSTILE, ramp

from chestlib.data import Record
from chestlib.detections import Detections
from chestlib.viewer import BoxViewer, javascript, static

HERE = Path(__file__).parent
VIEW = {"width": 1200, "height": 760}


@pytest.fixture
def page(browser):
    with quiet_page(browser, viewport=VIEW) as opened:
        yield opened


def example(n=4, **options):
    """Image 0: a hit and a false alarm; 1: the same and one missed; 2: normal, with a false alarm; 3: no detection."""
    effusion, mass = [200, 300, 400, 500], [600, 100, 700, 220]
    truth = [
        Record("one.png", [effusion], [4], "p1"),
        Record("two.png", [effusion, mass], [4, 8], "p1"),
        Record("three.png", patient="p2"),
        Record("four.png", [mass], [8], "p3"),
    ]
    found = Detections([[210, 300, 400, 500], [500, 600, 560, 660]], [4, 9], [0.9, 0.6])
    detections = [found, found, found[1:], Detections.empty()]
    image = np.tile(ramp(256, 256), (4, 4))
    return BoxViewer([image] * n, truth[:n], detections[:n], **options)


def show(page, tmp_path, viewer):
    page.goto(viewer.to_html(tmp_path / "page.html").as_uri())
    expect(page.locator(".bv-zoom")).to_contain_text("%", timeout=30_000)  # a busy machine


def settle(page):
    """Controls follow the state in the next frame."""
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def text(page, selector):
    settle(page)
    return page.locator(selector).inner_text()


def keys(page, *names):
    for name in names:
        page.keyboard.press(name)
    settle(page)


def test_the_joined_script_matches_as_the_metrics_do(page):
    cases = json.loads((HERE / "matching.json").read_text(encoding="utf-8"))
    got = page.evaluate(
        """async ([module, cases]) => {
            const url = URL.createObjectURL(new Blob([module], { type: "text/javascript" }));
            const { match } = await import(url);
            return cases.map(({ truth, detections, threshold, iou }) => match(truth, detections, threshold, iou));
        }""",
        [javascript.module(), cases],
    )
    for match, case in zip(got, cases, strict=True):
        assert (match["took"], match["takenBy"]) == (case["took"], case["takenBy"]), case["name"]
        assert match["best"] == pytest.approx(case["best"], abs=1e-4), case["name"]


def test_boxes_thresholds_and_layers(page, tmp_path):
    show(page, tmp_path, example())
    assert text(page, ".bv-title") == "one.png\nPatient p1"
    rows = page.locator(".bv-row")
    assert rows.all_inner_texts() == ["Effusion\n0.90\n0.95", "Nodule\n0.60\n–", "Effusion\ntruth\n0.95"]
    page.get_by_label("Least score").fill("0.7")
    assert text(page, ".bv-table") == "Effusion\n0.90\n0.95\nEffusion\ntruth\n0.95"
    page.get_by_label("Least IoU of a match").fill("0.99")
    page.get_by_role("button", name="By match").click()
    assert text(page, ".bv-legend") == "0 hits\n1 false alarm\n1 missed"
    screenshot(page, "viewer-page-match")
    keys(page, "t")
    assert rows.count() == 1
    keys(page, "4")
    assert text(page, ".bv-table") == "No box passes the settings above."
    keys(page, "4", "d", "t")
    assert text(page, ".bv-table") == "Effusion\ntruth\n–"


def test_findings_of_one_s_own_have_names_colours_and_as_many_keys_as_there_are(page, tmp_path):
    names = ("Scar", *(f"Finding {i}" for i in range(2, 12)), "Mass")
    truth = Record("own.png", [[100, 100, 300, 300], [400, 400, 500, 500]], [1, 12], names=names)
    show(page, tmp_path, BoxViewer([ramp(256, 256)], [truth]))
    assert page.locator(".bv-row .bv-name, .bv-row").first.inner_text().startswith("Scar")
    toggles = page.get_by_role("button").filter(has_text=re.compile("^(Scar|Finding|Mass)"))
    assert toggles.all_inner_texts()[-2:] == ["Finding 11", "Mass\n1"] and toggles.count() == 12
    toggles.last.click()
    settle(page)
    assert page.locator(".bv-row").count() == 1
    keys(page, "1")
    assert text(page, ".bv-table") == "No box passes the settings above."


def test_images_and_filters(page, tmp_path):
    show(page, tmp_path, example())
    assert text(page, ".bv-position") == "1 / 4"
    page.locator(".bv-stage").click(position={"x": 5, "y": 5})
    keys(page, "ArrowRight")
    assert (text(page, ".bv-name"), text(page, ".bv-position")) == ("two.png", "2 / 4")
    keys(page, "End", "ArrowRight")
    assert text(page, ".bv-name") == "four.png"
    for outcome, names in {
        "normal": ["three.png"],
        "alarm": ["one.png", "two.png", "three.png"],
        "missed": ["two.png", "four.png"],
    }.items():
        page.get_by_label("Show images of this kind").select_option(outcome)
        settle(page)
        assert page.locator(".bv-item > bdi").all_inner_texts() == names
    page.get_by_label("Show images with this finding").select_option(label="Effusion")
    assert page.locator(".bv-item").count() == 0
    page.get_by_label("Show images of this kind").select_option("all")
    page.locator(".bv-stage").click(position={"x": 5, "y": 5})
    keys(page, "/")
    page.keyboard.type("two")
    settle(page)
    assert page.locator(".bv-item > bdi").all_inner_texts() == ["two.png"]
    assert text(page, ".bv-position") == "1 / 1"


def test_zoom_keeps_the_point_under_the_pointer_and_the_grey_is_the_file_s(page, tmp_path):
    show(page, tmp_path, example())
    stage = page.locator(".bv-stage")
    stage.click(position={"x": 200, "y": 150})
    stage.hover(position={"x": 201, "y": 150})
    before = text(page, ".bv-bottom-left").split()
    fitted = text(page, ".bv-zoom")
    for _ in range(5):
        page.mouse.wheel(0, -120)
    stage.hover(position={"x": 200, "y": 150})
    after = text(page, ".bv-bottom-left").split()
    assert int(text(page, ".bv-zoom").split()[0]) > 2 * int(fitted.split()[0])
    assert abs(int(before[1]) - int(after[1])) < 5 and abs(int(before[3]) - int(after[3])) < 5
    x, y, grey = int(after[1]), int(after[3]), float(after[5])
    assert grey == pytest.approx(ramp(256, 256)[y % 256, x % 256] / 255, abs=0.03)  # JPEG
    screenshot(page, "viewer-page-zoomed")
    keys(page, "0")
    assert text(page, ".bv-zoom") == fitted
    keys(page, "z")
    assert text(page, ".bv-zoom") == "100 %"


def test_window_and_invert(page, tmp_path):
    show(page, tmp_path, example())
    stage = page.locator(".bv-stage")
    box = stage.bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down(button="right")
    page.mouse.move(box["x"] + 20, box["y"] + 140, steps=4)
    page.mouse.up(button="right")
    assert text(page, ".bv-bottom-right") == "W 0.80  L 0.60"
    keys(page, "i", "p")
    page.get_by_role("button", name="Lung").click()
    assert text(page, ".bv-bottom-right") == "W 0.60  L 0.37  inverted"
    keys(page, "Escape", "r")
    assert text(page, ".bv-bottom-right") == "W 1.00  L 0.50"


def test_selection_is_linked_both_ways(page, tmp_path):
    show(page, tmp_path, example())
    stage = page.locator(".bv-stage")
    scale, box = int(text(page, ".bv-zoom").split()[0]) / 100, stage.bounding_box()
    left = (box["width"] - 1024 * scale) / 2
    stage.click(position={"x": left + 530 * scale, "y": 630 * scale})  # within the false alarm
    selected = page.locator(".bv-row[aria-selected=true]")
    settle(page)
    assert selected.inner_text() == "Nodule\n0.60\n–"
    keys(page, "ArrowDown")
    assert selected.inner_text() == "Effusion\ntruth\n0.95"
    keys(page, "Escape")
    assert selected.count() == 0
    page.locator(".bv-row").first.hover()
    page.locator(".bv-row").first.click()
    settle(page)
    assert selected.inner_text() == "Effusion\n0.90\n0.95"
    stage.hover(position={"x": left + 530 * scale, "y": 630 * scale})
    assert text(page, ".bv-tip") == "Nodule, score 0.60\nFalse alarm, IoU 0.00\n60 × 60 px"


def test_only_known_keys_are_taken(page, tmp_path):
    show(page, tmp_path, example())
    page.evaluate("window.left = []; document.addEventListener('keydown', (event) => left.push(event.key))")
    page.locator(".bv-stage").click(position={"x": 5, "y": 5})
    keys(page, "q", "t", "Control+t", "Escape", "ArrowLeft", "Tab")
    assert page.evaluate("left") == ["q", "Control", "t", "Escape", "Tab"]
    page.get_by_label("Search name or patient").fill("")
    keys(page, "d", "1", "Escape")
    assert text(page, ".bv-toggle >> nth=1").startswith("Detections\n2")
    keys(page, "?")
    assert page.get_by_role("dialog", name="Keys").is_visible()
    screenshot(page, "viewer-page-keys")
    keys(page, "Escape")
    assert page.locator(".bv-stage").evaluate("(stage) => stage === document.activeElement")


def test_hostile_names_are_text(page, tmp_path):
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    viewer = BoxViewer([ramp()] * 5, names=HOSTILE, patients=HOSTILE)
    show(page, tmp_path, viewer)
    for name in HOSTILE:
        assert page.locator(".bv-name").text_content() == name
        assert page.locator(".bv-patient bdi").text_content() == name
        page.locator(".bv-stage").focus()
        keys(page, "ArrowRight")
    assert page.locator(".bv-item > bdi").all_text_contents() == HOSTILE
    assert page.locator(".bv img, .bv b").count() == 0
    screenshot(page, "viewer-page-hostile")


def test_one_script_starts_every_viewer_of_a_page(page, tmp_path):
    fragments = [static.fragment(v._state(), v._sources, static.Embed()) for v in (example(1), example(2))]
    slim = "\n".join(map(static.without_script, [*fragments, fragments[0]]))
    target = tmp_path / "page.html"
    target.write_text(static.page(f"{slim}<script>{static.script()}</script>", "three"), encoding="utf-8")
    page.goto(target.as_uri())
    expect(page.locator(".bv-zoom").filter(has_text="%")).to_have_count(3)
    page.locator(".bv-stage").nth(1).click(position={"x": 5, "y": 5})
    keys(page, "d")
    assert [int(page.locator(".bv").nth(i).locator(".bv-row").count()) for i in range(3)] == [3, 1, 3]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with Lab(tmp_path_factory.mktemp("lab")) as running:
        yield running


def until(lab, page, code, expected):
    """Ask the kernel until it says so."""
    for _ in range(50):  # while it is busy, changes wait and become one
        if lab.ask(page, code) == expected:
            return
        page.wait_for_timeout(100)
    pytest.fail(f"Python saw {lab.ask(page, code)}")


def tag_and_restore(lab, page):
    """A tag and the line of the view reach Python, and the view comes back from it."""
    expect(page.locator("canvas.bv-thumb")).to_have_count(4)
    page.locator(".bv-stage").focus()
    keys(page, "c", "h", "o", "+", "+", "#")
    page.keyboard.type("ask again")
    keys(page, "Enter")
    page.get_by_role("button", name="Copy as Python").click()
    line = page.get_by_label("Link or line").input_value()
    keys(page, "Escape")
    shown = [".bv-name", ".bv-lies", ".bv-zoom", ".bv-strip"]
    before = [text(page, part) for part in shown]
    assert before[:2] == ["four.png", "Flipped: left and right exchanged. Turned 90°"]
    state = "print(viewer.tags, viewer.view.get('turn'), viewer.view.get('settings', {}).get('heat_opacity'))"
    until(lab, page, state, "{'four.png': ['ask again']} {'flipped': True, 'degrees': 90} 0.5")
    keys(page, "c", "ArrowLeft")
    until(lab, page, "print(viewer.index, viewer.heat_opacity)", "2 0.0")
    lab.ask(page, f"viewer.view = {{}}; viewer.view = {line.replace('BoxViewer(..., ', 'dict(')}['view']")
    for part, told in zip(shown, before, strict=True):
        expect(page.locator(part)).to_have_text(told, use_inner_text=True)
    until(lab, page, "print(viewer.index, viewer.heat_opacity)", "3 0.5")


def test_live_in_jupyterlab(lab, browser):
    lab.write(
        "live.ipynb",
        [
            "import sys; sys.path[:0] = " + json.dumps([str(HERE), str(HERE.parent)]),
            "from test_viewer_browser import example\nviewer, seen = example(heat=[[[0.5]]] * 4), []\n"
            "viewer.observe(lambda change: seen.append(change.new), 'threshold')\nviewer",
            "import time; time.sleep(2)",
        ],
    )
    with quiet_page(browser, viewport={"width": 1400, "height": 900}) as page:
        lab.open(page, "live.ipynb")
        lab.run_all(page)
        page.wait_for_function("document.querySelector('.bv-zoom')?.textContent", timeout=60_000)
        page.locator(".bv-stage").click(position={"x": 5, "y": 5})
        keys(page, "d", "d", "m", "ArrowRight", "]")  # D D alone would delete the cell
        page.get_by_label("Least score").fill("0.8")
        page.wait_for_function("document.querySelector('.bv-name').textContent === 'two.png'")
        page.wait_for_function("document.querySelector('.bv-message').textContent === ''")
        state = "print(viewer.index, viewer.colour, viewer.layers, seen[-1:])"
        until(lab, page, state, "1 match ['truth', 'detections'] [0.8]")
        assert page.locator(".jp-Notebook .jp-Cell").count() == 3
        screenshot(page, "viewer-lab")
        lab.ask(page, "viewer.index = 3; viewer.hidden = ['Mass']; viewer.selection = None")
        page.wait_for_function("document.querySelector('.bv-name').textContent === 'four.png'")
        page.wait_for_function("document.querySelector('.bv-table').textContent.startsWith('No box')")
        tag_and_restore(lab, page)
        page.locator(".bv-stage").click(position={"x": 30, "y": 30}, button="right")
        assert page.locator(".lm-Menu-content").count() == 0
        page.evaluate("jupyterapp.commands.execute('apputils:change-theme', { theme: 'JupyterLab Dark' })")
        page.wait_for_function("document.body.dataset.jpThemeLight === 'false'")
        settle(page)
        assert page.locator(".bv").evaluate("(e) => getComputedStyle(e).colorScheme") == "dark"
        screenshot(page, "viewer-lab-dark")


def test_what_a_reader_commits_comes_back_to_python(lab, browser):
    lab.write(
        "reading.ipynb",
        [
            "import sys; sys.path[:0] = " + json.dumps([str(HERE), str(HERE.parent)]),
            "from test_reading_browser import viewer, TRUTH\nreader = viewer(read=True)\nreader",
        ],
    )
    with quiet_page(browser, viewport={"width": 1400, "height": 900}) as page:
        lab.open(page, "reading.ipynb")
        lab.run_all(page)
        page.wait_for_function("document.querySelector('.bv-zoom')?.textContent", timeout=60_000)
        page.locator(".bv-stage").focus()
        keys(page, "n", "4", "Delete", "Delete", "n", "8", "a", "m", "Enter")  # not the notebook's keys
        asked = "{k: [(d['finding'], d['score']) for d in v.to_list()] for k, v in reader.readings().items()}"
        wanted = "{'one.png': [('Mass', 0.7)]} BoxViewer(3 images to read, 1 read)"
        for _ in range(50):  # the reading may come between the two questions
            if (said := lab.ask(page, f"print({asked}, reader)")) == wanted:
                break
            page.wait_for_timeout(100)
        assert said == wanted
        assert page.locator(".jp-Notebook .jp-Cell").count() == 2
        screenshot(page, "viewer-lab-reading")


@pytest.mark.parametrize("trusted", [False, True])
def test_a_saved_notebook_shows_a_picture_or_once_trusted_the_viewer(lab, browser, trusted):
    lab.write("saved.ipynb", ["viewer"])
    path = lab.folder / "saved.ipynb"
    notebook = nbformat.read(path, 4)
    data, _ = example()._repr_mimebundle_()
    notebook.cells[0].outputs = [nbformat.v4.new_output("display_data", data)]
    nbformat.write(static.without_widgets(notebook), path)
    if trusted:
        NotebookNotary(data_dir=str(lab.data)).sign(nbformat.read(path, 4))
    with quiet_page(browser, viewport=VIEW) as page:
        lab.open(page, "saved.ipynb")
        if trusted:
            expect(page.locator(".jp-OutputArea .bv-zoom")).to_contain_text("%")
        else:
            picture = page.locator(".jp-OutputArea img[alt^='one.png: Effusion']")
            picture.wait_for()
            assert picture.evaluate("(image) => image.naturalWidth") > 300
        screenshot(page, f"viewer-lab-saved-{'trusted' if trusted else 'untrusted'}")
