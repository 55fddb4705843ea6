"""The viewer's modules, joined into one script."""

from __future__ import annotations

import re
from collections import Counter

from chestlib.viewer import BoxViewer, javascript, static

TEXTS = {path.stem: path.read_text(encoding="utf-8") for path in javascript.FOLDER.glob("*.js")}
IMPORT = re.compile(r'^import \{([^}]*)\} from "\./(\w+)\.js";$', re.MULTILINE)
DECLARED = re.compile(r"^(export )?(?:async )?(?:const|let|var|class|function) (\w+)", re.MULTILINE)


def imports(text: str) -> list[tuple[str, list[str]]]:
    """Module and names; one that is renamed is no name of the module."""
    return [
        (module, [name.strip() for name in names.rstrip(" ,\n").split(",")]) for names, module in IMPORT.findall(text)
    ]


def test_every_module_is_joined_and_small() -> None:
    assert sorted(javascript.ORDER) == sorted(TEXTS)
    assert not {name: n for name, text in TEXTS.items() if (n := text.count("\n")) > 250}


def test_a_module_imports_what_those_before_it_export() -> None:
    exported: dict[str, set[str]] = {}
    for name in javascript.ORDER:
        text = TEXTS[name]
        assert text.count("\nimport ") == len(imports(text)), f"{name} imports in a form that is not joined"
        for module, names in imports(text):
            assert module in exported, f"{name} stands before {module}, from which it imports"
            assert set(names) <= exported[module], f"{module} exports no {set(names) - exported[module]}"
        exported[name] = {declared for export, declared in DECLARED.findall(text) if export}


def test_names_are_unique_in_the_one_scope() -> None:
    names = Counter(declared for text in TEXTS.values() for _, declared in DECLARED.findall(text))
    assert not [name for name, n in names.items() if n > 1]
    unseen = re.compile(r"^(?:const|let|var) [^\w]|^export (?:default|\{|\*)", re.MULTILINE)
    assert not [name for name, text in TEXTS.items() if unseen.search(text)], "a declaration that this test cannot read"


def test_no_text_goes_over_lines() -> None:
    """Comments and indents are taken out line by line, and so are comments after code."""
    lines = [(name, line, line.split(" // ")[0]) for name, text in TEXTS.items() for line in text.splitlines()]
    assert not [name for name, line, code in lines if code.count("`") % 2 or (code != line and code.count('"') % 2)]


def test_the_script_is_one_small_module() -> None:
    script = javascript.module()
    assert script.endswith(javascript.EXPORTS)
    assert not re.search(r"^ *(import|export)\b", script.removesuffix(javascript.EXPORTS), re.MULTILINE)
    assert "/**" not in script
    assert len(script.encode()) < 120_000
    assert javascript.module() is script
    assert BoxViewer._esm == script
    assert static._json(script) in static.script()
