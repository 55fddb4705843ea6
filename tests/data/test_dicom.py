"""DICOM radiographs as a display shows them, and files that only look like one."""

from __future__ import annotations

import io

import numpy as np
import pydicom
import pytest
from dicoms import dicom
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from chestlib.data import images
from chestlib.errors import ChestlibError

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5


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


def test_dicom_palette(tmp_path):
    """Of three colours by number the second is red."""
    tags = {}
    for colour, second in (("Red", 65535), ("Green", 0), ("Blue", 0)):
        tags[f"{colour}PaletteColorLookupTableDescriptor"] = [3, 0, 16]
        tags[f"{colour}PaletteColorLookupTableData"] = np.array([0, second, 65535], "<u2").tobytes()
    dicom(tmp_path / "x", np.array([[0, 1, 2, 2]], np.uint8), 8, "PALETTE COLOR", **tags)
    np.testing.assert_allclose(images.read(tmp_path / "x")[0, 0], [0, 0.299, 1, 1], atol=2e-3)


def test_dicom_inverted_after_its_window(tmp_path):
    dicom(tmp_path / "x", np.array([[0, 40]], np.uint8), 8, "MONOCHROME1", WindowCenter=50.5, WindowWidth=101)
    np.testing.assert_allclose(images.read(tmp_path / "x")[0, 0], [1, 0.6], atol=1e-6)


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


def table(entries, first=0, bits=16, **tags):
    """An item of a sequence of look-up tables."""
    item = pydicom.Dataset()
    item.LUTDescriptor = [len(entries) % 2**16, first, bits]
    item.add_new("LUTData", "US", entries)
    for name, value in tags.items():
        setattr(item, name, value)
    return item


WIDE = np.array([[0, 1000, 2000, 4000]], np.uint16)
OWN = [0, 0.25, 0.5, 1]
HALF = [0, 0, 0, 1]  # what the window of centre 3000.5 and width 2001 shows


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"WindowCenter": None, "WindowWidth": None}, OWN),
        ({"WindowCenter": 2000}, OWN),
        ({"WindowCenter": 2000, "WindowWidth": None}, OWN),
        ({"WindowCenter": [], "WindowWidth": 100}, OWN),
        ({"WindowCenter": ["", 3000.5], "WindowWidth": ["", 2001]}, HALF),
        ({"WindowCenter": [9, 3000.5], "WindowWidth": [0, 2001]}, HALF),
        ({"WindowCenter": [3000.5, 9], "WindowWidth": [2001, 0]}, HALF),
        ({"WindowCenter": [3000.5, 9], "WindowWidth": 2001}, HALF),
        *(
            ({"WindowCenter": 2000, "WindowWidth": width, "VOILUTFunction": function}, OWN)
            for width, function in [(0, "LINEAR"), (0.5, ""), (-4000, None), (0, "LINEAR_EXACT"), (-1, "SIGMOID")]
        ),
        ({"WindowCenter": 3000.5, "WindowWidth": 2001, "VOILUTFunction": "of a maker"}, HALF),
        ({"RescaleSlope": None, "RescaleIntercept": None}, OWN),
        ({"RescaleSlope": 2, "RescaleIntercept": None, "WindowCenter": 6000.5, "WindowWidth": 4001}, HALF),
        ({"RescaleSlope": 0, "RescaleIntercept": 0, "WindowCenter": 3000.5, "WindowWidth": 2001}, HALF),
        ({"RescaleSlope": 1e-9, "RescaleIntercept": 0}, OWN),
        ({"RescaleSlope": -1, "RescaleIntercept": 4000}, [1, 0.75, 0.5, 0]),
        ({"VOILUTSequence": [], "ModalityLUTSequence": []}, OWN),
        ({"VOILUTSequence": [pydicom.Dataset()]}, OWN),
        ({"VOILUTSequence": [table([1, 2], LUTData=None)], "WindowCenter": 3000.5, "WindowWidth": 2001}, HALF),
        ({"VOILUTSequence": [table([]), table([0, 100, 200, 1023], 997)]}, [0, 1, 1, 1]),
        ({"VOILUTSequence": [table([0] * 1000 + [2048] + [4095] * 64535)]}, [0, 2048 / 4095, 1, 1]),  # says 16 bits
        ({"ModalityLUTSequence": [table([7, 9])]}, [0, 1, 1, 1]),
        ({"PixelPaddingValue": None, "PixelPaddingRangeLimit": None}, OWN),
        ({"PixelPaddingValue": 4000}, [0, 0.5, 1, 1]),
        ({"PixelPaddingValue": 0, "PixelPaddingRangeLimit": 1500}, [0, 0, 0, 1]),
        ({"PixelPaddingValue": 0, "PixelPaddingRangeLimit": 4095}, OWN),
        ({"NumberOfFrames": None, "PresentationLUTShape": "IDENTITY"}, OWN),
        ({"NumberOfFrames": 0, "BitsStored": None, "PixelRepresentation": None, "SamplesPerPixel": None}, OWN),
        ({"BitsStored": 10, "HighBit": 9}, OWN),
        ({"BitsStored": 17}, OWN),
        ({"PhotometricInterpretation": " MONOCHROME2 "}, OWN),
        ({"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"}, [1, 0.75, 0.5, 0]),
    ],
    ids=lambda value: ", ".join(value) if isinstance(value, dict) else "",
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_dicom_attributes_that_say_nothing(tmp_path, tags, expected):
    """Empty, degenerate or narrower than the data: what can't be meant is passed over, what can counts."""
    dicom(tmp_path / "x", WIDE, 12, **tags)
    np.testing.assert_allclose(images.read(tmp_path / "x")[0, 0], expected, atol=1e-3)


@pytest.mark.parametrize(
    ("tags", "named"),
    [
        ({"WindowCenter": "middle", "WindowWidth": "9"}, "WindowCenter"),
        ({"RescaleSlope": "1,5"}, "RescaleSlope"),
        ({"VOILUTSequence": [table([1, 2, 3], LUTDescriptor=[300, 0, 16])]}, "VOILUTSequence: 3 entries"),
        ({"PhotometricInterpretation": None}, "PhotometricInterpretation is empty"),
        ({"Rows": None}, "Rows or Columns is empty"),
    ],
    ids=lambda value: ", ".join(value) if isinstance(value, dict) else "",
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_dicom_attributes_that_are_broken_are_named(tmp_path, tags, named):
    with pydicom.config.disable_value_validation():
        dataset = dicom(tmp_path / "x", WIDE, 12)
        for name, value in tags.items():
            if isinstance(value, str):
                vr = pydicom.datadict.dictionary_VR(name)
                tag = pydicom.tag.Tag(name)
                dataset[name] = pydicom.dataelem.RawDataElement(
                    tag, vr, len(value), value.encode().ljust(len(value) + len(value) % 2), 0, False, True
                )
            else:
                setattr(dataset, name, value)
        dataset.save_as(tmp_path / "x", enforce_file_format=True)
    with pytest.raises(ChestlibError, match=rf"x: .*{named}"):
        images.read(tmp_path / "x")


def test_dicom_bits_above_those_stored(tmp_path):
    """An overlay that old devices keep there is no grey value; nor is a negative value that lost its sign's bits."""
    dicom(tmp_path / "a", WIDE | np.array([[0, 2**15, 2**14, 0]], np.uint16), 12)
    assert images.read(tmp_path / "a").argmax() == 1
    dataset = dicom(tmp_path / "b", WIDE | np.array([[0, 2**15, 2**15, 0]], np.uint16), 12)
    dataset.add_new(0x60000102, "US", 15)
    dataset.save_as(tmp_path / "b", enforce_file_format=True)
    np.testing.assert_allclose(images.read(tmp_path / "b")[0, 0], OWN, atol=1e-6)
    dicom(tmp_path / "c", (WIDE.astype(np.int16) - 2000) & 0xFFF, 12)
    np.testing.assert_allclose(images.read(tmp_path / "c")[0, 0], OWN, atol=1e-6)
    dataset = dicom(tmp_path / "d", WIDE.astype(np.int16) - 2000, 12)
    dataset.add_new("PixelPaddingValue", "US", 2**16 - 2000)
    dataset.save_as(tmp_path / "d", enforce_file_format=True)
    np.testing.assert_allclose(images.read(tmp_path / "d")[0, 0], [0, 0, 1 / 3, 1], atol=1e-6)


@pytest.mark.parametrize("photometric", ["MONOCHROME2", "MONOCHROME1"])
def test_dicom_of_one_value(tmp_path, photometric):
    dicom(tmp_path / "x", np.full((3, 4), 700, np.uint16), 12, photometric)
    assert images.read(tmp_path / "x").shape == (1, 3, 4) and np.ptp(images.read(tmp_path / "x")) == 0


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian])
@pytest.mark.parametrize("header", ["none", "no preamble", "no syntax"])
def test_dicom_without_its_file_header(tmp_path, syntax, header):
    dataset = dicom(tmp_path / "whole", WIDE, 12, "MONOCHROME1", VOILUTSequence=[table([0, 9, 100, 200], 998)])
    expected = images.read(tmp_path / "whole")
    dataset.file_meta.TransferSyntaxUID = syntax
    file = io.BytesIO()
    how = {"implicit_vr": syntax.is_implicit_VR, "little_endian": syntax.is_little_endian}
    big = pydicom.Dataset(dataset)
    if not syntax.is_little_endian:
        big.PixelData = WIDE.astype(">u2").tobytes()
    if header == "none":
        big.save_as(file, enforce_file_format=False, **how)
    else:
        big.file_meta = dataset.file_meta
        if header == "no syntax":
            del big.file_meta.TransferSyntaxUID
        big.save_as(file, enforce_file_format=False, **({} if "TransferSyntaxUID" in big.file_meta else how))
    data = file.getvalue()
    if header == "no syntax":
        data = data if data[128:132] == b"DICM" else b"\0" * 128 + b"DICM" + data
    (tmp_path / "x").write_bytes(data)
    assert images.kind(data[: images.HEAD]) == "dicom" and images.size(tmp_path / "x") == (4, 1)
    np.testing.assert_array_equal(images.read(tmp_path / "x"), expected)


def test_dicom_without_its_file_header_and_compressed(tmp_path):
    dataset = dicom(tmp_path / "x", GREY, 8)
    dataset.compress(RLELossless)
    bare = pydicom.Dataset(dataset)
    bare.save_as(tmp_path / "x", enforce_file_format=False, implicit_vr=False, little_endian=True)
    with pytest.raises(ChestlibError, match=r"x: .*compressed, but without its file header"):
        images.read(tmp_path / "x")


def test_dicom_that_can_not_be_shown(tmp_path):
    dicom(tmp_path / "frames", np.zeros((2, 2), np.uint16), NumberOfFrames=3)
    with pytest.raises(ChestlibError, match="3 frames"):
        images.read(tmp_path / "frames")
    dicom(tmp_path / "large", np.zeros((2, 2), np.uint16), Rows=60_000, Columns=60_000)
    for look in (images.read, images.size):
        with pytest.raises(ChestlibError, match="large: refused, 60000 x 60000 is more than"):
            look(tmp_path / "large")
    dicom(tmp_path / "nan", np.zeros((2, 2), np.uint16), RescaleSlope=1e38, RescaleIntercept=-1e39)
    with pytest.raises(ChestlibError, match="nan: its rescale or window leads to values that are no numbers"):
        images.read(tmp_path / "nan")
    small = dicom(tmp_path / "deflated", np.zeros((2, 2), np.uint16))
    small.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    small.save_as(tmp_path / "deflated", enforce_file_format=True)
    with pytest.raises(ChestlibError, match=r"deflated: not readable as DICOM \(deflated as a whole"):
        images.size(tmp_path / "deflated")
    small.file_meta.add_new(0x00020102, "OB", b"\0" * 6000)  # wherever the meta information ends
    small.file_meta.PrivateInformationCreatorUID = "1.2.3"
    small.save_as(tmp_path / "far", enforce_file_format=True)
    with pytest.raises(ChestlibError, match=r"far: not readable as DICOM \(deflated as a whole"):
        images.size(tmp_path / "far")
    whole = dicom(tmp_path / "short", np.zeros((20, 20), np.uint16))
    data = (tmp_path / "short").read_bytes()
    (tmp_path / "short").write_bytes(data[: -len(whole.PixelData) // 2])
    with pytest.raises(ChestlibError, match="short: "):
        images.read(tmp_path / "short")
    (tmp_path / "report.dcm").write_text("not DICOM at all")
    with pytest.raises(ChestlibError, match=r"report\.dcm: "):
        images.read(tmp_path / "report.dcm")


@pytest.mark.parametrize(
    ("tags", "told"),
    [
        ({"PixelSpacing": [0.2, 0.1]}, (0.8, 1.2, False)),  # down, then across
        ({"ImagerPixelSpacing": [0.2, 0.1]}, (0.8, 1.2, True)),
        ({"ImagerPixelSpacing": [0.2, 0.1], "PixelSpacing": [0.2, 0.1]}, (0.8, 1.2, True)),
        ({"ImagerPixelSpacing": [0.4, 0.2], "PixelSpacing": [0.2, 0.1]}, (0.8, 1.2, False)),
        (
            {"ImagerPixelSpacing": [1, 1], "PixelSpacing": [1, 1], "PixelSpacingCalibrationType": "FIDUCIAL"},
            (8, 6, False),
        ),
        ({"ImagerPixelSpacing": [0.2, 0.1], "PixelSpacing": [0, 0]}, (0.8, 1.2, True)),
        ({"PixelSpacing": [-0.1, 0.1]}, None),
        ({"PixelSpacing": [0.1]}, None),
        ({"PixelSpacing": None}, None),
        ({}, None),
    ],
)
def test_how_large_a_film_is(tmp_path, tags, told):
    dicom(tmp_path / "x", GREY, 8, **tags)
    found = images.extent(tmp_path / "x")
    assert (found and (found.width, found.height, found.at_detector)) == told
