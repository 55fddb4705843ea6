"""The viewer's Python side: what travels to the page, and the static form."""

import base64
import io
import json
import re
import time
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
import traitlets
from dicoms import dicom
from PIL import Image

from chestlib.data import Extent, Record
from chestlib.detections import Detections
from chestlib.errors import ChestlibError
from chestlib.viewer import BoxViewer, Embed, films, pictures, read_tags, static

HOSTILE = ["<img src=x onerror=alert(1)>", "</script><script>alert(2)</script>", "\"><b>'", "مرحبا", "x" * 300]


def ramp(height=64, width=96):
    return np.linspace(0, 255, height * width).astype(np.uint8).reshape(height, width)


def example(n=3, **options):
    truth = [Record(f"{i}.png", [[10, 10, 40, 40]], [4], patient=f"p{i}") for i in range(n)]
    found = [Detections([[12, 10, 42, 40], [50, 5, 60, 20]], [4, 9], [0.9, 0.3])] * n
    return BoxViewer([ramp()] * n, truth, found, **options)


class Parts(HTMLParser):
    """The elements of a fragment and the text of its scripts, as a browser takes them."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.scripts, self.inside = [], {}, None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.inside = dict(attributes).get("type", "module") if tag == "script" else None

    def handle_data(self, data):
        if self.inside:
            self.scripts.setdefault(self.inside, []).append(data)
            self.inside = None

    @property
    def content(self):
        return json.loads(self.scripts["application/json"][0])


def test_repr_counts_what_is_there():
    assert repr(example()) == "BoxViewer(3 images, 3 true boxes, 6 detections)"
    assert repr(BoxViewer(ramp())) == "BoxViewer(1 image)"


def test_a_record_brings_image_name_patient_and_truth(tmp_path):
    Image.fromarray(ramp()).save(tmp_path / "a.png")
    records = [Record("a.png", [[1, 2, 3, 4.5]], [9], "17", tmp_path / "a.png"), Record("b.png", patient="18")]
    viewer = BoxViewer(records)
    assert viewer._study["images"] == [
        {"name": "a.png", "patient": "17", "truth": [[1, 2, 3, 4.5, 9]], "detections": None},
        {"name": "b.png", "patient": "18", "truth": [], "detections": None},
    ]
    assert viewer._first["width"] == 96
    assert viewer._message(1) == {"kind": "picture", "index": 1, "error": "the image is missing"}


@pytest.mark.parametrize("images", [[ramp(), ramp()], np.stack([ramp(), ramp()]), np.stack([ramp(), ramp()])[:, None]])
def test_arrays_and_stacks_are_numbered(images):
    viewer = BoxViewer(images, truth=[([[1, 1, 9, 9]], [3]), None])
    assert [image["name"] for image in viewer._study["images"]] == ["image 1", "image 2"]
    assert [image["truth"] for image in viewer._study["images"]] == [[[1, 1, 9, 9, 3]], None]


def test_what_cannot_be_shown_is_one_clear_line():
    with pytest.raises(ChestlibError, match="list of images is empty"):
        BoxViewer([])
    with pytest.raises(ChestlibError, match="detections: expected one for each of 2 images, got 1"):
        BoxViewer([ramp(), ramp()], detections=[Detections.empty()])
    with pytest.raises(traitlets.TraitError, match="index is 0 to 2; got 3"):
        example(index=3)
    with pytest.raises(traitlets.TraitError):
        example(hidden=["Nodules"])
    with pytest.raises(ChestlibError, match=r"grey; got uint8 of shape \(4, 4, 3\)"):
        pictures.grey(np.zeros((4, 4, 3), np.uint8))


def test_several_detectors_are_named_and_aligned():
    answers = [Detections([[12, 10, 42, 40]], [4], [0.9])] * 2
    names = {"a": answers, "b": {"1.png": answers[0]}}
    viewer = BoxViewer([ramp()] * 2, detections=names, names=["0.png", "1.png"])
    assert (viewer._study["detectors"], viewer.detector, viewer.against) == (["a", "b"], "a", "b")
    assert [len(image["detections"]) for image in viewer._study["images"]] == [1, 1]
    assert [image["others"] for image in viewer._study["images"]] == [[None], [[[12, 10, 42, 40, 4, 0.9]]]]
    assert "others" not in BoxViewer([ramp()] * 2, detections=answers)._study["images"][0]
    assert static.boxes(viewer._state()) and not static.boxes(viewer._state() | {"detector": "b"})
    with pytest.raises(ChestlibError, match=r"detections\['b'\]: expected one for each of 2 images, got 1"):
        BoxViewer([ramp()] * 2, detections={"a": answers, "b": answers[:1]})
    with pytest.raises(ChestlibError, match=r"detections: a mapping without a detector"):
        BoxViewer([ramp()], detections={})
    with pytest.raises(ChestlibError, match=r"detections\['a'\]: names none of the images shown \(image 1"):
        BoxViewer([ramp()], detections={"a": {"x.png": answers[0]}})
    with pytest.raises(ChestlibError, match="expected Detections, or None, for each image; got list"):
        BoxViewer([ramp()], detections={"a": [[]]})
    with pytest.raises(traitlets.TraitError, match="detector: 'c' is no detector; known are a, b"):
        viewer.detector = "c"


def test_who_reads_first_is_not_told_and_comes_back_as_detections(monkeypatch):
    viewer = example(read=True)
    assert repr(viewer) == "BoxViewer(3 images to read, 0 read)" and viewer.readings() == {}
    drawn = [[10, 10, 40, 40, 4, 0.7], [1, 1, 5, 5, 9, 0.9]]
    viewer._reading = {
        "0": {"boxes": drawn, "done": True},
        "1": {"boxes": [[0, 0, 9, 9, 0, 0.7]], "done": False},
        "2": {"boxes": [], "done": True},
    }
    said = viewer.readings()
    assert [(name, len(found)) for name, found in said.items()] == [("0.png", 2), ("2.png", 0)]
    assert said["0.png"].labels.tolist() == [9, 4]
    monkeypatch.setenv("CHESTLIB_EMBED", "2x64")
    viewer.index = 1
    data, _ = viewer._repr_mimebundle_()
    assert 'alt="1.png: to be read"' in data["text/html"]
    assert list(Parts(data["text/html"]).content["state"]["_reading"]) == ["0", "1"], "places among those embedded"
    seen = np.asarray(Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGB")).astype(int)
    assert np.ptp(seen, axis=2).max() < 12, "grey: no box is drawn"
    with pytest.raises(ChestlibError, match=r"image 2: no truth to score a reader against"):
        BoxViewer([ramp()] * 2, [([], []), None], read=True)
    with pytest.raises(ChestlibError, match=r"a\.png: 2 images of this name"):
        BoxViewer([ramp()] * 2, [([], [])] * 2, names=["a.png"] * 2, read=True)


RAMP = np.linspace(0, 1, 48, dtype=np.float32).reshape(6, 8)


def read_only(array):
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    "array",
    [
        (RAMP * 255).round().astype(np.uint8),
        *((RAMP * 255).round().astype(kind) for kind in (np.int16, np.int64, np.uint64, np.float16, np.float64, ">i4")),
        *((RAMP * top).round().astype(np.uint16) for top in (1023, 4095, 16383, 65535)),
        (RAMP * 4095).round().astype(np.int32),
        (RAMP * 4095).round(),
        RAMP.astype(np.float16),
        read_only(RAMP.astype(np.float64)),
        RAMP[:, ::-1][:, ::-1],
        torch.tensor(RAMP, requires_grad=True),
        torch.tensor(RAMP, dtype=torch.bfloat16),
        torch.tensor((RAMP * 255).round(), requires_grad=True),
        torch.tensor((RAMP * 255).round(), dtype=torch.int64)[None],
    ],
    ids=lambda array: str(array.dtype),
)
def test_grey_shows_what_is_meant(array):
    image = pictures.grey(array)
    assert image.dtype == np.float32 and image.shape == (1, 6, 8)
    np.testing.assert_allclose(image[0], RAMP, atol=0.005)


def test_grey_of_edges_and_of_no_numbers():
    array = np.array([[-0.05, np.nan, -np.inf], [0.5, 1.2, np.inf]])
    assert pictures.grey(array).tolist() == [[[0, 0, 0], [0.5, 1, 1]]]
    assert pictures.grey(array > 0).tolist() == [[[0, 0, 0], [1, 1, 1]]]
    assert pictures.grey(np.array([[9, np.nan, 255.0]])).tolist() == [[[np.float32(9 / 255), 0, 1]]]


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (RAMP * 254.5, "from 0 to 254.5: give image / 255"),
        (RAMP * 4000.5, "from 0 to 4000.5: give image / 4095"),
        (RAMP * 2048 - 1024, "from -1024 to 1024: give (image + 1024) / 2048"),
        (RAMP * 5 - 2.1, "from -2.1 to 2.9: give (image - image.min())"),
        ((RAMP * 2000).astype(np.int16) - 1000, "from -1000 to 1000: give"),
        ((RAMP * 2.0**31).astype(np.uint32), "give image / image.max()"),
        (np.full((2, 2), np.nan), "no value is a number"),
        (torch.full((2, 2), -1), "from -1 to -1: give"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_grey_of_another_range_says_what_to_divide_by(array, told):
    with pytest.raises(ChestlibError, match=re.escape(told)):
        pictures.grey(array)
    assert told in BoxViewer([array])._message(0)["error"]


def test_a_picture_travels_when_it_is_asked_for(monkeypatch):
    viewer = BoxViewer([ramp(), ramp(1500, 3000)])
    sent = []
    monkeypatch.setattr(viewer, "send", lambda message, buffers=None: sent.append((message, buffers)))
    for content in (
        {"kind": "picture", "index": 0},
        {"kind": "picture", "index": 1},
        {"kind": "picture", "index": 2},
        {},
    ):
        viewer._answer(viewer, content, [])
    assert [message for message, _ in sent] == [
        {"kind": "picture", "index": 0, "width": 96, "height": 64},
        {"kind": "picture", "index": 1, "width": 3000, "height": 1500},
    ]
    first, second = (np.asarray(Image.open(io.BytesIO(buffers[0]))) for _, buffers in sent)
    assert (first == ramp()).all()
    assert second.shape == (512, 1024)


def test_another_image_has_another_selection():
    viewer = example(index=2, selection={"layer": "truth", "box": 0})
    assert viewer.selection == {"layer": "truth", "box": 0}
    viewer.index = 1
    assert viewer.selection is None


def test_a_cell_holds_every_form_and_stays_small():
    noise = np.random.default_rng(0).normal(0.5, 0.02, (1024, 1024)).clip(0, 1)
    data, _ = BoxViewer([noise] * 20, index=18)._repr_mimebundle_()
    assert data["text/plain"] == "BoxViewer(20 images)"
    assert data["application/vnd.jupyter.widget-view+json"]
    assert Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).size == (384, 384)
    assert sum(len(str(form)) for form in data.values()) < 450_000
    parts = Parts(data["text/html"])
    assert len(parts.scripts["image/jpeg"]) == 6
    assert parts.content["state"]["index"] == 4
    assert parts.content["state"]["_study"]["note"].startswith("6 of 20 images")


def test_a_report_may_ask_for_more(monkeypatch):
    monkeypatch.setenv("CHESTLIB_EMBED", "24x768")
    assert Embed.in_notebook() == Embed(24, 768, 85)


def test_hostile_names_stay_text():
    viewer = BoxViewer([ramp()] * 5, names=HOSTILE, patients=HOSTILE)
    fragment = static.fragment(viewer._state(), viewer._sources, Embed())
    parts = Parts(fragment)
    assert parts.tags == ["div", "img", *["script"] * 7]
    assert [image["name"] for image in parts.content["state"]["_study"]["images"]] == HOSTILE


def test_the_script_can_be_shared_by_a_page():
    viewer = example()
    fragment = static.fragment(viewer._state(), viewer._sources, Embed())
    slim = static.without_script(fragment)
    assert static.is_viewer(fragment) and static.is_viewer(slim)
    assert static.script() in fragment
    assert Parts(slim).scripts.keys() == {"application/json", "image/jpeg"}
    assert Parts(slim).content == Parts(fragment).content


def test_a_missing_image_does_not_spoil_a_page(tmp_path):
    path = BoxViewer([Record("gone.png"), ramp()]).to_html(tmp_path / "page.html")
    text = path.read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert Parts(text).content["pictures"] == ["the image is missing", [96, 64]]


def test_a_saved_notebook_keeps_the_static_form():
    data, _ = example()._repr_mimebundle_()
    cell = {"cell_type": "code", "outputs": [{"output_type": "display_data", "data": data}, {"output_type": "stream"}]}
    notebook = {"metadata": {"widgets": {}, "kernelspec": {}}, "cells": [cell, {"cell_type": "markdown"}]}
    static.without_widgets(notebook)
    assert notebook["metadata"] == {"kernelspec": {}}
    assert set(data) == {"text/plain", "text/html", "image/png"}


def test_films_know_their_size_in_mm_and_their_visit(tmp_path, monkeypatch):
    dicom(tmp_path / "film.dcm", ramp(60, 90), 8, ImagerPixelSpacing=[0.2, 0.1])
    films = [
        Record("film.dcm", path=tmp_path / "film.dcm"),
        Record("00000001_004.png", extent=Extent(300, 200)),
        ramp(),
    ]
    viewer = BoxViewer(films, spacing={"image 3": (0.5, 0.25)})
    sent = []
    monkeypatch.setattr(viewer, "send", lambda message, buffers=None: sent.append(message))
    for index in range(3):
        viewer._answer(viewer, {"kind": "picture", "index": index}, [])
    assert sent[0]["extent"] == [9, 12, True] and sent[2]["extent"] == [48, 16, False]
    assert viewer._study["images"][1]["visit"] == 4
    about = Parts(viewer.to_html()).content["pictures"]
    assert about[0] == [90, 60, [9, 12, True]] and about[1] == "the image is missing"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"spacing": (0.1, 0)}, "spacing of image 1: (0.1, 0) is not two positive lengths"),
        ({"spacing": [(0.1, -1), None]}, "spacing of image 1: (0.1, -1)"),
        ({"spacing": [None, (float("nan"), 1)]}, "spacing of image 2: (nan, 1)"),
        ({"spacing": [0.1, 0.1, 0.1]}, "spacing: expected one for each of 2 images, got 3"),
        ({"spacing": 0.1}, "spacing: expected one for each of 2 images, got 1"),
        ({"spacing": {"x": (1, 1)}}, "spacing: 'x' is none of the images shown (image 1, image 2"),
        ({"spacing": np.float64(0.1)}, "spacing: expected one for each of 2 images, got 1"),
        ({"spacing": {"image 1": "12"}}, "spacing of image 1: '12' is not two positive lengths"),
        ({"spacing": {"image 2": np.eye(2)}}, "spacing of image 2: array([[1., 0.], [0., 1.]]) is not"),
        ({"heat": [[[0.1, 0.2], [0.3]], None]}, "heat of image 1: rows of different lengths are no array"),
        ({"heat": {"x": ramp()}}, "heat: 'x' is none of the images shown"),
        ({"heat": [ramp() / 255]}, "heat: expected one for each of 2 images, got 1"),
        ({"heat": [np.zeros((3, 4, 5)), None]}, "heat of image 1: a map is (H, W) in [0, 1]; got float64"),
        ({"heat": [np.zeros((96, 64)), None]}, "heat of image 1: 64 x 96 pixels are not in the shape of the film"),
        ({"heat": [None, ramp()]}, "heat of image 2: from 0 to 255, expected [0, 1]"),
        ({"heat": [None, np.full((4, 4), np.nan)]}, "heat of image 2: 16 values are no numbers"),
    ],
)  # fmt: skip
def test_lengths_and_heat_maps_that_cannot_be(options, told):
    refused(options, told)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"truth": [([[1, 1, 9, 9]], [0]), None]}, "truth of image 1: finding ids are 1..10; got 0"),
        ({"truth": [None, Record("b.png", [[1, 1, 9, 9]], [11])]}, "truth of b.png: finding ids are 1..10; got 11"),
        ({"truth": [([[9, 9, 1, 1]], [3]), None]}, "truth of image 1: box [9.0, 9.0, 1.0, 1.0] is swapped"),
        ({"truth": [None, Record("b.png", [[np.nan, 1, 9, 9]], [3])]}, "truth of b.png: box [nan, 1.0, 9.0, 9.0]"),
        ({"truth": [np.ones((3, 4)), None]}, "truth of image 1: expected a Record, or (boxes, finding ids); got nd"),
        ({"truth": [None, ([[1, 1, 9, 9]], ["Mass"])]}, "truth of image 2: expected a Record"),
        ({"truth": 5}, "truth: expected one for each of 2 images, got int"),
        ({"detections": {"a": 5}}, "detections['a']: expected one for each of 2 images, got int"),
        ({"names": "ab"}, "names: expected one for each of 2 images, got str"),
        ({"treshold": 0.3}, "treshold: no option of a viewer; known are index, threshold, "),
    ],
)
def test_boxes_and_options_that_cannot_be(options, told):
    """Finding 0 was drawn as the last one, a wrong word as nothing at all."""
    refused(options, told)


def refused(options, told):
    with pytest.raises(ChestlibError) as error:
        BoxViewer([ramp(), ramp()], **options)
    assert told in str(error.value) and "\n" not in str(error.value)


def test_a_single_number_is_no_image():
    with pytest.raises(ChestlibError, match="images are paths, arrays or records; got float32"):
        BoxViewer(np.float32(0.5))


def test_names_and_patients_may_come_from_a_table(tmp_path):
    """Numbers, paths, and NaN for what is not known, which is no patient; and names that are no UTF-8."""
    viewer = BoxViewer(
        [ramp()] * 3, names=[0, Path("a.png"), "b\udcff.png"], patients=[7, float("nan"), np.nan], index=2
    )
    said = [(image["name"], image["patient"]) for image in viewer._study["images"]]
    assert said == [("0", "7"), ("a.png", ""), ("b\udcff.png", "")]
    assert 'alt="b?.png: no boxes"' in viewer._repr_mimebundle_()[0]["text/html"]
    assert "<title>b?.png</title>" in viewer.to_html(tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("far", [1e9, 1e30])
def test_a_box_that_reaches_far_outside_is_drawn_as_far_as_the_film(far):
    seen = [pictures.drawn(ramp(), [([-x, 10, x, 40], "Mass", "#ff0000", True)], 96).tobytes() for x in (far, 500.0)]
    assert seen[0] == seen[1]


def test_ten_thousand_films_are_given_by_name_at_once():
    names = [f"{i}.png" for i in range(10_000)]
    start = time.process_time()
    assert films.each("spacing", dict.fromkeys(names, 1), names) == [1] * 10_000
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize("shape", [(224, 224), (1, 7, 7), (640, 960), (65, 97), (21, 32)])
def test_a_heat_map_travels_small(shape, monkeypatch):
    heat = torch.linspace(0, 1, int(np.prod(shape))).reshape(shape)
    viewer = BoxViewer([ramp(), ramp()], heat={"image 2": heat})
    sent = []
    monkeypatch.setattr(viewer, "send", lambda message, buffers=None: sent.append((message, buffers)))
    for index in range(2):
        viewer._answer(viewer, {"kind": "picture", "index": index}, [])
    assert [len(buffers) for _, buffers in sent] == [1, 2] and "heat" not in sent[1][0]
    travelled = Image.open(io.BytesIO(sent[1][1][1]))
    assert travelled.mode == "L" and max(travelled.size) <= 256 and np.asarray(travelled).max() >= 254
    content = Parts(viewer.to_html(embed=Embed(1))).content
    assert content["heats"] == {} and not content["state"]["heat_opacity"]
    viewer.index = 1
    assert base64.b64decode(Parts(viewer.to_html(embed=Embed(1))).content["heats"]["0"]) == sent[1][1][1]


def test_tags_and_a_view_go_there_and_back(tmp_path):
    viewer = example(tags={"1.png": [" ask  again ", "ask again"], "elsewhere.png": "old", "2.png": []})
    assert viewer.tags == {"1.png": ["ask again"], "elsewhere.png": ["old"]}
    content = Parts(static.fragment(viewer._state(), viewer._sources, Embed(images=2))).content
    assert content["state"]["tags"] == {"1.png": ["ask again"]}
    kept = {"version": 1, "film": "2.png", "turn": {"flipped": True, "degrees": 90}, "settings": {"heat_opacity": 0.3}}
    shown = example(view=kept)
    assert shown.index == 2 and Parts(shown.to_html()).content["state"]["view"] == shown.view == kept
    assert example(view={"version": 1, "film": "2.png", "turn": "upside down"}).index == 2  # the page says so
    assert example(view={"version": 1, "film": "gone.png"}).index == 0
    assert example(view={"version": 9, "film": "2.png"}).index == 0
    sent = viewer._message(0, "thumbnail")
    assert sent["kind"] == "thumbnail" and len(sent["data"]) < 2000
    file = tmp_path / "tags.json"
    file.write_text(json.dumps([{"file": "1.png", "detections": [], "tags": ["seen"]}, {"file": "2.png"}]))
    assert read_tags(file) == {"1.png": ["seen"]}
    for text, told in {
        '{"version": 2, "tags": {}}': "tags of version 2; this chestlib reads version 1",
        '{"version": 1}': "no tags",
        '[{"file": ["a.png"], "tags": ["seen"]}]': "no tags",
        '{"version": 1, "tags": {"a.png": [3]}}': "a.png: a tag is a short word, got 3",
        "{": "not readable as JSON",
    }.items():
        file.write_text(text)
        with pytest.raises(ChestlibError, match=told):
            read_tags(file)
    with pytest.raises(ChestlibError, match=r"tags: names none of the images shown \(0\.png"):
        example(tags={"gone.png": ["x"]})
    with pytest.raises(traitlets.TraitError, match=r"1\.png: a tag has 40 letters at most, 'xxxxxxxxxxxx'… has 41"):
        viewer.tags = {"1.png": ["x" * 41]}
