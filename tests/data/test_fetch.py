"""Fetching, against a server that behaves as badly as the real ones."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module

import numpy as np
import pytest
from PIL import Image

from chestlib.data import _download as download
from chestlib.data import fetch, open_data
from chestlib.data._download import Network
from chestlib.data.fetch import NAMES_COMMIT, NIH_COMMIT
from chestlib.errors import ChestlibError

QUICK = Network(attempts=3, stall=0.5, pause=0.01)


class Server(ThreadingHTTPServer):
    """Serves `files` (path to bytes); `faults` (path to a list of faults) go first, one a request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args) -> None:
        pass

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.asked.append((self.path, asked))
        fault = (self.server.faults.get(self.path) or [None]).pop(0)
        if isinstance(fault, int):
            return self.send_error(fault)
        if isinstance(fault, str) and fault.startswith("/"):
            self.send_response(302)
            self.send_header("Location", fault)
            return self.end_headers()
        body = self.server.files.get(self.path)
        if body is None:
            return self.send_error(404)
        tag = f'"{hashlib.md5(body).hexdigest()}"'
        start = int(asked[6:-1]) if asked and self.headers.get("If-Range") in (None, tag) else 0
        if start >= len(body):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(body)}")
            return self.end_headers()
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("ETag", tag)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        rest = body[start:]
        if fault == "truncate":
            rest = rest[: 1 << 15]
        if fault == "stall":
            self.wfile.write(rest[: 1 << 15])
            self.wfile.flush()
            time.sleep(1.5)
            return None
        self.wfile.write(rest)
        return None


@pytest.fixture
def server():
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def png(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (160, 160), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


@pytest.fixture
def mirror(server):
    """The whole data set in small on the server; keywords for fetch."""
    sha256 = {}
    for names, commit in (("{:05d}.png", NAMES_COMMIT), ("{:08d}_000.png", NIH_COMMIT)):
        for part, start in (("train", 0), ("test", 3)):
            items = [
                {"file_name": names.format(i), "syms": ["Mass"] * (i % 2), "boxes": [[1, 2, 8, 9]] * (i % 2)}
                for i in range(start, start + 3)
            ]
            body = json.dumps(items).encode()
            server.files[f"/{commit}/{part}.json"] = body
            folder = "nih-names/" if commit == NIH_COMMIT else ""
            sha256[f"{folder}{part}.json"] = hashlib.sha256(body).hexdigest()
    server.files["/train_data.zip"] = zipped({f"train_data/train-old/{i:05d}.png": png(i) for i in range(3)})
    server.files["/test_data.zip"] = zipped({f"test_data/{i:05d}.png": png(i) for i in range(3, 6)})
    return {"repository": server.url, "archives": [server.url], "sha256": sha256, "network": QUICK}


def test_official(server, mirror, tmp_path):
    ticks = []
    data = fetch(tmp_path / "x", "official", progress=lambda done, total: ticks.append((done, total)), **mirror)
    assert [r.path.read_bytes() for r in data.records] == [png(i) for i in range(6)]
    assert [r.patient for r in data.records] == [f"{i:08d}" for i in range(6)]
    assert (tmp_path / "x" / "patients.csv").read_text().splitlines()[:2] == ["file_name,patient", "00000.png,00000000"]
    assert sorted(p.name for p in (tmp_path / "x").iterdir()) == [
        "patients.csv", "test.json", "test_data", "train.json", "train_data",
    ]  # fmt: skip
    assert ticks and all(done <= total for done, total in ticks)
    server.asked.clear()
    assert fetch(tmp_path / "x", "official", **mirror).missing == 0 and not server.asked


def test_annotations_first_and_images_later(server, mirror, tmp_path):
    assert fetch(tmp_path, "official", annotations_only=True, **mirror).missing == 6
    assert {path for path, _ in server.asked} == {p for p in server.files if p.endswith(".json")}
    assert fetch(tmp_path, "official", **mirror).missing == 0


@pytest.mark.parametrize("fault", ["truncate", "stall", 503, 429, "/elsewhere/train_data.zip"])
def test_survives(server, mirror, tmp_path, fault):
    server.files["/elsewhere/train_data.zip"] = server.files["/train_data.zip"]
    server.faults["/train_data.zip"] = [fault, fault]
    assert fetch(tmp_path, "official", **mirror).missing == 0
    if fault in ("truncate", "stall"):
        assert [asked for path, asked in server.asked if path == "/train_data.zip"][1].startswith("bytes=")


def test_goes_on_after_a_break(server, mirror, tmp_path):
    server.faults["/test_data.zip"] = ["truncate", 503, 503]
    with pytest.raises(ChestlibError, match=r"test_data\.zip: the server answers 503, 3 times"):
        fetch(tmp_path, "official", **mirror)
    with pytest.raises(ChestlibError, match="goes on where it stopped"):
        open_data(tmp_path)
    server.asked.clear()
    assert fetch(tmp_path, "official", **mirror).missing == 0
    ((path, asked),) = server.asked
    assert path == "/test_data.zip" and asked == "bytes=32768-"


@pytest.mark.parametrize("moment", range(0, 50, 5))
def test_killed_at_any_moment(server, mirror, tmp_path, moment):
    left = iter(range(moment))

    def die_later(done, total):
        if next(left, None) is None:
            raise KeyboardInterrupt

    try:
        fetch(tmp_path, "official", progress=die_later, **mirror)
    except KeyboardInterrupt:
        with pytest.raises(ChestlibError, match="broken off"):
            open_data(tmp_path)
    assert fetch(tmp_path, "official", **mirror).missing == 0


def test_new_version_on_the_server_is_not_mixed_with_the_old(server, tmp_path):
    server.files["/f"] = b"a" * 100_000
    server.faults["/f"] = ["truncate", 404]
    with pytest.raises(ChestlibError, match="404"):
        download.download([f"{server.url}/f"], tmp_path / "f", network=QUICK)
    server.files["/f"] = b"b" * 80_000
    download.download([f"{server.url}/f"], tmp_path / "f", network=QUICK)
    assert (tmp_path / "f").read_bytes() == b"b" * 80_000
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_killed_between_last_byte_and_rename(server, tmp_path):
    server.files["/f"] = b"a" * 100_000
    server.faults["/f"] = ["truncate", 404]
    with pytest.raises(ChestlibError):
        download.download([f"{server.url}/f"], tmp_path / "f", network=QUICK)
    (tmp_path / "f.part").write_bytes(b"a" * 100_000)
    download.download([f"{server.url}/f"], tmp_path / "f", network=QUICK)
    assert (tmp_path / "f").read_bytes() == b"a" * 100_000


def test_second_address_serves_what_the_first_does_not(server, mirror, tmp_path):
    mirror["archives"] = [f"{server.url}/gone", server.url]
    assert fetch(tmp_path, "official", **mirror).missing == 0


def test_wrong_hash(server, mirror, tmp_path):
    server.files[f"/{NAMES_COMMIT}/train.json"] += b" "
    with pytest.raises(ChestlibError, match=r"train\.json: wrong file: SHA-256 is"):
        fetch(tmp_path, "official", **mirror)
    assert not list(tmp_path.glob("*.json"))


def test_mixed_revisions_are_refused(server, mirror, tmp_path):
    path = f"/{NIH_COMMIT}/train.json"
    server.files[path] = server.files[path].replace(b"[1, 2, 8, 9]", b"[1, 2, 8, 8]")
    mirror["sha256"]["nih-names/train.json"] = hashlib.sha256(server.files[path]).hexdigest()
    with pytest.raises(ChestlibError, match=r"record 1: 00000001_000\.png has other boxes"):
        fetch(tmp_path, "official", **mirror)


def test_no_server(tmp_path, mirror):
    mirror["repository"] = "http://127.0.0.1:9"
    with pytest.raises(ChestlibError, match="no connection"):
        fetch(tmp_path, "official", **mirror)


def link(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"../evil.png": b"x"}, "leads out"),
        ({"/etc/evil.png": b"x"}, "leads out"),
        ({"a/..\\..\\evil.png": b"x"}, "leads out"),
        ({"C:evil.png": b"x"}, "leads out"),
        ({link("a.png"): b"/etc/passwd"}, "link or a device"),
        ({"a/x.png": b"x", "b/x.png": b"y"}, "two files are called"),
        ({"bomb.png": b"\0" * (download.MAX_FILE_BYTES + 1)}, "unpacks to over"),
        (None, "not a whole ZIP archive"),
    ],
)
def test_hostile_archive(server, mirror, tmp_path, members, message):
    server.files["/train_data.zip"] = zipped(members) if members else b"<html>Log in to this network</html>"
    out = tmp_path / "data"
    with pytest.raises(ChestlibError, match=message):
        fetch(out, "official", **mirror)
    left = [p for p in tmp_path.rglob("*") if p.is_file() and "nih-names" not in p.parts]
    assert {p.name for p in left} <= {"lock", "train.json", "test.json"} and not list(out.glob("*.json"))


def test_broken_archive(tmp_path):
    """Of bytes flipped in the middle some are told by the sum at the end, and some earlier, by the decompressor."""
    whole = zipped({"0.png": png(0)[:200] * 20})
    for i in range(40, 80):
        (tmp_path / "x.zip").write_bytes(whole[:i] + bytes([whole[i] ^ 255]) + whole[i + 1 :])
        with pytest.raises(ChestlibError, match=r"x\.zip: not a whole ZIP archive"):
            download.unpack_images(tmp_path / "x.zip", tmp_path / "x")
        assert [path.name for path in tmp_path.iterdir()] == ["x.zip"]


def test_kaggle(mirror, tmp_path):
    copy = tmp_path / "cache"
    for i in range(6):
        path = copy / ("train_data/train-old" if i < 3 else "test_data/test_data") / f"{i:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(i))
    data = fetch(tmp_path / "out", kaggle=lambda handle: str(copy), **mirror)
    assert [r.path.read_bytes() for r in data.records] == [png(i) for i in range(6)]

    def refuse(handle):
        raise RuntimeError("403\nno such thing")

    with pytest.raises(ChestlibError, match=r"chestxdet10dataset: 403 no such thing; or take --source official"):
        fetch(tmp_path / "other", kaggle=refuse, **mirror)


@pytest.mark.parametrize("place", ["chestxdet10dataset", "datasets/ztamnaja/chestxdet10dataset"])
@pytest.mark.parametrize("inner", ["", "chestx-det10"])
def test_what_a_kaggle_notebook_mounts_is_taken(mirror, tmp_path, monkeypatch, place, inner):
    """Read-only, under either name, whatever folders are between: nothing is downloaded and nothing written there."""
    mount = tmp_path / "input" / place
    for i in range(6):
        path = mount / inner / ("train_data" if i < 3 else "test_data") / f"{i:05d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(i))
        path.chmod(0o444)
    folders = [mount, *(path for path in mount.rglob("*") if path.is_dir())]
    before = sorted(mount.rglob("*"))
    for folder in folders:
        folder.chmod(0o555)
    package = import_module("chestlib.data.fetch")  # the name in the face is the function
    relative = [path.relative_to("/kaggle/input") for path in package.MOUNTS]
    monkeypatch.setattr(package, "MOUNTS", [tmp_path / "input" / path for path in relative])
    data = fetch(tmp_path / "out", **mirror)
    assert [r.path.read_bytes() for r in data.records] == [png(i) for i in range(6)]
    assert sorted(mount.rglob("*")) == before
    for folder in folders:
        folder.chmod(0o755)


def test_other_data_is_not_overwritten(mirror, tmp_path):
    (tmp_path / "train.json").write_text("[]")
    with pytest.raises(ChestlibError, match="holds other data"):
        fetch(tmp_path, **mirror)
    with pytest.raises(ChestlibError, match="not a source"):
        fetch(tmp_path, "ftp", **mirror)
