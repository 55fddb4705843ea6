"""What both Lightning modules share: schedule, weight decay, seeds, and the stop on a loss that is no number."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch

from chestlib import settings
from chestlib.errors import ChestlibError
from chestlib.train import Classifier, warmup_cosine

TINY = replace(settings.QUICK.classifier, image_size=32, width=8, depth=2, learning_rate=0.5, weight_decay=0.1)


def test_the_rate_rises_in_a_line_and_falls_as_a_cosine() -> None:
    factors = [warmup_cosine(step, 100, 0.1) for step in range(101)]
    assert factors[0] == pytest.approx(0.1) and factors[9] == 1.0 == max(factors)
    assert factors[40] == pytest.approx(0.75), "as a line it would be .67"
    assert factors[55] == pytest.approx(0.5) and factors[100] == pytest.approx(0, abs=1e-12)
    assert all(later < earlier for earlier, later in pairwise(factors[10:]))


def test_norms_and_biases_are_not_decayed(monkeypatch: pytest.MonkeyPatch) -> None:
    module = Classifier(TINY)
    monkeypatch.setattr(Classifier, "trainer", SimpleNamespace(estimated_stepping_batches=100))
    optimizer = module.configure_optimizers()["optimizer"]
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert decay == {id(p): 0.1 if p.ndim > 1 else 0.0 for p in module.parameters()}
    assert {0.0, 0.1} == set(decay.values())
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.5 * 0.1)  # the first step of the warm-up


def test_the_seed_alone_decides_the_first_weights() -> None:
    first, again, other = (
        torch.cat([p.flatten() for p in Classifier(replace(TINY, seed=seed)).parameters()]) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_a_loss_that_is_no_number_names_its_images() -> None:
    module = Classifier(TINY)
    assert module.checked(torch.tensor(1.5), ["a.png"]) == 1.5
    for value in (float("nan"), float("inf")):
        with pytest.raises(ChestlibError, match=r"a\.png, b\.png: the loss of this batch is"):
            module.checked(torch.tensor(value), ["a.png", "b.png"])
