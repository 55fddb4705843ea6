"""Settings as text: JSON in a run folder, `name=value` on the command line, and the list in its help."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from typing import Any, TypeVar

from chestlib.errors import ChestlibError
from chestlib.files import plain
from chestlib.settings.limits import problem
from chestlib.settings.stages import PROFILES

T = TypeVar("T")

OF_THE_DATA = "findings"
"""The setting that a training takes from its data; nobody sets it."""


def to_json(settings: Any) -> dict[str, Any]:
    """Turn a settings value into plain JSON types."""
    return dict(plain(asdict(settings)))


def from_json(kind: type[T], values: Any, where: object) -> T:
    """Take settings back from JSON.

    Raises
    ------
    ChestlibError
        Naming the file `where`, if a name is unknown or a value is not of the type or the size that settings have:
        what is taken from a file must not build a model of any size.
    """
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]  # a dataclass
    if not isinstance(values, dict) or values.keys() - names:
        raise ChestlibError(f"{where}: not settings of a {kind.__name__}; was it written by another version?")
    try:
        return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})
    except ChestlibError as error:
        raise ChestlibError(f"{where}: {error}; train or tune again") from None


def change(texts: Sequence[str], *values: Any) -> list[Any]:
    """Set fields by `name=value`, each in the first of the settings that has it.

    Raises
    ------
    ChestlibError
        As `--set` says it on the command line: for an unknown name, or a value that does not fit.
    """
    kinds = {
        field.name: (field.type, i)
        for i, value in reversed([*enumerate(values)])
        for field in fields(value)
        if field.name != OF_THE_DATA
    }
    found: list[dict[str, Any]] = [{} for _ in values]
    for text in texts:
        name, _, word = text.partition("=")
        if name not in kinds:
            raise ChestlibError(f"--set {text}: no such setting; write name=value with one of {', '.join(kinds)}")
        kind, i = kinds[name]
        found[i][name] = _read(word, kind)
    try:
        return [replace(value, **changed) for value, changed in zip(values, found, strict=True)]
    except ChestlibError as error:
        raise ChestlibError(f"--set {' '.join(texts)}: {error}") from None


def _read(word: str, kind: Any) -> Any:
    """Read a value of a field's type; what is none stays text, which the check refuses."""
    try:
        if str(kind).startswith("tuple"):
            return tuple(float(part) for part in word.split(","))
        return {"int": int, "float": float}.get(kind, str)(word)
    except ValueError:
        return word


def read_seed(text: object) -> int:
    """Read what follows `--seed`; ChestlibError for what is no seed."""
    if not str(text).isdecimal() or problem("seed", "int", int(str(text))):
        raise ChestlibError(f"--seed {text}: not a seed; give a whole number from 0 to {2**32 - 1}")
    return int(str(text))


def listing(title: str, *attributes: str) -> str:
    """List, in Markdown, the settings that `--set` knows of these fields of a profile, with their values in each."""
    lines: dict[str, str] = {}
    for attribute in attributes:
        quick, *others = ((name, vars(getattr(profile, attribute))) for name, profile in PROFILES.items())
        for name, value in quick[1].items():
            if name == OF_THE_DATA:
                continue
            differing = "".join(f"; {of}: {_word(own[name])}" for of, own in others if own[name] != value)
            lines.setdefault(name, f"- `{name}`: {_word(value)}{differing}")
    # An empty line after each: so they stay apart in every version of typer.
    return "\n\n".join([f"{title}:", *lines.values()])


def _word(value: Any) -> str:
    """Write a value as `--set` takes it."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
