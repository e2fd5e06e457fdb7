"""What the media share: paper, lines, and how light a place is beside its surroundings.

The pen is one pixel of a picture of 720 lines and less, and grows with larger ones. Colours are worked in bytes, by
OpenCV and by tables; lines and light in floats and, being softer, at half size.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from stylizer.frame import PixelsU8

Map = NDArray[np.float32]  # [h, w]
Grey = NDArray[np.uint8]  # [h, w]
Table = NDArray[np.uint8]  # [256]
Paint = Callable[[PixelsU8, slice], PixelsU8]  # the drawing's colours [h, w, 3] in some rows -> the same, painted

LINES = 720  # of a picture, up to which the pen is one pixel
ONE = 128  # byte that stands for 1 in gains and shares
PAPER = 217  # grey that is seen around the person while lines are looked for
FINE, WIDE = 1.0, 2.2  # pens: widths of the two blurs whose difference finds lines
DARK, LIT = 0.2, 0.5  # light up to which a gamma curve is not for it, and from which on it is all
INK_FROM, INK_TO = 140, 76  # light above which nothing is ink, and below which everything may be
CELLS, CELLS_WIDE = 8, 4.0  # pens of a cell; a colour's own light is its mean over some four of them
EVENED_PX, EVENED = 5, 25.0  # of the bilateral filter at half size: reach, and levels that count as one colour


class Paper(NamedTuple):
    """region: (rows, columns) where the drawing lies on it; textures and dots do not move with the drawing.
    size: (height, width) px of the whole."""

    region: tuple[slice, slice]
    size: tuple[int, int]

    @property
    def pen(self) -> float:
        return max(1.0, min(self.size) / LINES)


def light_of(drawn: PixelsU8) -> tuple[Grey, Grey]:
    """RGBA -> how light it is (BT.601), and its opacity."""
    return cv2.cvtColor(drawn, cv2.COLOR_RGBA2GRAY), cv2.extractChannel(drawn, 3)


def on_paper(light: Grey, opacity: Grey) -> Map:
    """As it is seen, 0..255."""
    share: Map = opacity.astype(np.float32) * np.float32(1 / 255)
    return (light - np.float32(PAPER)) * share + np.float32(PAPER)


def lines(light: Grey, opacity: Grey, pen: float, line: tuple[float, float, float]) -> Grey:
    """Opacity of ink, where the drawing is dark and darker than what is around it (a difference of Gaussians).

    line: levels below the surroundings from which on it is one; its strength per 255 levels; its greatest opacity.
    """
    least, gain, most = line
    seen = on_paper(light, opacity)
    wide = enlarged(cv2.GaussianBlur(halved(seen), (0, 0), WIDE * pen / 2), light)
    darker = cv2.subtract(wide, cv2.GaussianBlur(seen, (0, 0), FINE * pen))
    found = cv2.LUT(cv2.add(darker, -least, dtype=cv2.CV_8U), _strength(gain, most))
    result: Grey = cv2.multiply(found, cv2.LUT(light, _may_be_ink()), scale=1 / 255)
    return result


def share_of_surroundings(light: Grey, opacity: Grey, blur_px: float, pen: float) -> Grey:
    """How light each place is beside what is around it: ONE where just as light, 255 where twice as light."""
    weight = halved(opacity).astype(np.float32)
    weighted = cv2.multiply(weight, halved(light), dtype=cv2.CV_32F)
    cells = tuple(max(1, round(2 * length / CELLS / pen)) for length in weight.shape[::-1])

    def near(x: Map) -> Map:
        result: Map = cv2.GaussianBlur(x, (0, 0), blur_px * pen / 2)
        return result

    def far(x: Map) -> Map:
        result: Map = cv2.GaussianBlur(cv2.resize(x, cells, interpolation=cv2.INTER_AREA), (0, 0), CELLS_WIDE)
        return result

    here, around = (cv2.divide(of(weighted), cv2.max(of(weight), 5)) for of in (near, far))
    share = cv2.divide(here, cv2.max(enlarged(around, weight), 4), scale=ONE, dtype=cv2.CV_8U)
    return enlarged(share, light)


def evening(drawn: PixelsU8) -> PixelsU8:
    """RGB to be added, 128 for nothing, so that small differences go: a bilateral filter at half size, an eighth of
    the work; edges stay as sharp as they are, since only the change is enlarged."""
    half = even = halved(cv2.cvtColor(drawn, cv2.COLOR_RGBA2RGB))
    for _ in range(2):
        even = cv2.bilateralFilter(even, EVENED_PX, EVENED, EVENED_PX / 2)
    return enlarged(cv2.addWeighted(even, 1, half, -1, 128), drawn)


def evened(colour: PixelsU8, change: PixelsU8) -> PixelsU8:
    result: PixelsU8 = cv2.addWeighted(colour, 1, change, 1, -128)
    return result


def mixed(below: PixelsU8, above: PixelsU8, share: Grey) -> PixelsU8:
    part = three(share)
    back = cv2.multiply(below, cv2.bitwise_not(part), scale=1 / 255)
    result: PixelsU8 = cv2.add(cv2.multiply(above, part, scale=1 / 255), back)
    return result


def three(grey: Grey) -> PixelsU8:
    result: PixelsU8 = cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)
    return result


def halved(picture: NDArray[Any]) -> NDArray[Any]:
    size = (picture.shape[1] + 1) // 2, (picture.shape[0] + 1) // 2
    result: NDArray[Any] = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return result


def enlarged(picture: NDArray[Any], like: NDArray[Any]) -> NDArray[Any]:
    result: NDArray[Any] = cv2.resize(picture, (like.shape[1], like.shape[0]))
    return result


@cache
def vivid(amount: float) -> NDArray[np.float64]:
    """The matrix that moves colours away from their grey."""
    grey = np.tile([0.299, 0.587, 0.114], (3, 1))
    result: NDArray[np.float64] = grey + amount * (np.eye(3) - grey)
    return result


@cache
def lighter(power: float) -> Table:
    """Light after a gamma curve, but for what is dark: black cloth stays black."""
    light = np.arange(256) / 255
    return table(255 * (light + (light**power - light) * smooth((light - DARK) / (LIT - DARK))))


def table(values: NDArray[Any]) -> Table:
    """Levels, rounded and kept in 0..255."""
    result: Table = np.clip(values + 0.5, 0, 255).astype(np.uint8)
    return result


def smooth(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 up to 0, 1 from 1 on, without a bend."""
    share = np.clip(x, 0, 1)
    result: NDArray[np.float64] = share * share * (3 - 2 * share)
    return result


@cache
def _strength(gain: float, most: float) -> Table:
    return table(255 * most * smooth(np.arange(256) * gain / 255))


@cache
def _may_be_ink() -> Table:
    """Of light: a light line on a lighter ground is none."""
    return table(255 * smooth((INK_FROM - np.arange(256)) / (INK_FROM - INK_TO)))
