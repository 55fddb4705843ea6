"""Questions are sound once they are built; the static form of quizzes and predictions holds no markup of others."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from chestlib import course
from chestlib.course.cards import module
from chestlib.course.kinds import FOLDER, read
from chestlib.errors import ChestlibError
from chestlib.viewer import static

TOP = Path(__file__).parents[2]
HOSTILE = "</script><img src=x onerror='window.pwned=1'> \"quoted\" & `a < b`"

BROKEN = {
    "no options": lambda: course.choice("Ask?", [], "a", "w"),
    "one option": lambda: course.choice("Ask?", ["a"], "a", "w"),
    "options in one text": lambda: course.choice("Ask?", "ab", "a", "w"),
    "two equal options": lambda: course.choice("Ask?", ["a", "b", " A "], "a", "w"),
    "an empty option": lambda: course.choice("Ask?", ["a", " "], "a", "w"),
    "an option that is no text": lambda: course.choice("Ask?", ["1", 2], "1", "w"),
    "no right answer": lambda: course.choice("Ask?", ["a", "b"], "c", "w"),
    "right is None": lambda: course.choice("Ask?", ["a", "b"], None, "w"),
    "an empty question": lambda: course.choice(" ", ["a", "b"], "a", "w"),
    "no reason": lambda: course.choice("Ask?", ["a", "b"], "a", ""),
    "a negative tolerance": lambda: course.number("Ask?", 1, -0.1, "w"),
    "a tolerance that is no number": lambda: course.number("Ask?", 1, float("nan"), "w"),
    "no number": lambda: course.number("Ask?", "1", 0, "w"),
    "a truth for a number": lambda: course.number("Ask?", True, 0, "w"),
    "an endless number": lambda: course.number("Ask?", float("inf"), 0, "w"),
    "one item": lambda: course.order("Ask?", ["a"], "w"),
    "two equal items": lambda: course.order("Ask?", ["a", "b", "a"], "w"),
    "no pairs": lambda: course.match("Ask?", {}, "w"),
    "pairs in a list": lambda: course.match("Ask?", [("a", "b")], "w"),
    "all belong to one": lambda: course.match("Ask?", {"a": "x", "b": "x"}, "w"),
    "two equal partners": lambda: course.match("Ask?", {"a": "x", "b": "X"}, "w"),
    "a pair with no partner": lambda: course.match("Ask?", {"a": "x", "b": None}, "w"),
    "a quiz of nothing": course.quiz,
    "a quiz of texts": lambda: course.quiz("Ask?"),
    "one question twice": lambda: course.quiz(*course.questions("01"), course.questions("01")[0]),
    "no such chapter": lambda: course.questions("99"),
    "a prediction of nothing": lambda: course.predict(""),
    "a prediction of one option": lambda: course.predict("Ask?", ["a"]),
    "a prediction without options": lambda: course.predict("Ask?", []),
    "an outcome that is no number": lambda: course.predict("Ask?").answer("many"),
    "an outcome that is no option": lambda: course.predict("Ask?", ["a", "b"]).answer("c"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_unsound_is_refused_when_it_is_built(name: str) -> None:
    with pytest.raises(ChestlibError) as caught:
        BROKEN[name]()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "- kind: choice\n  ask: A?\n  options: [a, b]\n  right: c\n  why: w",
            "question 1: question 'A.': the right answer",
        ),
        ("- kind: riddle", "question 1: kind is one of"),
        ("- kind: number\n  ask: A?\n  right: 1\n  why: w", "question 1: .*tolerance"),
        ("- just a text", "question 1: kind is one of"),
        ("kind: choice", "expected a list"),
        ("- [", "while parsing"),
    ],
)
def test_a_file_of_questions_is_refused_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ChestlibError, match=f"own.yaml: {told}") as caught:
        read(file)
    assert "\n" not in str(caught.value)


def test_each_chapter_has_its_questions() -> None:
    chapters = {path.name.split("_")[0]: path for path in (TOP / "notebooks").glob("[0-9]*_*.ipynb")}
    assert chapters.keys() <= {path.stem for path in FOLDER.glob("*.yaml")}
    for number, path in chapters.items():
        source = "\n".join("".join(cell["source"]) for cell in json.loads(path.read_text())["cells"])
        assert set(re.findall(r'course\.questions\("(\w+)"\)', source)) <= {number}, path.name


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.yaml")), ids=lambda file: file.stem)
def test_the_quiz_of_a_chapter_is_built(file: Path) -> None:
    asked = course.questions(file.stem)
    assert 3 <= len(asked) <= 6
    assert repr(course.quiz(*asked)) == f"Quiz({len(asked)} questions)"
    for question in asked:
        assert question.content["why"].endswith(".") and re.search(r"[?.…]$|: put|first\.$", question.ask), question.ask
        assert not re.search(r"\d\.\d{4}", question.content["why"]), "a figure that depends on a training?"


def test_the_right_option_is_not_always_the_same_one() -> None:
    asked = [question.content for file in FOLDER.glob("*.yaml") for question in read(file)]
    places = [content["right"] for content in asked if content["kind"] == "choice"]
    assert max(map(places.count, range(4))) < len(places) / 2 and {0, 1, 2, 3} == set(places)
    assert {content["kind"] for content in asked} == {"choice", "number", "order", "match"}
    mixed = [content for content in asked if content["kind"] == "order"]
    assert not [content for content in mixed if content["right"] == sorted(content["right"])]


def test_the_static_form_is_stable_and_holds_text_alone() -> None:
    def cards() -> list:
        asked = (
            course.choice(HOSTILE, [HOSTILE, "b"], HOSTILE, HOSTILE),
            course.match(f"1{HOSTILE}", {HOSTILE: "a", "b": HOSTILE}, "w"),
        )
        guess = course.predict(HOSTILE, [HOSTILE, "b"])
        return [course.quiz(*asked, title=HOSTILE), guess, guess.answer(HOSTILE, HOSTILE)]

    first, again = ([card._repr_mimebundle_()[0] for card in cards()] for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert one["text/html"] == other["text/html"] and one["text/plain"] == other["text/plain"]
        assert course.is_quiz(one["text/html"]) and not static.is_viewer(one["text/html"])
        slim = static.without_script(one["text/html"])
        assert "<img" not in slim and slim.count("<script") == slim.count("</script>") == 1
        assert one["text/html"].count(course.quiz_script()) == 1
        assert "<code>a &lt; b</code>" in slim, "backticks are code, where no script runs too"
    assert [bundle["text/plain"] for bundle in first] == ["Quiz(2 questions)", "Prediction(choice)", "Answer(choice)"]


def test_other_questions_are_kept_under_another_name() -> None:
    one, other = course.number("Ask?", 1, 0, "w"), course.number("Ask?", 2, 0, "w")
    keys = [
        course.quiz(*asked)._card["key"] for asked in ([one], [other], [one], [one, course.number("B?", 1, 0, "w")])
    ]
    assert keys[0] == keys[2] and len(set(keys)) == 3


def test_a_prediction_comes_back_and_tells_nothing_before() -> None:
    guess = course.predict("Higher?", ["yes", "no"])
    assert guess.given is None
    guess.answers = [{"tries": [], "given": 1, "done": ""}]
    assert guess.given == "no" and guess._card["question"]["right"] is None
    count = course.predict("How many?", unit="films")
    count.answers = [{"tries": [], "given": 12, "done": ""}]
    assert count.given == 12 and count._card["question"]["right"] is None
    told = {
        value: count.answer(value)._card["question"]["answer"] for value in (96.4372, 1234567, 0, None, float("nan"))
    }
    assert list(told.values()) == ["96.44 films", "1,235,000 films", "0 films", "undefined here", "undefined here"]


def test_a_score_counts_what_was_right_at_first_try() -> None:
    quiz = course.quiz(*course.questions("01"))
    assert quiz.score == (0, 0, 5)
    right, late, shown = (
        {"tries": [], "done": "right"},
        {"tries": [1], "done": "right"},
        {"tries": [1], "done": "shown"},
    )
    quiz.answers = [{**answer, "given": 0} for answer in (right, late, shown, right, {"tries": [2], "done": ""})]
    assert quiz.score == (2, 4, 5)


def test_the_script_is_small() -> None:
    assert len(module().encode()) < 20_000
    assert not re.search(r"^ *import\b|^export (?!default|\{)", module(), re.MULTILINE)
