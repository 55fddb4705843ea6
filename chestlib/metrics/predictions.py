"""Read predictions for the images of a truth, in whichever form they come.

- chestlib's `predictions.jsonl`, of :func:`chestlib.prediction.predict`: a line an image, {"file", "detections":
  [{"finding", "box", "score"}], "error"}; or a list of such objects. One with an error counts as not predicted.
- chestlib's `predictions.json` of a run: its test part. A folder that holds either is read as that file.
- One JSON object: file name to the challenge's list of {finding: [x1, y1, x2, y2, score]}.
- The challenge's folder: such a list in STEM.json for each image; an empty file means no detections.
- COCO results (also of ultralytics, mmdetection, torchvision's references): a list of {"image_id", "category_id",
  "bbox": [x, y, width, height], "score"}. Images are those that a "file_name" in every row
  says; else ids are those of a COCO truth; else file names or stems, the number in the file name (36199.png), or the
  place in the truth, counted from 1. Categories are those of a COCO truth, else counted from 1 in the order of the
  findings, or from 0 if there is a 0. Or a COCO document with scores.
- torchvision's {"boxes" xyxy, "labels" as category ids, "scores"}, and mmdetection's {"bboxes", "labels" from 0,
  "scores"}: one an image id or file name in an object, with "image_id" or "file" in a list, or one STEM.json an image.
- ultralytics' STEM.json, a list of {"name", "class", "confidence", "box": {"x1", …}}, or STEM.txt (`save_txt` with
  `save_conf`), a folder of either.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from chestlib.data import Record
from chestlib.detections import Detections
from chestlib.errors import ChestlibError
from chestlib.files import read_json, read_json_lines
from chestlib.metrics import results
from chestlib.metrics.key import Key
from chestlib.metrics.results import Rows

FORMS = "chestlib's predictions, COCO results, an object from file name to boxes, or a folder of one file an image"
FAR = 1e9
"""Pixels: what lies so far outside is on no film, and areas of it are no numbers."""
SLACK = 1e-3
"""A score may lie this far outside [0, 1]: rounding of other tools, not an error of theirs."""
PICKLES = {".pkl", ".pickle", ".pt", ".pth", ".npy", ".npz"}

Parse = Callable[[Any, Key], Rows]


class Found(dict[str, Detections]):
    """File name to detections; `notes` tell how ids were read and what was left out.

    `categories` are the truth's own category ids to names; empty where it has none.
    """

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []
        self.categories: dict[Any, str] = {}


def noted_thresholds(path: Path) -> dict[str, float]:
    """Read what stands in `about.json` beside the predictions of `chestlib predict`: finding to threshold, by id.

    Returns
    -------
    dict
        Empty for predictions of other origin.

    Raises
    ------
    ChestlibError
        If `about.json` is broken.
    """
    folder = path if path.is_dir() else path.parent
    file = folder / "about.json"
    if not file.is_file() or not (folder / "predictions.jsonl").is_file():
        return {}
    about = read_json(file)
    said = about.get("finding_thresholds") if isinstance(about, dict) else None
    if not isinstance(said, dict) or not all(type(value) in (int, float) for value in said.values()):
        raise ChestlibError(f"{file}: not what `chestlib predict` writes; predict again into another folder")
    return said


def read_predictions(path: Path, truth: Sequence[Record], categories: Mapping[Any, str] | None = None) -> Found:
    """Read predictions; the form is told from the content.

    The forms stand at the top of this module.

    Parameters
    ----------
    path : Path
    truth : sequence of Record
        The images that were to be examined, in order.
    categories : mapping, optional
        The truth's own category ids to names: :attr:`chestlib.data.DataFolder.categories`.

    Returns
    -------
    Found
        File name to detections. Images that the file or folder says nothing about are left out (COCO results cannot say
        so: there they are empty). Boxes without area are left out, scores a little outside [0, 1] are taken to its
        end; `notes` count both.

    Raises
    ------
    ChestlibError
        For an unreadable file, another form, an image that the truth lacks, an unknown finding, a swapped or
        non-finite box, or a score outside [0, 1]; the line names the file and the image.
    """
    key, found, left = Key(truth, categories or {}), Found(), Counter[str]()
    found.categories = dict(categories or {})
    path = _inside(Path(path), key)
    try:
        parse, lists = _recognise(path, key)
    except ChestlibError as error:
        raise (error if str(path) in str(error) else ChestlibError(f"{path}: {error}")) from None
    for name, items in lists.items():
        try:
            found[name] = _sound(parse(items, key), key.names, left)
        except (AttributeError, ChestlibError, IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
            where = results.file_of(path, name) if path.is_dir() else f"{path}: {name}"
            lacks = (
                f"a detection has no {error.args[0]!r}" if isinstance(error, KeyError) else "not a list of detections"
            )
            says = error if isinstance(error, ChestlibError) else f"{lacks}; expected {FORMS}"
            raise ChestlibError(f"{where}: {says}") from None
    unknown = sorted(found.keys() - {record.file_name for record in truth})
    if unknown:  # a wrong name must not pass for an image without detections
        raise ChestlibError(
            f"{path}: predictions for {len(unknown)} images that the truth lacks ({', '.join(unknown[:3])}"
            f"{', …' if len(unknown) > 3 else ''}); evaluate them with the annotation file they belong to"
        )
    found.notes += [*key.all_notes(), *(f"{what}: {n}" for what, n in left.items())]
    return found


def _inside(path: Path, key: Key) -> Path:
    """Find what counts in the folder that a tool wrote."""
    for name in ("predictions.json", "predictions.jsonl", "preds", "labels"):
        if (path / name).exists():
            path = path / name
    if path.is_dir() and len(only := list(path.glob("*.json"))) == 1 and key.image(only[0].stem) not in key.files:
        return only[0]  # mmdetection's results.bbox.json
    return path


def _sound(rows: Rows, names: tuple[str, ...], left: Counter[str]) -> Detections:
    """Leave boxes without area out and round scores to [0, 1], counting both; everything else must be sound."""
    with np.errstate(over="ignore"):  # told below, as not finite
        boxes = np.asarray(rows[0], np.float32).reshape(-1, 4)
        if far := boxes[np.isfinite(boxes).all(1) & (np.abs(boxes) > FAR).any(1)].tolist():
            raise ChestlibError(f"box {far[0]} lies far outside of every film; expected pixels of the original image")
    labels, scores = np.asarray(rows[1]), np.asarray(rows[2])
    if not len(boxes) == len(labels) == len(scores):
        raise ChestlibError(
            f"{len(boxes)} boxes, {len(labels)} labels and {len(scores)} scores; expected as many of each"
        )
    flat = np.isfinite(boxes).all(1) & (boxes[:, 2:] >= boxes[:, :2]).all(1) & (boxes[:, 2:] == boxes[:, :2]).any(1)
    near = ((scores < 0) & (scores >= -SLACK)) | ((scores > 1) & (scores <= 1 + SLACK))
    if flat.any():
        left["boxes without area, left out"] += int(flat.sum())
    if near.any():
        left["scores just outside [0, 1], taken to its end"] += int(near.sum())
    scores = np.where(near, np.clip(scores, 0, 1), scores)
    return Detections(boxes[~flat], labels[~flat], scores[~flat], names)


def _recognise(path: Path, key: Key) -> tuple[Parse, dict[str, Any]]:
    """Find the form: what parses the detections of one image, and those of each image by its name."""
    if path.is_dir():
        return results.one_image, results.read_folder(path, key)
    if path.suffix.lower() in PICKLES:
        raise ChestlibError(f"{path}: may hold a program, so it is not opened; write the results as JSON")
    data = read_json_lines(path) if path.suffix == ".jsonl" else read_json(path)
    if isinstance(data, dict) and data.keys() == {"val", "test"}:  # a detector's run
        if not isinstance(data["test"], dict):
            raise ChestlibError(f"{path}: test: expected an object from file name to detections")
        return results.own, data["test"]
    if isinstance(data, dict) and {"images", "annotations", "categories"} <= data.keys():
        return results.coco, results.by_document(data, path, key)
    if isinstance(data, dict):
        return results.one_image, results.by_name(data, path, key)
    for name in ("file", "file_name", "image_id"):
        if data and _all_hold(data, name, "labels", "scores"):
            return results.one_image, results.by_file(data, path, key, name)
    if _all_hold(data, "image_id"):
        return results.coco, results.by_image_id(data, path, key)
    if _all_hold(data, "file", "detections"):
        return results.own, results.by_file([item for item in data if not item.get("error")], path, key)
    raise ChestlibError(f"{path}: not a form of predictions known here; expected {FORMS}")


def _all_hold(data: Any, *keys: str) -> bool:
    wanted = set(keys)
    return isinstance(data, list) and all(isinstance(item, dict) and item.keys() >= wanted for item in data)
