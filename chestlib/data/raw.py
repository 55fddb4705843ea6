"""What images begin with: the bytes of a file, and numbers that become grey values."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from chestlib.errors import ChestlibError

MAX_BYTES = 2**30
"""A file of :data:`chestlib.files.MAX_PIXELS` pixels stays below; a larger one is not read into memory."""


def contents(path: Path, count: int = -1) -> bytes:
    """Read all bytes of a file, or the first `count`; errors as in :func:`read`."""
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size > MAX_BYTES:
                raise ChestlibError(f"{path}: refused, more than {MAX_BYTES} bytes; is it a radiograph?")
            return file.read(count)
    except OSError as error:
        raise ChestlibError(f"{path}: cannot be read ({error.strerror or error})") from None


def unit(values: np.ndarray, bits: int = 8) -> np.ndarray:
    """Bring whole numbers from 0 on to [0, 1], as float32.

    Devices keep 10, 12 or 14 bits in numbers of 16, where black to white would be all but black. So values are
    divided by the smallest of 255, 1023, 4095, 16383 and 65535 that none exceeds. Eight bits are always divided by 255.

    Parameters
    ----------
    values : array of integers
    bits : int
        That the file says it has, if it does: no fewer are taken.

    Raises
    ------
    ValueError
        If one is above 65535.
    """
    peak = 0 if values.dtype == np.uint8 else int(values.max(initial=0))
    used = next((depth for depth in sorted({bits, 10, 12, 14, 16}) if bits <= depth and peak < 2**depth), None)
    if not used:
        raise ValueError(f"values up to {peak}, more than 16 bits")
    return values.astype(np.float32) / np.float32(2**used - 1)
