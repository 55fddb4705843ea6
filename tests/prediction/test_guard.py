"""The guard of the model that ships, on made features: five clouds, and what lies outside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from chestlib.prediction.shipped import POSES, Guard, fit_guard, posed
from chestlib.prediction.shipped.guard import STRANGE

D = 40
RNG = np.random.default_rng(7)
CENTRES = RNG.normal(0, 3, (len(POSES), D))
MIXING = RNG.normal(size=(12, D))  # features go together, as a trunk's do


def cloud(pose: str, count: int, rng: np.random.Generator) -> np.ndarray:
    noise = rng.normal(size=(count, 12)) @ MIXING + 0.3 * rng.normal(size=(count, D))
    return CENTRES[list(POSES).index(pose)] + noise


def learnt(seed: int = 0, count: int = 400) -> tuple[np.ndarray, list[str], list[str]]:
    rng = np.random.default_rng(seed)
    poses = [pose for pose in POSES for _ in range(count)]
    return np.concatenate([cloud(p, count, rng) for p in POSES]), poses, [str(i % count) for i in range(len(poses))]


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    return fit_guard(*learnt())


def test_of_new_films_the_promised_share_passes(arrays: dict[str, np.ndarray]) -> None:
    said = Guard(arrays)(cloud("upright", 4000, np.random.default_rng(1)))
    assert 0.97 <= said.count("") / len(said) < 1
    half = fit_guard(*learnt(), kept=0.5)
    assert 0.4 <= Guard(half)(cloud("upright", 4000, np.random.default_rng(1))).count("") / 4000 <= 0.6


@pytest.mark.parametrize("pose", [pose for pose in POSES if pose != "upright"])
def test_a_pose_is_told_by_its_line(arrays: dict[str, np.ndarray], pose: str) -> None:
    said = Guard(arrays)(cloud(pose, 50, np.random.default_rng(2)))
    assert sum(line.startswith(POSES[pose]) and "means nothing" in line for line in said) >= 47


@pytest.mark.parametrize(
    "strange",
    [
        np.zeros(D),
        CENTRES[0] + 8 * RNG.normal(size=D),  # off the axes of films
        CENTRES[0] + 9 * MIXING[0],  # along one of them, too far
        (CENTRES[0] + CENTRES[4]) / 2,
        np.full(D, np.nan),
        np.full(D, np.inf),
    ],
    ids=["zero", "beside", "along", "between", "nan", "inf"],
)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_what_is_in_no_cloud_is_no_film(arrays: dict[str, np.ndarray], strange: np.ndarray) -> None:
    (line,) = Guard(arrays)(strange[None])
    assert line.startswith(STRANGE + " (distance ")
    assert "\n" not in line


def test_the_limit_is_found_on_patients_that_were_left_out() -> None:
    """Films of one patient are alike: among them every film is near, a new patient's are not."""
    rng = np.random.default_rng(3)
    heads = {pose: cloud(pose, 30, rng) for pose in POSES}
    poses = [pose for pose in POSES for _ in range(30 * 8)]
    features = np.concatenate([np.repeat(heads[pose], 8, 0) for pose in POSES])
    features += 0.01 * rng.normal(size=features.shape)
    patients = [str(i // 8 % 30) for i in range(len(poses))]
    new = cloud("upright", 500, rng)
    assert Guard(fit_guard(features, poses, patients))(new).count("") >= 450
    each_a_patient = fit_guard(features, poses, [str(i) for i in range(len(poses))])
    assert Guard(each_a_patient)(new).count("") <= 400


def test_each_pose_weighs_the_same_however_many_pictures_it_has() -> None:
    features, poses, patients = learnt()
    down = np.array(poses) == "down"
    features[down] += 12 * np.random.default_rng(8).normal(size=(down.sum(), D))  # the widest cloud
    fewer = [i for i in range(len(poses)) if poses[i] == "upright" or i % 4 == 0]
    few = fit_guard(features[fewer], [poses[i] for i in fewer], [patients[i] for i in fewer])
    more = fit_guard(features, poses, patients)
    assert np.mean(few["spread"] / more["spread"]) == pytest.approx(1, abs=0.03)


def test_it_goes_through_a_safetensors_file(arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    assert {array.dtype.name for array in arrays.values()} == {"float32", "float16"}
    save_file(arrays, tmp_path / "guard.safetensors")
    pictures = np.concatenate([cloud(pose, 20, np.random.default_rng(5)) for pose in POSES])
    assert Guard(load_file(tmp_path / "guard.safetensors"))(pictures) == Guard(arrays)(pictures)
    assert Guard(arrays)(pictures[:0]) == []


def test_the_same_films_give_the_same_guard(arrays: dict[str, np.ndarray]) -> None:
    again = fit_guard(*learnt())
    assert all(np.array_equal(arrays[name], again[name]) for name in arrays)


def test_a_constant_feature_says_nothing(arrays: dict[str, np.ndarray]) -> None:
    features, poses, patients = learnt()
    more = Guard(fit_guard(np.c_[features, np.full(len(features), 0.7)], poses, patients))
    pictures = cloud("upright", 50, np.random.default_rng(6))
    np.testing.assert_allclose(
        more.distances(np.c_[pictures, np.full(50, 99.0)]), Guard(arrays).distances(pictures), rtol=0.02
    )


def test_a_film_posed_is_upright_again_when_one_does_what_the_line_says() -> None:
    film = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
    shown = posed(film)
    undone = {"upright": film, "left": np.rot90(shown["left"], -1), "right": np.rot90(shown["right"], 1)}
    undone |= {"down": np.rot90(shown["down"], 2), "inverted": 255 - shown["inverted"]}
    assert list(shown) == list(POSES)
    for pose, square in undone.items():
        np.testing.assert_array_equal(square, film)
        assert pose == "upright" or not np.array_equal(shown[pose], film)
    assert "quarter clockwise" in POSES["left"] and "quarter anticlockwise" in POSES["right"]
