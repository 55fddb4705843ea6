"""What is said of the films themselves: the reader's tags, and the view that is to be shown again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from chestlib.errors import ChestlibError
from chestlib.files import read_json

VERSION = 1
"""Of exported tags and of a view; `js/tags.js` and `js/restore.js` write it."""

LONGEST = 40
"""Letters of a tag at most."""

Tags = dict[str, list[str]]


def checked(tags: Any, what: str = "tags") -> Tags:
    """Give tags as they are kept: words stripped, each once, and no film without one.

    Parameters
    ----------
    tags : mapping of str to sequence of str
        File name to tags; one tag may stand without a list.
    what : str
        Named in an error.

    Raises
    ------
    ChestlibError
        If it is no such mapping, or a tag is empty or longer than `LONGEST`.
    """
    if not isinstance(tags, Mapping):
        raise ChestlibError(f"{what}: expected {{file name: [tag, ...]}}, got {type(tags).__name__}")
    found: Tags = {}
    for name, words in tags.items():
        words = [words] if isinstance(words, str) else words
        if not isinstance(name, str) or not isinstance(words, Iterable) or isinstance(words, Mapping):
            raise ChestlibError(f"{what}: expected {{file name: [tag, ...]}}, got {name!r}: {type(words).__name__}")
        if kept := list(dict.fromkeys(_word(word, name, what) for word in words)):
            found[name] = kept
    return found


def _word(word: Any, name: str, what: str) -> str:
    if not isinstance(word, str) or not (word := " ".join(word.split())):
        raise ChestlibError(f"{what}: {name}: a tag is a short word, got {word!r}")
    if len(word) > LONGEST:
        raise ChestlibError(f"{what}: {name}: a tag has {LONGEST} letters at most, {word[:12]!r}… has {len(word)}")
    return word


def each(what: str, given: Any, names: Sequence[str]) -> list[Any]:
    """Give every film its own of what is given by file name, None where there is none, or as a sequence of one a film.

    Raises
    ------
    ChestlibError
        If a name is of no film here, or the sequence has another length.
    """
    if not isinstance(given, Mapping):
        if len(given) != len(names):
            raise ChestlibError(f"{what}: expected one for each of {len(names)} images, got {len(given)}")
        return list(given)
    known = set(names)
    if unknown := [name for name in given if name not in known]:
        raise ChestlibError(f"{what}: {unknown[0]!r} is none of the images shown ({', '.join(names[:3])}, …)")
    return [given.get(name) for name in names]


def require_known(tags: Mapping[str, Any], names: Sequence[str]) -> None:
    """Refuse tags of other films altogether; some of others may be there, for a viewer may show a part of a folder.

    Raises
    ------
    ChestlibError
    """
    if tags and not tags.keys() & {*names}:
        raise ChestlibError(f"tags: names none of the images shown ({', '.join(names[:3])}, …)")


def read_tags(path: Path | str) -> Tags:
    """Read the tags that a viewer has exported: ``tags.json``, or a reading, whose films may hold some.

    Returns
    -------
    dict
        File name to tags, as ``BoxViewer(..., tags=...)`` takes them.

    Raises
    ------
    ChestlibError
        If the file is missing, is no such file, or one of another version.
    """
    path = Path(path)
    found = read_json(path)
    if isinstance(found, list) and all(isinstance(film, dict) and isinstance(film.get("file"), str) for film in found):
        return checked({film["file"]: film.get("tags", []) for film in found}, str(path))
    if not isinstance(found, dict) or "tags" not in found:
        raise ChestlibError(f"{path}: no tags; export them in the viewer (#)")
    if found.get("version") != VERSION:
        raise ChestlibError(f"{path}: tags of version {found.get('version')!r}; this chestlib reads version {VERSION}")
    return checked(found["tags"], str(path))


def place(view: Mapping[str, Any], names: Sequence[str]) -> int | None:
    """Find the film of a view; None for another version or a film that is not here: the viewer says so."""
    film, number = view.get("film"), view.get("number")
    if view.get("version") != VERSION or not isinstance(film, str):
        return None
    if isinstance(number, int) and 0 <= number < len(names) and names[number] == film:  # of several with one name
        return number
    return names.index(film) if film in names else None
