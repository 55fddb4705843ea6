"""Fetch ChestX-Det10: annotations from the authors' repository, images from Kaggle or the authors' archives."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

from chestlib.console import Progress
from chestlib.data._download import Network, download, unpack_images
from chestlib.data.annotations import Parts, Reading
from chestlib.data.folder import DataFolder, open_data
from chestlib.data.formats.official import read_annotations
from chestlib.data.formats.recognise import PARTS, PHANTOM, UNFINISHED
from chestlib.data.patients import NIH_FOLDER, PATIENTS, match_nih, write_patients
from chestlib.errors import ChestlibError, missing
from chestlib.files import link_or_copy, walk
from chestlib.files import sha256 as digest_of

KAGGLE_DATASET = "ztamnaja/chestxdet10dataset"
REPOSITORY = "https://raw.githubusercontent.com/Deepwise-AILab/ChestX-Det10-Dataset"
ARCHIVES = ("https://resource.deepwise.com/xraychallenge", "http://resource.deepwise.com/xraychallenge")
"""From the README of that repository; it says http, which has been seen dead while https worked."""

MOUNTS = (Path("/kaggle/input/chestxdet10dataset"), Path("/kaggle/input/datasets") / KAGGLE_DATASET)
"""Where a Kaggle notebook to which the data set was added shows it, read-only, in the old way and in the new one."""

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

    Only a complete folder opens. The same command goes on after a broken fetch, and only looks after a whole one.

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
    held = [path for path in (out / "train.json", out / "test.json") if path.exists()]
    if out.is_file() or (out / PHANTOM).exists() or any(digest_of(path) != sha256[path.name] for path in held):
        raise ChestlibError(f"{out}: holds other data; give a new folder")
    complete = len(held) == 2 and (out / PATIENTS).exists() and not (out / UNFINISHED).exists()
    if complete and (annotations_only or not open_data(out).missing):
        return open_data(out)
    get = partial(download, progress=progress, network=network)
    with _work_folder(out) as work:
        records, patients = _annotations(work, repository, sha256, get)
        for part in PARTS if not annotations_only else ():
            images = out / f"{part}_data"
            wanted = {record.file_name for record in records[part]} - {path.name for path in walk(images)}
            if wanted and source == "kaggle":
                _from_kaggle(images, wanted, kaggle)
            elif wanted:
                _from_archive(images, wanted, work, archives, get, progress)
        write_patients(patients, out / PATIENTS)
        for part in reversed(PARTS):  # train.json last: it makes the folder a data set
            os.replace(work / f"{part}.json", out / f"{part}.json")
    return open_data(out)


@contextmanager
def _work_folder(out: Path) -> Iterator[Path]:
    """Lend a folder to one fetch at a time; it stays until a fetch is complete."""
    work = out / UNFINISHED
    work.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(work / "lock", timeout=0):
            yield work
    except Timeout:
        raise ChestlibError(f"{out}: another fetch is at work here; wait for it") from None
    shutil.rmtree(work)


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


def _from_archive(
    folder: Path,
    wanted: set[str],
    work: Path,
    archives: Sequence[str],
    get: Callable[..., None],
    progress: Progress | None,
) -> None:
    unpacked, archive = work / folder.name, work / f"{folder.name}.zip"
    if not unpacked.exists():
        get([f"{base}/{archive.name}" for base in archives], archive)
        try:
            unpack_images(archive, unpacked, progress)
        finally:  # unpacked, or not worth keeping
            archive.unlink()
    _take(walk(unpacked), wanted, folder, os.replace, archives[0])


def _from_kaggle(folder: Path, wanted: set[str], kaggle: Callable[[str], str] | None) -> None:
    if kaggle is None:
        mounted = next((place for place in MOUNTS if place.is_dir()), None)
        kaggle = _kagglehub if mounted is None else lambda _: str(mounted)
    try:
        cache = Path(kaggle(KAGGLE_DATASET))
    except Exception as error:  # kagglehub has no common error
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ChestlibError(f"kaggle.com/datasets/{KAGGLE_DATASET}: {reason}; or take --source official") from None
    paths = [path for path in walk(cache) if folder.name in path.relative_to(cache).parts and not path.is_symlink()]
    _take(paths, wanted, folder, link_or_copy, KAGGLE_DATASET)


def _kagglehub(handle: str) -> str:
    try:
        from kagglehub import dataset_download
    except ImportError as error:
        raise ChestlibError(f"{missing(error) or error}") from None
    return str(dataset_download(handle))


def _take(paths: list[Path], wanted: set[str], folder: Path, move: Callable[[Path, Path], None], source: str) -> None:
    """Bring the wanted images to their folder, each whole."""
    for half in folder.glob(".*.part"):  # of a copy that was killed
        half.unlink(missing_ok=True)
    for path in paths:
        if path.name in wanted:
            folder.mkdir(exist_ok=True)
            move(path, folder / path.name)
    if not folder.exists():
        raise ChestlibError(f"{source}: has none of the images of {folder.name}")
