"""From a folder of one's own to a trained run, its scores, predictions and a viewer, by the README's four commands."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

README = Path(__file__).parents[1] / "README.md"
NAMES = ["Scar", "Pacemaker"]


def commands() -> list[list[str]]:
    block = README.read_text(encoding="utf-8").partition("## Your own films in four commands")[2].split("```")[1]
    return [shlex.split(line, comments=True)[1:] for line in block.strip().splitlines()]


def run(place: Path, *args: str) -> subprocess.CompletedProcess:
    done = subprocess.run(
        [sys.executable, "-m", "chestlib", *args], cwd=place, capture_output=True, text=True, timeout=900
    )
    assert "Traceback" not in done.stderr
    return done


def film(path: Path, number: int) -> list[tuple[int, list[int]]]:
    """A film of its own size, dark, with one or two bright boxes; their findings and x, y, width, height."""
    rng = np.random.default_rng(number)
    width, height = int(rng.integers(90, 140)), int(rng.integers(150, 200))
    pixels = rng.integers(0, 60, (height, width), np.uint8)
    boxes = []
    for label in range(1, 2 + number % 2):
        w, h = int(rng.integers(25, 40)), int(rng.integers(25, 40))
        x, y = int(rng.integers(0, width - w)), int(rng.integers(0, height - h))
        pixels[y : y + h, x : x + w] += np.uint8(120 * label // 2 + 60)
        boxes.append((label, [x, y, w, h]))
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels)
    return boxes


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """24 films with two findings beside the ten, none of them normal, in COCO form with ids of its own."""
    images, annotations = [], []
    for i in range(24):
        boxes = film(tmp_path / f"mydata/images/film {i}.png", i)
        images.append({"id": 700 - i, "file_name": f"film {i}.png"})
        annotations += [{"image_id": 700 - i, "category_id": 30 * c, "bbox": box} for c, box in boxes]
    categories = [{"id": 30, "name": "scar"}, {"id": 60, "name": "Pacemaker"}]
    document = {"images": images, "annotations": annotations, "categories": categories}
    (tmp_path / "mydata/annotations.json").write_text(json.dumps(document))
    (tmp_path / "mydata/findings.txt").write_text("# mine\n" + "\r\n".join(NAMES))
    film(tmp_path / "films/new.png", 99)
    return tmp_path


def test_four_commands(place: Path) -> None:
    train, evaluate, predict, view = commands()
    done = run(place, *train, "--set", "epochs=2")
    assert done.returncode == 0, done.stderr
    assert "AP50" in done.stdout and " to " in done.stdout, "with its interval"
    for doubt in (
        "16 images to train and 5 to test",
        "no normal film to train on",
        "false alarms on normal films are not measured",
    ):
        assert doubt in " ".join(done.stderr.split())
    done = run(place, *evaluate, "--json")
    scores = json.loads(done.stdout)
    assert list(scores["per_finding"]) == NAMES and scores["thresholds_of"] == "runs/mine"
    written = json.loads((place / "runs/mine/test.json").read_text())["scores"]
    assert scores["coco"] == written["coco"] and scores["froc"] == written["froc"]
    assert run(place, *predict).returncode == 0
    (line,) = (place / "out/predictions.jsonl").read_text().splitlines()
    said = json.loads(line)
    assert {box["finding"] for box in said["detections"]} <= {*NAMES} and said["disease_probability"] is None
    assert run(place, *view).returncode == 0
    page = (place / "view.html").read_text()
    assert "new.png" in page and "Pacemaker" in page and "Pneumothorax" not in page


def test_stage_1_says_what_it_lacks_in_words_for_own_data(place: Path) -> None:
    done = run(place, "train", "classifier", "mydata", "--run", "runs/one")
    assert done.returncode == 2 and done.stdout == "" and not (place / "runs").exists()
    assert "add films without a finding, listed without a box; stage 2 needs none" in " ".join(done.stderr.split())


def test_one_finding_is_enough_and_others_are_refused_by_name(place: Path) -> None:
    (place / "mydata/findings.txt").write_text("Scar\n")
    refused = run(place, "train", "detector", "mydata", "--run", "runs/one")
    assert refused.returncode == 2 and "unknown finding 'Pacemaker'; known are Scar" in " ".join(refused.stderr.split())
    kept = run(place, "convert", "mydata", "scars", "--to", "yolo", "--others", "drop")
    assert kept.returncode == 0 and (place / "scars/findings.txt").read_text() == "Scar\n"
    done = run(place, "train", "detector", "scars", "--run", "runs/one", "--set", "epochs=1")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "holds no finding"),
        (b"Scar\nscar\n", "line 2: scar is named before"),
        (b"Sc\x01ar\n", "line 1 is no name of a finding"),
    ],
)
def test_a_list_of_findings_that_is_none_is_refused(place: Path, text: bytes, says: str) -> None:
    (place / "names.txt").write_bytes(text)
    done = run(place, "check", "mydata", "--findings", "names.txt")
    assert done.returncode == 2 and f"names.txt: {says}" in " ".join(done.stderr.split())
