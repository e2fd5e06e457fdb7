"""The sign on a picture that is shown again because the newest one failed: nobody takes a still for the show."""

import cv2

from stylizer.frame import PixelsU8

SIDE = 1 / 12  # of the picture's shorter side
LEAST_PX = 6
DISC, BARS = (24, 26, 32), (255, 255, 255)


def held(pixels: PixelsU8) -> PixelsU8:
    """A copy, uint8 [H, W, 3], with the two bars of a pause key on a dark square in the upper right corner."""
    marked = pixels.copy()
    height, width = pixels.shape[:2]
    side = max(LEAST_PX, round(min(height, width) * SIDE))
    left, top = max(width - side - side // 2, 0), side // 2
    cv2.rectangle(marked, (left, top), (left + side - 1, top + side - 1), DISC, -1)
    bar, air = max(1, side // 6), max(1, side // 4)
    for x in (left + air, left + side - air - bar):
        cv2.rectangle(marked, (x, top + air), (x + bar - 1, top + side - air - 1), BARS, -1)
    return marked
