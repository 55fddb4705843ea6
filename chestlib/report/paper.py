"""A report on paper: all chapters printed to PDF by the Chromium or Chrome that is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from chestlib.errors import ChestlibError

VARIABLE = "CHESTLIB_CHROMIUM"
"""The environment variable that names the browser to print with."""

NAMES = (
    "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge",
    "microsoft-edge-stable", "msedge",
)  # fmt: skip
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Microsoft/Edge/Application/msedge.exe",
)
PATIENCE = 600.0
"""Seconds after which a browser that does not end is given up."""


def browser() -> Path:
    """Find a browser that prints.

    Raises
    ------
    ChestlibError
        If there is none, or CHESTLIB_CHROMIUM names a file that cannot be run.
    """
    if named := os.environ.get(VARIABLE):
        if found := shutil.which(named):
            return Path(found)
        raise ChestlibError(f"{VARIABLE}={named}: no program there; name Chromium's or Chrome's, or unset it")
    for name in (*NAMES, *PLACES):
        if found := shutil.which(name):
            return Path(found)
    raise ChestlibError(
        "--pdf prints with Chromium or Chrome, and none was found; install one (Debian: apt install chromium), "
        f"or name its program in {VARIABLE}"
    )


def printed(page: Path, pdf: Path, program: Path) -> Path:
    """Print a page to a PDF file, written whole or not at all.

    Raises
    ------
    ChestlibError
        If the browser fails; the page stays.
    """
    part = pdf.with_name(f".{pdf.stem}.part.pdf")
    with TemporaryDirectory(prefix="chestlib-") as profile:  # one of its own: not handed over to a browser that runs
        options = [
            "--headless", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", f"--user-data-dir={profile}",
            "--no-pdf-header-footer", "--generate-pdf-document-outline", f"--print-to-pdf={part.resolve()}",
        ]  # fmt: skip
        if sys.platform.startswith("linux") and os.geteuid() == 0:
            options.append("--no-sandbox")  # Chromium refuses to sandbox for root
        try:
            command = [str(program), *options, page.resolve().as_uri()]
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=PATIENCE)
            said, status = done.stderr.strip().splitlines() or [""], str(done.returncode)
        except subprocess.TimeoutExpired:
            said, status = [""], f"no end after {PATIENCE:.0f} s"
        except OSError as error:
            said, status = [error.strerror or ""], "not started"
    try:
        if not part.is_file() or not part.read_bytes().startswith(b"%PDF"):
            why = ": ".join(filter(None, [status, said[-1]]))
            raise ChestlibError(
                f"{pdf}: {program} did not print it ({why}); the page is written, print it from a browser"
            )
        os.replace(part, pdf)
    except OSError as error:  # a folder of that name; the scratch file is nobody's business
        raise OSError(error.errno, error.strerror, str(pdf)) from error
    finally:
        part.unlink(missing_ok=True)
    return pdf
