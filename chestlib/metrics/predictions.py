"""Read predictions for the images of a truth, in whichever form they come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from chestlib.detections import Detections
from chestlib.errors import ChestlibError
from chestlib.files import read_json, read_json_lines
from chestlib.findings import ID, NAME

FORMS = "chestlib's predictions, COCO results, an object from file name to list, or a folder of one JSON an image"
_ID = {**ID, **{name.lower(): i for name, i in ID.items()}}
"""The challenge takes lower-case findings too."""


def read_predictions(path: Path, file_names: Sequence[str]) -> dict[str, Detections]:
    """Read predictions; the form is told from the content.

    - chestlib's `predictions.jsonl`, of :func:`chestlib.predict.predict`: a line an image, {"file", "detections":
      [{"finding", "box", "score"}], "error"}; or a list of such objects. One with an error counts as not predicted.
    - chestlib's `predictions.json` of a run: its test part. A folder that holds either is read as that file.
    - One JSON object: file name to the challenge's list of {finding: [x1, y1, x2, y2, score]}.
    - The challenge's folder: such a list in STEM.json for each image; an empty file means no detections.
    - COCO results: a list of {"image_id", "category_id", "bbox": [x, y, width, height], "score"}; categories are 1..10
      in alphabetical order; image ids are positions in the truth, counted from 1, or else the numbers in the file names
      (36199.png).

    Parameters
    ----------
    path : Path
    file_names : sequence of str
        The images of the truth, in its order.

    Returns
    -------
    dict
        File name to detections. Images that the file or folder says nothing about are left out (COCO results cannot say
        so: there they are empty).

    Raises
    ------
    ChestlibError
        For an unreadable file, another form, an image that the truth lacks, an unknown finding, an empty, swapped or
        non-finite box, or a score outside [0, 1]; the line names the file and the image.
    """
    path = Path(path)
    for name in ("predictions.json", "predictions.jsonl"):
        if (path / name).is_file():
            path = path / name
    parse, lists = _recognise(path, file_names)
    found = {}
    for name, items in lists.items():
        try:
            found[name] = parse(items)
        except (AttributeError, ChestlibError, KeyError, OverflowError, TypeError, ValueError) as error:
            where = path / f"{PurePosixPath(name).stem}.json" if path.is_dir() else f"{path}: {name}"
            known = isinstance(error, ChestlibError)
            says = error if known else f"not a list of detections ({error}); expected {FORMS}"
            raise ChestlibError(f"{where}: {says}") from None
    unknown = sorted(found.keys() - set(file_names))
    if unknown:  # a wrong name must not pass for an image without detections
        raise ChestlibError(
            f"{path}: predictions for {len(unknown)} images that the truth lacks ({', '.join(unknown[:3])}"
            f"{', …' if len(unknown) > 3 else ''}); evaluate them with the annotation file they belong to"
        )
    return found


def _recognise(path: Path, file_names: Sequence[str]) -> tuple[Callable[[Any], Detections], dict[str, Any]]:
    """Find the form: what parses the detections of one image, and those of each image by its name."""
    if path.is_dir():
        return _challenge, _read_folder(path, file_names)
    data = read_json_lines(path) if path.suffix == ".jsonl" else read_json(path)
    if isinstance(data, dict) and data.keys() == {"val", "test"}:  # a detector's run
        if not isinstance(data["test"], dict):
            raise ChestlibError(f"{path}: test: expected an object from file name to detections")
        return Detections.from_list, data["test"]
    if isinstance(data, dict):
        return _challenge, data
    if _all_hold(data, "image_id"):
        return _coco, _by_image_id(data, path, file_names)
    if _all_hold(data, "file", "detections"):
        return Detections.from_list, _by_file(data, path, file_names)
    raise ChestlibError(f"{path}: not a form of predictions known here; expected {FORMS}")


def _all_hold(data: Any, *keys: str) -> bool:
    wanted = set(keys)
    return isinstance(data, list) and all(isinstance(item, dict) and item.keys() >= wanted for item in data)


def _read_folder(folder: Path, file_names: Sequence[str]) -> dict[str, Any]:
    files = sorted(folder.glob("*.json"))
    if not files:
        raise ChestlibError(f"{folder}: holds no JSON file; expected one for each image, named like it")
    names = {PurePosixPath(name).stem: name for name in file_names}
    if len(names) < len(file_names):
        raise ChestlibError(f"{folder}: images of the truth share a stem; give predictions as one JSON object instead")
    return {names.get(file.stem, file.stem): read_json(file) if file.stat().st_size else [] for file in files}


def _by_file(items: list[dict[str, Any]], path: Path, file_names: Sequence[str]) -> dict[str, Any]:
    known, found = set(file_names), {}
    for item in items:
        name = str(item["file"])
        name = name if name in known else PurePosixPath(name).name
        if name in found:
            raise ChestlibError(f"{path}: {name} is listed twice; one entry an image")
        if not item.get("error"):
            found[name] = item["detections"]
    return found


def _by_image_id(items: list[dict[str, Any]], path: Path, file_names: Sequence[str]) -> dict[str, Any]:
    if wrong := [item["image_id"] for item in items if not isinstance(item["image_id"], (int, str))]:
        raise ChestlibError(f"{path}: image_id {wrong[0]!r} is neither a number nor a name")
    ids = {item["image_id"] for item in items}
    places = dict(enumerate(file_names, start=1))
    stems = {int(stem): name for name in file_names if (stem := PurePosixPath(name).stem).isdecimal()}
    readings = [names for names in (places, stems) if ids <= names.keys()]
    if not readings:
        raise ChestlibError(
            f"{path}: image_id ({', '.join(sorted(map(str, ids))[:3])}, …) is neither the position in the truth "
            f"(1..{len(places)}) nor the number in the file name; are these predictions for another part?"
        )
    if any(names[i] != readings[0][i] for names in readings for i in ids):
        raise ChestlibError(
            f"{path}: image_id fits both the position in the truth and the number in the file name, and they differ; "
            "give predictions as one JSON object from file name to list"
        )
    own: dict[str, Any] = {name: [] for name in file_names}
    for item in items:
        own[readings[0][item["image_id"]]].append(item)
    return own


def _challenge(items: list[dict[str, list[float]]]) -> Detections:
    pairs = [pair for item in items for pair in item.items()]
    if unknown := [name for name, _ in pairs if name not in _ID]:
        raise ChestlibError(f"unknown finding {unknown[0]!r}; known are {', '.join(ID)}")
    rows = np.array([row for _, row in pairs], float).reshape(len(pairs), 5)
    return Detections(rows[:, :4], np.array([_ID[name] for name, _ in pairs]), rows[:, 4])


def _coco(items: list[dict[str, Any]]) -> Detections:
    labels = [item["category_id"] for item in items]
    if unknown := [label for label in labels if label not in NAME]:
        raise ChestlibError(f"unknown category {unknown[0]!r}; the findings are 1..{len(ID)}, alphabetically")
    boxes = np.array([item["bbox"] for item in items], float).reshape(len(items), 4)
    boxes[:, 2:] += boxes[:, :2]
    return Detections(boxes, np.array(labels), np.array([item["score"] for item in items]))
