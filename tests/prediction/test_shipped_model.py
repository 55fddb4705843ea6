"""The model that ships: what was packed comes back, what it says follows from its parts, damage is told."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from toy_runs import TINY

from chestlib.detections import Detections
from chestlib.errors import ChestlibError
from chestlib.files import read_json, write_json
from chestlib.findings import FINDINGS
from chestlib.prediction import shipped
from chestlib.prediction.shipped import model as package
from chestlib.settings import to_json
from chestlib.train import Detector, detector

SHIPPED = Path(package.__file__).parent
SETTINGS = replace(TINY["detector"], trunk="efficientnet_lite0", heads="independent", image_size=64, score_floor=0.001)
WIDTH = 2 * (40 + 112 + 320)


@pytest.fixture(scope="module")
def made() -> tuple[dict[str, Any], dict[str, torch.Tensor], Detector]:
    module = Detector(SETTINGS).eval()
    rng = np.random.default_rng(0)
    slopes, offsets = rng.normal(0, 0.3, (WIDTH, 11)), rng.normal(0, 0.3, 11)
    card = read_json(package.CARD) | {
        "settings": to_json(SETTINGS),
        "disease": {"head": 0.5, "boxes": 1.5, "offset": 0.25},
        "films": {"total": 3, "boxes": dict.fromkeys(FINDINGS, 5)},
    }
    guard = {n.removeprefix("guard."): v.numpy() for n, v in shipped_weights().items() if n.startswith("guard.")}
    return card, shipped.pack(module, slopes, offsets, guard), module


def shipped_weights() -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(package.WEIGHTS)


@pytest.fixture
def films() -> list[torch.Tensor]:
    return list(torch.rand(3, 1, 64, 64, generator=torch.Generator().manual_seed(1)))


def test_it_says_what_its_parts_say(made: tuple, films: list[torch.Tensor]) -> None:
    card, weights, module = made
    sizes = [(64, 64), (128, 64), (256, 512)]
    said = shipped.Pretrained(card, weights)(films, sizes)
    half = Detector(SETTINGS)
    half.load_state_dict({name: value.half().float() for name, value in module.state_dict().items()})
    boxes, seen = detector.detect(half.eval(), films, sizes), shipped.features(half, films)
    heads = seen.mean(1) @ weights["heads.slopes"].numpy() + weights["heads.offsets"].numpy()
    for answer, found, head in zip(said, boxes, heads, strict=True):
        film = 1 / (1 + np.exp(-head[1:]))
        raised = sorted(found.scores**0.2 * film[found.labels - 1] ** 1.6)[::-1]  # w = 5 / (5 + 20)
        np.testing.assert_allclose(answer.detections.scores, raised, rtol=1e-4)
        assert sorted(answer.detections.boxes.tolist()) == sorted(found.boxes.tolist())
        logit = 0.5 * head[0] + 1.5 * np.log(raised[0] / (1 - raised[0])) + 0.25
        assert answer.disease == pytest.approx(1 / (1 + np.exp(-logit)), rel=1e-4)


def test_a_film_and_its_mirror_image_are_seen_alike(made: tuple, films: list[torch.Tensor]) -> None:
    seen = shipped.features(made[2], films)
    turned = shipped.features(made[2], [film.flip(-1) for film in films])
    assert seen.shape == (3, 2, WIDTH)
    np.testing.assert_allclose(seen, turned[:, ::-1], rtol=1e-3, atol=1e-3)
    assert not np.allclose(seen[:, 0], seen[:, 1], rtol=0.05)


def test_a_finding_that_many_films_taught_keeps_its_score() -> None:
    found = Detections([[0, 0, 9, 9], [0, 0, 5, 5]], [1, 2], [0.64, 0.36])
    film, taught = np.array([0.25, 0.25, *[1.0] * 8]), np.array([1e9, 0, *[1.0] * 8])
    joined = shipped.tempered(found, film, taught)
    assert dict(zip(joined.labels.tolist(), joined.scores.tolist(), strict=True)) == pytest.approx({1: 0.64, 2: 0.0625})


def test_what_ships_says_what_it_is() -> None:
    assert sum(file.stat().st_size for file in SHIPPED.iterdir() if file.is_file()) < 25e6
    line, card = shipped.load().told(), read_json(package.CARD)
    assert "real films" in line and line.endswith("Not for clinical use.") and "\n" not in line
    reached = card["reached"]
    assert f"AUROC {reached['auroc']['value']:.2f}" in line and f"AP50 {reached['AP50']['value']:.2f}" in line
    assert {"use", "films", "settings", "thresholds", "command", "licence", "device"} <= card.keys()
    held_out = reached["by these weights, on films of patients that taught them nothing"]
    assert held_out["films"] == 97 and f"AP50 {held_out['AP50']['value']:.2f}" in line
    assert "NIH" in card["licence"] and "official test" in card["films"]["left out"]
    halves = {name: value.dtype for name, value in shipped_weights().items() if name.startswith("detector.")}
    assert set(halves.values()) == {torch.float16}


def _cut(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-100])


def _flip(folder: Path) -> None:
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-5000] ^= 1
    (folder / "model.safetensors").write_bytes(content)


def _half_a_card(folder: Path) -> None:
    (folder / "card.json").write_text((folder / "card.json").read_text()[:300])


def _other_card(folder: Path) -> None:
    card = read_json(folder / "card.json")
    write_json(folder / "card.json", card | {"settings": card["settings"] | {"fpn_channels": 32}})


def _without(folder: Path, part: str, key: str) -> None:
    card = read_json(folder / "card.json")
    write_json(folder / "card.json", card | {part: {k: v for k, v in card[part].items() if k != key}})


@pytest.mark.parametrize(
    "damage",
    [
        _cut, _flip, _half_a_card, _other_card,
        lambda folder: (folder / "model.safetensors").unlink(),
        lambda folder: (folder / "card.json").unlink(),
        lambda folder: (folder / "card.json").write_text("[]"),
        lambda folder: _without(folder, "thresholds", "disease"),
        lambda folder: _without(folder, "reached", "auroc"),
    ],
)  # fmt: skip
def test_damage_is_one_line(damage: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("card.json", "model.safetensors"):
        shutil.copy(SHIPPED / name, tmp_path)
    monkeypatch.setattr(package, "CARD", tmp_path / "card.json")
    monkeypatch.setattr(package, "WEIGHTS", tmp_path / "model.safetensors")
    package.load.cache_clear()
    assert shipped.load()
    package.load.cache_clear()
    damage(tmp_path)
    with pytest.raises(ChestlibError, match=r"model\.safetensors: not the model .* install chestlib again"):
        shipped.load()
