"""What a browser keeps and prints: a quiz whose kept answers are broken begins anew, a failed print is one line."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from browser import chromium, quiet_page
from commands import run
from mutations import of_json
from playwright.sync_api import expect

from chestlib import course

FEW, MANY = 12, 100
"""Broken answers that are tried, in the small form and in the campaign."""


def quiz() -> course.Quiz:
    return course.quiz(
        course.choice("Who misses nobody?", ["a coin", "calls all ill"], "calls all ill", "No one is left."),
        course.number("What is a half?", 0.5, 0.01, "It is."),
        course.order("In which order?", ["trunk", "proposals", "head"], "From film to boxes."),
        course.match("Which part for what?", {"weights": "train", "figure": "test"}, "What chose must not judge."),
    )


def kept(questions: list[dict]) -> str:
    """As the page writes it: a question a kind, each tried once, the first ones done."""
    wrong = [0, 0.25, questions[2]["right"][::-1], questions[3]["right"][::-1]]
    ends = [("right", questions[0]["right"]), ("shown", None), ("", None), ("", None)]
    rows = [{"tries": [tried], "given": given, "done": end} for tried, (end, given) in zip(wrong, ends, strict=True)]
    return json.dumps(rows)


@pytest.mark.parametrize(
    "count", [pytest.param(FEW, id="small"), pytest.param(MANY, id="whole", marks=pytest.mark.campaign)]
)
def test_a_quiz_whose_kept_answers_are_broken_begins_anew(
    count: int, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    asked, rng, counts = quiz(), random.Random(f"answers {count}"), Counter()
    good = kept(asked._card["questions"])
    target = asked.to_html(tmp_path / "quiz.html")
    mutants = [of_json(good.encode(), rng) for _ in range(count)]
    texts = [good, *(mutant.data.decode(errors="replace") for mutant in mutants)]
    with chromium() as browser, quiet_page(browser, offline=True) as page:
        page.goto(target.as_uri())
        for i, text in enumerate(texts):
            page.evaluate("(pair) => localStorage.setItem(...pair)", [f"chestlib-answers:{asked._card['key']}", text])
            page.reload()
            expect(page.locator(".cq-question"), text).to_have_count(4)
            again, tally = page.get_by_role("button", name="Start again"), page.locator(".cq-tally")
            sound = again.is_visible()
            assert i or (sound and tally.inner_text() == "2 of 4 answered"), "the undamaged answers are taken"
            assert not (sound and i and mutants[i - 1].broken), f"taken for sound: {text}"
            counts[sound] += i > 0
            if sound:
                again.click()
            assert tally.inner_text() == "0 of 4 answered"
            page.get_by_role("button", name="calls all ill").click()
            assert tally.inner_text() == "1 of 4 answered", f"no answer is taken any more: {text}"
    record_property(
        "campaign",
        f"{'quiz, kept answers':<34}{count:>5} tried{counts[False]:>5} refused{counts[True]:>5} still sound",
    )


PRINTS = '#!/bin/sh\nfor a; do case "$a" in --print-to-pdf=*) printf %s > "${a#*=}";; esac; done\n'
BROWSERS: dict[str, str | None] = {
    "missing": None,
    "empty": "",
    "no program": "\x7fELF",
    "fails": "#!/bin/sh\nexit 3\n",
    "is killed": "#!/bin/sh\nkill -9 $$\n",
    "prints nothing": "#!/bin/sh\n",
    "prints no PDF": PRINTS % "half",
    "complains at length": "#!/bin/sh\nhead -c 100000 /dev/zero | tr '\\0' x >&2\n",
}


def test_a_report_that_cannot_be_printed_is_one_line(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    (tmp_path / "notebooks").mkdir()
    cells = [nbformat.v4.new_markdown_cell("# A title"), nbformat.v4.new_code_cell("1", execution_count=1)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "notebooks" / "01_a.ipynb")
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "taken" / "report.pdf").mkdir(parents=True)
    cases = [(name, name, "browser", {"index.html"} if text is not None else set()) for name, text in BROWSERS.items()]
    cases += [
        ("prints", "mine.txt", "mine.txt", set()),
        ("prints", "taken", "report.pdf", {"index.html", "report.pdf"}),
    ]
    for name, out, told, left in cases:
        program, text = tmp_path / "browser", BROWSERS.get(name, PRINTS % "%%PDF-1.7")
        program.unlink(missing_ok=True)
        if text is not None:
            program.write_text(text)
            program.chmod(0o755)
        where = {"CHESTLIB_HOME": str(tmp_path), "CHESTLIB_CHROMIUM": str(program)}
        ended = run(("report", "--as-is", "--pdf", "--out", out), tmp_path, variables=where)
        assert ended.status == 2 and "Traceback" not in ended.err + ended.out, f"{name}: {ended}"
        (line,) = ended.lines
        assert told in line and len(line) <= 1000 and not re.search(r"/\.\w", line), f"{name}: {line}"
        place = tmp_path / out
        assert {file.name for file in place.iterdir()} == left if place.is_dir() else not left, name
    assert (tmp_path / "mine.txt").read_text() == "mine"
    record_property("campaign", f"{'report, --pdf':<34}{len(cases):>5} tried{len(cases):>5} refused    0 still sound")
