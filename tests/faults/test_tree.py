"""No user command writes a tracked file: in a project under git, `git status` stays empty after each of them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest
from commands import run
from toys import data_set

TOP = Path(__file__).parents[2]


def git(folder: Path, *args: str) -> str:
    return subprocess.run(["git", *args], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This project's tracked text files and figures, with a single short notebook, committed."""
    folder = tmp_path_factory.mktemp("project")
    for name in git(TOP, "ls-files").splitlines():
        if (TOP / name).is_file() and not name.endswith((".ipynb", ".lock")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(TOP / name, folder / name)
    source = "from chestlib import course, figures\nlesson = course.begin()\nfigure, _ = figures.grid(1, 1)\n"
    source += 'figures.save(figure, lesson.figures / "pipeline.png")'
    cells = [nbformat.v4.new_markdown_cell("# 01 · A\n\nText."), nbformat.v4.new_code_cell(source)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "notebooks" / "01_a.ipynb")
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "all")
    data_set(folder / "data" / "own")
    return folder


def test_git_status_is_empty_after_every_command(project: Path) -> None:

    data, runs = "data/own", ("--classifier", "runs/c", "--detector", "runs/d")
    for args in (
        ("phantom", "data/p", "--train", 2, "--test", 1, "--size", 64, "--workers", 1),
        ("check", data),
        ("convert", data, "data/coco", "--to", "coco"),
        ("tune", data, "--run", "runs/c", "--trials", 1),
        ("train", "classifier", data, "--run", "runs/c"),
        ("train", "detector", data, "--run", "runs/d"),
        ("evaluate", data, "runs/d"),
        ("predict", f"{data}/test_data", *runs, "--out", "runs/out"),
        ("report", "--data", data),
        ("env",),
    ):
        ended = run(args, project, variables={"CHESTLIB_HOME": str(project)})
        assert ended.status == 0, f"{args}: {ended.err}"
        assert git(project, "status", "--porcelain") == "", f"chestlib {args[0]} wrote a tracked file"
    assert list((project / "runs").glob("own-quick-*/figures/pipeline.png"))
    assert (project / "report" / "index.html").is_file()


def test_chapters_save_into_the_figures_of_the_lesson() -> None:
    chapters = [p.read_text() for p in (TOP / "notebooks").rglob("*.ipynb")]
    saved = [line for text in chapters for line in re.findall(r"(?:figures\.save|write_atomically)\((.*)", text)]
    assert len(saved) > 20 and all("lesson.figures /" in line for line in saved)
