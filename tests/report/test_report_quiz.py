"""A quiz in the report: one script for all of them, under the page's Content-Security-Policy, answers kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import chromium, quiet_page, screenshot
from playwright.sync_api import expect
from reports import Project, code, text

from chestlib import report

QUIZ = """from chestlib import course
course.quiz(course.choice("Which one?", ["this", "that"], "that", "Because."))"""


def test_quizzes_run_from_one_script_and_keep_their_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(tmp_path)
    guess = "guess = course.predict('How many?')\nguess"
    project.write("01_ask", text("# Ask\n\nA quiz."), code(QUIZ), code(guess), code("guess.answer(3)"))
    monkeypatch.setenv("CHESTLIB_HOME", str(project.home))
    built = report.build(project.notebooks, project.out, data=project.data, profile="quick")
    assert not built.failed
    with chromium() as browser, quiet_page(browser, offline=True) as page:
        page.goto(built.page.as_uri())
        expect(page.locator(".cq")).to_have_count(3)
        texts = page.locator("script:not([type])").evaluate_all("all => all.map((script) => script.textContent)")
        assert sum(".cq-static:not(" in text for text in texts) == 1, "one for all of them"
        page.get_by_role("button", name="that").click()
        page.reload()
        expect(page.locator(".cq-tally")).to_have_text("1 of 1 right at first try")
        page.locator("#theme").click(click_count=2)
        assert page.locator(".cq").first.evaluate("(e) => getComputedStyle(e).colorScheme") == "dark"
        screenshot(page, "report-quiz")
