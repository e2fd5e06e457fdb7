"""feedback.cu in NumPy: slow, obvious, and what the kernels, and VJ mode on a CPU, are compared with."""

import numpy as np
from numpy.typing import NDArray

from kernels.feedback import BLENDS, CLAMP

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]


def simplex_ref(x: F32, y: F32, z: F32) -> F32:
    """3-D simplex noise of arrays of one shape, about -1..1, mean 0; see feedback.cu."""
    skew = (x + y + z) / np.float32(3)
    cells = [np.floor(p + skew) for p in (x, y, z)]
    back = (cells[0] + cells[1] + cells[2]) / np.float32(6)
    near = [p - c + back for p, c in zip((x, y, z), cells, strict=True)]  # from the cell's own corner
    ge = [near[n] >= near[(n + 1) % 3] for n in range(3)]
    pairs = ((ge[0], ge[2]), (ge[1], ge[0]), (ge[2], ge[1]))
    one = np.ones(x.shape, bool)
    # Which of the cell's six tetrahedra: the second corner steps along the largest offset, the third along two.
    steps = ([~one] * 3, [a & ~c for a, c in pairs], [a | ~c for a, c in pairs], [one] * 3)
    lattice = [np.mod(c.astype(np.int64), 289) for c in cells]
    total = np.zeros_like(x)
    for number, step in enumerate(steps):
        offset = [n - s.astype(np.float32) + np.float32(number / 6) for n, s in zip(near, step, strict=True)]
        t = np.maximum(np.float32(0.6) - offset[0] ** 2 - offset[1] ** 2 - offset[2] ** 2, 0)
        total += t**4 * _gradient([p + s for p, s in zip(lattice, step, strict=True)], offset)
    return np.float32(42) * total


def _gradient(lattice: list[I64], offset: list[F32]) -> F32:
    """One of 49 unit vectors times the offset: 7 x 7 points of a square, folded onto an octahedron."""
    place = _permuted(_permuted(_permuted(lattice[2]) + lattice[1]) + lattice[0]) % 49
    gx, gy = ((p.astype(np.float32) * 2 + np.float32(0.5)) / 7 - 1 for p in (place // 7, place % 7))
    gz = 1 - np.abs(gx) - np.abs(gy)
    below = gz < 1e-4  # not 0: some gradients lie on the fold itself, and rounding must not choose their side
    gx, gy = gx - below * np.sign(gx), gy - below * np.sign(gy)
    x, y, z = offset
    dot: F32 = ((gx * x + gy * y + gz * z) / np.sqrt(gx * gx + gy * gy + gz * gz)).astype(np.float32)
    return dot


def _permuted(x: I64) -> I64:
    """0..288, permuted."""
    return (34 * x + 1) * x % 289


def noise_ref(settings: F32, side: int) -> F32:
    """The three octaves' sum [side, side]."""
    middle = (np.arange(side, dtype=np.float32) + np.float32(0.5)) / np.float32(side)
    v, u = np.meshgrid(middle, middle, indexing="ij")
    total = np.zeros((side, side), np.float32)
    for amplitude, frequency, z in settings[11:20].reshape(3, 3):
        if amplitude != 0:
            place = settings[29]
            total += amplitude * simplex_ref(frequency * u + place, frequency * v + place, np.full_like(u, z))
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
    """picture [H, W, 3] at fractional pixels; what lies outside is its mirror image."""
    height, width, _ = picture.shape
    column, row = mirrored_ref(column, width), mirrored_ref(row, height)
    left, top = np.floor(column).astype(int), np.floor(row).astype(int)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    dc, dr = (column - left)[..., None], (row - top)[..., None]
    upper = picture[top, left] * (1 - dc) + picture[top, right] * dc
    lower = picture[bottom, left] * (1 - dc) + picture[bottom, right] * dc
    out: F32 = (upper * (1 - dr) + lower * dr).astype(np.float32)
    return out


def mirrored_ref(place: F32, side: int) -> F32:
    """In pixels: mirrored at the edges -0.5 and side - 0.5, then kept among the pixels' middles."""
    turns, rest = np.divmod(np.abs(place + np.float32(0.5)), np.float32(side))
    back = np.where(turns % 2 > 0, np.float32(side) - rest, rest)
    out: F32 = np.clip(back - np.float32(0.5), 0, side - 1).astype(np.float32)
    return out


def focused_ref(picture: F32, focus: float) -> F32:
    """[H, W, 3]: -1 is the mean of 3x3 pixels, 1 as far to the other side."""
    reach = np.pad(picture, ((1, 1), (1, 1), (0, 0)), mode="reflect" if min(picture.shape[:2]) > 1 else "edge")
    height, width, _ = picture.shape
    soft = np.mean([reach[y : y + height, x : x + width] for y in range(3) for x in range(3)], axis=0)
    out: F32 = (picture + np.float32(focus) * (picture - soft)).astype(np.float32)
    return out


def blended_ref(picture: F32, guest: F32, gain: float, blend: str) -> F32:
    """picture [H, W, 3] with the guest [H, W, 4] let in: its colours, weighed by its alpha and `gain`."""
    other, w = guest[..., :3], guest[..., 3:] * np.float32(gain)
    ways: dict[str, F32] = {
        "mix": picture + w * (other - picture),
        "add": picture + w * other,
        "screen": 1 - (1 - picture) * (1 - w * other),
        "multiply": picture * (1 - w + w * other),
        "difference": picture + w * (np.abs(picture - other) - picture),
    }
    return ways[blend]


def feedback_ref(prev: F32, settings: F32, guest: F32 | None = None) -> F32:
    """prev [side, side, 3], settings of `Settings.pack`, guest [side, side, 4] -> the generator's next input, 0..1."""
    side = prev.shape[0]
    held = prev.astype(np.float16).astype(np.float32)
    moved = focused_ref(bilinear_ref(held, *transform_ref(settings, side)), float(settings[1]))
    fed: F32 = np.clip(settings[0] * moved + noise_ref(settings, side)[..., None], -CLAMP, CLAMP).clip(0, 1)
    if guest is not None and settings[30] > 0:
        fed = blended_ref(fed, guest, float(settings[30]), BLENDS[int(settings[31])])
    out: F32 = np.clip(fed, 0, 1).astype(np.float32)
    return out


def colour_ref(picture: F32, settings: F32) -> F32:
    """picture [H, W, 3] 0..1 -> the same with hue turned, inverted and in false colours, 0..1."""
    hue, invert, falsify = settings[20:23]
    angle = 2 * np.pi * hue
    cosine, sine = np.cos(angle), np.sin(angle) / np.sqrt(3)
    r, g, b = np.moveaxis(picture, 2, 0)
    turned = cosine * picture + (1 - cosine) * picture.mean(2, keepdims=True)
    turned = np.clip(turned + sine * np.stack((b - g, r - b, g - r), axis=2), 0, 1)
    seen = turned + invert * (1 - 2 * turned)
    wave = 0.5 + 0.5 * np.sin(seen * settings[23:26] + settings[26:29])
    out: F32 = np.clip(seen + falsify * (wave - seen), 0, 1).astype(np.float32)
    return out


def lerp_ref(a: NDArray[np.floating], b: NDArray[np.floating], mix: float) -> NDArray[np.floating]:
    """a + mix * (b - a) as (a - mix * a) + mix * b, each half of it rounded once: exact at both ends.

    In the tensors' type, mix too: of halves it has 11 bits.
    """
    share = np.float64(np.asarray(mix, np.float32).astype(a.dtype))
    kept = (a - share * a.astype(np.float64)).astype(a.dtype)
    mixed: NDArray[np.floating] = (kept + share * b.astype(np.float64)).astype(a.dtype)
    return mixed
