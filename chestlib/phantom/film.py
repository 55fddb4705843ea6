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
    """A chest on film, without its findings; every array is (1024, 1024) float32."""

    signal: np.ndarray  # -log of primary beam and scatter together
    primary: np.ndarray  # share of the primary beam in it
    middle: float  # of the characteristic curve: the signal at its middle
    slope: float
    top: float  # lightest grey
    base: float  # darkest grey
    open: np.ndarray  # 0 outside the collimated field
    overlay: np.ndarray  # markers, leads and tubes, added to the grey
    noise: np.ndarray  # in grey levels of 255

    def _curve(self, signal: np.ndarray) -> np.ndarray:
        return self.base + (self.top - self.base) / (1 + np.exp((self.middle - signal) * self.slope))

    def grey(self, added: np.ndarray | None = None, at: tuple[slice, slice] = np.s_[:, :]) -> np.ndarray:
        """Grey levels (h, w) float32 in [0, 255] before noise, with some attenuation added there.

        The scatter stays as it is: a lesion is small against its reach.
        """
        signal = self.signal[at]
        if added is not None:
            signal = signal - np.log1p(self.primary[at] * np.expm1(-added))
        return np.clip(self._curve(signal) + self.overlay[at], 0, 1) * self.open[at] * 255

    def gain(self, at: tuple[slice, slice]) -> np.ndarray:
        """Change of grey (h, w), 1 = white, with a little added attenuation there."""
        grey = self._curve(self.signal[at])
        steep = self.slope * (grey - self.base) * (self.top - grey) / (self.top - self.base)
        return steep * self.primary[at]

    def develop(self, grey: np.ndarray) -> np.ndarray:
        """Add the noise; the radiograph, (1024, 1024) uint8."""
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
    x0, y0, x1, y1, x2, y2, x3, y3 = np.maximum(rng.normal(-16, 22, 8), -8)
    field = fill([np.array([(x0, y0), (SIZE - x1, y1), (SIZE - x2, SIZE - y2), (x3, SIZE - y3)])], SIZE)
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
