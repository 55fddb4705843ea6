"""A real browser for the tests: Debian's Chromium, driven by Playwright, with every remote request refused."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

expect.set_options(timeout=30_000)  # a busy machine takes its time
CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
SCREENSHOTS = Path(__file__).parents[1] / "artifacts"
HERE = re.compile(r"(file|data|blob|about):|https?://127\.0\.0\.1[:/]|ws://127\.0\.0\.1[:/]")


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium; skips loudly without one, fails in CI."""
    if not CHROMIUM.exists():
        message = f"NO BROWSER TEST RAN: {CHROMIUM} is missing; apt-get install chromium"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def quiet_page(browser: Browser, **context: object) -> Iterator[Page]:
    """A page that must request nothing remote and log no error while it is used; options as of `new_context`."""
    remote, errors = [], []
    opened = browser.new_context(**context)
    opened.route(lambda url: not HERE.match(url), lambda route: (remote.append(route.request.url), route.abort()))
    page = opened.new_page()
    page.set_default_timeout(120_000)
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    try:
        yield page
    finally:
        opened.close()
    assert not remote, f"the page asked for {remote}"
    assert not errors, f"the console shows {errors}"


def screenshot(page: Page, name: str) -> None:
    """Keep a picture of the page under artifacts/, for whoever looks at a run of the CI."""
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


class Lab:
    """A JupyterLab server on a folder, with no settings but its own; `data` is Jupyter's data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        names = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
        places = {f"JUPYTER_{name}": folder / f".jupyter/{name}" for name in names}
        places |= {f"JUPYTERLAB_{name}_DIR": folder / f".jupyter/{name}" for name in ("SETTINGS", "WORKSPACES")}
        self.data = places["JUPYTER_DATA_DIR"]
        labconfig = places["JUPYTER_CONFIG_DIR"] / "labconfig"
        labconfig.mkdir(parents=True)
        disabled = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
        (labconfig / "page_config.json").write_text(json.dumps(disabled))
        environment = (
            os.environ | {name: str(path) for name, path in places.items()} | {"IPYTHONDIR": str(folder / ".i")}
        )
        options = (
            f"--no-browser --ip=127.0.0.1 --port={self.port} --ServerApp.port_retries=0 --IdentityProvider.token= "
            "--allow-root --LabApp.expose_app_in_browser=True --log-level=ERROR"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options.split()], cwd=folder, env=environment
        )

    def __enter__(self) -> Lab:
        for _ in range(300):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api", timeout=5).close()
                return self
            time.sleep(0.2)
        self.__exit__()
        raise RuntimeError("JupyterLab does not answer")

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:  # a kernel that is only just starting holds the server up
            self.process.kill()
            self.process.wait()

    def write(self, name: str, cells: list[str]) -> None:
        """A notebook of code cells."""
        made = [
            {
                "cell_type": "code",
                "id": f"c{i}",
                "source": source,
                "metadata": {},
                "outputs": [],
                "execution_count": None,
            }
            for i, source in enumerate(cells)
        ]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = {"cells": made, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
        (self.folder / name).write_text(json.dumps(notebook))

    def open(self, page: Page, name: str) -> None:
        """Show a notebook and wait for its kernel."""
        page.goto(f"http://127.0.0.1:{self.port}/lab/tree/{name}?reset")
        page.wait_for_selector(".jp-Notebook", timeout=60_000)
        page.wait_for_function("jupyterapp.shell.currentWidget?.sessionContext?.isReady", timeout=60_000)
        page.evaluate("jupyterapp.shell.currentWidget.sessionContext.session.kernel.info")

    def run_all(self, page: Page) -> None:
        page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")

    def ask(self, page: Page, code: str) -> str:
        """Run code in the notebook's kernel; what it prints."""
        return page.evaluate(
            """async (code) => {
                const { kernel } = jupyterapp.shell.currentWidget.sessionContext.session;
                const future = kernel.requestExecute({ code });
                let text = "";
                future.onIOPub = ({ header, content }) => {
                    if (header.msg_type === "stream") text += content.text;
                    if (header.msg_type === "error") text += content.traceback.join("\\n");
                };
                await future.done;
                return text.trim();
            }""",
            code,
        )
