"""A manga page: black ink on white, greys as screentone, and black where cloth and hair are dark."""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from stylizer.frame import PixelsU8
from stylizer.stages.medium.halftone import dots_from
from stylizer.stages.medium.paint import (
    ONE,
    Grey,
    Paint,
    Paper,
    Table,
    light_of,
    lines,
    share_of_surroundings,
    table,
    three,
)

LINE = (3.1, 24.0, 1.0)
INK, WHITE = 18, 250  # levels
PITCH, HARD = 4.0, 0.9
CLEAR, DARK, BLACK = 145, 65, 40  # levels: light from which on there is no tone, where it is TONE, and where all is ink
TONE = 0.52  # share of the area that dots take
SHADE, FULL = 0.9, 0.55  # share of the surroundings' light from which on there is no tone, and where it is TONE
LEAST = 0.1  # share of the area: less is left out
BLUR_PX = 1.5


def manga(drawn: PixelsU8, paper: Paper) -> tuple[Paint, Grey]:
    """How to ink a drawing RGBA [h, w, 4], and its opacity from then on."""
    light, opacity = light_of(drawn)
    even = cv2.medianBlur(light, 5)
    share = share_of_surroundings(light, opacity, BLUR_PX, paper.pen)
    area = cv2.max(cv2.LUT(even, _tone()), cv2.LUT(share, _shade()))
    line = lines(light, opacity, paper.pen, LINE)
    pitch = PITCH * paper.pen
    screen = dots_from(paper.size, pitch)[paper.region]

    def paint(colour: PixelsU8, rows: slice) -> PixelsU8:
        dots = cv2.addWeighted(area[rows], HARD * pitch, screen[rows], -HARD * pitch, 128)
        ink = cv2.max(cv2.copyTo(dots, area[rows]), line[rows])
        return three(cv2.LUT(ink, _printed()))

    return paint, opacity


@cache
def _tone() -> Table:
    """Of light: share of dots."""
    return _dots(np.interp(np.arange(256), (BLACK, DARK, CLEAR), (1.1, TONE, 0.0)))


@cache
def _shade() -> Table:
    """Of the share of the surroundings' light."""
    return _dots(np.interp(np.arange(256) / ONE, (FULL, SHADE), (TONE, 0.0)))


def _dots(area: NDArray[np.float64]) -> Table:
    return table(255 * np.where(area < LEAST, 0, area))


@cache
def _printed() -> Table:
    """Of ink's opacity: light."""
    return table(WHITE + (INK - WHITE) * np.arange(256) / 255)
