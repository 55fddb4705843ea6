"""The house itself: import direction, requirements in one voice, executed notebooks, no index address."""

from __future__ import annotations

import ast
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from nbconvert.exporters import ScriptExporter
from typer.main import get_command

from chestlib import cli, course
from chestlib.errors import EXTRAS as TABLE

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TOP = Path(__file__).parents[1]
PROJECT = tomllib.loads((TOP / "pyproject.toml").read_text())
GROUPS = [r for group in PROJECT["dependency-groups"].values() for r in group if isinstance(r, str)]
EXTRAS = PROJECT["project"]["optional-dependencies"]
REQUIRED = [
    requirement
    for part in (PROJECT["project"]["dependencies"], *EXTRAS.values(), GROUPS)
    for requirement in part
    if not requirement.startswith("chestlib[")
]
NOTEBOOKS = sorted((TOP / "notebooks").glob("*.ipynb"))

CHESTLIB = TOP / "chestlib"

# A room is a package or a module at the top; it imports only from those before it.
FLOORS = re.search(r"```floors\n(.*?)```", (TOP / "CONTRIBUTING.md").read_text(), re.DOTALL)[1]
ORDER = [name for line in FLOORS.splitlines() for name in line.split("  ")[0].split()]
PACKAGES = sorted(path.parent.name for path in CHESTLIB.glob("*/__init__.py"))


def imports(code: str) -> set[tuple[str, str]]:
    """What a piece of Python takes from chestlib, also inside functions, as (module below chestlib, name)."""
    return {
        (node.module.removeprefix("chestlib").lstrip("."), alias.name)
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "chestlib"
        for alias in node.names
    }


def room(path: Path) -> str:
    return path.relative_to(CHESTLIB).with_suffix("").parts[0]


def test_imports_go_one_way() -> None:
    assert {p.stem for p in CHESTLIB.glob("*.py")} | set(PACKAGES) == {*ORDER, "__init__", "__main__"}
    for path in CHESTLIB.rglob("*.py"):
        if room(path) not in ("__init__", "__main__"):
            rooms = {module.split(".")[0] or name for module, name in imports(path.read_text())}
            above = rooms - {room(path), "__version__"} - set(ORDER[: ORDER.index(room(path))])
            assert not above, f"{path.relative_to(TOP)} imports {above}, which stands above it"


def test_a_package_is_entered_by_its_face() -> None:
    """Other rooms, notebooks and benchmarks import what a package's `__all__` names, from the package itself."""
    faces = {name: set(import_module(f"chestlib.{name}").__all__) for name in PACKAGES}
    texts = {path: path.read_text() for path in [*CHESTLIB.rglob("*.py"), *TOP.glob("benchmarks/*.py")]}
    texts |= {path: code(path) for path in (TOP / "notebooks").rglob("*.ipynb")}
    for path, text in texts.items():
        for module, name in imports(text):
            package, _, inside = module.partition(".")
            if package in faces and not (CHESTLIB in path.parents and room(path) == package):
                assert not inside, f"{path.relative_to(TOP)}: {module} is private to {package}"
                assert name in faces[package], f"{path.relative_to(TOP)}: {name} is not in {package}.__all__"


@pytest.mark.parametrize("name", PACKAGES)
def test_a_face_names_what_is_there(name: str) -> None:
    package = import_module(f"chestlib.{name}")
    assert [entry for entry in package.__all__ if not hasattr(package, entry)] == []


def code(notebook: Path) -> str:
    """The code cells of a notebook, one after the other."""
    cells = json.loads(notebook.read_text())["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def test_the_house_is_small() -> None:
    """At most ten modules at the top, 300 lines a module, 60 lines a function."""
    assert len(list(CHESTLIB.glob("*.py"))) <= 10
    for path in CHESTLIB.rglob("*.py"):
        text = path.read_text()
        assert text.count("\n") <= 300, path.name
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < 60, f"{path.name}: {node.name}"


def _names(requirements: list[str]) -> dict[str, str]:
    return {re.match(r"[\w-]+", r)[0]: r for r in requirements}


def test_conda_and_pip_ask_for_the_same() -> None:
    *conda, pip = yaml.safe_load((TOP / "environment.yml").read_text())["dependencies"]
    theirs = [r.replace("pytorch>=", "torch>=") for r in conda + pip["pip"] if r not in ("pip", "-e .")]
    assert set(theirs[0].removeprefix("python").split(",")) == set(PROJECT["project"]["requires-python"].split(","))
    assert _names(theirs[1:]) == _names(REQUIRED)


CALLED = {
    "beautifulsoup4": "bs4", "ipywidgets": "ipywidgets", "opencv-python-headless": "cv2", "pillow": "PIL",
    "psycopg2-binary": "psycopg2", "pyyaml": "yaml", "scikit-learn": "sklearn",
}  # fmt: skip
# They come with one that is asked for: jupyterlab, optuna.
BESIDE = {"IPython", "jupyter_client", "markupsafe", "matplotlib_inline", "nbformat", "traitlets", "sqlalchemy"}


def test_every_import_belongs_to_the_core_or_to_an_extra() -> None:
    """The table from which a missing extra is told says what pyproject.toml says, and no import is in neither."""
    names = {part: {CALLED.get(n, n) for n in _names(asked)} for part, asked in EXTRAS.items()}
    for extra, modules in TABLE.items():
        assert {*modules} - BESIDE <= names[extra], extra
    core = {CALLED.get(n, n) for n in _names(PROJECT["project"]["dependencies"])}
    found = set()
    for path in CHESTLIB.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                found |= {(node.module or "").split(".")[0]}
            elif isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
    left = found - sys.stdlib_module_names - {"chestlib"} - core - {n for names in TABLE.values() for n in names}
    assert left == set()


def test_the_set_up_leaves_out_what_only_a_gpu_loads(tmp_path: Path) -> None:
    """Without a driver torch's GPU libraries go, its own requirements stay, and every hash with them."""
    tool = runpy.run_path(str(TOP / "install.py"))
    lock = (TOP / "requirements.lock").read_text()
    all_of, without = tool["blocks"](lock, lambda _: True), tool["blocks"](lock, lambda n: n not in tool["IDLE"])
    assert all_of == lock[lock.index("aiohappyeyeballs") :]
    assert "\ntriton==" in all_of and "\ntriton==" not in without and "\nsympy==" in without
    bare = tool["bare"](tool["blocks"](lock, tool["TORCH"].__contains__))
    assert re.findall(r"^(\w+)==\S+", bare, re.M)[0] == "torch" and "--hash" not in bare and "\\" not in bare
    has_gpu = tool["has_gpu"]
    assert has_gpu("win32", str(tmp_path)) and has_gpu("darwin", str(tmp_path)) and not has_gpu("linux", str(tmp_path))
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "nvidiactl").touch()
    assert has_gpu("linux", str(tmp_path))


BROKEN_SET_UPS = {
    "its Python is gone": ".venv: its Python does not start, or is not 3.10 to 3.13; remove the folder",
    "no program": ".venv: its Python does not start",
    "no lock": "requirements.lock: No such file or directory; mend that and call install.py again",
    "nothing can be written": "requirements.txt: Is a directory; mend that and call install.py again",
}


def set_up(folder: Path, python: str) -> subprocess.CompletedProcess:
    """Call install.py where the environment's Python is this shell script and there is no uv: nothing is installed."""
    shutil.copy(TOP / "install.py", folder)
    file = folder / ".venv" / "bin" / "python"
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.is_symlink():
        file.write_text(python)
        file.chmod(0o755)
    command = [sys.executable, "install.py", "--gpu"]
    alone = {"PATH": str(folder)}
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=alone, timeout=120)


@pytest.mark.skipif(os.name == "nt", reason="a shell script")
@pytest.mark.parametrize("how", BROKEN_SET_UPS)
def test_a_broken_environment_is_one_line_of_the_set_up(tmp_path: Path, how: str) -> None:
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    if how == "its Python is gone":
        (tmp_path / ".venv" / "bin" / "python").symlink_to("/gone/python")
    if how == "nothing can be written":
        (tmp_path / "requirements.lock").touch()
        (tmp_path / ".venv" / "requirements.txt").mkdir()
    done = set_up(tmp_path, "no program" if how == "no program" else "#!/bin/sh\n")
    assert done.returncode and BROKEN_SET_UPS[how] in done.stderr and done.stderr.count("\n") == 1, done.stderr


@pytest.mark.skipif(os.name == "nt", reason="a shell script")
def test_an_environment_of_uv_gets_pip_where_uv_is_gone(tmp_path: Path) -> None:
    (tmp_path / "requirements.lock").touch()
    calls = tmp_path / "calls"
    done = set_up(tmp_path, f'#!/bin/sh\necho "$@" >> {calls}\n[ "$2 $3" != "pip --version" ]\n')
    assert done.returncode == 0, done.stderr
    (_, asked, *told) = calls.read_text().splitlines()
    assert asked == "-m pip --version" and told[0] == "-m ensurepip" and told[1].startswith("-m pip install -q")


def test_the_lock_holds_every_requirement_with_hashes_and_no_address() -> None:
    lock = (TOP / "requirements.lock").read_text()
    assert "://" not in lock
    locked = set(re.findall(r"^([\w-]+)(?:\[.*\])?==", lock, re.M))
    for name in _names(REQUIRED):
        assert name.lower() in locked, f"{name} is not locked; run `make lock`"
    assert lock.count("==") <= lock.count("--hash=sha256:")


def test_notebooks_are_in_order() -> None:
    assert [path.name.split("_")[0] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05", "05b", "06", "07", "08"]
    assert course.notebooks() == NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_executed_small_and_whole(path: Path) -> None:
    assert path.stat().st_size < 1_000_000
    cells = json.loads(path.read_text())["cells"]
    assert 30 <= len(cells) <= 70
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    counts = [cell["execution_count"] for cell in code]
    assert counts == list(range(1, len(code) + 1)), "run all cells, once, from the top"
    assert not [o for cell in code for o in cell["outputs"] if o["output_type"] == "error"]
    assert not [o for cell in code for o in cell["outputs"] if o.get("name") == "stderr"]
    lengths = sorted(sum(bool(line.strip()) for line in "".join(cell["source"]).splitlines()) for cell in code)
    assert lengths[len(lengths) // 2] <= 8 and lengths[-1] <= 25
    shown = [o.get("text") or o.get("data", {}).get("text/plain", "") for cell in code for o in cell["outputs"]]
    assert not re.search(r"0x[0-9a-f]{8,}|/(?:home|root|tmp|Users)/", json.dumps(shown)), "an address or a path"
    for word in ("You will learn", "What to remember", "Where the numbers come from", "Exercises"):
        assert any(word in "".join(cell["source"]) for cell in cells), f"{word} is missing"


def test_every_notebook_can_be_exported_as_a_script() -> None:
    language = runpy.run_path(str(TOP / "notebooks" / "execute.py"))["LANGUAGE"]
    for path in (TOP / "notebooks").rglob("*.ipynb"):
        assert json.loads(path.read_text())["metadata"]["language_info"] == language, path
    script, resources = ScriptExporter().from_filename(str(NOTEBOOKS[0]))
    assert resources["output_extension"] == ".py" and "\n# ## " in script


def test_tables_of_pages_are_those_of_the_figures() -> None:
    tables = runpy.run_path(str(TOP / "benchmarks" / "readme.py"))
    for page in tables["PAGES"]:
        assert tables["render"](page) == (TOP / page).read_text(), f"{page}: run `python benchmarks/readme.py`"


def _texts() -> dict[Path, str]:
    """Every page of the project as Markdown."""
    texts = {p: p.read_text() for p in [*TOP.glob("*.md"), *TOP.glob("docs/*.md"), TOP / "data" / "README.md"]}
    for path in (TOP / "notebooks").rglob("*.ipynb"):
        cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "markdown"]
        texts[path] = "\n\n".join("".join(cell["source"]) for cell in cells)
    return texts


def _anchors(text: str) -> set[str]:
    """The names GitHub gives to headings."""
    heads = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


def test_code_that_pages_name_is_there() -> None:
    named = {
        (page, name)
        for page, text in _texts().items()
        for name in re.findall(r"`((?:chestlib|tests|benchmarks)/[\w/.]+)`", text)
    }
    assert len(named) > 20
    assert not [f"{page.name}: {name}" for page, name in named if not (TOP / name).exists()]


def _commands() -> Iterator[tuple[str, str]]:
    """Every line of code on every page, with the page that it stands on."""
    for page, text in _texts().items():
        fenced = [line for block in re.findall(r"```\w*\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
        for line in (*fenced, *re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))):
            yield page.name, line.partition("  #")[0].strip()


def test_commands_that_pages_name_are_there() -> None:
    commands = get_command(cli.app).commands
    targets = {*re.findall(r"^([a-z-]+)(?= [a-z-]+:|:)", (TOP / "Makefile").read_text(), re.M), "test-latest"}
    wrong, tried = [], 0
    for page, line in _commands():
        options = re.findall(r"(?<![\w-])--[a-z][\w-]*", line)
        if found := re.match(r"(?:uv run (?:--no-sync )?|\S*bin/|\S*python -m )?chestlib ([a-z]+)\b", line):
            known = {o for p in getattr(commands.get(found[1]), "params", ()) for o in p.opts} | {"--help"}
            for part in commands[found[1]].commands.values() if hasattr(commands.get(found[1]), "commands") else ():
                known |= {o for p in part.params for o in p.opts}
            there = found[1] in commands and {*options} - {"--no-sync"} <= known
        elif found := re.match(r"(?:\S*/)?python ((?:benchmarks|notebooks|tests)/\S+\.py)", line):
            file = TOP / found[1]
            there = file.exists() and all(option in file.read_text() for option in options)
        elif found := re.match(r"make ((?:[a-z-]+ ?)+)(?=$|[A-Z])", line):
            there = {*found[1].split()} <= targets
        else:
            continue
        tried += 1
        wrong += [] if there else [f"{page}: {line}"]
    assert tried > 100 and not wrong, "\n".join([f"{tried} tried", *wrong])


def test_links_lead_somewhere() -> None:
    texts, links = _texts(), 0
    for page, text in texts.items():
        for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", text)):
            if "://" in target or target.startswith(("attachment:", "mailto:")):
                continue
            links += 1
            file, _, anchor = target.partition("#")
            to = (page.parent / file).resolve() if file else page
            where = f"{page.relative_to(TOP)}: {target}"
            assert to.exists(), where
            assert not anchor or anchor in _anchors(texts[to]), where
    assert links > 50
