"""Spiral waves of an excitable medium, as the Belousov-Zhabotinsky reaction shows them.

Barkley's model (Physica D 49, 1991): du/dt = u (1 - u) (u - (v + b) / a) / e + D lap u, dv/dt = u - v.
Both fields are in the colours, so one frame holds the whole state.
"""

from collections.abc import Iterator
from itertools import count

import numpy as np

from stylizer.frame import PixelsU8
from stylizer.training.data.clips.paint import SIZE, clouds, coloured, laplacian, large, palette, u8

GRID = 128
A, B, E = 0.75, 0.02, 0.02
DIFFUSION = 5.0  # in grid cells: about 35 cells from wave to wave
DT, STEPS = 0.035, 3  # of one frame
TAIL = palette([(0, "#07051a"), (0.35, "#123a6b"), (0.7, "#1fa2a6"), (1, "#7fe0c3")])
FRONT = palette([(0, "#000000"), (0.45, "#a0146a"), (0.8, "#ff6b4a"), (1, "#fff0c9")])


def frames(seed: int) -> Iterator[PixelsU8]:
    rng = np.random.default_rng(seed)
    u = (clouds(rng, GRID, 20) > 0.4).astype(np.float32)
    v = np.clip(0.5 * clouds(rng, GRID, 20), 0, 0.7).astype(np.float32)
    for number in count():
        for _ in range(STEPS):
            du = u * (1 - u) * (u - (v + B) / A) / E + DIFFUSION * laplacian(u)
            u, v = np.clip(u + DT * du, 0, 1), v + DT * (u - v)
        if number < 100:  # the torn start is not part of the film
            continue
        front, tail = large(u), large(v)
        assert front.shape == (SIZE, SIZE)
        yield u8(coloured(tail * 1.3, TAIL) * (1 - 0.75 * front[..., None]) + coloured(front * (1.15 - tail), FRONT))
