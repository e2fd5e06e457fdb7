"""Cells that divide, crowd and die: the Gray-Scott reaction in its restless corner (Pearson, Science 261, 1993)."""

from collections.abc import Iterator
from itertools import count

import numpy as np

from stylizer.frame import PixelsU8
from stylizer.training.data.clips.paint import clouds, coloured, laplacian, large, palette, u8

GRID = 128
FEED, KILL = 0.018, 0.0505
STEPS = 14  # of one frame
BODY = palette([(0, "#1a0b12"), (0.3, "#5b1730"), (0.55, "#d9486b"), (0.75, "#ffb3a0"), (1, "#fffbe8")])


def frames(seed: int) -> Iterator[PixelsU8]:
    rng = np.random.default_rng(seed)
    v = (0.25 * (clouds(rng, GRID, 5) > 0.9)).astype(np.float32)
    u = 1 - 2 * v
    for number in count():
        for _ in range(STEPS):
            reaction = u * v * v
            u = u + 0.16 * laplacian(u) - reaction + FEED * (1 - u)
            v = v + 0.08 * laplacian(v) + reaction - (FEED + KILL) * v
        if number < 160:  # the first rings are not part of the film
            continue
        food, life = large(u), large(v)
        yield u8(coloured(life * 2.6, BODY) + 0.35 * food[..., None] * np.array([0.05, 0.3, 0.45], np.float32))
