"""Colours of the picture that is shown; the loop never sees them. Hue, inversion and false colour as Ngx has them."""

import math

import torch
from torch import Tensor

from kernels.feedback import FALSE_FREQUENCY, FALSE_SPEED


def hue_matrix(turns: float) -> Tensor:
    """[3, 3]: rotates colours about the grey axis by `turns` of a full turn; greys stay, 1/3 sends red to green."""
    c, s = math.cos(2 * math.pi * turns), math.sin(2 * math.pi * turns)
    rest, side = (1 - c) / 3, s / math.sqrt(3)
    same, after, before = c + rest, rest - side, rest + side
    return torch.tensor([[same, after, before], [before, same, after], [after, before, same]])


def coloured(picture: Tensor, *, hue: float, invert: float, false_colour: float, time_s: float) -> Tensor:
    """float32 [1, 3, H, W] in 0..1 -> the same. hue: turns; invert, false_colour: 0..1, shares of the effect."""
    if hue:
        picture = torch.einsum("ij,njhw->nihw", hue_matrix(hue).to(picture), picture).clamp(0, 1)
    if invert:
        picture = torch.lerp(picture, 1 - picture, invert)
    if false_colour:
        frequency, speed = (picture.new_tensor(v)[:, None, None] for v in (FALSE_FREQUENCY, FALSE_SPEED))
        picture = torch.lerp(picture, 0.5 + 0.5 * torch.sin(picture * frequency + time_s * speed), false_colour)
    return picture
