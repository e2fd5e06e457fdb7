"""Moves the fed-back picture a little each frame: zoom, rotation, shift, folds; and blurs or sharpens it."""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from stylizer.vj.noise import SIZE


@dataclass(frozen=True, slots=True)
class Motion:
    """Of one frame. zoom: above 1 enlarges. rotate_deg: clockwise. shift: of the picture's side, right and down.

    segments: of the kaleidoscope, each with its mirror image.
    """

    zoom: float = 1.0
    rotate_deg: float = 0.0
    shift_x: float = 0.0
    shift_y: float = 0.0
    fold: str = "none"
    segments: int = 6

    @property
    def still(self) -> bool:
        return (self.zoom, self.rotate_deg, self.shift_x, self.shift_y, self.fold) == (1.0, 0.0, 0.0, 0.0, "none")


class Mover:
    """Applies a motion; the sampling grid is kept while the motion stays the same."""

    def __init__(self) -> None:
        self._motion: Motion | None = None
        self._grid = torch.empty(0)

    def __call__(self, picture: Tensor, motion: Motion) -> Tensor:
        """picture float32 [1, 3, H, W] -> the same, moved. What comes in from outside is the picture's mirror image."""
        if motion.still:
            return picture
        if motion != self._motion or self._grid.device != picture.device:
            self._motion, self._grid = motion, sampling_grid(motion, picture.device)
        return F.grid_sample(picture, self._grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def sampling_grid(motion: Motion, device: torch.device | None = None) -> Tensor:
    """[1, 256, 256, 2] in -1..1: where each pixel of the moved picture comes from."""
    axis = (torch.arange(SIZE, dtype=torch.float32, device=device) + 0.5) / SIZE * 2 - 1
    x, y = _folded(axis[None, :].expand(SIZE, SIZE), axis[:, None].expand(SIZE, SIZE), motion)
    turn = math.radians(motion.rotate_deg)
    cos, sin = math.cos(turn) / motion.zoom, math.sin(turn) / motion.zoom
    x, y = x - 2 * motion.shift_x, y - 2 * motion.shift_y
    return torch.stack((cos * x + sin * y, cos * y - sin * x), dim=2)[None]


def _folded(x: Tensor, y: Tensor, motion: Motion) -> tuple[Tensor, Tensor]:
    match motion.fold:
        case "mirror":
            return -x.abs(), y
        case "quad":
            return -x.abs(), -y.abs()
        case "kaleidoscope":
            wedge = math.pi / motion.segments
            angle = torch.remainder(torch.atan2(y, x), 2 * wedge)
            angle = wedge - (angle - wedge).abs()
            radius = torch.hypot(x, y)
            return radius * torch.cos(angle), radius * torch.sin(angle)
        case _:
            return x, y


def focused(picture: Tensor, focus: float) -> Tensor:
    """focus -1 blurs with a 3x3 box, 0 leaves alone, 1 sharpens as strongly. float32 [1, 3, H, W] -> the same."""
    if focus == 0:
        return picture
    soft = F.avg_pool2d(F.pad(picture, (1, 1, 1, 1), mode="reflect"), 3, stride=1)
    return torch.lerp(picture, soft, -focus)
