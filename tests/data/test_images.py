"""Reading images of every kind, and refusing those that are none."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from dicoms import dicom
from PIL import ExifTags, Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from chestlib.data import images
from chestlib.errors import ChestlibError

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5


def save(path, array_or_image, **options):
    image = array_or_image if isinstance(array_or_image, Image.Image) else Image.fromarray(array_or_image)
    image.save(path, **options)
    return path


def png(width, height, rows, bits=8, colours=0, chunks=b""):
    """A PNG, chunk by chunk; source: PNG, third edition."""
    head = chunk_of(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0)) + chunks
    return b"\x89PNG\r\n\x1a\n" + head + chunk_of(b"IDAT", zlib.compress(rows)) + chunk_of(b"IEND", b"")


def chunk_of(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def oriented(value):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = value
    return exif.tobytes()


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


@pytest.mark.parametrize(
    ("peak", "chunk", "top"),
    [
        (255, None, 255),
        (256, None, 1023),
        (1023, None, 1023),
        (1024, None, 4095),
        (4095, None, 4095),
        (4096, None, 16383),
        (16384, None, 65535),
        (0, None, 255),
        (1000, [12], 4095),  # the chunk sBIT: no fewer bits than it says
        (1000, [16], 65535),
        (5000, [12], 16383),
        (9, [1], 255),
    ],
)
@pytest.mark.parametrize("kind", ["grey", "colour", "grey, transparent", "colour, transparent"])
def test_16_bit_png_of_fewer_bits(tmp_path, peak, chunk, top, kind):
    """The smallest of 8, 10, 12, 14 and 16 bits that hold all values count as the whole range, also of colours."""
    channels, code = {"grey": (1, 0), "colour": (3, 2), "grey, transparent": (2, 4), "colour, transparent": (4, 6)}[
        kind
    ]
    pixels = np.repeat(np.array([[0, peak // 2, peak], [peak, 0, 0]], ">u2")[..., None], channels, 2)
    if "transparent" in kind:
        pixels[..., -1] = 65535
    bits = b"" if chunk is None else bytes((chunk * 3)[: channels - (code > 3)] + [16] * (code > 3))
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    path = tmp_path / "x.png"
    path.write_bytes(png(3, 2, rows, 16, code, b"" if chunk is None else chunk_of(b"sBIT", bits)))
    np.testing.assert_allclose(images.read(path)[0], pixels[..., 0] / top, atol=1e-6)


def test_8_bits_are_never_stretched(tmp_path):
    np.testing.assert_allclose(images.read(save(tmp_path / "x.png", GREY // 16)), (GREY // 16 / 255)[None], atol=1e-6)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["jpg", "png", "16 bit png", "RGBA png", "late png", "xmp jpg", "xmp png"])
def test_turned_as_every_viewer_shows_it(tmp_path, kind, orientation):
    image = Image.fromarray(np.kron(GREY // 2, np.ones((8, 8), np.uint8)))
    if kind == "16 bit png":
        image = Image.fromarray(np.asarray(image).astype(np.uint16) * 500)
    elif kind == "RGBA png":
        image = image.convert("RGBA")
    path, xmp = tmp_path / f"x.{kind[-3:]}", f'<x:xmpmeta tiff:Orientation="{orientation}"/>'
    if kind == "xmp png":
        text = PngInfo()
        text.add_itxt("XML:com.adobe.xmp", xmp)
        save(path, image, pnginfo=text)
    elif kind == "xmp jpg":
        save(path, image, xmp=xmp.encode())
    else:
        save(path, image, exif=oriented(orientation))
    if kind == "late png":  # behind the pixels, as some programs write it
        data = path.read_bytes()
        start = data.index(b"eXIf") - 4
        end = start + 12 + int.from_bytes(data[start : start + 4], "big")
        path.write_bytes(data[:start] + data[end:-12] + data[start:end] + data[-12:])
    with Image.open(path) as opened:
        shown = ImageOps.exif_transpose(opened)
        assert shown.size == ((48, 64) if orientation > 4 else (64, 48))
    assert images.size(path) == shown.size
    expected = np.asarray(shown if kind == "16 bit png" else shown.convert("L"), np.float32)
    np.testing.assert_allclose(images.read(path)[0], expected / (65535 if kind == "16 bit png" else 255), atol=1e-6)


@pytest.mark.parametrize(
    "exif", [oriented(0), oriented(9), oriented(300), b"Exif\0\0rubbish", b"MM\0*\0\0\xff", b"Exif\0\0"]
)
@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_an_orientation_that_is_none_is_passed_over(tmp_path, suffix, exif):
    path = save(tmp_path / f"x.{suffix}", GREY, exif=exif)
    assert images.size(path) == (8, 6) and images.read(path).shape == (1, 6, 8)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(200), "png"),
        (b"\xff\xd8\xff\xe0" + bytes(200), "jpeg"),
        (bytes(128) + b"DICM", "dicom"),
        (b"II*\0".ljust(128) + b"DICM", "dicom"),  # a preamble may make it another kind, too
        (b"\x08\0\x05\0\x0a\0\0\0ISO_IR 100\x08\0\x08\0", "dicom"),
        (b"\x08\0\0\0UL\x04\0\x90\0\0\0\x08\0\x05\0", "dicom"),
        (b"\0\x08\0\x05CS\0\x0aISO_IR 100\0\x08\0\x08", "dicom"),
        (b"\x02\0\0\0UL\x04\0\x90\0\0\0\x02\0\x01\0OB\0\0", "dicom"),
        (b"\x02\0\x01\0OB\0\0\x02\0\0\0\0\x01\x02\0\x02\0", "dicom"),
        (b"\x08\0\0\0\x02\0\0\0\x01\0\0\0\x05\0\0\0" * 9, None),  # an array
        (b"\x08\0\x05\0", None),
        (bytes(256), None),
        (b"[{", None),
        (b"", None),
    ],
)
def test_what_a_file_is_tells_its_begin(head, kind):
    assert images.kind(head) == kind


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


def kinds(folder):
    """A small file of each kind; what 3 x 3 pixels become lies far from a change in rounding."""
    grey = np.kron(np.arange(16, dtype=np.uint8).reshape(4, 4) * 13, np.ones((3, 3), np.uint8))
    grey += np.tile(np.array([[0, 18, 0], [9, 0, 9], [0, 0, 0]], np.uint8), (4, 4))
    colour = np.stack([grey, 255 - grey, grey // 2, np.where(grey > 100, 255, 128).astype(np.uint8)], axis=2)
    save(folder / "8 bit", grey, format="png")
    save(folder / "16 bit", grey.astype(np.uint16) * 250, format="png")
    save(folder / "12 bit in 16", grey.astype(np.uint16) * 16, format="png")
    save(folder / "turned", grey, format="png", exif=oriented(6))
    save(folder / "RGBA", Image.fromarray(colour), format="png")
    save(folder / "enlarged", grey[:2, ::3], format="png")
    dicom(folder / "DICOM", grey.astype(np.uint16) * 16, 12)
    dicom(folder / "DICOM, window", grey.astype(np.uint16) * 16, 12, "MONOCHROME1", WindowCenter=2000, WindowWidth=3000)
    return sorted(folder.iterdir())


def test_a_change_of_decoding_has_a_new_number(tmp_path):
    """Image caches hold what DECODING gave. Whoever changes the values below must raise it, and write both here."""
    given = {path.name: images.square(images.read(path), 4).tobytes().hex() for path in kinds(tmp_path)}
    assert (images.DECODING, given) == (
        2,
        {
            "12 bit in 16": "04111e2b3845525f6c7986929facb9c6",
            "16 bit": "04111d2a3643505c6976828f9ca8b5c2",
            "8 bit": "04111e2b3845525f6c798693a0adbac7",
            "DICOM": "05142433435362728191a0b0c0cfdfee",
            "DICOM, window": "fffffcefddccbaa897857362503e2c1b",
            "RGBA": "4b494846454342477d7a7774716e6b68",
            "enlarged": "000d1a27020f1c290714212e09162330",
            "turned": "a06c3804ad794511ba86521ec7935f2b",
        },
    )


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


def test_missing_file_and_folder(tmp_path):
    for path in (tmp_path / "none.png", tmp_path):
        with pytest.raises(ChestlibError, match="cannot be read"):
            images.read(path)


@pytest.mark.parametrize("side", [9_000, 60_000])
def test_decompression_bomb(tmp_path, side):
    path = tmp_path / "bomb.png"
    path.write_bytes(png(side, side, b"\0" * 1000))
    for read in (images.read, images.size):
        with pytest.raises(ChestlibError, match=r"bomb\.png: refused"):
            read(path)


def test_resize_keeps_means_and_range():
    board = (np.indices((64, 64)).sum(0) % 2).astype(np.float32)[None]
    small = images.resize(board, (16, 16))
    assert small.shape == (1, 16, 16) and small.dtype == np.float32
    np.testing.assert_allclose(small, 0.5)  # a checkerboard aliases without area means
    assert images.resize(board, (100, 80)).shape == (1, 100, 80)
    assert images.resize(board, (64, 64)) is board


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("other", [16, 4, 40], ids=["stays", "grows", "shrinks"])
def test_a_side_that_shrinks_is_averaged_whatever_the_other_does(other, turned):
    for every in (2, 4):  # stripes so fine alias without area means
        stripes = np.tile((np.arange(64) % every == 0).astype(np.float32), (1, other, 1))
        film = np.ascontiguousarray(stripes.swapaxes(1, 2)) if turned else stripes
        np.testing.assert_allclose(images.resize(film, (16, 16)), 1 / every, atol=1e-6)
        assert set(images.square(film, 16).ravel()) == {256 // every}


@pytest.mark.parametrize("kind", ["empty", "half", "header only", "text", "dicom half", "gif"])
def test_broken_file_is_one_line_that_names_it(tmp_path, kind):
    path = tmp_path / "x.png"
    path.write_bytes(broken(kind))
    with pytest.raises(ChestlibError, match=r"x\.png: ") as caught:
        images.read(path)
    assert "\n" not in str(caught.value)


def test_scripts_of_the_first_version_find_their_names(tmp_path):
    from chestlib import images as old
    from chestlib.sources import open_data

    path = save(tmp_path / "x.png", GREY)
    assert old.find([tmp_path]) == [path] and old.size(path) == (8, 6) and (old.read(path) == images.read(path)).all()
    with pytest.raises(ChestlibError, match="no data set here"):
        open_data(tmp_path)
