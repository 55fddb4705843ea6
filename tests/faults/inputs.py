"""The kinds of input that the command line takes: a good one of each, the command that reads it, and its damage."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
import toys
from commands import MEMORY, run
from dicoms import dicom
from mutations import Mutant, Mutate, of_bytes, of_json, of_json_lines, of_text
from PIL import Image
from pydicom.uid import DeflatedExplicitVRLittleEndian, RLELossless

from chestlib.data._download import Network
from chestlib.data.convert import convert
from chestlib.data.fetch import NAMES_COMMIT, NIH_COMMIT
from chestlib.findings import FINDINGS

PREDICT = ("--classifier", "classifier", "--detector", "detector", "--out", "out")
"""The runs lie in the folder that the commands work in."""


def _none(data: bytes) -> list[Mutant]:
    return []


@dataclass(frozen=True)
class Kind:
    """One kind of input.

    Parameters
    ----------
    make : callable
        Writes a good input into a folder, given the folder of trained runs; the file that will be damaged.
    args : sequence
        The command; `{}` is the path of that file.
    mutate : callable
    extra : callable, optional
        Damage that chance does not find; given the good bytes.
    costly : bool
        A sound mutant is trained on, or answered by a server: fewer are tried.
    """

    name: str
    make: Callable[[Path, Path], Path]
    args: Sequence[str]
    mutate: Mutate
    extra: Callable[[bytes], list[Mutant]] = _none
    costly: bool = False


# --- images ----------------------------------------------------------------------------------------------------------


def _unfolding(head: bytes, bits: int) -> bytes:
    """Two megabytes that unfold to `head` and more zeros than a command may hold."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, bits)
    first = deflate.compress(head) + deflate.flush(zlib.Z_FULL_FLUSH)
    block = deflate.compress(bytes(1 << 20)) + deflate.flush(zlib.Z_FULL_FLUSH)
    return first + block * (2 * MEMORY >> 20) + deflate.flush()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_bombs(_: bytes) -> list[Mutant]:
    """Headers that promise too much, and text that unfolds."""
    found = []
    for width, height, bits, colour in ((9000, 9000, 8, 0), (2**31 - 1, 2**31 - 1, 16, 6), (0, 5, 8, 0), (5, 5, 3, 3)):
        head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
        body = _chunk(b"IDAT", zlib.compress(bytes(10_000))) + _chunk(b"IEND", b"")
        found.append(Mutant(b"\x89PNG\r\n\x1a\n" + head + body, "bomb", True))
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0))
    text = _chunk(b"zTXt", b"Comment\0\0" + _unfolding(b"", zlib.MAX_WBITS))
    body = text + _chunk(b"IDAT", zlib.compress(bytes(72))) + _chunk(b"IEND", b"")
    return [*found, Mutant(b"\x89PNG\r\n\x1a\n" + head + body, "text bomb")]


def _image(name: str, image: Callable[[], bytes]) -> Callable[[Path, Path], Path]:
    def make(folder: Path, runs: Path) -> Path:
        _link(runs, folder, "classifier", "detector")
        (folder / name).write_bytes(image())
        return folder / name

    return make


def _link(runs: Path, folder: Path, *names: str) -> None:
    """Run folders as hard links: to change one, unlink it first."""
    for name in names:
        shutil.copytree(runs / name, folder / name, copy_function=os.link)


def _png(mode: str) -> Callable[[], bytes]:
    def image() -> bytes:
        pixels = toys.grey(1)
        picture = Image.fromarray(pixels.astype(np.uint16) * 257) if mode == "16" else Image.fromarray(pixels)
        return toys.encoded(picture if mode == "16" else picture.convert(mode), "PNG")

    return image


def _dicom(**options: Any) -> Callable[[], bytes]:
    def image() -> bytes:
        file = io.BytesIO()
        compress = options.get("compress")
        tags = {key: value for key, value in options.items() if key != "compress"}
        dataset = dicom(file, toys.grey(2).astype(np.uint16) * 16, 12, **tags)
        if compress:
            dataset.compress(compress)
            dataset.save_as(file := io.BytesIO(), enforce_file_format=True)
        return file.getvalue()

    return image


def dicom_bombs(_: bytes) -> list[Mutant]:
    """More pixels than a radiograph has, and a file that unfolds."""
    found = []
    for tags in ({"Rows": 65_000, "Columns": 65_000}, {"NumberOfFrames": 10**6}):
        file = io.BytesIO()
        dicom(file, toys.grey(2).astype(np.uint16), 12, **tags)
        found.append(Mutant(file.getvalue(), "bomb", True))
    small = dicom(io.BytesIO(), toys.grey(2).astype(np.uint16), 12)
    small.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    small.save_as(file := io.BytesIO(), enforce_file_format=True)
    data = file.getvalue()
    start = 144 + int.from_bytes(data[140:144], "little")  # the group length closes the header
    body = zlib.decompress(data[start:], -zlib.MAX_WBITS)
    head = body[: -len(small.PixelData) - 4] + (2 * MEMORY - 2).to_bytes(4, "little")
    return [*found, Mutant(data[:start] + _unfolding(head, -zlib.MAX_WBITS), "deflated bomb", True)]


# --- annotations and data folders ------------------------------------------------------------------------------------


def _annotations(folder: Path, runs: Path) -> Path:
    (folder / "train.json").write_text(json.dumps(toys.items(0, 8), indent=1))
    return folder / "train.json"


def _data(damaged: str) -> Callable[[Path, Path], Path]:
    def make(folder: Path, runs: Path) -> Path:
        toys.data_set(folder / "data")
        return folder / "data" / damaged

    return make


def _converted(to: str, damaged: str) -> Callable[[Path, Path], Path]:
    """A data folder in another format."""

    def make(folder: Path, runs: Path) -> Path:
        source = toys.few(folder / "source", toys.items(0, 8))
        (source / "train.json").write_text(json.dumps(toys.items(0, 8)))
        convert(source, folder / "data", to)
        shutil.rmtree(source)
        return folder / "data" / damaged

    return make


def yaml_bomb(data: bytes) -> list[Mutant]:
    """Aliases of aliases: a billion entries where a folder should be named."""
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in pairwise("abcdefghi")]
    names = f"names: [{', '.join(FINDINGS)}]\ntrain: "
    bombs = [names + use for use in ("*i", "images/train\npath: *i", "images/train\ntest: [*i]")]
    bombs.append("names: *i\ntrain: images/train")
    return [Mutant("\n".join([*lines, bomb]).encode(), "bomb", i != 1) for i, bomb in enumerate(bombs)]


# --- predictions -----------------------------------------------------------------------------------------------------


def _predictions(form: str) -> Callable[[Path, Path], Path]:
    def make(folder: Path, runs: Path) -> Path:
        records = toys.items(0, 8)
        (folder / "truth.json").write_text(json.dumps(records))
        lists = {
            r["file_name"]: [{f: [*box, 0.5]} for f, box in zip(r["syms"], r["boxes"], strict=True)] for r in records
        }
        said = {
            name: [{"finding": f, "box": v[:4], "score": v[4]} for box in found for f, v in box.items()]
            for name, found in lists.items()
        }
        own = [{"file": name, "detections": found, "error": None} for name, found in said.items()]
        coco = [
            {"image_id": i, "category_id": 3, "bbox": [1, 2, 9, 9], "score": 0.25}
            for i, name in enumerate(lists, start=1)
            if lists[name]
        ]
        run = {"val": {}, "test": said}
        # Of a reader, as the viewer exports them: the films that he has read, and his tags.
        reading = [{"file": row["file"], "tags": ["hard"], "detections": row["detections"]} for row in own[:5]]
        if form == "lines":
            (folder / "said.jsonl").write_text("".join(json.dumps(row) + "\n" for row in own))
            return folder / "said.jsonl"
        if form == "folder":
            (folder / "said").mkdir()
            for name, found in lists.items():
                (folder / "said" / name).with_suffix(".json").write_text(json.dumps(found))
            return folder / "said" / "001.json"
        forms = {"object": lists, "own": own, "coco": coco, "run": run, "reading": reading}
        (folder / "said.json").write_text(json.dumps(forms[form]))
        return folder / "said.json"

    return make


def _to_coco(damaged: str) -> Callable[[Path, Path], Path]:
    """A COCO truth and predictions of it, to be written as COCO results."""

    def make(folder: Path, runs: Path) -> Path:
        _converted("coco", "")(folder, runs)
        _predictions("own")(folder, runs)
        return folder / damaged

    return make


def _beside(name: str, text: str | None = None) -> Callable[[Path, Path], Path]:
    """A file beside sound predictions: a table of groups, or the same predictions again."""

    def make(folder: Path, runs: Path) -> Path:
        said = _predictions("own")(folder, runs)
        rows = "".join(f"{r['file_name']},{'AP' if i % 2 else 'PA'},{20 + i}\n" for i, r in enumerate(toys.items(0, 8)))
        (folder / name).write_text(said.read_text() if text is None else text + rows)
        return folder / name

    return make


def _answers(folder: Path, runs: Path) -> Path:
    """A scan and its answer, which a prediction finds."""
    _image("scan.png", _png("L"))(folder, runs)
    assert run(("predict", "scan.png", *PREDICT), folder).status == 0
    return folder / "out" / "predictions.jsonl"


def _truth(folder: Path, runs: Path) -> Path:
    _predictions("own")(folder, runs)
    return folder / "truth.json"


# --- what is fetched -------------------------------------------------------------------------------------------------


def served(folder: Path, train: int = 6, test: int = 3) -> dict[str, Any]:
    """The files of both repositories and the archives below a folder; keywords for fetch, but for the address."""
    hashes = {}
    for commit, names in ((NAMES_COMMIT, "{:03d}.png"), (NIH_COMMIT, "{:08d}_000.png")):
        (folder / commit).mkdir(parents=True)
        for part, records in (("train", toys.items(0, train)), ("test", toys.items(train, test))):
            for record in records:
                record["file_name"] = names.format(int(record["file_name"][:3]))
            text = json.dumps(records).encode()
            (folder / commit / f"{part}.json").write_bytes(text)
            hashes[f"{'nih-names/' if commit == NIH_COMMIT else ''}{part}.json"] = sha256(text).hexdigest()
    for part, first, count in (("train", 0, train), ("test", train, test)):
        with zipfile.ZipFile(folder / f"{part}_data.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for i in range(first, first + count):
                archive.writestr(f"{part}_data/{i:03d}.png", toys.encoded(Image.fromarray(toys.grey(i)), "PNG"))
    return {"sha256": hashes, "network": Network(attempts=2, stall=5, pause=0.01)}


def _served(damaged: str) -> Callable[[Path, Path], Path]:
    def make(folder: Path, runs: Path) -> Path:
        served(folder / "served")
        return folder / "served" / damaged

    return make


def zip_bombs(_: bytes) -> list[Mutant]:
    """Members that lead out, are links, or unfold."""
    found = []
    link = zipfile.ZipInfo("a.png")
    link.external_attr = 0o120777 << 16
    for name, data in (
        ("../evil.png", b"x"),
        ("/tmp/evil.png", b"x"),
        (link, b"/etc/passwd"),
        ("a.png", bytes(70 << 20)),
    ):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, data)
        found.append(Mutant(file.getvalue(), "bomb", True))
    return found


# --- runs ------------------------------------------------------------------------------------------------------------


def _run(kind: str, damaged: str, finished: bool = True) -> Callable[[Path, Path], Path]:
    """Both runs and a scan; or one run that is to be resumed."""

    def make(folder: Path, runs: Path) -> Path:
        path = folder / kind / damaged
        if finished:
            _image("scan.png", _png("L"))(folder, runs)
        else:
            shutil.copytree(runs / "data", folder / "data", copy_function=os.link)
            _link(runs, folder, kind)
            (folder / kind / "test.json").unlink()
        data = path.read_bytes()
        path.unlink()
        path.write_bytes(data)
        return path

    return make


def _tuned(folder: Path, runs: Path) -> Path:
    shutil.copytree(runs / "data", folder / "data", copy_function=os.link)
    (folder / "run").mkdir()
    return Path(shutil.copy(runs / "classifier" / "tuned.json", folder / "run"))


class _Bomb:
    """Runs a command when it is unpickled."""

    def __init__(self, how: int) -> None:
        self.how = how

    def __reduce__(self) -> tuple:
        code = "open('exploded', 'w')"
        return [
            (os.system, ("touch exploded",)),
            (eval, (code,)),
            (exec, (code,)),
            (Path("exploded").touch, ()),
        ][self.how]


def pickle_bombs(_: bytes) -> list[Mutant]:
    """Code in every wrapping that torch has ever unpickled, and a file that is a program."""
    found = []
    for how in range(4):
        for state in ({"state_dict": _Bomb(how)}, _Bomb(how)):
            file = io.BytesIO()
            torch.save(state, file)
            found.append(file.getvalue())
    torch.save({"state_dict": _Bomb(0)}, file := io.BytesIO(), _use_new_zipfile_serialization=False)
    found += [file.getvalue(), pickle.dumps(_Bomb(0)), pickle.dumps({"state_dict": {}, "x": _Bomb(1)})]
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:  # torch before 0.1.10
        for name in ("sys_info", "pickle", "storages", "tensors"):
            data = pickle.dumps(_Bomb(0), 2)
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    found.append(file.getvalue())
    torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), file := io.BytesIO())
    return [Mutant(data, "code", True) for data in (*found, file.getvalue(), b"#!/bin/sh\ntouch exploded\n")]


def _storage(folder: Path, runs: Path) -> Path:
    shutil.copytree(runs / "data", folder / "data", copy_function=os.link)
    shutil.copy(runs / "study.log", folder)
    return folder / "study.log"


# --- the rest --------------------------------------------------------------------------------------------------------


def _notebook(folder: Path, runs: Path) -> Path:
    import nbformat

    (folder / "notebooks").mkdir()
    shutil.copytree(runs / "data", folder / "data", copy_function=os.link)
    cells = [nbformat.v4.new_markdown_cell("# A title\n\nA text."), nbformat.v4.new_code_cell("1 + 1")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "notebooks" / "01_a.ipynb")
    return folder / "notebooks" / "01_a.ipynb"


def _phantom(name: str) -> Callable[[Path, Path], Path]:
    def make(folder: Path, runs: Path) -> Path:
        shutil.copytree(runs / "phantom", folder / "phantom")
        if name.startswith("."):
            (folder / "phantom" / "phantom.json").rename(folder / "phantom" / name)
        return folder / "phantom" / name

    return make


PHANTOM = ("phantom", "phantom", "--train", "2", "--test", "1", "--size", "64", "--workers", "1")
TO_COCO = ("convert", "data", "out", "--to", "coco")
TO_YOLO = ("convert", "data", "out", "--to", "yolo")
EVALUATE = ("evaluate", "truth.json", "{}")

KINDS = [
    *(
        Kind(f"image, PNG {mode}", _image("scan.png", _png(mode)), ("predict", "{}", *PREDICT), of_bytes,
             png_bombs if mode == "L" else _none)
        for mode in ("L", "RGB", "RGBA", "P", "16")
    ),
    *(
        Kind(
            f"image, JPEG {mode}",
            _image("scan.jpg", lambda mode=mode: toys.encoded(Image.fromarray(toys.grey(1)).convert(mode), "JPEG")),
            ("predict", "{}", *PREDICT),
            of_bytes,
        )
        for mode in ("L", "RGB")
    ),
    Kind("image, DICOM", _image("scan.dcm", _dicom()), ("predict", "{}", *PREDICT), of_bytes, dicom_bombs),
    Kind(
        "image, DICOM with window",
        _image("scan.dcm", _dicom(WindowCenter=2000, WindowWidth=3000, RescaleSlope=2, RescaleIntercept=-5)),
        ("predict", "{}", *PREDICT),
        of_bytes,
    ),
    Kind("image, DICOM RLE", _image("scan.dcm", _dicom(compress=RLELossless)), ("predict", "{}", *PREDICT), of_bytes),
    Kind("image, in check", _data("train_data/005.png"), ("check", "data"), of_bytes),
    Kind(
        "image, in training",
        _data("train_data/005.png"),
        ("train", "classifier", "data", "--run", "run"),
        of_bytes,
        costly=True,
    ),
    Kind("annotations", _annotations, ("convert", "{}", "out", "--to", "coco"), of_json),
    Kind("annotations, in check", _data("train.json"), ("check", "data"), of_json),
    Kind("annotations, as truth", _truth, ("evaluate", "{}", "said.json"), of_json),
    Kind("patients.csv", _data("patients.csv"), TO_COCO, of_text),
    Kind("COCO", _converted("coco", "annotations/train.json"), ("convert", "data", "out", "--to", "yolo"), of_json),
    Kind("YOLO data.yaml", _converted("yolo", "data.yaml"), TO_COCO, of_text, yaml_bomb),
    Kind("YOLO label", _converted("yolo", "labels/train/001.txt"), TO_COCO, of_text),
    Kind("YOLO images.csv", _converted("yolo", "images.csv"), TO_COCO, of_text),
    Kind("challenge", _converted("challenge", "train/001.json"), TO_COCO, of_json),
    Kind("challenge images.csv", _converted("challenge", "images.csv"), TO_YOLO, of_text),
    *(Kind(f"predictions, {form}", _predictions(form), EVALUATE, of_json) for form in ("own", "object", "coco", "run")),
    Kind("boxes of a reader", _predictions("reading"), EVALUATE, of_json),
    Kind("predictions, to COCO", _to_coco("said.json"),
         ("evaluate", "data/annotations/train.json", "{}", "--coco", "results.json"), of_json),
    Kind("truth, to COCO", _to_coco("data/annotations/train.json"),
         ("evaluate", "{}", "said.json", "--coco", "results.json"), of_json),
    Kind("predictions, lines", _predictions("lines"), EVALUATE, of_json_lines),
    Kind("predictions, compared", _beside("other.json"),
         ("compare", "truth.json", "said.json", "{}", "--bootstrap", "20"), of_json),
    Kind("groups.csv", _beside("groups.csv", "file_name,view,age\n"),
         ("evaluate", "truth.json", "said.json", "--by", "{}"), of_text),
    Kind("predictions, folder", _predictions("folder"), ("evaluate", "truth.json", "said"), of_json),
    Kind(
        "archive",
        _served("train_data.zip"),
        ("fetch", "out", "--source", "official"),
        of_bytes,
        zip_bombs,
        costly=True,
    ),
    Kind(
        "fetched annotations",
        _served(f"{NAMES_COMMIT}/train.json"),
        ("fetch", "out", "--source", "official"),
        of_json,
        costly=True,
    ),
    Kind("checkpoint, to use", _run("classifier", "checkpoints/best.safetensors"), ("predict", "scan.png", *PREDICT),
         of_bytes, pickle_bombs),
    Kind("checkpoint, detector", _run("detector", "checkpoints/best.safetensors"), ("predict", "scan.png", *PREDICT),
         of_bytes, costly=True),
    Kind("checkpoint, to resume", _run("classifier", "checkpoints/last.ckpt", finished=False),
         ("train", "classifier", "data", "--run", "classifier", "--resume"), of_bytes,
         lambda data: pickle_bombs(data)[::4], costly=True),
    Kind("run, settings.json", _run("classifier", "settings.json"), ("predict", "scan.png", *PREDICT), of_json),
    Kind("run, detector settings.json", _run("detector", "settings.json"), ("predict", "scan.png", *PREDICT), of_json),
    Kind("run, operating_point.json", _run("classifier", "operating_point.json"), ("predict", "scan.png", *PREDICT),
         of_json),
    Kind("run, detector operating_point.json", _run("detector", "operating_point.json"),
         ("predict", "scan.png", *PREDICT), of_json),
    Kind("run, truth.json", _run("detector", "truth.json"), ("predict", "scan.png", *PREDICT, "--flip"), of_json),
    Kind("run, mirrored.json", _run("detector", "mirrored.json"), ("predict", "scan.png", *PREDICT, "--flip"), of_json,
         costly=True),
    Kind("run, settings.json to resume", _run("classifier", "settings.json", finished=False),
         ("train", "classifier", "data", "--run", "classifier", "--resume"), of_json, costly=True),
    Kind("run, tuned.json", _tuned, ("train", "classifier", "data", "--run", "run"), of_json, costly=True),
    Kind("storage", _storage, ("tune", "data", "--run", "run", "--storage", "{}", "--trials", "2"), of_json_lines,
         costly=True),
    Kind("answers", _answers, ("predict", "scan.png", *PREDICT, "--overlays"), of_json_lines),
    Kind("notebook", _notebook, ("report", "--data", "data", "--out", "out"), of_json, costly=True),
    Kind("phantom.json", _phantom("phantom.json"), PHANTOM, of_json),
    Kind(".phantom-begun.json", _phantom(".phantom-begun.json"), PHANTOM, of_json),
]  # fmt: skip
