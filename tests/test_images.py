"""Reading images of every kind, refusing those that are none, and the cache."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import zlib

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless

from chestlib import images
from chestlib.errors import ChestlibError

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5


def save(path, array_or_image, **options):
    image = array_or_image if isinstance(array_or_image, Image.Image) else Image.fromarray(array_or_image)
    image.save(path, **options)
    return path


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P"])
def test_png_modes_read_alike(tmp_path, mode):
    path = save(tmp_path / "x.png", Image.fromarray(GREY).convert(mode))
    image = images.read(path)
    assert image.shape == (1, 6, 8) and image.dtype == np.float32
    np.testing.assert_array_equal(image[0], (GREY / np.float32(255)).astype(np.float32))
    assert images.size(path) == (8, 6)


def test_16_bit(tmp_path):
    deep = GREY.astype(np.uint16) * 257
    path = save(tmp_path / "x.png", deep)
    np.testing.assert_allclose(images.read(path)[0], deep / 65535, atol=1e-7)


def test_1_bit_palette_colour_and_transparency(tmp_path):
    bits = save(tmp_path / "1.png", Image.fromarray(GREY > 100))
    assert set(np.unique(images.read(bits))) == {0, 1}
    red = save(tmp_path / "p.png", Image.new("RGB", (2, 2), "red").quantize())
    np.testing.assert_allclose(images.read(red), 0.299, atol=2e-3)
    clear = save(tmp_path / "a.png", Image.new("RGBA", (2, 2), (255, 255, 255, 0)))
    assert images.read(clear).max() == 0


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg(tmp_path, mode):
    path = save(tmp_path / "x.jpg", Image.new("L", (8, 6), 100).convert(mode), quality=95)
    np.testing.assert_allclose(images.read(path), 100 / 255, atol=0.02)


def broken(kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)).save(file, "png")
    whole = file.getvalue()
    return {
        "empty": b"",
        "half": whole[: len(whole) // 2],
        "header only": whole[:40],
        "text": b"<html>not found</html>",
        "dicom half": b"\0" * 128 + b"DICM" + b"\x02\0",
        "gif": b"GIF89a" + b"\0" * 20,
    }[kind]


@pytest.mark.parametrize("kind", ["empty", "half", "header only", "text", "dicom half", "gif"])
def test_broken_file_is_one_line_that_names_it(tmp_path, kind):
    path = tmp_path / "x.png"
    path.write_bytes(broken(kind))
    with pytest.raises(ChestlibError, match=r"x\.png: ") as caught:
        images.read(path)
    assert "\n" not in str(caught.value)


def test_missing_file_and_folder(tmp_path):
    for path in (tmp_path / "none.png", tmp_path):
        with pytest.raises(ChestlibError, match="cannot be read"):
            images.read(path)


@pytest.mark.parametrize("side", [9_000, 60_000])
def test_decompression_bomb(tmp_path, side):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    path = tmp_path / "bomb.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b""))
    for read in (images.read, images.size):
        with pytest.raises(ChestlibError, match=r"bomb\.png: refused"):
            read(path)


def dicom(path, pixels, bits=16, photometric="MONOCHROME2", **tags):
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = "1.2.3"
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.SamplesPerPixel = 1 if pixels.ndim == 2 else 3
    if pixels.ndim == 3:
        dataset.PlanarConfiguration = 0
    dataset.PhotometricInterpretation = photometric
    dataset.BitsAllocated = pixels.dtype.itemsize * 8
    dataset.BitsStored, dataset.HighBit = bits, bits - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.PixelData = pixels.tobytes()
    for name, value in tags.items():
        setattr(dataset, name, value)
    dataset.save_as(path, enforce_file_format=True)
    return dataset


def test_dicom_own_range_and_inverted(tmp_path):
    raw = np.array([[100, 300], [200, 500]], np.uint16)
    dicom(tmp_path / "a", raw, 12)
    np.testing.assert_allclose(images.read(tmp_path / "a")[0], [[0, 0.5], [0.25, 1]], atol=1e-6)
    assert images.size(tmp_path / "a") == (2, 2)
    dicom(tmp_path / "b", raw, 12, "MONOCHROME1")
    np.testing.assert_allclose(images.read(tmp_path / "b")[0], [[1, 0.5], [0.75, 0]], atol=1e-6)
    dicom(tmp_path / "c", raw, 12, PixelPaddingValue=100)
    np.testing.assert_allclose(images.read(tmp_path / "c")[0], [[0, 1 / 3], [0, 1]], atol=1e-6)


@pytest.mark.parametrize(
    ("function", "expected"),
    [("LINEAR", [0, 0.4925, 1]), ("LINEAR_EXACT", [0, 0.49, 1]), ("SIGMOID", [0.0180, 0.4900, 0.9820])],
)
def test_dicom_rescale_then_window(tmp_path, function, expected):
    """Stored 0, 99 and 200 are -200, -2 and 200; of several windows the first counts."""
    raw = np.array([[0, 99, 200]], np.int16)
    tags = {"WindowCenter": [0.0, 7.0], "WindowWidth": [200.0, 7.0], "VOILUTFunction": function}
    dicom(tmp_path / "x", raw, RescaleSlope=2, RescaleIntercept=-200, **tags)
    got = images.read(tmp_path / "x")[0, 0]
    np.testing.assert_allclose(got, expected, atol=1e-3)


def test_dicom_window_agrees_with_pydicom(tmp_path):
    raw = np.random.default_rng(1).integers(0, 4096, (5, 7)).astype(np.uint16)
    dataset = dicom(tmp_path / "x", raw, 12, WindowCenter=1500, WindowWidth=800)
    expected = pydicom.pixels.apply_windowing(raw, dataset) / 4095
    np.testing.assert_allclose(images.read(tmp_path / "x")[0], expected, atol=1e-6)


def test_dicom_table(tmp_path):
    table = pydicom.Dataset()
    table.LUTDescriptor = [4, 0, 16]
    table.add_new("LUTData", "US", [0, 65535, 30000, 10])
    dicom(tmp_path / "x", np.array([[0, 1, 2, 3]], np.uint16), 12, VOILUTSequence=[table])
    np.testing.assert_allclose(images.read(tmp_path / "x")[0, 0], np.array([0, 65535, 30000, 10]) / 65535, atol=1e-6)


def test_dicom_colour(tmp_path):
    dicom(tmp_path / "x", np.full((2, 2, 3), (255, 0, 0), np.uint8), 8, "RGB")
    np.testing.assert_allclose(images.read(tmp_path / "x"), 0.299, atol=2e-3)


def test_dicom_compressed(tmp_path):
    dataset = dicom(tmp_path / "raw", GREY, 8)
    expected = images.read(tmp_path / "raw")
    dataset.compress(RLELossless)
    dataset.save_as(tmp_path / "rle", enforce_file_format=True)
    np.testing.assert_array_equal(images.read(tmp_path / "rle"), expected)
    file = io.BytesIO()
    Image.fromarray(GREY).save(file, "JPEG2000", irreversible=False, no_jp2=True)
    dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
    dataset.PixelData = encapsulate([file.getvalue()])
    dataset["PixelData"].VR = "OB"
    dataset.save_as(tmp_path / "j2k", enforce_file_format=True)
    np.testing.assert_array_equal(images.read(tmp_path / "j2k"), expected)
    dataset.file_meta.TransferSyntaxUID = JPEGLSLossless
    dataset.save_as(tmp_path / "jls", enforce_file_format=True)
    with pytest.raises(ChestlibError, match="jls: pixels not decodable as JPEG-LS"):
        images.read(tmp_path / "jls")


def test_dicom_that_can_not_be_shown(tmp_path):
    dicom(tmp_path / "frames", np.zeros((2, 2), np.uint16), NumberOfFrames=3)
    with pytest.raises(ChestlibError, match="3 frames"):
        images.read(tmp_path / "frames")
    dicom(tmp_path / "large", np.zeros((2, 2), np.uint16), Rows=60_000, Columns=60_000)
    with pytest.raises(ChestlibError, match="refused"):
        images.read(tmp_path / "large")
    whole = dicom(tmp_path / "short", np.zeros((20, 20), np.uint16))
    data = (tmp_path / "short").read_bytes()
    (tmp_path / "short").write_bytes(data[: -len(whole.PixelData) // 2])
    with pytest.raises(ChestlibError, match="short: "):
        images.read(tmp_path / "short")
    (tmp_path / "report.dcm").write_text("not DICOM at all")
    with pytest.raises(ChestlibError, match=r"report\.dcm: "):
        images.read(tmp_path / "report.dcm")


def test_resize_keeps_means_and_range():
    board = (np.indices((64, 64)).sum(0) % 2).astype(np.float32)[None]
    small = images.resize(board, (16, 16))
    assert small.shape == (1, 16, 16) and small.dtype == np.float32
    np.testing.assert_allclose(small, 0.5)  # a checkerboard aliases without area means
    assert images.resize(board, (100, 80)).shape == (1, 100, 80)
    assert images.resize(board, (64, 64)) is board


@pytest.fixture
def paths(tmp_path):
    rng = np.random.default_rng(0)
    return [save(tmp_path / f"{i}.png", rng.integers(0, 256, (40, 40), np.uint8)) for i in range(6)]


def test_cache_holds_the_small_images(tmp_path, paths):
    ticks = []
    cached = images.cache(paths, 10, tmp_path / "cache", progress=lambda done, total: ticks.append((done, total)))
    assert isinstance(cached, np.memmap) and cached.shape == (6, 10, 10) and cached.dtype == np.uint8
    assert ticks == [(i, 6) for i in range(1, 7)]
    for path, small in zip(paths, cached, strict=True):
        np.testing.assert_allclose(small / 255, images.resize(images.read(path), (10, 10))[0], atol=0.5 / 255 + 1e-6)
    assert images.cache([], 10, tmp_path / "cache").shape == (0, 10, 10)


def test_cache_follows_content_order_and_size(tmp_path, paths):
    folder = tmp_path / "cache"
    first = np.array(images.cache(paths, 10, folder))
    assert np.array_equal(images.cache(paths[::-1], 10, folder), first[::-1])
    assert images.cache(paths, 12, folder).shape == (6, 12, 12)
    before = paths[0].stat()
    paths[0].write_bytes(paths[1].read_bytes())
    os.utime(paths[0], ns=(before.st_atime_ns, before.st_mtime_ns))  # same time, other bytes
    again = images.cache(paths, 10, folder)
    assert np.array_equal(again[0], again[1]) and not np.array_equal(again[0], first[0])


def test_cache_is_whole_or_not_there(tmp_path, paths):
    paths[3].write_bytes(b"broken")
    with pytest.raises(ChestlibError, match=r"3\.png"):
        images.cache(paths, 10, tmp_path / "cache")
    assert not [p for p in (tmp_path / "cache").iterdir() if p.suffix != ".lock"]


def test_cache_is_built_once_by_two_processes_at_once(tmp_path, paths):
    script = """
import sys
from pathlib import Path
from chestlib import images
built = []
*paths, folder = map(Path, sys.argv[1:])
cached = images.cache(paths, 10, folder, progress=lambda done, total: built.append(done))
print(len(built), cached.sum())
"""
    command = [sys.executable, "-c", script, *map(str, paths), str(tmp_path / "cache")]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=60)[0].split() for process in processes]
    assert sorted(built for built, _ in said) == ["0", "6"] and said[0][1] == said[1][1]
