"""Fetch ChestX-Det10: annotations from the authors' repository, images from Kaggle or the authors' archives."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

from chestlib.console import Progress
from chestlib.data._download import Network, download, unpack_images
from chestlib.data.annotations import Parts, Reading, read_annotations
from chestlib.data.folder import DataFolder, open_data
from chestlib.data.formats.recognise import PARTS, PHANTOM, UNFINISHED
from chestlib.data.patients import NIH_FOLDER, PATIENTS, match_nih, write_patients
from chestlib.errors import ChestlibError
from chestlib.files import link_or_copy, walk
from chestlib.files import sha256 as digest_of

KAGGLE_DATASET = "ztamnaja/chestxdet10dataset"
REPOSITORY = "https://raw.githubusercontent.com/Deepwise-AILab/ChestX-Det10-Dataset"
ARCHIVES = ("https://resource.deepwise.com/xraychallenge", "http://resource.deepwise.com/xraychallenge")
"""From the README of that repository; it says http, which has been seen dead while https worked."""

NAMES_COMMIT = "c535e9a32995e6d6a44dea810501190b18ed264d"
NIH_COMMIT = "117ba79bd829fbf2a703860e386b6ffdbd956240"
SHA256 = {
    "train.json": "8e9dd7123bdd9e5ce8d8cd7bd304fd24afdf0081930654b82c2003422d59de9c",
    "test.json": "c18482a77111186789c67d836db27a522c717cdb638eff59bc463362a60a46f1",
    f"{NIH_FOLDER}/train.json": "9eeab175d3e6428397e83f01e674b55fda23486a78d491efcc12abfd36c8e7ac",
    f"{NIH_FOLDER}/test.json": "992309b7b4798f0ec23f2e09f67583e53859a6a447b9ce249cc0e1d99a98fe05",
}
"""Of the annotations at the two commits; the second pair has the same records under NIH file names."""


def fetch(
    out: Path,
    source: str = "kaggle",
    annotations_only: bool = False,
    progress: Progress | None = None,
    *,
    repository: str = REPOSITORY,
    archives: Sequence[str] = ARCHIVES,
    sha256: Mapping[str, str] = SHA256,
    kaggle: Callable[[str], str] | None = None,
    network: Network | None = None,
) -> DataFolder:
    """Fetch the data set into `out`, in the layout of its archives, with `patients.csv`.

    The folder can't be opened before the fetch is complete. The same command goes on after a broken one, and
    only looks when everything is there.

    Parameters
    ----------
    source : str
        "kaggle" (by kagglehub, which keeps a copy in its cache) or "official", for the images.
    annotations_only : bool
        Leave the images out.
    progress : callable, optional
        Called with done and total, in bytes or images, and starts again for each file.
    repository, archives, sha256, kaggle, network
        Other addresses, hashes, Kaggle client and patience, for mirrors and tests.

    Returns
    -------
    DataFolder
        What is there now; `missing` counts images that the source did not have.

    Raises
    ------
    ChestlibError
        If something can't be had or is not what it should be, or `out` holds other data.
    """
    out = Path(out)
    if source not in ("kaggle", "official"):
        raise ChestlibError(f"{source}: not a source; take kaggle or official")
    if not _replaceable(out, sha256):
        raise ChestlibError(f"{out}: holds other data; give a new folder")
    work = out / UNFINISHED
    there = all((out / name).exists() for name in ("train.json", "test.json", PATIENTS))
    if not work.exists() and there and (annotations_only or not open_data(out).missing):
        return open_data(out)
    work.mkdir(parents=True, exist_ok=True)
    get = partial(download, progress=progress, network=network)
    try:
        with FileLock(work / "lock", timeout=0):
            records, patients = _annotations(work, repository, sha256, get)
            for part in PARTS if not annotations_only else ():
                images = out / f"{part}_data"
                wanted = {record.file_name for record in records[part]} - {path.name for path in walk(images)}
                if wanted and source == "kaggle":
                    _take(_on_kaggle(images.name, kaggle), wanted, images, link_or_copy, KAGGLE_DATASET)
                elif wanted:
                    paths = _in_archive(work / images.name, archives, get, progress)
                    _take(paths, wanted, images, os.replace, archives[0])
            write_patients(patients, out / PATIENTS)
            for part in reversed(PARTS):  # train.json last: it makes the folder a data set
                os.replace(work / f"{part}.json", out / f"{part}.json")
    except Timeout:
        raise ChestlibError(f"{out}: another fetch is at work here; wait for it") from None
    shutil.rmtree(work)
    return open_data(out)


def _annotations(
    work: Path, repository: str, sha256: Mapping[str, str], get: Callable[..., None]
) -> tuple[Parts, dict[str, str]]:
    """Get the records of each part, and the patient of each image."""
    for name, digest in sha256.items():
        commit = NIH_COMMIT if name.startswith(NIH_FOLDER) else NAMES_COMMIT
        get([f"{repository}/{commit}/{Path(name).name}"], work / name, digest)
    records = {part: read_annotations(work / f"{part}.json") for part in PARTS}
    reading = Reading()
    patients = match_nih(work / NIH_FOLDER, records, reading)
    reading.finish()
    return records, patients


def _replaceable(out: Path, sha256: Mapping[str, str]) -> bool:
    """Tell whether there is no file, no phantom, and no annotations of other content."""
    files = [out / f"{part}.json" for part in PARTS]
    return (
        not out.is_file()
        and not (out / PHANTOM).exists()
        and all(digest_of(f) == sha256[f.name] for f in files if f.exists())
    )


def _in_archive(
    unpacked: Path, archives: Sequence[str], get: Callable[..., None], progress: Progress | None
) -> list[Path]:
    """Download and unpack the archive of a part, unless that is done."""
    archive = unpacked.with_suffix(".zip")
    if not unpacked.exists():
        get([f"{base}/{archive.name}" for base in archives], archive)
        try:
            unpack_images(archive, unpacked, progress)
        finally:  # unpacked, or not worth keeping
            archive.unlink()
    return walk(unpacked)


def _on_kaggle(name: str, kaggle: Callable[[str], str] | None) -> list[Path]:
    """Let kagglehub download the data set, and find the images of a part in its cache."""
    if kaggle is None:
        import kagglehub

        kaggle = kagglehub.dataset_download
    try:
        folder = Path(kaggle(KAGGLE_DATASET))
    except Exception as error:  # kagglehub has no common error
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ChestlibError(f"kaggle.com/datasets/{KAGGLE_DATASET}: {reason}; or take --source official") from None
    return [path for path in walk(folder) if name in path.relative_to(folder).parts and not path.is_symlink()]


def _take(paths: list[Path], wanted: set[str], folder: Path, move: Callable[[Path, Path], None], source: str) -> None:
    """Bring the wanted images to their folder, each whole."""
    for path in paths:
        if path.name in wanted:
            folder.mkdir(exist_ok=True)
            move(path, folder / path.name)
    if not folder.exists():
        raise ChestlibError(f"{source}: has none of the images of {folder.name}")
