"""Measures of a style that need no foreign weights."""

import torch
import torch.nn.functional as F
from torch import Tensor

_SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # weights of MS-SSIM (Wang, Simoncelli, Bovik 2003)


def _window(x: Tensor) -> Tensor:
    """Gaussian mean, 11 taps, sigma 1.5, no padding. [N, C, H, W]."""
    at = torch.arange(11.0, device=x.device) - 5
    taps = torch.exp(-at.square() / (2 * 1.5**2))
    taps = taps / taps.sum()
    c = x.shape[1]
    x = F.conv2d(x, taps.view(1, 1, 11, 1).expand(c, 1, 11, 1), groups=c)
    return F.conv2d(x, taps.view(1, 1, 1, 11).expand(c, 1, 1, 11), groups=c)


def ms_ssim(a: Tensor, b: Tensor) -> Tensor:
    """Likeness of two pictures at five scales, [N, C, H, W] unit, at least 176 px -> [N], 1 for equal ones."""
    if min(a.shape[-2:]) < 176:
        raise ValueError(f"MS-SSIM needs at least 176 px a side, got {list(a.shape[-2:])}")
    result = torch.ones(len(a))
    for i, weight in enumerate(_SCALES):
        ma, mb = _window(a), _window(b)
        va, vb, cov = _window(a * a) - ma * ma, _window(b * b) - mb * mb, _window(a * b) - ma * mb
        value = (2 * cov + 9e-4) / (va + vb + 9e-4)  # contrast and structure
        if i == len(_SCALES) - 1:
            value = value * (2 * ma * mb + 1e-4) / (ma * ma + mb * mb + 1e-4)
        result = result * value.mean((1, 2, 3)).clamp(min=1e-6) ** weight
        a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
    return result


def hue_agreement(a: Tensor, b: Tensor, alpha: Tensor) -> Tensor:
    """How well colours agree in the upper, middle and lower third of the figure -> [N], -1..1.

    a, b [N, 3, H, W] unit; alpha [N, 1, H, W]. Cosine between the mean colours' departures from grey, in each third;
    a third where either picture is all but grey counts as agreeing when both are.
    """
    scores = []
    for i in range(len(a)):
        inside = alpha[i, 0] > 0.5
        if not inside.any():
            scores.append(1.0)
            continue
        rows = inside.any(1).nonzero()
        top, height = int(rows[0]), int(rows[-1] - rows[0]) + 1
        parts = [slice(top + k * height // 3, top + (k + 1) * height // 3) for k in range(3)]
        scores.append(sum(_hue_score(a[i][:, p], b[i][:, p], inside[p]) for p in parts) / 3)
    return torch.tensor(scores)


def _hue_score(a: Tensor, b: Tensor, inside: Tensor) -> float:
    if not inside.any():
        return 1.0
    ca, cb = (x[:, inside].mean(1) for x in (a, b))
    ca, cb = ca - ca.mean(), cb - cb.mean()
    grey_a, grey_b = float(ca.norm()) < 0.04, float(cb.norm()) < 0.04
    if grey_a or grey_b:
        return 1.0 if grey_a and grey_b else 1 - min(1.0, float((ca - cb).norm()) / 0.2)
    return float(F.cosine_similarity(ca, cb, dim=0))


def flicker(given: Tensor, made: Tensor) -> float:
    """Change between neighbouring output frames over that between input frames; both [T, 3, H, W]. 1 is as steady."""
    before = (given[1:] - given[:-1]).abs().mean()
    after = (made[1:] - made[:-1]).abs().mean()
    return float(after / before.clamp(min=1e-6))


def sliced_wasserstein(a: Tensor, b: Tensor, *, patches: int = 128, directions: int = 512, seed: int = 0) -> float:
    """How far apart two sets of pictures are in their details, size by size (Karras et al., arXiv:1710.10196).

    a, b [N, 3, H, W] unit, as many of each. 7x7 patches of every level of a Laplacian pyramid down to 16 px, each
    channel brought to the same mean and spread; mean difference of their sorted projections on random directions,
    averaged over the levels. 0 for equal sets; the same numbers on every call.
    """
    if a.shape != b.shape:
        raise ValueError(f"both sets must have the same shape, got {list(a.shape)} and {list(b.shape)}")
    generator = torch.Generator().manual_seed(seed)
    levels = zip(_laplacian(a.float().cpu()), _laplacian(b.float().cpu()), strict=True)
    distances = []
    for x, y in levels:
        corners = torch.rand(len(x) * patches, 2, generator=generator)
        px, py = (_patches(level, corners) for level in (x, y))
        lines = F.normalize(torch.randn(px.shape[1], directions, generator=generator), dim=0)
        distances.append(float(((px @ lines).sort(0).values - (py @ lines).sort(0).values).abs().mean()))
    return sum(distances) / len(distances)


def _laplacian(x: Tensor) -> list[Tensor]:
    """What each halving of the size loses, finest first, and the rest at 16 to 31 px."""
    levels = []
    while min(x.shape[-2:]) >= 32:
        small = F.avg_pool2d(x, 2)
        levels.append(x - F.interpolate(small, size=x.shape[-2:], mode="bilinear"))
        x = small
    return [*levels, x]


def _patches(x: Tensor, corners: Tensor) -> Tensor:
    """7x7 patches of [N, 3, H, W] at corners [N * k, 2] in 0..1 -> [N * k, 147], each channel normalised."""
    n, _, height, width = x.shape
    picture = torch.arange(n).repeat_interleave(len(corners) // n)[:, None, None]
    top, left = ((corners[:, i] * (side - 6)).long() for i, side in enumerate((height, width)))
    at = torch.arange(7)
    found = x.permute(0, 2, 3, 1)[picture, (top[:, None] + at)[:, :, None], (left[:, None] + at)[:, None, :]]
    flat = found.reshape(-1, 49, x.shape[1])
    spread = flat.std((0, 1)).clamp(min=1e-6)
    return ((flat - flat.mean((0, 1))) / spread).flatten(1)
