"""Quizzes in a real browser: the module with a model as anywidget hands one over, pages from disk, JupyterLab."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Lab, quiet_page, screenshot
from playwright.sync_api import Browser, Page, expect
from test_quiz import HOSTILE

from chestlib import course
from chestlib.course.cards import STYLE, module
from chestlib.course.kinds import FOLDER, read
from chestlib.viewer import static

WHO = ["a coin", "calls `all` ill", "calls all well"]
STEPS = ["trunk", "proposals", "RoIAlign", "head"]
PARTS = {"weights": "train", "threshold": "validation", "figure": "test"}


def example() -> course.Quiz:
    return course.quiz(
        course.choice("Who misses nobody?", WHO, "calls `all` ill", "No one is left."),
        course.number("IoU .5 is a slip of …?", 0.3333, 0.01, "(1 − s) / (1 + s).", unit="of the side"),
        course.order("In which order?", STEPS, "From film to boxes."),
        course.match("Which part for what?", PARTS, "What chose must not judge."),
    )  # fmt: skip


@pytest.fixture(params=[{"viewport": {"width": 1200, "height": 900}}])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    with quiet_page(browser, offline=True, **request.param) as opened:
        yield opened
        assert opened.evaluate("window.pwned") is None


def show(page: Page, tmp_path: Path, *cards: course.Quiz) -> None:
    body = "\n".join(static.without_script(card._fragment()) for card in cards)
    target = tmp_path / "page.html"
    target.write_text(static.page(f"{body}<script>{course.quiz_script()}</script>", "quiz"), encoding="utf-8")
    page.goto(target.as_uri())
    expect(page.locator(".cq")).to_have_count(len(cards))


def pick(page: Page, **chosen: str) -> None:
    for item, option in chosen.items():
        page.get_by_label(item, exact=True).select_option(label=option)


def tally(page: Page) -> str:
    return page.locator(".cq-tally").inner_text()


def verdicts(page: Page) -> list[str]:
    return page.locator(".cq-verdict").all_inner_texts()


ASK_MODULE = """async ([text, does, given]) => {
    const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
    return (0, eval)(does)(await import(url), given);
}"""


def ask(page: Page, does: str, given: object) -> object:
    """What a function of the module and something given says."""
    return page.evaluate(ASK_MODULE, [module(), does, given])


def wrong_ones(content: dict) -> list:
    right = content["right"]
    if content["kind"] == "choice":
        return [i for i in range(len(content["options"])) if i != right]
    if content["kind"] == "number":
        step = content["tolerance"] + max(0.001, content["tolerance"] / 100)
        return [right - step, right + step, -right or 1]
    n = len(content["options"])
    swapped = [[*right[:i], right[i + 1], right[i], *right[i + 2 :]] for i in range(len(right) - 1)]
    others = [[*right[:i], (right[i] + k) % n, *right[i + 1 :]] for i in range(len(right)) for k in range(1, n)]
    return [given for given in [*swapped, *others, right[:-1]] if given != right]


def test_every_question_of_the_chapters_takes_its_answer_and_no_other(page: Page) -> None:
    asked = [question.content for file in sorted(FOLDER.glob("*.yaml")) for question in read(file)]
    assert len(asked) > 40
    cases = [{"question": content, "right": content["right"], "wrong": wrong_ones(content)} for content in asked]
    cases += [
        {**case, "right": case["right"] + sign * case["question"]["tolerance"]}
        for case in cases if case["question"]["kind"] == "number" for sign in (-1, 1)
    ]  # fmt: skip
    judged = """({ judge }, cases) => cases.map(({ question, right, wrong }) =>
        [judge(question, right), ...wrong.map((given) => judge(question, given))])"""
    for case, (right, *wrong) in zip(cases, ask(page, judged, cases), strict=True):
        assert right and wrong and not any(wrong), case


def test_numbers_are_read_as_people_write_them(page: Page) -> None:
    written = {
        "0.5": 0.5, " 0,5 ": 0.5, "1/2": 0.5, "50 %": 0.5, ".5": 0.5, "\u22123": -3, "1e-3": 0.001, "1 000": 1000,
        "+2": 2, "": None, "half": None, "1/0": None, "1/2/3": None, "1,000.5": None, "0x10": None, "Infinity": None,
        "--1": None,
    }  # fmt: skip
    read_as = "({ number }, texts) => texts.map((text) => number(text)).map((n) => (Number.isNaN(n) ? null : n))"
    assert ask(page, read_as, list(written)) == list(written.values())
    assert ask(page, "({ number }, [text, unit]) => number(text, unit)", ["80 %", "%"]) == 80


def test_four_kinds_answer_at_once_with_the_reason(page: Page, tmp_path: Path) -> None:
    show(page, tmp_path, example())
    assert verdicts(page) == [""] * 4 and tally(page) == "0 of 4 answered"
    page.get_by_role("button", name="a coin").click()
    assert verdicts(page)[0] == "No."
    page.get_by_role("button", name="calls all ill").click()
    assert verdicts(page)[0] == "Right. No one is left."
    page.get_by_role("button", name="calls all well").click(force=True)  # over: nothing happens
    field = page.locator(".cq-input")
    field.fill("a third")
    field.press("Enter")
    assert page.locator(".cq-note").inner_text().startswith("A number") and verdicts(page)[1] == ""
    for text, told in (("1/2", "Too high."), ("0,3", "Too low."), ("33 %", "Right. (1 − s) / (1 + s).")):
        field.fill(text)
        page.get_by_role("button", name="Check").first.click()
        assert verdicts(page)[1] == told
    for name in ("trunk", "RoIAlign", "RoIAlign", "proposals", "head", "RoIAlign"):  # one is taken back
        page.get_by_role("button", name=name).click()
    assert verdicts(page)[2] == "Not yet: the first 2 of 4 stand right."
    screenshot(page, "quiz-page")
    for name in ("RoIAlign", "head"):
        page.get_by_role("button", name=name).click()
    assert verdicts(page)[2] == "Right. From film to boxes."
    assert page.locator(".cq-options").nth(1).inner_text().split() == [
        w for i, s in enumerate(STEPS, 1) for w in (str(i), s)
    ]
    assert page.get_by_role("button", name="Check").get_attribute("aria-disabled") == "true"
    pick(page, weights="train", threshold="test", figure="test")
    page.get_by_role("button", name="Check").click()
    assert verdicts(page)[3] == "Not yet: 2 of 3 are right."
    page.get_by_role("button", name="Show the answer").click()
    assert verdicts(page)[3].startswith("The answer: weights: train; threshold: validation; figure: test.")
    assert tally(page) == "0 of 4 right at first try"
    key = page.locator(".cq-key")
    assert not key.is_visible()
    page.emulate_media(media="print")
    assert "2: 0.3333 of the side · 3: trunk, then proposals" in key.inner_text(), "on paper the answers stand below"


def test_a_page_keeps_what_was_answered_until_it_is_begun_again(page: Page, tmp_path: Path) -> None:
    show(page, tmp_path, example())
    page.get_by_role("button", name="calls all ill").click()
    page.locator(".cq-input").fill("0.9")
    page.locator(".cq-input").press("Enter")
    pick(page, weights="train", threshold="validation", figure="test")
    page.get_by_role("button", name="Check").last.click()
    before = verdicts(page), tally(page)
    page.reload()
    expect(page.locator(".cq")).to_have_count(1)
    assert (verdicts(page), tally(page)) == before
    assert page.locator(".cq-input").input_value() == "0.9" and page.get_by_label("figure").input_value() != "-1"
    page.get_by_role("button", name="Start again").click()
    page.reload()
    expect(page.locator(".cq")).to_have_count(1)
    assert verdicts(page) == [""] * 4 and tally(page) == "0 of 4 answered"
    assert page.locator(".cq-input").input_value() == "" and page.get_by_label("figure").input_value() == "-1"
    assert not page.get_by_role("button", name="Start again").is_visible()


ODD = json.dumps([{"tries": [5], "given": None, "done": ""}] * 4)
"""As the page writes it, but of other questions."""


@pytest.mark.parametrize("kept", ["", "[]", "{", '[{"tries":0}]', "[null,null,null,null]", ODD, "no storage"])
def test_a_page_without_a_sound_memory_begins_anew(page: Page, tmp_path: Path, kept: str) -> None:
    key = f"chestlib-answers:{example()._card['key']}"
    if kept == "no storage":
        page.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new Error('none') } })")
    else:
        page.add_init_script(f"localStorage.setItem({key!r}, {kept!r})")
    show(page, tmp_path, example())
    assert (verdicts(page), tally(page)) == ([""] * 4, "0 of 4 answered")
    assert not page.get_by_role("button", name="Start again").is_visible()
    page.get_by_role("button", name="calls all ill").click()
    assert tally(page) == "1 of 4 answered"


def test_the_keyboard_alone_suffices(page: Page, tmp_path: Path) -> None:
    show(page, tmp_path, example())
    page.evaluate("window.seen = []; document.addEventListener('keydown', (event) => seen.push(event.key))")
    press = page.keyboard.press
    for key in ("Tab", "Tab", "Enter", "Tab", "Tab"):  # the second option; then, past the third, the field
        press(key)
    page.keyboard.type("1/3")
    press("Enter")
    names = page.locator(".cq-options").nth(1).locator(".cq-text").all_inner_texts()
    for name in STEPS:
        page.get_by_role("button", name=name).focus()
        press(" ")
        assert page.evaluate("document.activeElement.textContent").endswith(name) or name == STEPS[-1], names
    page.get_by_label("weights").focus()
    for item, part in PARTS.items():
        page.keyboard.type(part[:2])
        assert page.get_by_label(item).locator("option:checked").inner_text() == part
        press("Tab")
    press("Enter")
    assert tally(page) == "4 of 4 right at first try"
    press("Control+q")
    assert page.evaluate("window.seen") == ["Tab", "Control", "q"], "keys are ours; what a modifier holds is the host's"


NARROW = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True, "color_scheme": "dark"}


@pytest.mark.parametrize("page", [NARROW], indirect=True)
def test_by_touch_on_a_narrow_page(page: Page, tmp_path: Path) -> None:
    long = course.choice("x" * 300, ["y" * 300, "z"], "z", "w " * 200)
    show(page, tmp_path, example(), course.quiz(long), course.predict("A number?", unit="of a hundred"))
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.get_by_role("button", name="calls all ill").tap()
    for name in STEPS:
        page.get_by_role("button", name=name).tap()
    heights = page.locator("button.cq-option, .cq-input, .cq-select").evaluate_all(
        "all => all.map((e) => e.offsetHeight)"
    )
    assert min(heights) >= 44, "a finger is wide"
    assert verdicts(page)[0].startswith("Right") and verdicts(page)[2].startswith("Right")
    assert page.locator(".cq").first.evaluate("(e) => getComputedStyle(e).backgroundColor") == "rgb(22, 29, 35)"
    screenshot(page, "quiz-narrow-dark")


def test_others_text_is_text(page: Page, tmp_path: Path) -> None:
    asked = (
        course.choice(HOSTILE, [HOSTILE, "b"], HOSTILE, HOSTILE),
        course.match(f"1{HOSTILE}", {HOSTILE: "a", "b": HOSTILE}, "w"),
    )
    guess = course.predict(HOSTILE, [HOSTILE, "b"])
    show(page, tmp_path, course.quiz(*asked, title=HOSTILE), guess, guess.answer(HOSTILE, HOSTILE))
    page.locator(".cq-option").first.click()
    page.locator(".cq-prediction .cq-option").first.click()
    plain = HOSTILE.replace("`", "")
    assert page.locator(".cq-ask").first.text_content() == plain
    assert verdicts(page)[0] == f"Right. {plain}"
    assert [figure.text_content() for figure in page.locator(".cq-figure").all()] == [plain, plain]
    assert page.locator(".cq img").count() == 0 and page.locator(".cq code").first.inner_text() == "a < b"


def test_a_prediction_is_kept_and_shown_beside_what_came_out(page: Page, tmp_path: Path) -> None:
    number, pick_one = course.predict("How many of 100?", unit="of 100"), course.predict("Higher?", ["yes", "no"])
    cards = number, number.answer(96.437, "Accuracy is blind."), pick_one, pick_one.answer("no"), number.answer(None)
    show(page, tmp_path, *cards)
    gaps = page.locator(".cq-gap")
    assert gaps.all_inner_texts() == ["No prediction was made above."] * 3
    assert "96.44 of 100" in page.locator(".cq-answer").first.inner_text()
    page.locator(".cq-input").fill("50")
    page.get_by_role("button", name="Keep").click()
    page.get_by_role("button", name="yes").click()
    assert gaps.all_inner_texts() == ["Off by 46.44.", "Not as you predicted.", ""]
    page.get_by_role("button", name="no").click()
    assert page.get_by_role("button", name="no").get_attribute("aria-pressed") == "true"
    page.reload()
    assert gaps.nth(1).inner_text() == "As you predicted."
    assert page.locator(".cq-figure").all_inner_texts() == [
        "50 of 100",
        "96.44 of 100",
        "no",
        "no",
        "50 of 100",
        "undefined here",
    ]
    assert verdicts(page) == ["Kept: 50 of 100. Read on.", "Kept: no. Read on."]
    screenshot(page, "quiz-prediction")


def test_live_with_a_model_the_answers_go_to_python(page: Page, tmp_path: Path) -> None:
    """As anywidget does it: the module's default export renders, in a shadow root as marimo has one."""
    page.goto(f"{(tmp_path / 'empty.html').as_uri()}" if (tmp_path / "empty.html").write_text("<body>") else "")
    does = """({ default: { render } }, [card, answers, style]) => {
        window.saved = [];
        window.state = { _card: card, answers };
        const model = {
            get: (name) => state[name],
            set: (name, value) => { state[name] = value; },
            save_changes: () => saved.push(JSON.parse(JSON.stringify(state.answers))),
        };
        window.host = document.body.appendChild(document.createElement("div"));
        const el = host.attachShadow({ mode: "open" }).appendChild(document.createElement("div"));
        el.before(Object.assign(document.createElement("style"), { textContent: style }));
        window.end = render({ model, el });
    }"""
    quiz = example()
    ask(page, does, [quiz._card, [], STYLE.read_text(encoding="utf-8")])
    assert page.evaluate("saved") == [], "nothing answered, nothing sent"
    page.get_by_role("button", name="a coin").click()
    page.get_by_role("button", name="calls all ill").click()
    page.locator(".cq-input").fill("1/3")
    page.get_by_role("button", name="Check").first.click()
    quiz.answers = page.evaluate("saved.at(-1)")
    assert quiz.score == (1, 2, 4)
    page.evaluate("end()")
    assert page.locator(".cq").count() == 0
    ask(page, does, [quiz._card, [], ""])  # the cell is run again
    assert tally(page) == "2 of 4 answered"
    quiz.answers = page.evaluate("saved.at(-1)")
    assert quiz.score == (1, 2, 4), "what the browser kept comes back to Python"


def test_live_in_jupyterlab(browser: Browser, tmp_path: Path) -> None:
    with Lab(tmp_path) as lab, quiet_page(browser, viewport={"width": 1200, "height": 900}) as page:
        places = json.dumps([str(Path(__file__).parent), str(Path(__file__).parents[1])])
        lab.write(
            "live.ipynb",
            [
                f"import sys; sys.path[:0] = {places}\nfrom chestlib import course",
                "from test_quiz_browser import example\nquiz = example()\nquiz",
                "guess = course.predict('How many?')\nguess",
                "guess.answer(7)",
            ],
        )
        lab.open(page, "live.ipynb")
        lab.run_all(page)
        expect(page.locator(".cq")).to_have_count(3, timeout=60_000)
        page.get_by_role("button", name="calls all ill").click()
        for key in "dd":  # D D would delete the cell
            page.keyboard.press(key)
        page.locator(".cq-input").first.fill("1/3")
        page.locator(".cq-input").first.press("Enter")
        page.locator(".cq-input").last.fill("5")
        page.get_by_role("button", name="Keep").click()
        expect(page.locator(".cq-gap")).to_have_text("Off by 2.")
        state = "print(quiz.score, guess.given)"
        for _ in range(50):
            if lab.ask(page, state) == "(2, 2, 4) 5":
                break
            page.wait_for_timeout(100)
        else:
            pytest.fail(f"Python saw {lab.ask(page, state)}")
        assert page.locator(".jp-Notebook .jp-Cell").count() == 4
        page.evaluate("jupyterapp.commands.execute('apputils:change-theme', { theme: 'JupyterLab Dark' })")
        page.wait_for_function("document.body.dataset.jpThemeLight === 'false'")
        assert page.locator(".cq").first.evaluate("(e) => getComputedStyle(e).colorScheme") == "dark"
        screenshot(page, "quiz-lab-dark")
