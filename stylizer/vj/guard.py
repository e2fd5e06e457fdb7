"""Keeps the loop alive: when the picture dies, freezes or burns out, noise is raised gently until it lives again."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

GRID = 64  # pixels of the side on which the picture is judged
FLAT = 0.02  # standard deviation of brightness below which the picture is dead
FROZEN_PER_S = 0.01  # mean change of brightness per second below which it stands still
BURNT = 0.9  # share of pixels at the very top or bottom above which it is burnt out
PATIENCE_S = 0.8  # of bad signs before the guard steps in
RAISE_PER_S, LOWER_PER_S = 0.25, 0.12  # amplitude of the helping noise
MOST = 0.8


@dataclass(frozen=True, slots=True)
class Health:
    """deviation: of brightness. motion: its mean change per second. burnt: share of pixels at the ends of the range."""

    deviation: float
    motion: float
    burnt: float

    @property
    def sign(self) -> str:
        """What is wrong, or "" """
        if self.deviation < FLAT:
            return "dead"
        if self.burnt > BURNT:
            return "burnt"
        return "frozen" if self.motion < FROZEN_PER_S else ""


class CollapseGuard:
    """Memory between frames: the last picture, how long signs have been bad, the helping noise.

    lost: whether the last picture held NaN or infinity; the session starts anew from black.
    """

    def __init__(self) -> None:
        self.interventions = 0
        self.reset()

    def reset(self) -> None:
        self.health = Health(1.0, 1.0, 0.0)
        self.noise = 0.0
        self.state, self.lost = "alive", False
        self._bad_s = 0.0
        self._before: Tensor | None = None

    def step(self, picture: Tensor, dt_s: float, *, helps: bool = True) -> float:
        """picture [1, 3, H, W] in 0..1, as the network made it -> amplitude of the noise that helps it, 0..0.8.

        helps: False for a guard that is switched off: it looks on, and begins gently when it is switched on.
        """
        small = F.adaptive_avg_pool2d(picture.float(), GRID).mean(1)
        self.lost = not torch.isfinite(small).all()  # one bad pixel spoils its mean
        if self.lost:
            small = torch.zeros_like(small)
        before = small if self._before is None else self._before
        motion = (small - before).abs().mean() / dt_s
        ends = ((small < 0.02) | (small > 0.98)).float().mean()
        deviation, moved, burnt = torch.stack((small.std(), motion, ends)).tolist()
        self.health = Health(deviation, 1.0 if self._before is None else moved, burnt)
        self._before = small
        return self._help(dt_s) if helps else self._look_on()

    def _look_on(self) -> float:
        self.state, self.noise, self._bad_s = self.health.sign or "alive", 0.0, 0.0
        return self.noise

    def _help(self, dt_s: float) -> float:
        sign = self.health.sign
        self._bad_s = self._bad_s + dt_s if sign else 0.0
        if self._bad_s > PATIENCE_S:
            self.interventions += self.noise == 0
            self.state = sign
            self.noise = min(MOST, self.noise + RAISE_PER_S * dt_s)
        elif not sign:
            self.noise = max(0.0, self.noise - LOWER_PER_S * dt_s)
            self.state = "reviving" if self.noise else "alive"
        return self.noise
