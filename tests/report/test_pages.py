"""The report as pages: order, numbers, places and links, words for figures, one file or many, and paper."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from reports import Project, code, ran, text, walk

from chestlib import report
from chestlib.errors import ChestlibError
from chestlib.report import paper


def build(project: Project, **options: bool) -> report.ReportResult:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CHESTLIB_HOME", str(project.home))
        return report.build(project.notebooks, project.out, data=project.data, profile="quick", as_is=True, **options)


@pytest.fixture(scope="module", params=[False, True], ids=["single", "split"])
def pages(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, BeautifulSoup]:
    """All files of a report by name."""
    project = walk(tmp_path_factory.mktemp("walk"))
    build(project, split=request.param)
    found = sorted(project.out.glob("*.html"))
    assert len(found) == (5 if request.param else 1)
    return {path.name: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser") for path in found}


def test_a_chapter_with_a_letter_stands_after_the_one_with_its_number(pages: dict[str, BeautifulSoup]) -> None:
    for soup in pages.values():
        toc = [(a.b.get_text(), a.span.get_text().strip()) for a in soup.select(".toc > li > a") if a.b]
        assert [number for number, _ in toc] == ["01", "05", "05b", "06"]
        assert toc[2][1] == "What a careful reader asks", "its number does not stand twice"
    chapter = next(found for soup in pages.values() if (found := soup.select_one("#ch-05b-careful-reader")))
    assert chapter.select_one("header .number").get_text() == "05b"
    assert "Not for clinical use" in chapter.header.get_text()
    before, after = (chapter.select_one(f".turn [rel={way}]") for way in ("prev", "next"))
    assert before["href"].endswith("#ch-05-evaluate") and after["href"].endswith("#ch-06-next")


def test_every_link_leads_to_a_place_that_a_selector_takes(pages: dict[str, BeautifulSoup]) -> None:
    for name, soup in pages.items():
        ids = [str(element["id"]) for element in soup.find_all(id=True)]
        assert len(ids) == len(set(ids)) and all(re.fullmatch("[a-z][a-z0-9-]*", id) for id in ids)
        for link in soup.select("a[href]"):
            file, _, place = str(link["href"]).partition("#")
            assert pages[file or name].select_one(f"#{place}"), link
    texts = {
        a.get_text(): str(a["href"]).rpartition("#")[2]
        for soup in pages.values()
        for a in soup.select(".prose a[href]")
    }
    assert texts == {
        "on": "ch-05-evaluate--9-how-good-and-how-sure",
        "gone": "ch-05-evaluate",
        "letter": "ch-05b-careful-reader",
        "own": "ch-01-explore--mine",
    }  # fmt: skip


def test_headings_of_one_name_and_of_other_letters_are_told_apart(pages: dict[str, BeautifulSoup]) -> None:
    ids = {str(h["id"]) for soup in pages.values() for h in soup.select(".prose h2")}
    assert {"ch-05-evaluate--exercises", "ch-05-evaluate--exercises-2", "ch-01-explore--uberall-grou-dfer"} & ids
    assert {"ch-05-evaluate--exercises", "ch-05-evaluate--exercises-2"} <= ids


def test_every_figure_has_words_of_its_own(pages: dict[str, BeautifulSoup]) -> None:
    alts = [img["alt"] for soup in pages.values() for img in soup.select(".chapter img")]
    assert alts == [
        "“FROC”, lines (x: false alarms)",
        "Figure in “9 · How good, and how sure?”: Two curves, one of them is better.",
        "Figure in “9 · How good, and how sure?”: Two curves, one of them is better.",
    ]
    assert all(img["width"] == "40" for soup in pages.values() for img in soup.select("figure img"))


def test_each_page_knows_the_words_of_all(pages: dict[str, BeautifulSoup]) -> None:
    for soup in pages.values():
        index = json.loads(soup.select_one("#index").string)
        assert [number for number, _ in index["chapters"]] == ["01", "05", "05b", "06"]
        found = {word: [cell for cell in index["cells"] if word in cell[-1]] for word in ("zebrafish", "</script>")}
        assert [(cell[0], cell[1]) for cell in found["zebrafish"]] == [(1, "9 · How good, and how sure?")]
        assert [cell[0] for cell in found["</script>"]] == [2]


def test_one_page_takes_the_place_of_many(tmp_path: Path) -> None:
    project = walk(tmp_path)
    build(project, split=True)
    mine = project.out / "ch-mine.html"
    mine.write_text("<p>not the report's</p>")
    project.notebooks[-1].unlink()
    build(project, split=True)
    assert not (project.out / "ch-06-next.html").exists(), "a page of an older state"
    build(project)
    assert sorted(path.name for path in project.out.iterdir()) == ["ch-mine.html", "index.html"]


def test_as_is_takes_the_last_report_s_outputs_and_runs_nothing(tmp_path: Path) -> None:
    project = Project(tmp_path)
    path = project.write("01_a", ran("1", nbformat.v4.new_output("stream", text="old")))
    build(project)
    assert project.soup().select_one("pre.stdout").get_text() == "old"
    assert "nothing was run" in project.soup().select_one(".settings").get_text()
    copy = nbformat.read(path, 4)
    copy.cells[0].outputs[0].text = "newer"
    copy.metadata["chestlib"] = {"seconds": 3.0, "failure": None}
    (project.out / ".executed").mkdir()
    nbformat.write(copy, project.out / ".executed" / "01_a.ipynb")
    build(project)
    assert project.soup().select_one("pre.stdout").get_text() == "newer"
    project.write("01_a", ran("2", nbformat.v4.new_output("stream", text="changed")))
    build(project)
    assert project.soup().select_one("pre.stdout").get_text() == "changed"
    project.write("01_a", code("3"))
    with pytest.raises(ChestlibError, match=r"01_a\.ipynb: was never run"):
        build(project)


def test_two_chapters_of_one_name_are_refused(tmp_path: Path) -> None:
    project = Project(tmp_path)
    for name in ("01_a b", "01_a-b"):
        project.write(name, text("# A"))
    with pytest.raises(ChestlibError, match="rename one"):
        build(project)


@pytest.mark.parametrize("named", ["", "no-such-browser"])
def test_without_a_browser_nothing_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    project = Project(tmp_path)
    project.write("01_a", code("open('../ran', 'w')"))
    monkeypatch.setenv(paper.VARIABLE, named)
    monkeypatch.setattr(paper, "NAMES", ())
    monkeypatch.setattr(paper, "PLACES", ())
    with pytest.raises(ChestlibError, match="no-such-browser" if named else "install one") as caught:
        report.build(project.notebooks, project.out, data=project.data, profile="quick", pdf=True)
    assert "\n" not in str(caught.value) and paper.VARIABLE in str(caught.value)
    assert not project.out.exists() and not (tmp_path / "ran").exists()


def test_a_browser_that_fails_leaves_the_page_and_nothing_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(tmp_path)
    project.write("01_a", text("# A"))
    broken = tmp_path / "browser"
    broken.write_text(
        "#!/bin/sh\nfor a in $@; do case $a in --print-to-pdf=*) echo half > ${a#*=};; esac; done\nexit 3\n"
    )
    broken.chmod(0o755)
    monkeypatch.setenv(paper.VARIABLE, str(broken))
    with pytest.raises(ChestlibError, match="did not print it"):
        build(project, pdf=True)
    assert [path.name for path in project.out.iterdir()] == ["index.html"]
