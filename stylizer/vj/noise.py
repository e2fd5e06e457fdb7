"""Simplex noise in three dimensions, the loop's food: two of a picture, one of time.

Lattice hash and gradients by arithmetic alone (McEwan et al., "Efficient computational noise in GLSL",
arXiv:1204.1461), so it runs on any device without tables and is the same everywhere, in kernels/feedback.cu too.
"""

import math

import torch
from torch import Tensor

from kernels.feedback import NOISE_PERIOD

SIZE = 256
PRIME_SQUARE = 289.0  # 17 * 17: the hash (34 x + 1) x mod 289 permutes 0..288
RADIUS_2 = 0.6  # beyond this squared distance a lattice point is not felt
PLACES = 97  # of seeds, three cells apart
EDGE = 1e-4  # some gradients lie on the fold itself: rounding must not choose their side
AMPLITUDE = 42.0  # brings the sum to about -1..1


def picture_noise(frequency: float, z: float, *, seed: int = 0, device: torch.device | None = None) -> Tensor:
    """[256, 256] in about -1..1: simplex noise of (u f, v f, z), (u, v) in 0..1 at pixel centres.

    z: the time, in lattice units, of any size. seed: moves to another place of the same noise, 0 stays.
    """
    axis = (torch.arange(SIZE, dtype=torch.float32, device=device) + 0.5) / SIZE * frequency
    x = axis + away(seed)
    return simplex3(x[None, :], x[:, None], z % NOISE_PERIOD)  # by which all lattice indices grow by multiples of 289


def away(seed: int) -> float:
    """Where the noise of a seed lies: the hash repeats after 289."""
    return (seed % PLACES) * 3.0


def ahead_s(seed: int) -> float:
    """How long the noise of a seed has run at the show's begin: seeds that lie at one place are told apart by it."""
    return seed // PLACES * 7.3


def simplex3(x: Tensor, y: Tensor, z: float) -> Tensor:
    """Noise at the points (x, y, z); x and y are float32 of shapes that broadcast, at most some 10^4 from zero."""
    place = (x, y, torch.full((), z, device=x.device))
    skew = (x + y + z) / 3
    cells = [torch.floor(a + skew) for a in place]
    unskew = (cells[0] + cells[1] + cells[2]) / 6
    near = [a - c + unskew for a, c in zip(place, cells, strict=True)]  # from the cell's own corner
    ge = [near[0] >= near[1], near[1] >= near[2], near[2] >= near[0]]
    # Which of the cell's six tetrahedra: the second corner steps along the largest offset, the third along two.
    first = [(a & ~c).float() for a, c in ((ge[0], ge[2]), (ge[1], ge[0]), (ge[2], ge[1]))]
    second = [(a | ~c).float() for a, c in ((ge[0], ge[2]), (ge[1], ge[0]), (ge[2], ge[1]))]
    zero = torch.zeros((), device=unskew.device)
    lattice = [c - PRIME_SQUARE * torch.floor(c / PRIME_SQUARE) for c in cells]
    total = torch.zeros_like(unskew)
    # One corner after the other, not stacked: the intermediate results stay in the cache, 5.5 ms instead of 8.2.
    corners = ([zero] * 3, first, second, [zero + 1] * 3)
    for number, step in enumerate(corners):
        d = [n - s + number / 6 for n, s in zip(near, step, strict=True)]
        hashed = _permuted(lattice[2] + step[2])
        hashed = _permuted(_permuted(hashed + lattice[1] + step[1]) + lattice[0] + step[0])
        gx, gy, gz = _gradient(hashed)
        fall = (RADIUS_2 - (d[0] * d[0] + d[1] * d[1] + d[2] * d[2])).clamp_(min=0)
        fall *= fall
        total += fall * fall * (gx * d[0] + gy * d[1] + gz * d[2])
    return total * AMPLITUDE


def _permuted(x: Tensor) -> Tensor:
    """x, a whole number of 0..578 -> 0..288. Largest value on the way 1.14e7: exact in float32."""
    y = (x * 34 + 1) * x
    return y - PRIME_SQUARE * torch.floor(y / PRIME_SQUARE)


def _gradient(hashed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Unit vectors: 7 x 7 points of a square, folded onto an octahedron."""
    place = hashed - 49 * torch.floor(hashed / 49)
    row = torch.floor(place / 7)
    gx, gy = (row * 2 + 0.5) / 7 - 1, ((place - 7 * row) * 2 + 0.5) / 7 - 1
    gz = 1 - gx.abs() - gy.abs()
    below = (gz < EDGE).float()
    gx, gy = gx - below * _sign(gx), gy - below * _sign(gy)
    length = torch.rsqrt(gx * gx + gy * gy + gz * gz)
    return gx * length, gy * length, gz * length


def _sign(x: Tensor) -> Tensor:
    """+1 from zero up, else -1."""
    return (x >= 0).float() * 2 - 1


def simplex3_ref(x: float, y: float, z: float) -> float:
    """The same for one point, corner by corner: slow, and what the tests believe."""
    skew = (x + y + z) / 3
    cell = [math.floor(a + skew) for a in (x, y, z)]
    near = [a - c + sum(cell) / 6 for a, c in zip((x, y, z), cell, strict=True)]
    order = sorted(range(3), key=lambda axis: -near[axis])
    corner, total = [0, 0, 0], 0.0
    for step in range(4):
        d = [n - c + step / 6 for n, c in zip(near, corner, strict=True)]
        h = 0
        for axis in (2, 1, 0):
            value = h + cell[axis] % 289 + corner[axis]
            h = (34 * value + 1) * value % 289
        place = h % 49
        gx, gy = (place // 7 * 2 + 0.5) / 7 - 1, (place % 7 * 2 + 0.5) / 7 - 1
        gz = 1 - abs(gx) - abs(gy)
        if gz < EDGE:
            gx, gy = gx - math.copysign(1, gx), gy - math.copysign(1, gy)
        dot = (gx * d[0] + gy * d[1] + gz * d[2]) / math.sqrt(gx * gx + gy * gy + gz * gz)
        total += max(RADIUS_2 - sum(a * a for a in d), 0) ** 4 * dot
        if step < 3:
            corner[order[step]] = 1
    return AMPLITUDE * total
