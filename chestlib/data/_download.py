"""Files from the web and out of archives: what breaks off goes on, what is wrong is refused, nothing is half there."""

from __future__ import annotations

import json
import os
import shutil
import stat
import time
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import requests

from chestlib import files
from chestlib.console import Progress
from chestlib.errors import ChestlibError

CHUNK = 1 << 14
MAX_FILES = 20_000
MAX_FILE_BYTES = 64 << 20
MAX_TOTAL_BYTES = 8 << 30
"""What an archive of ChestX-Det10 stays far below, and a decompression bomb does not."""

BROKEN = (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError)
"""What zipfile raises for archives that are not whole or not for it."""


@dataclass(frozen=True)
class Network:
    """How patient a download is: attempts in a row without a byte, seconds to wait for one, seconds between them."""

    attempts: int = 5
    stall: float = 30.0
    pause: float = 1.0  # before the second attempt; doubled for each further one


class _Retry(Exception):
    """Tell that an attempt failed in a way that the next one may not."""


def download(
    urls: Sequence[str],
    target: Path,
    sha256: str | None = None,
    progress: Progress | None = None,
    network: Network | None = None,
) -> None:
    """Download one file, whole and of this hash, from the first address that serves it.

    Until then `target.part` grows; an interrupted download goes on where it stopped, also in a later process.
    """
    network = network or Network()
    if target.exists() and (sha256 is None or files.sha256(target) == sha256):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    for url in urls:
        try:
            return _download(url, target, sha256, progress, network)
        except ChestlibError as failed:
            error = failed
    raise error


def _download(url: str, target: Path, sha256: str | None, progress: Progress | None, network: Network) -> None:
    part = target.with_name(f"{target.name}.part")
    failures = 0
    while True:
        before = _length(part)
        try:
            _receive(url, part, sha256, progress, network)
            if sha256 and (got := files.sha256(part)) != sha256:
                part.unlink()
                raise _Retry(f"wrong file: SHA-256 is {got[:12]}…, expected {sha256[:12]}…")
            break
        except (_Retry, requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            failures = 1 if _length(part) > before else failures + 1
            if failures >= network.attempts:
                reason = str(error) if isinstance(error, _Retry) else f"no connection ({type(error).__name__})"
                raise ChestlibError(f"{url}: {reason}, {failures} times; the same command goes on later") from None
            time.sleep(network.pause * 2 ** (failures - 1))
        except requests.RequestException as error:
            raise ChestlibError(f"{url}: {error}") from None
    os.replace(part, target)
    _note(part).unlink(missing_ok=True)


def _receive(url: str, part: Path, sha256: str | None, progress: Progress | None, network: Network) -> None:
    """One attempt: append to `part` whatever comes."""
    version = _version(part, url)
    have = _length(part) if version or (sha256 and version is not None) else 0
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
        if version:
            headers["If-Range"] = version  # if the file is another one by now, the whole of it comes
    with requests.get(url, headers=headers, stream=True, timeout=network.stall) as answer:
        code, place = answer.status_code, answer.headers.get("Content-Range", "")
        if code == 416 and place == f"bytes */{have}":
            return  # it was whole
        if code == 416 or (code == 206 and not place.startswith(f"bytes {have}-")):
            part.unlink(missing_ok=True)
            raise _Retry("the server sends another part than was asked for")
        if code in (408, 425, 429) or code >= 500:
            raise _Retry(f"the server answers {code}")
        if code not in (200, 206):
            raise ChestlibError(f"{url}: the server answers {code} {answer.reason}")
        have = have if code == 206 else 0
        total = have + int(answer.headers.get("Content-Length", 0))
        names = [answer.headers.get(name, "W/") for name in ("ETag", "Last-Modified")]
        strong = next((name for name in names if not name.startswith("W/")), "")
        _note(part).write_text(json.dumps({"url": url, "version": strong}))
        with open(part, "ab" if have else "wb") as file:
            for chunk in answer.iter_content(CHUNK):
                file.write(chunk)
                have += len(chunk)
                if have > MAX_TOTAL_BYTES:
                    raise ChestlibError(f"{url}: more than {MAX_TOTAL_BYTES >> 30} GiB; that is not the data set")
                if progress:
                    progress(have, max(total, have))
        if have < total:
            raise _Retry(f"the connection broke off at {have} of {total} bytes")


def _length(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _note(part: Path) -> Path:
    """Name the file that tells where an unfinished one comes from, and the server's name for its version."""
    return part.with_name(f"{part.name}.json")


def _version(part: Path, url: str) -> str | None:
    """Read the server's name for the version of `part`, "" if it gave none; None if it is not from this address."""
    try:
        note = json.loads(_note(part).read_text())
    except (OSError, ValueError):
        return None
    return str(note["version"]) if note["url"] == url else None


def unpack_images(archive: Path, folder: Path, progress: Progress | None = None) -> None:
    """Unpack the PNG files of a ZIP archive into one new folder, its own folders left out.

    A broken archive and a hostile one (paths out of the folder, links, two files of one name, bombs) leave nothing.
    """
    scratch = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        with zipfile.ZipFile(archive) as file:
            members = [member for member in file.infolist() if _is_image(archive, member)]
            if len(members) > MAX_FILES:
                raise ChestlibError(f"{archive}: refused, {len(members)} files")
            written = 0
            for done, member in enumerate(members, start=1):
                with file.open(member) as source:
                    data = source.read(MAX_FILE_BYTES + 1)  # counted here, as a header may lie
                if len(data) > MAX_FILE_BYTES:
                    raise ChestlibError(
                        f"{archive}: refused, {member.filename!r} unpacks to over {MAX_FILE_BYTES} bytes"
                    )
                written += len(data)
                if written > MAX_TOTAL_BYTES:
                    raise ChestlibError(f"{archive}: refused, unpacks to more than {MAX_TOTAL_BYTES >> 30} GiB")
                target = scratch / PurePosixPath(member.filename).name
                if target.exists():
                    raise ChestlibError(f"{archive}: refused, two files are called {target.name!r}")
                target.write_bytes(data)
                if progress:
                    progress(done, len(members))
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(scratch, folder)
    except BROKEN as error:
        raise ChestlibError(f"{archive}: not a whole ZIP archive ({error})") from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _is_image(archive: Path, member: zipfile.ZipInfo) -> bool:
    """Tell whether it is a PNG file, and refuse whatever a harmless archive does not have."""
    path = PurePosixPath(member.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in member.filename or "\0" in member.filename:
        raise ChestlibError(f"{archive}: refused, {member.filename!r} leads out of the folder")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ChestlibError(f"{archive}: refused, {member.filename!r} is a link or a device")
    return not member.is_dir() and path.suffix.lower() == ".png" and not path.name.startswith("._")
