"""Enlarges a drawing and keeps it crisp: a network's 256 px are shown at 512 and more."""

from functools import cache

import cv2
import numpy as np

from stylizer.frame import PixelsU8
from stylizer.stages.box import Box
from stylizer.stages.crop import uncut

WIDTH = 0.75  # px of the drawing: standard deviation of the blur that is taken away
AMOUNT = 0.8  # of the unsharp mask at twice the size and more; none at its own size
LEAST, MOST = 0.15, 0.85  # opacity below and above which the paper, or nothing but the drawing, is seen


def enlarged(drawing: PixelsU8, box: Box, region: tuple[slice, slice]) -> PixelsU8:
    """A drawing RGBA [h, w, 4] that lies at `box` -> its pixels in a region of the frame, see crop.uncut.

    Colours are sharpened as far as they are enlarged, before that: afterwards it would cost as many times more. The
    soft opacity, in which a matting network leaves ghosts of whatever it was not sure of, becomes steeper.
    """
    amount = AMOUNT * min(max(box.width / drawing.shape[1] - 1, 0.0), 1.0)
    sharp = cv2.addWeighted(drawing, 1 + amount, cv2.GaussianBlur(drawing, (0, 0), WIDTH), -amount, 0)
    cv2.insertChannel(np.ascontiguousarray(drawing[..., 3]), sharp, 3)
    result = uncut(sharp, box, region)
    if result.size:
        cv2.insertChannel(cv2.LUT(cv2.extractChannel(result, 3), _steeper()), result, 3)
    return result


@cache
def _steeper() -> PixelsU8:
    """Opacity 0..255 -> opacity 0..255: 0 up to LEAST, 255 from MOST on, smooth between."""
    way = np.clip((np.arange(256) / 255 - LEAST) / (MOST - LEAST), 0, 1)
    return np.asarray(way * way * (3 - 2 * way) * 255 + 0.5).astype(np.uint8)
