"""From line integrals to a radiograph: scatter, characteristic curve, noise, and what lies on the film.

Scatter is a broad blur of the primary beam (a Gaussian, after Seibert and Boone, Med. Phys. 15, 567, 1988); the grey is
a logistic function of log exposure (the S-shaped curve of Hurter and Driffield, 1890).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from chestlib.phantom.anatomy import SIZE, Frame
from chestlib.phantom.drawing import blur, fill
from chestlib.phantom.overlay import overlay
from chestlib.phantom.tissue import Chest


@dataclass(frozen=True)
class Exposure:
    """A chest on film, without its findings.

    Parameters
    ----------
    signal : (1024, 1024) float32
        -log of primary beam and scatter together.
    primary : (1024, 1024) float32
        Share of the primary beam in it.
    middle, slope, top, base : float
        Of the characteristic curve: signal at its middle, steepness, lightest and darkest grey.
    open : (1024, 1024) float32
        0 outside the collimated field.
    overlay : (1024, 1024) float32
        Markers, leads and tubes, added to the grey.
    noise : (1024, 1024) float32
        In grey levels of 255.
    """

    signal: np.ndarray
    primary: np.ndarray
    middle: float
    slope: float
    top: float
    base: float
    open: np.ndarray
    overlay: np.ndarray
    noise: np.ndarray

    def grey(self, added: np.ndarray | None = None, at: tuple[slice, slice] = np.s_[:, :]) -> np.ndarray:
        """Grey levels (h, w) float32 in [0, 255] before noise, with some attenuation added there.

        The scatter stays as it is: a lesion is small against its reach.
        """
        signal = self.signal[at]
        if added is not None:
            signal = signal - np.log1p(self.primary[at] * np.expm1(-added))
        grey = self.base + (self.top - self.base) / (1 + np.exp((self.middle - signal) * self.slope))
        return np.clip(grey + self.overlay[at], 0, 1) * self.open[at] * 255

    def gain(self, at: tuple[slice, slice]) -> np.ndarray:
        """Change of grey (h, w), 1 = white, with a little added attenuation there."""
        grey = self.base + (self.top - self.base) / (1 + np.exp((self.middle - self.signal[at]) * self.slope))
        steep = self.slope * (grey - self.base) * (self.top - grey) / (self.top - self.base)
        return steep * self.primary[at]

    def develop(self, grey: np.ndarray) -> np.ndarray:
        """The radiograph, (1024, 1024) uint8."""
        return np.clip(grey + self.noise + 0.5, 0, 255).astype(np.uint8)


def expose(frame: Frame, chest: Chest, rng: np.random.Generator) -> Exposure:
    """Take the picture of a chest; `rng` is that of the visit."""
    coarse = cv2.resize(np.exp(-chest.attenuation[::4, ::4]), (128, 128), interpolation=cv2.INTER_AREA)
    scatter = rng.uniform(0.15, 0.35) * blur(np.minimum(coarse, 0.5), 9)
    beam = np.exp(-chest.attenuation)
    both = beam + cv2.resize(scatter, (SIZE, SIZE))
    tilt = rng.normal(0, 0.06, 2)
    ramp = np.linspace(-1, 1, SIZE, dtype=np.float32)
    signal = -np.log(both) + np.float32(tilt[0]) * ramp + np.float32(tilt[1]) * ramp[:, None]
    field = _field(rng)
    noise = rng.standard_normal((SIZE, SIZE), np.float32)
    grain = rng.uniform(0.5, 0.9)
    noise = blur(noise, grain) * np.float32(rng.uniform(2.0, 5.0) * (2 * grain))
    return Exposure(
        signal=signal,
        primary=beam / both,
        middle=float(2.22 + 0.2 * rng.normal()),
        slope=float(1.55 + 0.15 * rng.normal()),
        top=float(0.96 + 0.03 * rng.normal()),
        base=float(-0.05 + 0.03 * rng.normal()),
        open=field,
        overlay=overlay(frame, rng),
        noise=noise * field,
    )


def _field(rng: np.random.Generator) -> np.ndarray:
    edge = np.maximum(rng.normal(-16, 22, 8), -8)
    x0, y0, x1, y1, x2, y2, x3, y3 = edge
    corners = np.array([(x0, y0), (SIZE - x1, y1), (SIZE - x2, SIZE - y2), (x3, SIZE - y3)])
    return fill([corners], SIZE)
