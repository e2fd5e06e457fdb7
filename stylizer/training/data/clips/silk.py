"""A cloth of light: folds travel across it, bright where the cloth turns its edge to us."""

from collections.abc import Iterator
from itertools import count

import numpy as np

from stylizer.frame import PixelsU8
from stylizer.training.data.clips.paint import SIZE, coloured, palette, u8

GLOW = palette(
    [(0, "#04030f"), (0.3, "#1b1452"), (0.52, "#5a2fa8"), (0.7, "#2fb7c9"), (0.86, "#b9ffd9"), (1, "#ffffff")]
)


def frames(seed: int) -> Iterator[PixelsU8]:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32) / SIZE * 2 * np.pi
    phases = rng.uniform(0, 2 * np.pi, 8)
    for number in count():
        t = 0.045 * number
        bend = 0.9 * np.sin(y + phases[0] + 0.31 * t) + 0.5 * np.sin(2 * y - x + phases[1] - 0.43 * t)
        fold = 2 * x + bend + 0.7 * np.sin(x + 2 * y + phases[2] + 0.5 * t) - 2.1 * t + phases[3]
        fine = 5 * x + 2.2 * bend + 1.1 * np.sin(3 * y - x + phases[4] + 0.7 * t) - 3.4 * t + phases[5]
        # A saw's tooth, steep in front and long behind, tells which way the fold travels.
        tooth = (fold / (2 * np.pi)) % 1.0
        small = (fine / (2 * np.pi)) % 1.0
        sheen = tooth**2.5 * np.clip((1 - tooth) * 14, 0, 1) + 0.4 * small**3 * np.clip((1 - small) * 8, 0, 1)
        veil = 0.25 + 0.25 * np.sin(y - 2 * x + phases[6] + 0.6 * t) * np.sin(2 * y + phases[7] - 0.4 * t)
        yield u8(coloured((0.78 * sheen + veil * (0.35 + 0.65 * tooth)).astype(np.float32), GLOW))
