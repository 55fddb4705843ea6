"""Read predictions for the images of a truth, in whichever form they come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from chestlib.detections import Detections
from chestlib.errors import ChestlibError
from chestlib.files import read_json
from chestlib.findings import ID, NAME

FORMS = "chestlib's predictions.json, COCO results, an object from file name to list, or a folder of one JSON an image"
_ID = {**ID, **{name.lower(): i for name, i in ID.items()}}
"""The challenge takes lower-case findings too."""


def read_predictions(path: Path, file_names: Sequence[str]) -> dict[str, Detections]:
    """Read predictions; the form is told from the content.

    - chestlib's `predictions.json`: a list of {"file", "detections": [{"finding", "box", "score"}], "error"}; an image
      with an error counts as not predicted. A folder that holds a `predictions.json` is read as that file (of a
      run: its test part).
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
    if path.is_dir() and (path / "predictions.json").is_file():
        path = path / "predictions.json"
    if path.is_dir():
        found = _read_folder(path, file_names)
    else:
        data = read_json(path)
        if isinstance(data, dict) and data.keys() == {"val", "test"}:  # a detector's run
            if not isinstance(data["test"], dict):
                raise ChestlibError(f"{path}: test: expected an object from file name to detections")
            found = {
                name: _parse(Detections.from_list, items, f"{path}: {name}") for name, items in data["test"].items()
            }
        elif isinstance(data, dict):
            found = {name: _parse(_challenge, items, f"{path}: {name}") for name, items in data.items()}
        elif _all_hold(data, "image_id"):
            found = _read_coco(data, path, file_names)
        elif _all_hold(data, "file", "detections"):
            found = _read_own(data, path, file_names)
        else:
            raise ChestlibError(f"{path}: not a form of predictions known here; expected {FORMS}")
    unknown = sorted(found.keys() - set(file_names))
    if unknown:  # a wrong name must not pass for an image without detections
        raise ChestlibError(
            f"{path}: predictions for {len(unknown)} images that the truth lacks ({', '.join(unknown[:3])}"
            f"{', …' if len(unknown) > 3 else ''}); evaluate them with the annotation file they belong to"
        )
    return found


def _all_hold(data: Any, *keys: str) -> bool:
    return isinstance(data, list) and all(isinstance(item, dict) and item.keys() >= set(keys) for item in data)


def _read_folder(folder: Path, file_names: Sequence[str]) -> dict[str, Detections]:
    files = sorted(folder.glob("*.json"))
    if not files:
        raise ChestlibError(f"{folder}: holds no JSON file; expected one for each image, named like it")
    names = {PurePosixPath(name).stem: name for name in file_names}
    if len(names) < len(file_names):
        raise ChestlibError(f"{folder}: images of the truth share a stem; give predictions as one JSON object instead")
    lists = {file: read_json(file) if file.stat().st_size else [] for file in files}
    return {names.get(file.stem, file.stem): _parse(_challenge, items, f"{file}") for file, items in lists.items()}


def _read_own(items: list[dict[str, Any]], path: Path, file_names: Sequence[str]) -> dict[str, Detections]:
    known, found = set(file_names), {}
    for item in items:
        name = str(item["file"])
        name = name if name in known else PurePosixPath(name).name
        if name in found:
            raise ChestlibError(f"{path}: {name} is listed twice; one entry an image")
        if not item.get("error"):
            found[name] = _parse(Detections.from_list, item["detections"], f"{path}: {name}")
    return found


def _read_coco(items: list[dict[str, Any]], path: Path, file_names: Sequence[str]) -> dict[str, Detections]:
    if wrong := [item["image_id"] for item in items if not isinstance(item["image_id"], (int, str))]:
        raise ChestlibError(f"{path}: image_id {wrong[0]!r} is neither a number nor a name")
    names = _names_of_ids({item["image_id"] for item in items}, path, file_names)
    own: dict[str, list[dict[str, Any]]] = {name: [] for name in file_names}
    for item in items:
        own[names[item["image_id"]]].append(item)
    return {name: _parse(_coco, results, f"{path}: {name}") for name, results in own.items()}


def _names_of_ids(ids: set[Any], path: Path, file_names: Sequence[str]) -> dict[Any, str]:
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
    return readings[0]


def _challenge(items: list[dict[str, list[float]]]) -> Detections:
    pairs = [pair for item in items for pair in item.items()]
    unknown = [name for name, _ in pairs if name not in _ID]
    if unknown:
        raise ChestlibError(f"unknown finding {unknown[0]!r}; known are {', '.join(ID)}")
    rows = [[x1, y1, x2, y2, score] for _, (x1, y1, x2, y2, score) in pairs]
    return _detections([row[:4] for row in rows], [_ID[name] for name, _ in pairs], [row[4] for row in rows])


def _coco(items: list[dict[str, Any]]) -> Detections:
    unknown = [item["category_id"] for item in items if item["category_id"] not in NAME]
    if unknown:
        raise ChestlibError(f"unknown category {unknown[0]!r}; the findings are 1..{len(ID)}, alphabetically")
    boxes = [[x, y, x + width, y + height] for x, y, width, height in (item["bbox"] for item in items)]
    return _detections(boxes, [item["category_id"] for item in items], [item["score"] for item in items])


def _detections(boxes: list[list[float]], labels: list[int], scores: list[float]) -> Detections:
    return Detections(np.array(boxes, np.float32), np.array(labels, np.int64), np.array(scores, np.float32))


def _parse(parse: Callable[[Any], Detections], items: Any, where: str) -> Detections:
    try:
        return parse(items)
    except ChestlibError as error:
        raise ChestlibError(f"{where}: {error}") from None
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise ChestlibError(f"{where}: not a list of detections ({error}); expected {FORMS}") from None
