"""Quizzes and predictions in a chapter: one small widget, live and in a page without a kernel.

As with the viewer, one script, joined from `js/`, draws everything, and a cell's output holds a static form too, which
a saved notebook and the report show. What a reader answers is kept in the browser, under a name that the questions
give, so the notebook and the report show the same answers; live, they come to Python as well.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import anywidget
import traitlets as t

from chestlib.course.kinds import Question, choice, key, number, told
from chestlib.errors import ChestlibError
from chestlib.files import write_atomically
from chestlib.viewer import javascript, static

HERE = Path(__file__).parent
STYLE = HERE / "quiz.css"
ORDER = ("store", "judge", "forms", "quiz", "prediction", "cards")
EXPORTS = "export { judge, mount, number };\nexport default { render };\n"


@cache
def module() -> str:
    """Join the script: two modules that the viewer has too, then those of `js/`."""
    shared = (javascript.FOLDER / f"{name}.js" for name in ("numbers", "dom"))
    return javascript.join([*shared, *(HERE / "js" / f"{name}.js" for name in ORDER)], EXPORTS)


@cache
def quiz_script() -> str:
    """Write the script that starts the quizzes of a page, which carries it once, at its end."""
    return static.starter("cq", module(), STYLE.read_text(encoding="utf-8"))


def is_quiz(fragment: str) -> bool:
    """Tell whether this HTML is the static form of a quiz or a prediction; see `static.without_script`."""
    return fragment.startswith('<div class="cq-static">')


class Card(anywidget.AnyWidget):
    """What a quiz, a prediction and its answer share: content that travels once, and a static form."""

    _esm = module()
    _css = STYLE

    _card = t.Dict().tag(sync=True)
    answers: Any = t.List().tag(sync=True)
    """What the reader answered, as `js/types.d.ts` tells."""

    def __init__(self, text: str, fallback: str, **content: Any) -> None:
        self._text, self._fallback = text, fallback
        super().__init__(_card=content)

    def __repr__(self) -> str:
        return self._text

    def to_html(self, path: Path | str | None = None) -> str | Path:
        """Make a page that shows this with no kernel and no network; without a path the text comes back."""
        text = static.page(self._fragment(), self._text)
        if path is None:
            return text
        write_atomically(Path(path), text)
        return Path(path)

    def _fragment(self) -> str:
        return static.embedded("cq", [self._fallback, static.as_data(self._card)], quiz_script())

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        bundle = super()._repr_mimebundle_()
        assert bundle, "only a widget without a view has none"
        data, metadata = bundle
        return {**data, "text/html": self._fragment()}, metadata


class Quiz(Card):
    """Some questions that answer at once, with the reason; made by :func:`quiz`."""

    def __init__(self, asked: Sequence[Question], title: str) -> None:
        contents = [question.content for question in asked]
        count = f"{len(asked)} question{'s' * (len(asked) != 1)}"
        fallback, title = "".join(_listed(question) for question in asked), title or count
        super().__init__(
            f"Quiz({count})", f"<p><b>{_rich(title)}</b></p><ol>{fallback}</ol>",
            form="quiz", title=title, key=key(contents), questions=contents,
        )  # fmt: skip

    @property
    def score(self) -> tuple[int, int, int]:
        """How many are right at first try, how many are answered, and how many there are."""
        done = [answer for answer in self.answers if answer["done"]]
        first = sum(answer["done"] == "right" and not answer["tries"] for answer in done)
        return first, len(done), len(self._card["questions"])


class Prediction(Card):
    """A guess made before the cell that tells; made by :func:`predict`."""

    def __init__(self, question: Question) -> None:
        hidden = {"right": None, "answer": "", "why": "", "tolerance": 0}
        content = question.content | {name: hidden[name] for name in hidden.keys() & question.content.keys()}
        options = "".join(f"<li>{_rich(text)}</li>" for text in question.shown)
        super().__init__(
            f"Prediction({content['kind']})",
            f"<p><b>Your prediction</b></p><p>{_rich(question.ask)}</p>" + (f"<ul>{options}</ul>" if options else ""),
            form="prediction", key=key([content]), question=content,
        )  # fmt: skip

    @property
    def given(self) -> float | str | None:
        """What was predicted, or None."""
        given = self.answers[0]["given"] if self.answers else None
        options = self._card["question"].get("options")
        return given if given is None or not options else options[given]

    def answer(self, value: Any, why: str = "") -> Card:
        """Show what came out beside what was predicted, also where the prediction is made later.

        Parameters
        ----------
        value : float or str
            The number, or one of the options. None and NaN are shown as undefined.
        why : str, optional
            A sentence beside it.

        Raises
        ------
        ChestlibError
            If it is neither a number nor one of the options.
        """
        question = self._card["question"]
        right = self._right(question, value)
        text = "undefined here" if right is None else told(right)
        if question["kind"] == "choice" and right is not None:
            text = question["options"][right]
        elif right is not None:
            text = f"{text} {question['unit']}".strip()
        return Card(
            f"Answer({question['kind']})", f"<p>{_rich(question['ask'])}</p><p><b>{_rich(text)}</b> {_rich(why)}</p>",
            form="answer", key=self._card["key"], question=question | {"right": right, "answer": text, "why": why},
        )  # fmt: skip

    def _right(self, question: dict[str, Any], value: Any) -> Any:
        if value is None or (not isinstance(value, str) and math.isnan(_number(question, value))):
            return None
        if question["kind"] == "number":
            return _number(question, value)
        if value not in question["options"]:
            raise ChestlibError(f"prediction {question['ask']!r}: the answer {value!r} is none of its options")
        return question["options"].index(value)


def _number(question: dict[str, Any], value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ChestlibError(f"prediction {question['ask']!r}: the answer {value!r} is no number") from None


def quiz(*asked: Question, title: str = "") -> Quiz:
    """Ask questions that are answered at once, with the reason.

    Live and in a saved notebook or the report alike. Nothing a reader enters raises an error.

    Parameters
    ----------
    *asked : Question
        From :func:`choice`, :func:`number`, :func:`order` and :func:`match`, or :func:`questions` of a chapter.
    title : str, optional
        Default: how many questions there are.

    Raises
    ------
    ChestlibError
        If there is no question, one is none, or one is asked twice.

    Examples
    --------
    >>> quiz(number("How many findings has the course?", 10, tolerance=0, why="ChestX-Det10 names ten."))
    Quiz(1 question)
    """
    if not asked:
        raise ChestlibError("a quiz without a question; give one or more")
    if odd := [one for one in asked if not isinstance(one, Question)]:
        raise ChestlibError(f"a question is made by choice, number, order or match; got {type(odd[0]).__name__}")
    asks = [one.ask for one in asked]
    if twice := [ask for i, ask in enumerate(asks) if ask in asks[:i]]:
        raise ChestlibError(f"a quiz asks one question twice: {twice[0]!r}")
    return Quiz(asked, title)


def predict(ask: str, options: Sequence[str] | None = None, unit: str = "") -> Prediction:
    """Ask for a prediction, before the cell that tells; :meth:`Prediction.answer` shows both, side by side.

    Parameters
    ----------
    ask : str
    options : sequence of str, optional
        Without them a number is asked for.
    unit : str, optional
        Of the number.

    Raises
    ------
    ChestlibError
        If the text is empty, or there are options, but not two different ones.
    """
    if options is None:
        return Prediction(number(ask, 0, 0, "-", unit))
    first = options[0] if isinstance(options, Sequence) and options else ""
    return Prediction(choice(ask, options, first, "-"))


def _listed(question: Question) -> str:
    """Write a question for where no script runs."""
    shown = "".join(f"<li>{_rich(text)}</li>" for text in question.shown)
    answer = f"<b>{_rich(question.answer)}</b>. {_rich(question.content['why'])}"
    options = f"<ul>{shown}</ul>" if shown else ""
    return f"<li><p>{_rich(question.ask)}</p>{options}<details><summary>Answer</summary><p>{answer}</p></details></li>"


def _rich(text: str) -> str:
    """Write text as HTML, `code` between backticks; nothing in it is markup."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))
