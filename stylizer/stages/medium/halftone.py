"""A printed comic: each colour in one tone, its shade in dots, black where it is nearly black, and black lines."""

from functools import cache, lru_cache

import cv2
import numpy as np

from stylizer.frame import PixelsU8
from stylizer.stages.medium.paint import (
    ONE,
    Grey,
    Paint,
    Paper,
    Table,
    light_of,
    lighter,
    lines,
    mixed,
    share_of_surroundings,
    smooth,
    table,
    three,
    vivid,
)

LINE = (3.1, 20.0, 0.95)
INK = (23, 15, 26)
PITCH = 5.0  # pens from dot to dot
HARD = 0.8  # steepness of a dot's border
CLOSED = 220  # of 255: share at which nothing is left between the dots
CLEAR, FULL = 0.93, 0.55  # share of the surroundings' light below which dots begin, and at which they have closed
LEAST, MOST = 0.12, 0.86  # share of the area that dots take: fewer are left out
DOT = (0.56, 0.5, 0.6)  # what a dot leaves of red, green, blue
FLAT = 0.85, 1.25  # least and largest gain that brings a place to its surroundings' light
BLACK = (30, 51)  # levels: darker is full of dots, lighter for this has none
BLUR_PX = 1.5
VIVID, GAMMA = 1.25, 0.84


def halftone(drawn: PixelsU8, paper: Paper) -> tuple[Paint, Grey]:
    """How to print a drawing RGBA [h, w, 4], and its opacity from then on."""
    light, opacity = light_of(drawn)
    share = share_of_surroundings(light, opacity, BLUR_PX, paper.pen)
    gain, area = cv2.LUT(share, _gain()), cv2.LUT(share, _area())
    line = lines(light, opacity, paper.pen, LINE)
    pitch = PITCH * paper.pen
    screen = dots_from(paper.size, pitch)[paper.region]

    def paint(colour: PixelsU8, rows: slice) -> PixelsU8:
        flat = cv2.transform(cv2.multiply(colour, three(gain[rows]), scale=1 / ONE), vivid(VIVID))
        dots = cv2.addWeighted(area[rows], HARD * pitch, screen[rows], -HARD * pitch, 128)
        dots = cv2.max(cv2.copyTo(dots, area[rows]), cv2.LUT(light[rows], _black()))
        printed = mixed(cv2.LUT(flat, lighter(GAMMA)), cv2.transform(flat, np.diag(DOT)), dots)
        return mixed(printed, _ink(printed.shape), line[rows])

    return paint, opacity


@lru_cache(maxsize=4)
def dots_from(size: tuple[int, int], pitch: float) -> Grey:
    """A screen at 45 degrees: the share of dots from which on each pixel is in one, 0..CLOSED, of 255."""
    y, x = np.ogrid[: size[0], : size[1]]
    turn = 2**0.5 * np.pi / pitch
    return table(CLOSED / 4 * (2 + np.cos(turn * (x + y)) + np.cos(turn * (x - y))))


@lru_cache(maxsize=4)
def _ink(shape: tuple[int, int, int]) -> PixelsU8:
    return np.broadcast_to(np.array(INK, np.uint8), shape).copy()


@cache
def _gain() -> Table:
    return table(ONE * np.clip(ONE / np.maximum(np.arange(256), 1), *FLAT))


@cache
def _area() -> Table:
    """Of the share of the surroundings' light."""
    area = np.clip((CLEAR - np.arange(256) / ONE) / (CLEAR - FULL), 0, 1)
    return table(255 * MOST * np.where(area < LEAST, 0, area))


@cache
def _black() -> Table:
    return table(255 * smooth((BLACK[1] - np.arange(256)) / (BLACK[1] - BLACK[0])))
