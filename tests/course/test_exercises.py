"""What students get: tasks whose checks fail until they are solved, answers that pass, and pages that hang together."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode

from chestlib.course import check
from chestlib.course.exercises import NotYet
from chestlib.data import DataFolder
from chestlib.findings import FINDINGS

TOP = Path(__file__).parents[2]
CHAPTERS = sorted(path.stem for path in (TOP / "notebooks").glob("[0-9]*.ipynb"))
SHARED = {"05b_careful_reader": "05_evaluate"}
"""Chapters without tasks of their own, and whose they share."""
NAMES = sorted(path.stem for path in (TOP / "notebooks" / "exercises").glob("*.ipynb"))


def notebook(kind: str, name: str) -> NotebookNode:
    return nbformat.read(TOP / "notebooks" / kind / f"{name}.ipynb", 4)


def tagged(cells: list[NotebookNode], tag: str) -> list[NotebookNode]:
    return [cell for cell in cells if tag in cell.metadata.get("tags", [])]


def words(cell: NotebookNode) -> tuple[str, str]:
    """Task and hint of a check cell."""
    calls = [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Call)]
    (call,) = [node for node in calls if getattr(node.func, "id", "") == "check"]
    return tuple(ast.literal_eval(value) for value in call.args)


@pytest.fixture
def elsewhere(small: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataFolder:
    """Notebooks work on the small phantom and write nothing into the project."""
    monkeypatch.setenv("CHESTLIB_DATA", str(small.root))
    monkeypatch.setenv("CHESTLIB_HOME", str(tmp_path))
    monkeypatch.delenv("CHESTLIB_PROFILE", raising=False)
    return small


def test_every_chapter_has_tasks_and_every_task_an_answer() -> None:
    assert {SHARED.get(name, name) for name in CHAPTERS} <= set(NAMES)
    assert sorted(path.stem for path in (TOP / "notebooks" / "solutions").glob("*.ipynb")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_tasks_and_answers_differ_in_the_answer_cells_alone(name: str) -> None:
    tasks, answers = notebook("exercises", name).cells, notebook("solutions", name).cells
    assert [(c.id, c.cell_type, c.metadata) for c in tasks] == [(c.id, c.cell_type, c.metadata) for c in answers]
    for task, answer in zip(tasks, answers, strict=True):
        if task in tagged(tasks, "answer"):
            assert "# your code here" in task.source and "# your code here" not in answer.source
        else:
            assert task.source == answer.source
    assert not [cell for cell in tasks if cell.get("outputs") or cell.get("execution_count")], "commit tasks unexecuted"


@pytest.mark.parametrize("name", NAMES)
def test_a_set_of_tasks_is_short_and_grows(name: str) -> None:
    cells = notebook("solutions", name).cells
    kinds = [tag for cell in cells for tag in cell.metadata.get("tags", []) if tag in ("answer", "check")]
    assert 2 <= kinds.count("check") <= 4 and kinds == ["answer", "check"] * kinds.count("check")
    grades = [len(dots) for cell in cells for dots in re.findall(r"^## Task \d (●+) ", cell.source, re.M)]
    assert len(grades) == kinds.count("check") and grades == sorted(grades) and len(set(grades)) > 1
    lengths = sorted(len(cell.source.splitlines()) for cell in cells if cell.cell_type == "code")
    assert lengths[len(lengths) // 2] <= 8 and lengths[-1] <= 25


@pytest.mark.parametrize("name", NAMES)
def test_the_answers_were_executed_and_are_right(name: str) -> None:
    cells = [cell for cell in notebook("solutions", name).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1)), "python notebooks/execute.py"
    kinds = {(output.output_type, output.get("name", "")) for cell in cells for output in cell.outputs}
    assert kinds <= {("stream", "stdout"), ("execute_result", ""), ("display_data", "")}
    for cell in tagged(cells, "check"):
        said = "".join(output.text for output in cell.outputs if output.output_type == "stream")
        assert said.splitlines()[0] == f"right: {words(cell)[0]}"


@pytest.mark.parametrize("name", NAMES)
def test_an_unsolved_task_fails_with_its_hint(name: str, elsewhere: DataFolder) -> None:
    done = notebook("exercises", name)
    manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
    NotebookClient(done, km=manager, timeout=600, startup_timeout=600, allow_errors=True).execute(
        env=dict(os.environ), cleanup_kc=True
    )
    for cell in (cell for cell in done.cells if cell.cell_type == "code"):
        errors = [output for output in cell.outputs if output.output_type == "error"]
        if cell not in tagged(done.cells, "check"):
            assert not errors, f"{cell.source}\n{errors}"
            continue
        ((error,), (task, hint)) = errors, words(cell)
        assert error.ename == NotYet.__name__ and error.evalue.splitlines()[0] == task
        assert error.evalue.splitlines()[-1] == f"  hint: {hint}"
        assert error.traceback[0] == f"not yet: {task}" and len(error.traceback) <= 3, "students see no traceback"


# What people write first, as the value of the function asked for; `answer` is the worked one.
MISTAKES = {
    "01.1 images_with(records)": [
        "{f: int(sum((r.labels == ID[f]).sum() for r in records)) for f in FINDINGS}",  # boxes
        "{f: n for f, n in answer(records).items() if n}",
    ],
    "01.2 leaked(train, test)": [
        "sum(r.patient in {t.patient for t in train} for r in test) / len(test)",  # strangers taken for one patient
        "len({r.patient for r in train} & {r.patient for r in test} - {''}) / len({r.patient for r in test})",
    ],
    "01.3 lift(records, one, other)": [
        "answer([r for r in records if r.diseased], one, other)",
        "answer(records, one, other) or 0",
    ],
    "01.4 draw(records, share, seed)": [
        "(records[: round(share * len(records))], records[round(share * len(records)) :])",
        "answer(records, share, 0)",
        "answer([r for r in records if r.patient], share, seed)",
    ],
    "02.1 to_grey(stored, bits, inverted)": [
        "answer(stored, 16 if bits > 8 else 8, inverted)",
        "answer(stored, bits, False)",
        "answer(stored, bits, inverted).astype(float)",
    ],
    "02.2 scale(boxes, size, new_size)": [
        "boxes * (new_size[0] / size[0])",
        "answer(boxes, size, new_size[::-1])",
        "np.multiply(boxes, answer(np.ones((1, 4)), size, new_size), out=boxes)",  # somebody else's boxes
    ],
    "02.3 flip(film, boxes)": [
        "(film[:, :, ::-1], answer(film, boxes)[1][:, [2, 1, 0, 3]])",
        "(film[:, :, ::-1], boxes)",
        "(film, answer(film, boxes)[1])",
    ],
    "02.4 letterbox(film, boxes, size)": [
        "(images.resize(film, (size, size)), boxes * np.tile([size / film.shape[2], size / film.shape[1]], 2))",
        "(answer(film, boxes, size)[0], boxes * size / max(film.shape[1:]))",
        "(np.pad(answer(film, boxes, 128)[0], [(0, 0), (0, 128), (0, 128)]), answer(film, boxes, 128)[1])",
    ],
    "03.1 lazy_f1(prevalence)": ["prevalence"],
    "03.2 count_weight(records)": ["1 / answer(records)", "answer(records) / (1 + answer(records))"],
    "03.3 choose(y, p, floor)": [
        "p.min()",
        "0.5",
        "np.quantile(p[~y], floor)",
        "min(answer(y, p, floor), p.max())",  # everyone, where nothing keeps the floor
    ],
    "03.4 probability(network, image)": ["network(image)"],
    "04.1 target(record, film_side, side)": [
        "{**answer(record, film_side, side), 'labels': torch.tensor(record.labels - 1)}",
        "answer(record, side, side)",
        "{**answer(record, film_side, side), **({} if record.diseased else {'boxes': torch.zeros(0)})}",
    ],
    "04.2 repeats(records, threshold)": [
        "answer(records, threshold) ** 2",
        "np.array([max([(threshold / np.mean([f in r.findings for r in records])) ** 0.5 for f in record.findings], "
        "default=1) for record in records])",
        "np.array([max([1, *(threshold * len(records) / sum((s.labels == i).sum() for s in records) for i in r.labels)]"
        ") ** 0.5 for r in records])",  # boxes
    ],
    "04.3 best_iou(sizes, anchors)": [
        "(np.minimum(sizes[:, None], anchors).prod(2) / sizes.prod(1)[:, None]).max(1)",
        "answer(np.sqrt(sizes.prod(1))[:, None].repeat(2, 1), np.sqrt(anchors.prod(1))[:, None].repeat(2, 1))",
        "answer(sizes, anchors[:1])",
    ],
    "04.4 five_sides(sizes)": [
        "np.array([32, 64, 128, 256, 512])",
        "np.linspace(*np.quantile(np.sqrt(sizes.prod(1)), [0, 1]), 5)",
        "np.array([8, 15, 29, 55, 104])",  # these boxes alone
    ],
    "05.1 iou(a, b)": [
        "(lambda c: c / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - c))"
        "((np.minimum(a, b)[2:] - np.maximum(a, b)[:2]).prod())",  # two negative sides
        "2 * answer(a, b) / (1 + answer(a, b))",
    ],
    "05.2 average_precision(hit, boxes)": [
        "(np.cumsum(hit) / np.arange(1, len(hit) + 1) * hit).sum() / boxes",  # not interpolated
        "answer(hit, max(hit.sum(), 1))",
    ],
    "05.3 recall_at(hit, boxes, images, rate)": [
        "(np.cumsum(hit) / boxes)[np.cumsum(~hit) / images <= rate][-1]",
        "answer(hit, boxes, len(hit), rate)",
    ],
    "05.4 confusion(record, detections)": [
        "answer(record, detections).T",
        "np.minimum(answer(record, detections), 1)",  # counts[labels, 0] += 1
        "np.vstack([np.zeros((1, 11), int), answer(record, detections)[1:]])",
    ],
    "06.1 ppv(sensitivity, specificity, prevalence)": [
        "sensitivity",
        "sensitivity * prevalence / (sensitivity * prevalence + 1 - specificity)",
    ],
    "06.2 windowed(stored, slope, intercept, centre, width, inverted)": [
        "answer(stored, slope, intercept, centre, width, False)",
        "answer(stored, 1, 0, centre, width, inverted)",
        "answer(stored, slope, intercept, 2**15, 2**16, inverted)",
    ],
    "06.3 shown(predictions, thresholds)": [
        "{file: found or [] for file, found in answer(predictions, thresholds).items()}",
        "answer(predictions, {})",
        "{p['file']: [d['finding'] for d in p['detections']] for p in predictions}",
    ],
    "06.4 clinic_threshold(y, p, prevalence, bearable)": ["answer(y, p, y.mean(), bearable)", "p.max()"],
    "07.1 mean_present(scores)": ["np.mean([s or 0 for s in scores])", "answer([s for s in scores if s])"],
    "07.2 fit(target, side)": [
        "True",
        "answer({**target, 'labels': torch.ones_like(target['labels'])}, side)",
        "answer(target, 1024)",
        "answer({**target, 'boxes': torch.nan_to_num(target['boxes'], 5.0)}, side)",
    ],
    "07.3 moves_together(transform)": [
        "True",
        "(lambda film, boxes: bool((boxes >= 0).all() and (boxes <= np.tile(film.shape[:0:-1], 2)).all()))"
        "(*transform(np.zeros((1, 200, 240), np.float32), np.array([[100.0, 40, 130, 80]])))",  # inside is not enough
        "(lambda film, box: bool(film[0, box[1] : box[3], box[0] : box[2]].all()))"  # a square box in the middle
        "(*(f(x) for f, x in zip((np.array, lambda b: b[0].astype(int)), transform(np.pad(np.ones((1, 40, 40), "
        "np.float32), [(0, 0), (80, 80), (80, 80)]), np.array([[80.0, 80, 120, 120]])))))",
    ],
    "07.4 audit(project)": [
        "[]",
        "answer({**project, 'val': []})",
        "answer({**project, 'scored': project['test']})",
        "sorted({*answer(project), 'leak'})",  # strangers taken for one patient
    ],
    "08.1 view_alone(ap_among_diseased, ap_among_normal)": [
        "ap_among_diseased",
        "(ap_among_diseased + 1 - ap_among_normal) / 2",  # not turned round
    ],
    "08.2 kappa(one, other)": [
        "float((np.array(one) == np.array(other)).mean())",
        "answer(one, other) or 0.0",
        "(lambda agreed: 2 * agreed - 1)(float((np.array(one) == np.array(other)).mean()))",  # as if chance were a half
    ],
    "08.3 within(diseased, score, group)": [
        "roc_auc_score(diseased, score)",
        "answer(diseased, np.array(score) + 1e-9 * np.array(diseased), group)",  # ties count one
        "float(np.mean([answer(*(np.array(x)[np.array(group) == g] for x in (diseased, score, group)))"
        " for g in set(group)]))",  # groups weigh the same
    ],
    "08.4 by_origin(origin, diseased, fold)": [
        "roc_auc_score(diseased, [np.mean(np.array(diseased)[np.array(origin) == place]) for place in origin])",
        "answer(origin, diseased, np.arange(len(origin)))",  # leaves out the film, not its fold
        "max(answer(origin, diseased, fold), 1 - answer(origin, diseased, fold))",
    ],
}


def test_every_task_has_mistakes_to_catch() -> None:
    tasks = {
        f"{name[:2]}.{i + 1}" for name in NAMES for i in range(len(tagged(notebook("exercises", name).cells, "check")))
    }
    assert {key.split()[0] for key in MISTAKES} == tasks


@pytest.mark.parametrize("name", NAMES)
def test_answers_hold_on_other_data_and_mistakes_are_caught(
    name: str, elsewhere: DataFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")
    cells = [cell for cell in notebook("solutions", name).cells if cell.cell_type == "code"]
    checks = tagged(cells, "check")
    space: dict = {}
    for cell in cells:
        exec(cell.source, space)
    assert capsys.readouterr().out.count("right: ") == len(checks)
    mistakes = [(key, value) for key, values in MISTAKES.items() if key.startswith(name[:2]) for value in values]
    for key, value in mistakes:
        number, function, parameters = re.match(r"\d\d\.(\d) (\w+)\((.*)\)", key).groups()
        trial = {**space, "answer": space[function]}
        exec(f"{function} = lambda {parameters}: {value}", trial)
        with pytest.raises(NotYet) as caught:
            exec(checks[int(number) - 1].source, trial)
            pytest.fail(f"{key} = {value} passes")
        assert "Error: " not in str(caught.value), "a mistake is to be found wrong, not to crash"


def test_a_check_tells_what_failed() -> None:
    with check("sums", "add"):
        assert 1 + 1 == 2
    with pytest.raises(NotYet) as caught, check("sums", "add"):
        raise AssertionError("1 + 1 is 3\nand more")
    assert str(caught.value).splitlines() == ["sums", "  failed: 1 + 1 is 3", "  hint: add"]
    with pytest.raises(NotYet, match="failed: KeyError: 'x'"), check("sums", "add"):
        dict(y=1)["x"]
    with pytest.raises(NotYet, match="failed: an answer is None"), check("sums", "add"):
        len(None)


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_leads_to_its_tasks_and_to_the_glossary(name: str) -> None:
    last = notebook(".", name).cells[-1].source
    assert "(../docs/glossary.md)" in last and f"exercises/{SHARED.get(name, name)}.ipynb" in last


def test_the_glossary_has_the_ten_findings_and_a_source_for_every_term() -> None:
    terms, _, reading = (TOP / "docs" / "glossary.md").read_text().partition("## Further reading")
    sections = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", terms, re.M | re.S))
    named = re.findall(r"^- \*\*(\w+)\*\*", sections.pop("The ten findings"), re.M)
    assert named == list(FINDINGS)
    entries = [entry for text in sections.values() for entry in re.split(r"^- ", text, flags=re.M)[1:]]
    assert len(entries) > 60 and not [e for e in entries if not re.search(r"\([^()]*(\([^()]*\)[^()]*)*\)\s*$", e)]
    assert len(re.findall(r"^\d+\. .*?Because", reading, re.M | re.S)) >= 12
