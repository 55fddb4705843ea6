"""Pictures for where no script runs: their colours stay the findings', and their labels can be read."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from chestlib.findings import COLOUR, FINDINGS
from chestlib.viewer import drawn, pictures

FILM = np.random.default_rng(0).random((256, 256), np.float32)


def colour_of(name: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(COLOUR[name][1:]))


def test_few_colours_are_still_those_of_the_ten_findings() -> None:
    boxes = [([20.0 * i, 10, 20.0 * i + 9, 19], "", COLOUR[name], False) for i, name in enumerate(FINDINGS)]
    with Image.open(io.BytesIO(pictures.png(drawn(FILM, boxes, 256)))) as picture:
        shown = {rgb: n for n, rgb in picture.convert("RGB").getcolors(1 << 16)}
        assert picture.mode == "P" and all(shown.get(colour_of(name), 0) > 20 for name in FINDINGS)
        grey = np.asarray(picture.convert("RGB"))[100:]
    assert abs(grey[..., 0] / 255 - FILM[100:]).max() < 0.03, "and the film is the same film"


def test_labels_do_not_lie_on_each_other_nor_beyond_the_picture() -> None:
    crowd = [([230.0 + i, 100 + i, 240 + i, 110 + i], "Nodule", COLOUR["Nodule"], False) for i in range(9)]
    one, many = (np.asarray(drawn(np.zeros((256, 256)), crowd[:n], 256)) for n in (1, 9))
    wide = (one == colour_of("Nodule")).all(2)[86:99].any(0).sum()
    assert wide > 40, "the label is whole though its box stands at the right edge"
    inked = (many == colour_of("Nodule")).all(2).sum()
    assert inked < 3 * (one == colour_of("Nodule")).all(2).sum(), "two labels, above and below, name the colour"
