"""The questions of a quiz: four kinds, sound once they are built. Those of the chapters lie in `check_yourself/`."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from chestlib.errors import ChestlibError

FOLDER = Path(__file__).parent / "check_yourself"


@dataclass(frozen=True)
class Question:
    """One question; `js/types.d.ts` tells what its `content` holds. Built by choice, number, order and match.

    Parameters
    ----------
    content : dict
        What travels to the page: kind, text, what is shown, what is right and why.
    shown : tuple of str
        What there is to choose from, where no script runs.
    """

    content: dict[str, Any]
    shown: tuple[str, ...] = ()

    @property
    def ask(self) -> str:
        """The text of the question."""
        return self.content["ask"]

    @property
    def answer(self) -> str:
        """The right answer as text."""
        return self.content["answer"]


def choice(ask: str, options: Sequence[str], right: str, why: str) -> Question:
    """Ask for one of several answers, shown in the order given.

    Text between two backticks is shown as code, everything else as it stands.

    Raises
    ------
    ChestlibError
        If a text is empty, two options are equal, there are fewer than two, or the right one is none of them.

    Examples
    --------
    >>> choice("Which label is background?", ["0", "10"], right="0", why="Findings begin at 1.").answer
    '0'
    """
    texts = _texts(ask, "option", options)
    right = right.strip() if isinstance(right, str) else right
    if right not in texts:
        _wrong(ask, f"the right answer, {right!r}, is none of the options; they are {', '.join(map(repr, texts))}")
    return _question("choice", ask, why, right, texts, options=list(texts), right=texts.index(right))


def number(ask: str, right: float, tolerance: float, why: str, unit: str = "") -> Question:
    """Ask for a number; a reader may write 0.5, 0,5, 1/2 or 50 %, which are equal unless the unit is "%".

    Parameters
    ----------
    ask : str
    right : float
    tolerance : float
        By how much an answer may lie beside it, in the same unit.
    why : str
    unit : str, optional
        Shown behind the field. With "%" the right number is 50, and 0.5 is wrong.

    Raises
    ------
    ChestlibError
        If a text is empty, a number is none, or the tolerance is negative.
    """
    right, tolerance = _finite(ask, "the right answer", right), _finite(ask, "the tolerance", tolerance)
    if tolerance < 0:
        _wrong(ask, f"the tolerance is {tolerance:g}; give 0 or more")
    answer = f"{told(right)} {unit}".strip()
    return _question("number", ask, why, answer, (), right=right, tolerance=tolerance, unit=unit)


def order(ask: str, items: Sequence[str], why: str) -> Question:
    """Ask for an order. The items are given in the right one, and shown in another.

    Raises
    ------
    ChestlibError
        If a text is empty, two items are equal, or there are fewer than two.
    """
    texts = _texts(ask, "item", items)
    shown = _mixed(ask, texts)
    right = [shown.index(text) for text in texts]
    return _question("order", ask, why, ", then ".join(texts), tuple(shown), options=shown, right=right)


def match(ask: str, pairs: Mapping[str, str], why: str) -> Question:
    """Ask what belongs to what; several may belong to one.

    Raises
    ------
    ChestlibError
        If a text is empty, there are fewer than two pairs, or all belong to one.
    """
    if not isinstance(pairs, Mapping):
        _wrong(ask, f"the pairs are a dict from text to text; got {type(pairs).__name__}")
    lefts = _texts(ask, "pair", list(pairs))
    partners = [_text(ask, "partner", value) for value in pairs.values()]
    shown = _mixed(ask, _texts(ask, "partner", list(dict.fromkeys(partners))))
    right = [shown.index(text) for text in partners]
    answer = "; ".join(f"{left}: {shown[i]}" for left, i in zip(lefts, right, strict=True))
    texts = (*lefts, *shown)
    return _question("match", ask, why, answer, texts, items=list(lefts), options=shown, right=right)


KINDS: dict[str, Callable[..., Question]] = {"choice": choice, "number": number, "order": order, "match": match}


def questions(chapter: str) -> list[Question]:
    """Read the questions at the end of a chapter, such as "03" or "05b".

    Raises
    ------
    ChestlibError
        If there are none for it, or one is unsound.
    """
    file = FOLDER / f"{chapter}.yaml"
    known = sorted(path.stem for path in FOLDER.glob("*.yaml"))
    if chapter not in known:
        raise ChestlibError(f"no questions for chapter {chapter!r}; there are some for {', '.join(known)}")
    return read(file)


def read(file: Path) -> list[Question]:
    """Read questions from a YAML file: a list, each with `kind` and what the function of that name takes."""
    import yaml

    try:
        entries = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ChestlibError(f"{file}: {' '.join(str(error).split())}") from None
    if not isinstance(entries, list):
        raise ChestlibError(f"{file}: expected a list of questions")
    found = []
    for place, entry in enumerate(entries, 1):
        kind = entry.get("kind") if isinstance(entry, dict) else None
        if kind not in KINDS:
            raise ChestlibError(f"{file}: question {place}: kind is one of {', '.join(KINDS)}; got {kind!r}")
        given = {name: value for name, value in entry.items() if name != "kind"}
        try:
            found.append(KINDS[kind](**given))
        except TypeError as error:  # a name too many or too few
            raise ChestlibError(f"{file}: question {place}: {error}") from None
        except ChestlibError as error:
            raise ChestlibError(f"{file}: question {place}: {error}") from None
    return found


def key(contents: Sequence[Mapping[str, Any]]) -> str:
    """Name what a reader's answers are kept under: other questions, another name."""
    return hashlib.sha256(repr([sorted(content.items()) for content in contents]).encode()).hexdigest()[:16]


def told(value: float) -> str:
    """Return a number as a reader writes it, in four digits at most."""
    return f"{float(f'{value:.4g}'):,.10g}"


def _question(kind: str, ask: str, why: str, answer: str, shown: Sequence[str], **more: Any) -> Question:
    content = {"kind": kind, "ask": _text("", "question", ask), "why": _text(ask, "reason", why), "answer": answer}
    return Question(content | more, tuple(shown))


def _mixed(ask: str, texts: Sequence[str]) -> list[str]:
    """Another order of the same, equal on every machine."""
    mixed = sorted(texts, key=lambda text: hashlib.sha256(f"{ask}\n{text}".encode()).digest())
    return mixed if mixed != list(texts) else [*mixed[1:], mixed[0]]


def _texts(ask: str, what: str, values: Sequence[str]) -> tuple[str, ...]:
    if isinstance(values, str) or not isinstance(values, Sequence):
        _wrong(ask, f"{what}s are a list of texts; got {type(values).__name__}")
    texts = tuple(_text(ask, what, value) for value in values)
    if len(texts) < 2:
        _wrong(ask, f"{len(texts)} {what}{'s' * (len(texts) != 1)}; give two or more")
    plain = [" ".join(text.split()).casefold() for text in texts]
    if twice := [text for i, text in enumerate(texts) if plain[i] in plain[:i]]:
        _wrong(ask, f"two {what}s are equal: {twice[0]!r}")
    return texts


def _text(ask: str, what: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        _wrong(ask, f"a {what} is a text that is not empty; got {value!r}")
    return value.strip()


def _finite(ask: str, what: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        _wrong(ask, f"{what} is {value!r}; give a finite number")
    return float(value)


def _wrong(ask: Any, what: str) -> NoReturn:
    about = f"question {' '.join(ask.split())[:60]!r}: " if isinstance(ask, str) and ask.strip() else "question: "
    raise ChestlibError(about + what)
