"""`chestlib.data.images` by its name in 0.1.0, for scripts that were written with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from chestlib.data import images

__all__ = ["find", "read", "resize", "size"]

read, resize, size = images.read, images.resize, images.size


def find(paths: Sequence[Path]) -> list[Path]:
    """List what :func:`chestlib.data.images.find` goes through."""
    return list(images.find(paths))
