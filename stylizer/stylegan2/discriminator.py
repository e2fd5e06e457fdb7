"""The discriminator of StyleGAN2: residual blocks, minibatch deviation, one number per picture (arXiv:1912.04958).

For progressive growing (1710.10196) it has further entrances, for pictures of half the size, a quarter and so on.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stylizer.stylegan2.layers import Conv, Linear, activate


@dataclass(frozen=True, slots=True)
class DiscriminatorConfig:
    """widths: channels from the picture's size on, each level half the size of the last. group: of the deviation.

    entrances: how many smaller sizes of picture are taken as well, each half of the one before.
    """

    size: int = 128
    widths: tuple[int, ...] = (16, 32, 64, 96, 128)
    channels: int = 3
    group: int = 4
    entrances: int = 0

    def __post_init__(self) -> None:
        if len(self.widths) < 2 or self.size >> (len(self.widths) - 1) < 4:
            raise ValueError(f"size {self.size} is too small for {len(self.widths)} widths: the last level needs 4 px")
        if not 0 <= self.entrances < len(self.widths) - 1:
            raise ValueError(f"entrances must be 0 to {len(self.widths) - 2}, got {self.entrances}")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        return cls(**{**values, "widths": tuple(values["widths"])})


class _Residual(nn.Module):
    """x [N, C, H, W] -> [N, K, H/2, W/2], variance kept."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.conv0, self.conv1 = Conv(n_in, n_in, 3), Conv(n_in, n_out, 3, down=True)
        self.skip = Conv(n_in, n_out, 1, bias=False, down=True)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = activate(self.conv1(activate(self.conv0(x)))) + self.skip(x)
        return y / sqrt(2)


def minibatch_deviation(x: Tensor, group: int) -> Tensor:
    """Adds one channel: how much the samples of a group differ, so that a generator of few pictures is found out.

    x [N, C, H, W] -> [N, C + 1, H, W]; the group is the largest number up to `group` that divides N.
    """
    n, c, h, w = x.shape
    g = next(k for k in range(min(group, n), 0, -1) if n % k == 0)
    y = x.float().reshape(g, n // g, c, h, w)
    y = (y - y.mean(0)).square().mean(0).add(1e-8).sqrt().mean((1, 2, 3))  # [N / g]
    plane = y.repeat(g).to(x.dtype)[:, None, None, None].expand(n, 1, h, w)
    return torch.cat((x, plane), 1)


class Discriminator(nn.Module):
    """picture [N, channels, size, size] (or of an entrance's size), -1..1 -> logits [N], high for real ones.

    fade: 0..1, how much a picture comes in by its own size's entrance; the rest comes, at half the size, by the next.
    """

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        self.from_rgb = Conv(config.channels, widths[0], 1)
        self.entrances = nn.ModuleList(Conv(config.channels, width, 1) for width in widths[1 : 1 + config.entrances])
        self.blocks = nn.ModuleList(_Residual(a, b) for a, b in zip(widths, widths[1:], strict=False))
        side = config.size >> (len(widths) - 1)
        self.last = Conv(widths[-1] + 1, widths[-1], 3)
        self.pool = max(1, side // 4)
        self.dense = Linear(widths[-1] * (side // self.pool) ** 2, widths[-1])
        self.out = Linear(widths[-1], 1)

    def features(self, picture: Tensor, fade: float = 1.0) -> list[Tensor]:
        """What each block has found, [N, K, S/2, S/2] and smaller: a measure of likeness without foreign weights."""
        level = (self.config.size // picture.shape[-1]).bit_length() - 1
        x, found = self._enter(picture, level), list[Tensor]()
        for block in list(self.blocks)[level:]:
            x = block(x)
            if not found and fade < 1:
                x = torch.lerp(self._enter(F.avg_pool2d(picture, 2), level + 1), x, fade)
            found.append(x)
        return found

    def _enter(self, picture: Tensor, level: int) -> Tensor:
        entrance = self.entrances[level - 1] if level else self.from_rgb
        return activate(entrance(picture))

    def forward(self, picture: Tensor, fade: float = 1.0) -> Tensor:
        return self.verdict(self.features(picture, fade)[-1])

    def verdict(self, x: Tensor) -> Tensor:
        """From what the last block has found."""
        x = activate(self.last(minibatch_deviation(x, self.config.group)))
        x = activate(self.dense(F.avg_pool2d(x, self.pool).flatten(1)))
        logits: Tensor = self.out(x)[:, 0]
        return logits
