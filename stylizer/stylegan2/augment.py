"""Adaptive augmentation (arXiv:2006.06676): the discriminator sees pictures changed at random, as often as it needs.

Both sides are changed alike and every change lets gradients through, so that the generator does not learn the changes
as long as each is left out often enough: the probability stays below `MOST`.
"""

from dataclasses import asdict, dataclass
from math import pi
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

MOST = 0.8  # beyond, changes leak into what the generator draws (section 2.2)
TARGET = 0.6  # share r_t that the controller keeps (section 3)
RGB_TO_GREY = (0.299, 0.587, 0.114)


@dataclass(slots=True)
class Controller:
    """r_t = E[sign(D(real))] says how far the discriminator overfits: 0 not at all, 1 wholly. p follows it.

    p: probability of each change. pictures: real ones until p may go from 0 to 1. The mean is taken over a few batches.
    """

    p: float = 0.0
    target: float = TARGET
    pictures: int = 100_000
    every: int = 4
    signs: float = 0.0
    seen: int = 0
    batches: int = 0

    def update(self, sign_mean: float, n: int) -> float:
        """sign_mean: of the discriminator's logits of n real pictures. Returns the new p."""
        self.signs, self.seen, self.batches = self.signs + sign_mean * n, self.seen + n, self.batches + 1
        if self.batches == self.every:
            r_t = self.signs / self.seen
            step = self.seen / self.pictures
            self.p = min(MOST, max(0.0, self.p + (step if r_t > self.target else -step)))
            self.signs, self.seen, self.batches = 0.0, 0, 0
        return self.p

    def state(self) -> dict[str, float | int]:
        return asdict(self)

    @classmethod
    def restored(cls, state: dict[str, float | int]) -> Self:
        return cls(**state)  # type: ignore[arg-type]


def augment(pictures: Tensor, p: float) -> Tensor:
    """Changes each picture at random, each change with probability p; p 0 changes nothing.

    pictures [N, 3 or 4, S, S], -1..1: colours over grey, and alpha on the same scale, which keeps its colours' place.
    Random numbers come from torch's own generator.
    """
    if not 0 <= p <= 1:
        raise ValueError(f"p must be in 0..1, got {p}")
    if p == 0:
        return pictures
    moved = _warp(pictures, _affine(len(pictures), p, pictures.device))
    coloured = _recolour(moved[:, :3], p)
    return _cut_out(torch.cat((coloured, moved[:, 3:]), 1), p)


def _sometimes(values: Tensor, neutral: float, p: float) -> Tensor:
    """values [N], each put back to `neutral` with probability 1 - p."""
    return torch.where(torch.rand_like(values) < p, values, torch.full_like(values, neutral))


def _affine(n: int, p: float, device: torch.device) -> Tensor:
    """[N, 2, 3]: flip, scale, stretch, rotation, shift, in the order of grid_sample (from output to input)."""

    def normal(spread: float) -> Tensor:
        return _sometimes(torch.randn(n, device=device) * spread, 0.0, p)

    flip = _sometimes(torch.full((n,), -1.0, device=device), 1.0, p / 2)
    scale, stretch = torch.exp2(normal(0.2)), torch.exp2(normal(0.1))
    angle = _sometimes((torch.rand(n, device=device) * 2 - 1) * (pi / 8), 0.0, p)
    cos, sin = angle.cos() * scale, angle.sin() * scale
    rows = (cos * stretch * flip, -sin, normal(0.15), sin * flip, cos / stretch, normal(0.15))
    return torch.stack(rows, 1).reshape(n, 2, 3)


def _warp(pictures: Tensor, theta: Tensor) -> Tensor:
    grid = F.affine_grid(theta, list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures.float(), grid, padding_mode="reflection", align_corners=False)


def _recolour(rgb: Tensor, p: float) -> Tensor:
    """Brightness, contrast, saturation, hue. rgb [N, 3, S, S]; grey is 0 and stays where it is but for brightness."""
    n, device = len(rgb), rgb.device

    def factor(spread: float) -> Tensor:
        return torch.exp2(_sometimes(torch.randn(n, device=device) * spread, 0.0, p))[:, None, None, None]

    lift = _sometimes(torch.randn(n, device=device) * 0.2, 0.0, p)[:, None, None, None]
    grey = (rgb * torch.tensor(RGB_TO_GREY, device=device)[:, None, None]).sum(1, keepdim=True)
    saturated = grey + (rgb - grey) * factor(0.5)
    turn = _sometimes((torch.rand(n, device=device) * 2 - 1) * pi, 0.0, p)
    return torch.einsum("nij,njhw->nihw", _hue_turn(turn), saturated) * factor(0.3) + lift


def _hue_turn(angle: Tensor) -> Tensor:
    """Rotation about the grey axis by Rodrigues' formula: angle [N] -> [N, 3, 3]."""
    k = 3**-0.5
    cross = torch.tensor([[0, -k, k], [k, 0, -k], [-k, k, 0]], device=angle.device)
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    eye = torch.eye(3, device=angle.device)
    return eye * cos + cross * sin + (1 - cos) / 3


def _cut_out(pictures: Tensor, p: float) -> Tensor:
    """A square of half the side becomes grey."""
    n, side, device = len(pictures), pictures.shape[-1], pictures.device
    centre = torch.rand(n, 2, device=device) * side
    at = torch.arange(side, device=device) + 0.5
    near_x, near_y = ((at[None] - centre[:, i : i + 1]).abs() < side / 4 for i in (0, 1))
    hole = near_y[:, :, None] & near_x[:, None, :] & (torch.rand(n, device=device) < p / 2)[:, None, None]
    return pictures * ~hole[:, None]
