"""Flames: heat that rises, cools and frays, fed by embers along the lower edge."""

from collections.abc import Iterator
from itertools import count

import cv2
import numpy as np

from stylizer.frame import PixelsU8
from stylizer.training.data.clips.paint import SIZE, advected, clouds, coloured, palette, u8

RISE_PX = 4.5  # per frame
FIRE = palette(
    [(0, "#05030a"), (0.18, "#2a0612"), (0.4, "#a51c08"), (0.62, "#f4730e"), (0.82, "#ffc93a"), (1, "#fffbe0")]
)


def frames(seed: int) -> Iterator[PixelsU8]:
    rng = np.random.default_rng(seed)
    heat = np.zeros((SIZE, SIZE), np.float32)
    swirl = [clouds(rng, SIZE, px) for px in (40, 16)]
    embers = clouds(rng, SIZE, 12)
    rows = np.arange(SIZE, dtype=np.float32)[:, None]
    hearth = np.exp(-(((SIZE - 6 - rows) / 16) ** 2))  # where embers are: the lower edge
    cooling = 0.004 + 0.008 * (1 - rows / SIZE)
    for number in count():
        shifts = [int(number * px) % SIZE for px in (3.1, 5.7)]  # gusts climb with the heat
        gust = sum(a * np.roll(s, -d, 0) for a, s, d in zip((2.2, 1.3), swirl, shifts, strict=True))
        lift = RISE_PX * (0.7 + 0.6 * np.clip(heat, 0, 1)) + 0.8 * np.roll(swirl[1], -shifts[0], 0)
        heat = advected(heat, np.asarray(gust, np.float32), -lift.astype(np.float32))
        heat = np.clip(cv2.GaussianBlur(heat, (0, 0), 0.7) * 1.003 - cooling, 0, 1.2)
        embers = 0.88 * embers + 0.475 * clouds(rng, SIZE, 12)
        heat = np.maximum(heat, hearth * np.clip(0.55 + 0.75 * embers, 0, 1.25)).astype(np.float32)
        if number >= 80:
            yield u8(coloured(heat, FIRE))
