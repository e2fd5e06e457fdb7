"""Tones: mean and spread of each channel of an encoder's maps, over the figure alone, and one figure given another's.

They are what was first called a style (AdaIN, arXiv:1703.06868, and the first StyleGAN, arXiv:1812.04948). Our encoders
put a person's light into the ws and their colours into the maps: another person's ws alone change hardly anything that
can be seen, with their tones clothes, hair and skin take on the other's colours.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from encoders.feature16 import EncoderConfig

MAPS = 3  # at 16, 32 and 64 px: the tones of finer ones change nothing that can be seen, at three times the cost
LEAST = 1e-4  # opacity and variance that count as none; channels vary by 0.02 and more (their standard deviation)


def toned_channels(config: EncoderConfig) -> tuple[int, ...]:
    """C_i of those maps."""
    return (config.feat_channels, *config.detail_channels, *config.fine_channels)[:MAPS]


def tones_of(maps: Sequence[Tensor], alpha: Tensor) -> Tensor:
    """maps: feat16 and the first details, [N, C_i, S, S] with S from 16 on doubling; alpha [N, 1, H, W], 16 times the
    first map's size -> [N, 2, sum of C_i]: means and spreads."""
    pairs = [_tones(x, m) for x, m in zip(maps, _mattes(alpha, len(maps)), strict=True)]
    return torch.cat([torch.stack((mean, spread), 1)[..., 0, 0] for mean, spread in pairs], 2)


def toned(maps: Sequence[Tensor], alpha: Tensor, tones: Tensor) -> tuple[Tensor, ...]:
    """The same maps with other tones where the figure is.

    maps, alpha: as above. tones [N, 3, sum of C_i]: means, spreads, and how far each channel takes them on, 0..1.
    """
    result, widths = [], [x.shape[1] for x in maps]
    for x, m, wanted in zip(maps, _mattes(alpha, len(maps)), torch.split(tones, widths, 2), strict=True):
        mean, spread = _tones(x, m)
        other_mean, other_spread, share = wanted[..., None, None].unbind(1)
        result.append(x + m * share * ((x - mean) * (other_spread / spread) + other_mean - x))
    return tuple(result)


def _mattes(alpha: Tensor, count: int) -> list[Tensor]:
    return [F.avg_pool2d(alpha, 16 >> i) for i in range(count)]


def _tones(x: Tensor, matte: Tensor) -> tuple[Tensor, Tensor]:
    """Both [N, C, 1, 1]. Means, not sums: in halves a sum over 4096 cells may be too large."""
    seen = matte.mean((2, 3), keepdim=True) + LEAST
    mean = (x * matte).mean((2, 3), keepdim=True) / seen
    variance = ((x - mean).square() * matte).mean((2, 3), keepdim=True) / seen
    return mean, (variance + LEAST).sqrt()
