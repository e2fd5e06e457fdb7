"""Draws the broad colours of a drawing back to the camera's: cloth keeps its hue, and black stays black.

A generator trained on drawn clothes knows the colours that it was shown; what it has not seen it paints as the nearest
it has. Only differences wider than a sleeve are evened out, so that its tones and lines stay.
"""

import torch.nn.functional as F
from torch import Tensor

CELL_PX = 16  # of the 256 px of a figure; a head drawn from nearer has its own cells of as many pixels
VIVID = 1.35  # paint is stronger than cloth
LIGHT = 0.3  # how far lightness follows: paint is lighter than cloth, and the photo has shadows
LEAST = 1e-3


def own_colours(picture: Tensor, foreground: Tensor, matte: Tensor, amount: float) -> Tensor:
    """`picture` with its broad colours moved towards the foreground's by `amount` 0..1.

    picture, foreground [1, 3, H, W] unit, straight; matte [1, 1, H, W] where the foreground is the person. H and W are
    multiples of 16.
    """
    if amount <= 0:
        return picture
    seen, drawn = (F.avg_pool2d(each * matte, CELL_PX) for each in (foreground, picture))
    missing = _wide(_painted(seen) - drawn) / (_wide(F.avg_pool2d(matte, CELL_PX)) + LEAST)
    grey = missing.mean(1, keepdim=True)
    wanted = (missing - grey) + LIGHT * grey
    change = F.interpolate(amount * wanted, picture.shape[2:], mode="bilinear", align_corners=False)
    return (picture + change).clamp_(0, 1)


def _painted(foreground: Tensor) -> Tensor:
    grey = foreground.mean(1, keepdim=True)
    return grey + VIVID * (foreground - grey)


def _wide(cells: Tensor) -> Tensor:
    """Each cell's mean with its neighbours', so that the correction has no steps."""
    return F.avg_pool2d(F.pad(cells, (1, 1, 1, 1)), 3, stride=1)
