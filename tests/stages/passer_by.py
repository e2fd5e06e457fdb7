"""A man who walks through a film."""

from pathlib import Path

import cv2
import numpy as np

from stylizer.frame import PixelsU8
from stylizer.picture import read_picture

PASSER_BY = [  # outline of the man in the light coat in bus.jpg, drawn by eye
    (112, 402), (132, 397), (155, 403), (161, 440), (152, 468), (178, 500), (200, 570), (200, 650), (193, 690),
    (186, 700), (186, 845), (243, 875), (245, 888), (225, 898), (176, 897), (172, 855), (135, 710), (128, 715),
    (85, 855), (105, 885), (104, 899), (85, 900), (53, 880), (55, 850), (62, 840), (72, 705), (60, 690), (60, 600),
    (62, 495), (98, 455), (105, 440),
]  # fmt: skip


class PasserBy:
    """A man as tall as `height_px`, cut out of a photograph, to be laid over a film."""

    def __init__(self, bus: Path, height_px: int) -> None:
        """bus: the photograph, `bus.jpg`."""
        street = read_picture(bus)
        outline = np.array(PASSER_BY)
        x, y, width, height = cv2.boundingRect(outline)
        inside = cv2.fillPoly(np.zeros(street.shape[:2], np.uint8), [outline], 255)
        size = round(width * height_px / height), height_px
        self.pixels = cv2.resize(street[y : y + height, x : x + width], size)
        self.inside = cv2.resize(inside[y : y + height, x : x + width], size) > 127

    def over(self, frame: PixelsU8, middle_px: int, bottom_px: int) -> PixelsU8:
        """The frame with him in it; he may stand half outside."""
        out, (height, width) = frame.copy(), self.inside.shape
        left, top = middle_px - width // 2, bottom_px - height
        a, b = max(0, left), min(frame.shape[1], left + width)
        if a < b:
            inside = self.inside[:, a - left : b - left]
            out[top:bottom_px, a:b][inside] = self.pixels[:, a - left : b - left][inside]
        return out
