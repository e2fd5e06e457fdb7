"""feedback.cu in NumPy: slow, obvious, and what the kernels, and VJ mode on a CPU, are compared with."""

import numpy as np
from numpy.typing import NDArray

from kernels.feedback import CLAMP

F32 = NDArray[np.float32]
U32 = NDArray[np.uint32]
I32 = NDArray[np.int32]


def simplex_ref(x: F32, y: F32, z: F32) -> F32:
    """3-D simplex noise of arrays of one shape, about -1..1, mean 0; see feedback.cu."""
    third, sixth = np.float32(1 / 3), np.float32(1 / 6)
    skew = (x + y + z) * third
    base = [np.floor(p + skew).astype(np.int32) for p in (x, y, z)]
    back = (base[0] + base[1] + base[2]).astype(np.float32) * sixth
    offset = [p - (b.astype(np.float32) - back) for p, b in zip((x, y, z), base, strict=True)]
    a, b, c = offset
    first = [(a >= b) & (a >= c), (b > a) & (b >= c)]
    first.append(~first[0] & ~first[1])
    last = [(a < b) & (a < c), ~((a < b) & (a < c)) & (b < c) & (b <= a)]
    last.append(~last[0] & ~last[1])
    steps = [[0 * m for m in base], [m.astype(np.int32) for m in first], [1 - m.astype(np.int32) for m in last]]
    steps.append([0 * m + 1 for m in base])
    total = np.zeros_like(x)
    for n, step in enumerate(steps):
        here = [o - s.astype(np.float32) + np.float32(n) * sixth for o, s in zip(offset, step, strict=True)]
        t = np.maximum(np.float32(0.5) - here[0] ** 2 - here[1] ** 2 - here[2] ** 2, 0)
        total += t**4 * _gradient([p + s for p, s in zip(base, step, strict=True)], here)
    return np.float32(76.9) * total


def _gradient(lattice: list[I32], offset: list[F32]) -> F32:
    i, j, k = (p.astype(np.uint32) for p in lattice)
    h: U32 = i * np.uint32(0x9E3779B1) ^ j * np.uint32(0x85EBCA77) ^ k * np.uint32(0xC2B2AE3D)
    h = (h ^ h >> np.uint32(15)) * np.uint32(0x2C1B3C6D)
    h = (h ^ h >> np.uint32(12)) * np.uint32(0x297A2D39)
    h = (h ^ h >> np.uint32(15)) % np.uint32(12)
    x, y, z = offset
    a, b = np.where(h < 8, x, y), np.where(h < 4, y, z)
    return np.where(h & 1, -a, a) + np.where(h & 2, -b, b)


def noise_ref(settings: F32, side: int) -> F32:
    """The three octaves' sum [side, side]."""
    middle = (np.arange(side, dtype=np.float32) + np.float32(0.5)) / np.float32(side)
    v, u = np.meshgrid(middle, middle, indexing="ij")
    total = np.zeros((side, side), np.float32)
    for amplitude, frequency, z in settings[11:20].reshape(3, 3):
        if amplitude != 0:
            total += amplitude * simplex_ref(frequency * u, frequency * v, np.full_like(u, z))
    return total


def transform_ref(settings: F32, side: int) -> tuple[F32, F32]:
    """Where each pixel takes its picture from: (column, row), in pixels, both [side, side]."""
    middle = (np.arange(side, dtype=np.float32) + np.float32(0.5)) / np.float32(side) - np.float32(0.5)
    y, x = np.meshgrid(middle, middle, indexing="ij")
    if settings[8] >= 2:
        wedge = np.float32(2 * np.pi) / settings[8]
        angle, radius = np.arctan2(y, x), np.sqrt(x * x + y * y)
        angle = np.abs(angle - wedge * np.floor(angle / wedge + np.float32(0.5)))
        x, y = radius * np.cos(angle), radius * np.sin(angle)
    x = -np.abs(x) if settings[9] > 0 else x
    y = -np.abs(y) if settings[10] > 0 else y
    a, b, c, d, e, f = settings[2:8]
    half = np.float32(0.5)
    return (a * x + b * y + c + half) * side - half, (d * x + e * y + f + half) * side - half


def bilinear_ref(picture: F32, column: F32, row: F32) -> F32:
    """picture [H, W, 3] at fractional pixels; outside, the edge is repeated."""
    height, width, _ = picture.shape
    column, row = np.clip(column, 0, width - 1), np.clip(row, 0, height - 1)
    left, top = np.floor(column).astype(int), np.floor(row).astype(int)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    dc, dr = (column - left)[..., None], (row - top)[..., None]
    upper = picture[top, left] * (1 - dc) + picture[top, right] * dc
    lower = picture[bottom, left] * (1 - dc) + picture[bottom, right] * dc
    out: F32 = (upper * (1 - dr) + lower * dr).astype(np.float32)
    return out


def feedback_ref(prev: F32, settings: F32) -> F32:
    """prev [side, side, 3], settings from `Settings.pack` -> the generator's next input, 0..1."""
    side = prev.shape[0]
    fed = settings[0] * bilinear_ref(prev, *transform_ref(settings, side)) + noise_ref(settings, side)[..., None]
    out: F32 = np.clip(np.clip(fed, -CLAMP, CLAMP), 0, 1).astype(np.float32)
    return out


def colour_ref(picture: F32, settings: F32) -> F32:
    """picture [H, W, 3] 0..1 -> the same with hue turned, inverted and in false colours, 0..1."""
    hue, invert, falsify, palette = settings[20:24]
    angle = 2 * np.pi * hue
    cosine, sine = np.cos(angle), np.sin(angle) / np.sqrt(3)
    r, g, b = np.moveaxis(picture, 2, 0)
    turned = cosine * picture + (1 - cosine) * picture.mean(2, keepdims=True)
    turned = turned + sine * np.stack((b - g, r - b, g - r), axis=2)
    turned = turned + invert * (1 - 2 * turned)
    luma = turned @ np.array([0.299, 0.587, 0.114], np.float32)
    wave = 0.5 - 0.5 * np.cos(2 * np.pi * (luma[..., None] * 1.5 + palette + np.arange(3) / 3))
    out: F32 = np.clip(turned + falsify * (wave - turned), 0, 1).astype(np.float32)
    return out


def lerp_ref(a: NDArray[np.floating], b: NDArray[np.floating], mix: float) -> NDArray[np.floating]:
    """a + mix * (b - a), in float32."""
    return (a.astype(np.float32) + np.float32(mix) * (b.astype(np.float32) - a.astype(np.float32))).astype(a.dtype)
