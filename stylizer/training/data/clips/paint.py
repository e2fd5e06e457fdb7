"""From a simulation's fields to colours, and the two operations that most of them share."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from stylizer.frame import PixelsU8

F32 = NDArray[np.float32]
SIZE = 256

Stops = Sequence[tuple[float, str]]


def palette(stops: Stops) -> F32:
    """[256, 3] in 0..1 from (place 0..1, "#rrggbb") stops, ascending, straight lines between them."""
    places = [p for p, _ in stops]
    colours = np.array([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for _, c in stops])
    at = np.linspace(0, 1, 256)
    return np.stack([np.interp(at, places, colours[:, i]) for i in range(3)], axis=1).astype(np.float32)


def coloured(field: F32, table: F32) -> F32:
    """[H, W] in 0..1 (clamped) -> [H, W, 3] in 0..1 by a `palette`."""
    index = (np.clip(field, 0, 1) * 255).astype(np.uint8)
    picture: F32 = table[index]
    return picture


def large(field: F32) -> F32:
    """A simulation's grid, enlarged smoothly to SIZE."""
    return np.asarray(cv2.resize(field, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC), np.float32)


def u8(picture: F32) -> PixelsU8:
    return (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)


def laplacian(field: F32) -> F32:
    """Nine-point Laplacian on a torus, grid distance 1: rounder waves than the five-point one."""
    n, s = np.roll(field, 1, 0), np.roll(field, -1, 0)
    sides = n + s + np.roll(field, 1, 1) + np.roll(field, -1, 1)
    corners = np.roll(n, 1, 1) + np.roll(n, -1, 1) + np.roll(s, 1, 1) + np.roll(s, -1, 1)
    return np.asarray((4 * sides + corners - 20 * field) / 6, np.float32)


def advected(field: F32, flow_x: F32, flow_y: F32) -> F32:
    """`field` carried along for one step of a flow in pixels (semi-Lagrangian), on a torus."""
    height, width = flow_x.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    moved = cv2.remap(field, x - flow_x, y - flow_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    return np.asarray(moved, np.float32)


def clouds(rng: np.random.Generator, size: int, feature_px: float) -> F32:
    """Smooth noise on a torus, mean 0, standard deviation 1, with features of about `feature_px`."""
    spectrum = np.fft.rfft2(rng.standard_normal((size, size)))
    ky, kx = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :]
    spectrum *= np.exp(-(kx**2 + ky**2) * (feature_px * 1.5) ** 2)
    spectrum[0, 0] = 0
    field = np.fft.irfft2(spectrum, s=(size, size))
    return np.asarray(field / field.std(), np.float32)
