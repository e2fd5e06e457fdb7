"""Flash limit: no more than three flashes in any second reach the audience (WCAG 2.2, success criterion 2.3.1).

A flash is a pair of opposing changes of relative luminance by 10 % or more. Judged on sixteen tiles, a quarter of them
together, which is the area that the criterion allows.
"""

from collections import deque

import torch
import torch.nn.functional as F
from torch import Tensor

SWING = 0.1
SWINGS_PER_S = 5  # six would be three whole flashes: the last one is never let through
TILES = 4  # per side
AREA = 4  # tiles that must swing together
HOLD_S = 0.9  # time constant of the picture while the limit holds


class StrobeGuard:
    """Memory between frames: the picture shown last, and each tile's recent swings."""

    def __init__(self) -> None:
        self.interventions = 0
        self.reset()

    def reset(self) -> None:
        self.holding = False
        self._shown: Tensor | None = None
        self._extreme = torch.zeros(TILES * TILES)
        self._rising = torch.zeros(TILES * TILES, dtype=torch.bool)
        self._swings: deque[tuple[float, Tensor]] = deque()

    def step(self, picture: Tensor, time_s: float, dt_s: float) -> Tensor:
        """picture float32 [1, 3, H, W] in 0..1 -> what may be shown of it."""
        if self._shown is None or self._shown.shape != picture.shape:
            self._shown = picture
            self._extreme = _luminance(picture)
            return picture
        while self._swings and self._swings[0][0] <= time_s - 1.0:
            self._swings.popleft()
        now = _luminance(picture)
        spent = self._recent() >= SWINGS_PER_S
        swinging = self._turned(now)
        hold = int((spent & swinging).sum()) >= AREA or (self.holding and int(spent.sum()) >= AREA)
        self.interventions += hold and not self.holding
        self.holding = hold
        if hold:
            picture = torch.lerp(self._shown, picture, min(1.0, dt_s / HOLD_S))
            now = _luminance(picture)
            swinging = self._turned(now)
        self._note(now, swinging, time_s)
        self._shown = picture
        return picture

    def _recent(self) -> Tensor:
        """[16]: swings of each tile in the last second."""
        total = torch.zeros(TILES * TILES)
        for _, tiles in self._swings:
            total += tiles
        return total

    def _turned(self, now: Tensor) -> Tensor:
        """[16] bool: tiles that moved by a swing against their last direction."""
        change = now - self._extreme
        return (change.abs() >= SWING) & ((change > 0) != self._rising)

    def _note(self, now: Tensor, swinging: Tensor, time_s: float) -> None:
        if swinging.any():
            self._swings.append((time_s, swinging.float()))
        further = torch.where(self._rising, now > self._extreme, now < self._extreme)
        self._rising = torch.where(swinging, ~self._rising, self._rising)
        self._extreme = torch.where(swinging | further, now, self._extreme)


def _luminance(picture: Tensor) -> Tensor:
    """[16]: mean relative luminance of the tiles."""
    linear = F.adaptive_avg_pool2d(picture.float(), TILES * 4)[0].clamp(0, 1) ** 2.2
    weighted = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return F.avg_pool2d(weighted[None], 4).flatten().cpu()
