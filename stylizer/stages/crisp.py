"""What makes an enlarged drawing crisp again: a network's 256 px are shown at 512 and more."""

from functools import cache

import cv2
import numpy as np

from stylizer.frame import PixelsU8

WIDTH = 0.75  # standard deviation of the blur that is taken away, in px of the drawing before it was enlarged
AMOUNT = 0.8  # of the unsharp mask at twice the size and more; none at its own size
LEAST, MOST = 0.15, 0.85  # opacity below and above which the paper, or nothing but the drawing, is seen


def crisp(drawn: PixelsU8, scale: float) -> PixelsU8:
    """A drawing RGBA [h, w, 4] that was enlarged `scale` times -> the same with sharp lines and a narrow border.

    Colours by unsharp masking; the soft opacity, in which a matting network leaves ghosts of whatever it was not sure
    of, becomes steeper.
    """
    if drawn.size == 0:
        return drawn
    opacity = cv2.LUT(np.ascontiguousarray(drawn[..., 3]), _steeper())
    amount = AMOUNT * min(max(scale - 1, 0.0), 1.0)
    result: PixelsU8 = cv2.addWeighted(drawn, 1 + amount, cv2.GaussianBlur(drawn, (0, 0), WIDTH * scale), -amount, 0)
    cv2.insertChannel(opacity, result, 3)
    return result


@cache
def _steeper() -> PixelsU8:
    """Opacity 0..255 -> opacity 0..255: 0 up to LEAST, 255 from MOST on, smooth between."""
    way = np.clip((np.arange(256) / 255 - LEAST) / (MOST - LEAST), 0, 1)
    return np.asarray(way * way * (3 - 2 * way) * 255 + 0.5).astype(np.uint8)
