"""The phantom: the same bytes from the same seed, true boxes, the real layout, and no half-written data set."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from chestlib import phantom
from chestlib.data import open_data
from chestlib.errors import ChestlibError
from chestlib.findings import FINDINGS
from chestlib.phantom.sampling import findings_at


def digests(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantom") / "data"
    phantom.write(folder, 9, 4, size=96, seed=3)
    return folder


def test_a_seed_is_a_picture() -> None:
    (first, record), (second, again) = phantom.render(5, 256), phantom.render(5, 256)
    assert first.shape == (256, 256) and first.dtype == np.uint8
    assert np.array_equal(first, second) and np.array_equal(record.boxes, again.boxes)
    assert not np.array_equal(first, phantom.render(6, 256)[0])


@pytest.mark.parametrize("seed", range(8))
def test_boxes_hold_what_the_findings_change(seed: int) -> None:
    image, record = phantom.render(seed)
    bare, nothing = phantom.render(seed, findings=False)
    assert nothing.boxes.shape == (0, 4)
    changed = np.abs(image.astype(int) - bare) > 2
    assert changed.any() == record.diseased
    outside = changed.copy()
    for x1, y1, x2, y2 in record.boxes.astype(int):
        assert 0 <= x1 < x2 <= 1024 and 0 <= y1 < y2 <= 1024
        assert changed[y1:y2, x1:x2].any()
        outside[max(0, y1 - 8) : y2 + 8, max(0, x1 - 8) : x2 + 8] = False
    assert outside.sum() <= 0.01 * changed.sum()


def test_another_size_is_the_same_picture() -> None:
    seed = next(s for s in range(20) if phantom.render(s, 256)[1].diseased)
    (large, record), (small, scaled) = phantom.render(seed), phantom.render(seed, 256)
    assert abs(large.mean() - small.mean()) < 1
    np.testing.assert_allclose(scaled.boxes, record.boxes / 4, atol=1)


def test_findings_come_in_their_real_shares() -> None:
    shown = findings_at((np.arange(4000) + 0.5) / 4000)
    sets = [{FINDINGS[i] for i in np.flatnonzero(row)} for row in shown]
    assert np.mean([bool(s) for s in sets]) == pytest.approx(0.773, abs=0.02)  # 681 of 3,001 are normal
    for name, images in (("Consolidation", 1340), ("Effusion", 1176), ("Nodule", 307), ("Mass", 112)):
        assert np.mean([name in s for s in sets]) == pytest.approx(images / 3001, rel=0.1)
    both = np.mean([{"Consolidation", "Effusion"} <= s for s in sets])
    alone = np.mean(["Consolidation" in s for s in sets]) * np.mean(["Effusion" in s for s in sets])
    assert both > 1.3 * alone  # they keep company
    assert {name for s in sets for name in s} == set(FINDINGS)


def test_it_has_the_real_layout_and_patients_who_come_back(written: Path) -> None:
    data = open_data(written)
    assert data.synthetic and data.missing == 0
    assert (len(data.train), len(data.test)) == (9, 4)
    assert len({record.patient for record in data.records}) < 13
    assert (written / "train_data" / data.train[0].file_name).is_file()
    assert json.loads((written / "phantom.json").read_text())["seed"] == 3


def test_traits_are_those_of_the_patient_and_the_visit(tmp_path: Path) -> None:
    (tmp_path / "phantom.json").write_text(json.dumps({"train": 300, "test": 60, "size": 64, "seed": 3, "version": 1}))
    known = phantom.traits(tmp_path)
    patient = {job.path.name: job.patient for job in phantom.plan(tmp_path, 300, 60, 64, 3)}
    assert known.keys() == patient.keys()
    stays = {(patient[name], of["sex"], of["soft tissue, mm"]) for name, of in known.items()}
    assert len(stays) == len(set(patient.values())) < len({(patient[name], of["view"]) for name, of in known.items()})
    assert np.mean([of["view"] == "AP" for of in known.values()]) == pytest.approx(0.4, abs=0.08)
    (tmp_path / "phantom.json").write_text('{"version": 0}')
    with pytest.raises(ChestlibError, match=r"phantom\.json: a phantom of version 0, not 1; delete it and draw anew"):
        phantom.traits(tmp_path)


def test_workers_do_not_change_a_byte(written: Path, tmp_path: Path) -> None:
    phantom.write(tmp_path / "data", 9, 4, size=96, seed=3, workers=2)
    assert digests(tmp_path / "data") == digests(written)


def test_a_stopped_writing_is_no_data_set_until_it_is_finished(written: Path, tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done == 5:
            raise Stop

    first = tmp_path / "data" / "..phantom-begun.json.77.part"  # a kill at the very first write leaves this
    first.parent.mkdir()
    first.write_text("{")
    with pytest.raises(Stop):
        phantom.write(tmp_path / "data", 9, 4, size=96, seed=3, progress=stop)
    with pytest.raises(ChestlibError):
        open_data(tmp_path / "data")
    phantom.write(tmp_path / "data", 9, 4, size=96, seed=3)
    assert digests(tmp_path / "data") == digests(written) and not first.exists()


def test_other_settings_do_not_overwrite(written: Path) -> None:
    before = digests(written)
    phantom.write(written, 9, 4, size=96, seed=3)
    with pytest.raises(ChestlibError, match=str(written)):
        phantom.write(written, 9, 4, size=96, seed=4)
    assert digests(written) == before


def test_another_seed_draws_other_films_of_other_patients(written: Path, tmp_path: Path) -> None:
    phantom.write(tmp_path / "data", 9, 4, size=96, seed=4)
    one, two = open_data(written), open_data(tmp_path / "data")
    for record, other in zip(*(sorted(data.records, key=lambda r: r.file_name) for data in (one, two)), strict=True):
        assert record.path.read_bytes() != other.path.read_bytes()
    assert [r.boxes.tolist() for r in one.records] != [r.boxes.tolist() for r in two.records]
    assert [(r.file_name, r.patient) for r in one.records] != [(r.file_name, r.patient) for r in two.records]


def test_what_cannot_be_drawn_is_told() -> None:
    with pytest.raises(ChestlibError, match="size 16"):
        phantom.render(0, 16)
