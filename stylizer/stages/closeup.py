"""The head drawn a second time, from nearer, where in the whole figure it has few pixels.

Of 256 px a standing person's head has 30 and an eye two: no generator draws a face into that. So the square around the
head goes through a generator once more, at the size of the parts that it was trained on, and is laid over the
first drawing with a soft border. It costs a quarter of the first. A style that has a generator for heads alone
draws large ones with it, too.
"""

from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from stylizer.frame import PixelsU8, u8_from_unit
from stylizer.stages.box import Box
from stylizer.stages.crisp import enlarged
from stylizer.stages.crop import cut, paste_region, uncut

SIDE_PX = 128
NEAR_PX, FACE_PX = 192, 256  # of a square that is more than half as large as the crop, and of one that is larger
REACH = 2.2  # side of the square in heads: hair and hat are in it, and some of the shoulders to draw the neck on
SMALL = 0.25  # share of the crop's height; a head larger than this is drawn well enough the first time
FILLED, TIGHT = 1.25, 1.8  # least and largest reach for a network that draws nothing but heads, of any size
BORDER = 0.3  # of the half side: as wide is the change from the second drawing to the first


class Closeup(NamedTuple):
    """picture [1, 3, S, S] unit, straight; alpha [1, 1, S, S]; box: where it lies, in the same pixels as the crop."""

    picture: Tensor
    alpha: Tensor
    box: Box

    def in_canvas(self, crop: Box, place: Box) -> Box:
        """The box where the crop lies at `place`."""
        x, y = place.width / crop.width, place.height / crop.height
        return self.box.moved(-crop.x0, -crop.y0).scaled(x, y).moved(place.x0, place.y0)


def closeup_box(head: Box | None, crop: Box, *, alone: bool = False) -> Box | None:
    """The square to draw again; None when no head is known, or it is not in the crop, or too large a part of it.

    alone: for a network that draws nothing but heads. A near one fills its picture, as far as that is the crop.
    """
    if head is None or head.height <= 0 or not (alone or head.height < SMALL * crop.height):
        return None
    reach = float(np.clip(crop.height / head.height, FILLED, TIGHT)) if alone else REACH
    x, y = head.centre
    if not (crop.x0 < x < crop.x1 and crop.y0 < y < crop.y1):
        return None
    half = reach * head.height / 2
    return Box(x - half, y - half, x + half, y + half)


def side_of(box: Box, crop: Box) -> int:
    """px of the picture that is taken of `box`."""
    share = box.height / crop.height
    if share < REACH * SMALL:
        return SIDE_PX
    return NEAR_PX if share < 2 * REACH * SMALL else FACE_PX


def cut_closeup(pixels: PixelsU8, matte: Tensor, crop: Box, box: Box) -> tuple[Tensor, Tensor]:
    """pixels: the frame; matte [1, 1, h, w] of the crop -> what lies in `box`: [1, 3, S, S] unit and [1, 1, S, S]."""
    side = side_of(box, crop)
    height, width = matte.shape[-2:]
    inner = box.moved(-crop.x0, -crop.y0).scaled(width / crop.width, height / crop.height)
    alpha = cut(cv2.merge([u8_from_unit(matte)[..., 0]] * 3), inner, side)[:, :1]
    return cut(pixels, box, side), alpha


def lay_over(drawn: PixelsU8, near: PixelsU8, box: Box) -> None:
    """Mixes the second drawing into the first, RGBA [h, w, 4], in place; box: where `near` lies in its pixels.

    Whole numbers, where floats would take ten times as long: within 2 levels of `lay_over_ref` where it can be seen.
    """
    region = paste_region(box, (drawn.shape[1], drawn.shape[0]))
    below = drawn[region]
    if below.size == 0:
        return
    share, above = uncut(_mask(), box, region, border=0), enlarged(near, box, region)
    from_above = cv2.multiply(cv2.extractChannel(above, 3), share, scale=1 / 255)
    from_below = cv2.multiply(cv2.extractChannel(below, 3), cv2.bitwise_not(share), scale=1 / 255)
    opacity = cv2.add(from_above, from_below)
    part = cv2.cvtColor(cv2.divide(from_above, opacity, scale=255), cv2.COLOR_GRAY2RGBA)
    back = cv2.multiply(below, cv2.bitwise_not(part), scale=1 / 255)
    below[:] = cv2.add(cv2.multiply(above, part, scale=1 / 255), back)
    cv2.insertChannel(opacity, below, 3)


def lay_over_ref(drawn: PixelsU8, near: PixelsU8, box: Box) -> NDArray[np.float64]:
    """The part of `drawn` under `box` as `lay_over` should leave it, exactly: [h, w, 4] 0..255."""
    region = paste_region(box, (drawn.shape[1], drawn.shape[0]))
    above = enlarged(near, box, region).astype(np.float64)
    below = drawn[region].astype(np.float64)
    share = uncut(_mask(), box, region, border=0)[..., None] / 255
    opacity_below, opacity_above = below[..., 3:] * (1 - share), above[..., 3:] * share
    opacity = opacity_below + opacity_above
    colour = (below[..., :3] * opacity_below + above[..., :3] * opacity_above) / np.maximum(opacity, 1e-3)
    return np.dstack([colour, opacity])


@cache
def _mask() -> NDArray[np.uint8]:
    """255 in the middle, 0 at the square's border, soft between; [S, S]."""
    at = (np.arange(SIDE_PX) + 0.5) / SIDE_PX * 2 - 1
    radius = np.maximum(np.hypot(*np.meshgrid(at, at)), np.abs(np.meshgrid(at, at)).max(0))
    rise = np.clip((0.96 - radius) / BORDER, 0, 1)
    return np.asarray(rise * rise * (3 - 2 * rise) * 255 + 0.5).astype(np.uint8)
