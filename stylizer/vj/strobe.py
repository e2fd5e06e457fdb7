"""Flash limit: no more than three flashes in any second reach the audience (WCAG 2.2, success criterion 2.3.1).

A flash is a pair of opposing changes: of relative luminance by 10 % or more, or to and from a saturated red, which
harms at any luminance. Judged on cells of a grid, wherever a quarter of a field of 10 degrees swings together: the area
that the criterion allows.
"""

from collections import deque

import torch
import torch.nn.functional as F
from torch import Tensor

SWING, RED_SWING = 0.1, 20 / 320  # of luminance; of R - G - B, as broadcasters' test of it has it
SATURATED = 0.8  # share of red in a colour, from which on it counts
SWINGS_PER_S = 5  # six would be three whole flashes: the last one is never let through
CELLS = 16  # per side of the picture
FIELD = 6  # cells per side of 10 degrees, 341x256 px where the picture fills the height of a screen of 1024x768
AREA = 9  # cells of a field that must swing together
HOLD_S = 0.9  # time constant of the picture while the limit holds


class StrobeGuard:
    """Memory between frames: the picture shown last, and each cell's recent swings."""

    def __init__(self) -> None:
        self.interventions = 0
        self.reset()

    def reset(self) -> None:
        self.holding = False
        self._shown: Tensor | None = None
        self._extreme = torch.zeros(2, CELLS, CELLS)
        self._rising = torch.zeros(2, CELLS, CELLS, dtype=torch.bool)
        self._swings: deque[tuple[float, Tensor]] = deque()  # of the last second
        self._recent = torch.zeros(2, CELLS, CELLS)  # their sum

    def step(self, picture: Tensor, time_s: float, dt_s: float, *, limits: bool = True) -> Tensor:
        """picture float32 [1, 3, H, W] in 0..1 -> what may be shown of it.

        limits: False for a guard that is switched off: it looks on, and knows what was shown when it is switched on.
        """
        if self._shown is None or self._shown.shape != picture.shape:
            self._shown = picture
            self._extreme = _levels(picture)
            return picture
        while self._swings and self._swings[0][0] <= time_s - 1.0:
            self._recent -= self._swings.popleft()[1]
        now = _levels(picture)
        spent = self._recent >= SWINGS_PER_S
        swinging = self._turned(now)
        hold = limits and (_wide(spent & swinging) or (self.holding and _wide(spent)))
        self.interventions += hold and not self.holding
        self.holding = hold
        if hold:
            picture = torch.lerp(self._shown, picture, min(1.0, dt_s / HOLD_S))
            now = _levels(picture)
            swinging = self._turned(now)
        self._note(now, swinging, time_s)
        self._shown = picture
        return picture

    def _turned(self, now: Tensor) -> Tensor:
        """[2, 16, 16] bool: cells that moved by a swing against their last direction."""
        change = now - self._extreme
        return (change.abs() >= torch.tensor([SWING, RED_SWING])[:, None, None]) & ((change > 0) != self._rising)

    def _note(self, now: Tensor, swinging: Tensor, time_s: float) -> None:
        if swinging.any():
            self._swings.append((time_s, swinging.float()))
            self._recent += self._swings[-1][1]
        further = torch.where(self._rising, now > self._extreme, now < self._extreme)
        self._rising = torch.where(swinging, ~self._rising, self._rising)
        self._extreme = torch.where(swinging | further, now, self._extreme)


def _wide(cells: Tensor) -> bool:
    """[2, 16, 16] bool: in one field so many of either kind that they count."""
    return int(F.avg_pool2d(cells.float(), FIELD, 1, divisor_override=1).max()) >= AREA


def _levels(picture: Tensor) -> Tensor:
    """[2, 16, 16]: each cell's relative luminance, and what is a saturated red in it."""
    red, green, blue = linear = F.adaptive_avg_pool2d(picture.float(), CELLS)[0].clamp(0, 1) ** 2.2
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    saturated = (red - green - blue).clamp(min=0) * (red >= SATURATED * linear.sum(0))
    return torch.stack([luminance, saturated]).cpu()
