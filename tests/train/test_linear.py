"""Closed-form heads."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from chestlib.train import linear


def test_ridge_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    x, y, w = rng.normal(3, [1, 5, 0.1], (40, 3)), rng.normal(size=(40, 2)), rng.uniform(0, 2, 40)
    slopes, offsets = linear.ridge(x, y, w, 0.5)
    scaler = StandardScaler().fit(x, sample_weight=w)
    theirs = Ridge(alpha=0.5 * w.sum()).fit(scaler.transform(x), y, sample_weight=w)
    np.testing.assert_allclose(x @ slopes + offsets, theirs.predict(scaler.transform(x)), rtol=1e-9)


def test_a_film_of_no_weight_and_a_constant_feature_change_nothing() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(20, 2)), rng.normal(size=(20, 1))
    slopes, offsets = linear.ridge(x, y, np.ones(20), 0.1)
    more = np.c_[np.r_[x, [[99, -99]]], np.full(21, 0.7)]
    again, same = linear.ridge(more, np.r_[y, [[1e6]]], np.r_[np.ones(20), 0], 0.1)
    np.testing.assert_allclose(again, np.r_[slopes, [[0]]], atol=1e-12)
    np.testing.assert_allclose(same, offsets)


def test_within_each_source_both_answers_weigh_the_same() -> None:
    truth, sources = np.array([True, True, True, False, False, True]), ["a", "a", "a", "a", "b", "b"]
    weights = linear.balanced(truth, sources, {"a": 1, "b": 10})
    np.testing.assert_allclose(weights, [2 / 3, 2 / 3, 2 / 3, 2, 10, 10])


def test_pooling_keeps_the_mean_and_the_maximum_of_each_map() -> None:
    maps = [torch.arange(8.0).reshape(1, 2, 2, 2), torch.full((1, 1, 3, 3), 5.0).bfloat16()]
    assert linear.pooled(maps).tolist() == [[1.5, 5.5, 3, 7, 5, 5]]
