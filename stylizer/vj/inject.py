"""Lets a camera, a film or a picture into the loop: blended over what the network is about to see."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from stylizer.frame import PixelsU8, unit_from_u8
from stylizer.vj.noise import SIZE

Matte = Callable[[Tensor], Tensor]  # unit [1, 3, H, W] -> alpha [1, 1, H, W]


@dataclass(frozen=True, slots=True)
class Guest:
    """What comes in: picture float32 [1, 3, 256, 256] in 0..1, alpha [1, 1, 256, 256], 1 where it counts."""

    picture: Tensor
    alpha: Tensor


def guest(pixels: PixelsU8, what: str, matte: Matte | None) -> Guest:
    """The middle square of a frame. what: of the control `inject`; `person` without a matte is all of it."""
    square = middle_square(pixels)
    if what == "edges":
        grey = cv2.GaussianBlur(cv2.cvtColor(square, cv2.COLOR_RGB2GRAY), (0, 0), 1.2).astype(np.float32) / 255
        slope = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
        lines = torch.from_numpy(np.clip(slope * 1.5, 0, 1).astype(np.float32))[None, None]
        return Guest(lines.expand(1, 3, SIZE, SIZE), lines)
    picture = unit_from_u8(square)
    alpha = matte(picture) if what == "person" and matte else torch.ones(1, 1, SIZE, SIZE)
    return Guest(picture, alpha)


def middle_square(pixels: PixelsU8) -> PixelsU8:
    """uint8 [H, W, 3] -> [256, 256, 3]: the largest square in the middle, scaled."""
    height, width = pixels.shape[:2]
    side = min(height, width)
    y, x = (height - side) // 2, (width - side) // 2
    square = np.ascontiguousarray(pixels[y : y + side, x : x + side])
    how = cv2.INTER_AREA if side > SIZE else cv2.INTER_CUBIC
    return square if side == SIZE else np.asarray(cv2.resize(square, (SIZE, SIZE), interpolation=how), np.uint8)


def injected(picture: Tensor, guest: Guest, gain: float, blend: str) -> Tensor:
    """picture [1, 3, 256, 256] with the guest at `gain` 0..1, by a blend of the control's; 0 leaves it as it is."""
    other, weight = guest.picture.to(picture), guest.alpha.to(picture) * gain
    match blend:
        case "add":
            return picture + weight * other
        case "screen":
            return 1 - (1 - picture) * (1 - weight * other)
        case "multiply":
            return picture * (1 - weight + weight * other)
        case "difference":
            return torch.lerp(picture, (picture - other).abs(), weight)
        case _:
            return torch.lerp(picture, other, weight)
