"""Ink in water: heavy drops sink, light ones rise, and roll up as they go.

Two-dimensional Boussinesq flow in vorticity form on a torus: the dye itself drives the water, so colour tells motion.
"""

from collections.abc import Iterator
from itertools import count

import numpy as np
from numpy.typing import NDArray

from stylizer.frame import PixelsU8
from stylizer.training.data.clips.paint import F32, advected, clouds, large, u8

GRID = 128
BUOYANCY = 0.16
FLOW_STEPS = 6  # of one frame
FADE = 0.98  # of the dye per frame: new drops take its place
DROP_EVERY, DROPS_AT_ONCE = 2, 3  # frames, and how many drops are still running in
PAPER = np.array([0.95, 0.92, 0.86], np.float32)
ABSORBS = np.array([[1.7, 1.15, 0.25], [0.15, 1.3, 1.15]], np.float32)  # indigo sinks, vermilion rises


def velocity(vorticity: F32) -> tuple[F32, F32]:
    """Flow (x, y) in pixels per step of a vorticity field on a torus."""
    ky, kx = 2 * np.pi * np.fft.fftfreq(GRID)[:, None], 2 * np.pi * np.fft.rfftfreq(GRID)[None, :]
    k2 = kx**2 + ky**2
    k2[0, 0] = 1
    stream = np.fft.rfft2(vorticity) / k2
    stream[0, 0] = 0
    x = np.fft.irfft2(1j * ky * stream, s=(GRID, GRID))
    y = np.fft.irfft2(-1j * kx * stream, s=(GRID, GRID))
    return x.astype(np.float32), y.astype(np.float32)


def drop(centre: NDArray[np.float64], radius: float) -> F32:
    """A round spot with a soft rim on the torus, 0..1."""
    y, x = np.mgrid[0:GRID, 0:GRID]
    away = [np.abs(axis - c) for axis, c in zip((y, x), centre, strict=True)]
    squared = sum(np.minimum(d, GRID - d) ** 2 for d in away)
    return np.asarray(np.clip(1.5 - np.sqrt(squared) / radius * 1.5, 0, 1), np.float32)


def frames(seed: int) -> Iterator[PixelsU8]:
    rng = np.random.default_rng(seed)
    dye = np.stack([np.clip(clouds(rng, GRID, 18) - 0.6, 0, 1.2) for _ in range(2)], axis=2).astype(np.float32)
    spin = 0.02 * clouds(rng, GRID, 20)
    falling: list[tuple[NDArray[np.float64], float, int]] = []
    for number in count():
        for _ in range(FLOW_STEPS):
            weight = dye[..., 0] - dye[..., 1]  # y points down: the heavy one gains downward speed
            spin = 0.995 * spin + BUOYANCY / 16 * (np.roll(weight, -1, 1) - np.roll(weight, 1, 1)) / 2
            flow_x, flow_y = velocity(spin.astype(np.float32))
            spin, dye = advected(np.asarray(spin, np.float32), flow_x, flow_y), advected(dye, flow_x, flow_y)
        dye *= FADE
        if number % DROP_EVERY == 0:
            falling.append((rng.uniform(0, GRID, 2), rng.uniform(7, 15), int(rng.integers(2))))
        for where, radius, colour in falling[-DROPS_AT_ONCE:]:
            dye[..., colour] += 0.34 * drop(where, radius)
        dye = np.clip(dye, 0, 1.6)
        if number >= 60:
            yield u8(PAPER * np.exp(-np.stack([large(d) for d in np.moveaxis(dye, 2, 0)], 2).clip(0) @ ABSORBS))
