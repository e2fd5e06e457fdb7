"""Cuts the square around a person out of the frame, and finds the way back.

The square keeps its aspect and may leave the frame. Outside, the frame's edge pixels go on: with plain grey there
instead, RobustVideoMatting at ratio 0.5 lost one of five portraits cut by the frame (IoU 0.12 instead of 0.98), with
the edge none.
"""

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from stylizer.frame import PixelsU8, check_pixels, unit_from_u8
from stylizer.stages.box import Box

SIZE_PX = 256
MARGIN = 0.08  # air beside and below the person, as a share of their height; above too while no head is known
HEADROOM = 0.5  # air above the head, in heads: room for tall hair and a hat
ARM_AIR = 0.02  # air above whatever else of the person is highest, a raised arm say, as a share of their height
LEAST_SIDE_PX = 16.0
BEYOND = 2.0  # times as far as somebody stands from a side of the frame, the square may go beyond it
AT_EDGE = 0.02  # of the frame's height: a box that ends so near to its upper edge may well be of a head that is cut off
HIGHER = 4.0  # times as far as somebody is below the frame's upper edge, the square may be higher than the frame

# The square rests while the person's middle, top and size move less than this (share of its side); beyond, it follows
# exactly. Without slack it repeats every swing of an arm: see the wobble test.
SLACK_X, SLACK_TOP, SLACK_SIZE = 0.04, 0.03, 0.05


def square_around(body: Box, head: Box | None, frame_size: tuple[int, int], *, filled: bool = False) -> Box:
    """The square that holds a person with some air; its upper edge follows the head, where one is known.

    It leaves the head only for an arm raised higher than the air above. The air above and below ends with the frame,
    beyond which nothing is drawn, and beside them where they come near to its sides: whom the frame cuts off is cut off
    by the picture's own edges. filled: whom it cuts off above fills the square, without all of their arms; else their
    head would end flat in the middle. frame_size: (width, height) px.
    """
    width, height = frame_size
    air = MARGIN * body.height
    top = body.y0 - air if head is None else min(head.y0 - HEADROOM * head.height, body.y0 - ARM_AIR * body.height)
    top, bottom = max(top, 0.0), min(body.y1 + air, height)
    side = max(bottom - top, body.width + 2 * air, LEAST_SIDE_PX)
    middle = body.centre[0]
    if filled:
        highest = body.y0 if head is None else min(body.y0, head.y0)
        side = min(side, height + HIGHER * max(highest - AT_EDGE * height, 0.0))
        if head is not None and side < body.width:
            slack = max(side / 2 - head.width, 0.0)
            middle = min(max(middle, head.centre[0] - slack), head.centre[0] + slack)
    return _moved_into(_room(body, frame_size, side), square(middle, top, side))


def _room(body: Box, frame_size: tuple[int, int], side: float) -> Box:
    """Where a square of that side may lie: in the frame, beside it as far as they stand from its sides, and above and
    beside it where it is larger than the frame."""
    width, height = frame_size
    left, right = (BEYOND * max(gap, 0.0) + max(side - width, 0.0) for gap in (body.x0, width - body.x1))
    return Box(-left, min(height - side, 0.0), width + right, height)


def _moved_into(room: Box, box: Box) -> Box:
    x0, y0 = min(max(box.x0, room.x0), room.x1 - box.width), min(max(box.y0, room.y0), room.y1 - box.height)
    return box.moved(x0 - box.x0, y0 - box.y0)


def square(middle: float, top: float, side: float) -> Box:
    """middle: of its width."""
    return Box(middle - side / 2, top, middle + side / 2, top + side)


def whole(frame_size: tuple[int, int]) -> Box:
    """The square that holds the whole frame, centred: for when nobody can be found."""
    width, height = frame_size
    side = float(max(width, height))
    return Box((width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2)


def follow(prev: Box | None, wanted: Box) -> Box:
    """The square after `prev` on its way to `wanted`: it moves by what exceeds the slack, and rests otherwise."""
    if prev is None:
        return wanted
    unit = prev.width
    middle = _lazy(prev.centre[0], wanted.centre[0], SLACK_X * unit)
    top = _lazy(prev.y0, wanted.y0, SLACK_TOP * unit)
    return square(middle, top, _lazy(unit, wanted.width, SLACK_SIZE * unit))


class CropTracker:
    """Memory of one visitor: the square as it was, so that it can rest."""

    def __init__(self) -> None:
        self.box: Box | None = None

    def reset(self) -> None:
        self.box = None

    def update(
        self, body: Box | None, head: Box | None, frame_size: tuple[int, int], *, filled: bool = False
    ) -> Box | None:
        """The square for this frame, see `square_around`; None, and forgotten, when there is nobody. It does not rest
        where it leaves the frame farther than it should."""
        if body is None:
            self.box = None
            return None
        wanted = square_around(body, head, frame_size, filled=filled)
        now = follow(self.box, wanted)
        side = min(now.width, max(wanted.width, frame_size[1]))
        self.box = _moved_into(_room(body, frame_size, side), square(now.centre[0], now.y0, side))
        return self.box


def cut(pixels: PixelsU8, box: Box, size: int = SIZE_PX) -> Tensor:
    """uint8 [H, W, 3] -> the box's contents [1, 3, size, size] unit."""
    return unit_from_u8(cut_u8(pixels, box, size))


def cut_on(device: torch.device, pixels: PixelsU8, box: Box, size: int = SIZE_PX) -> Tensor:
    """`cut` in torch's operators on `device`: the pixels that the box touches go there, the result stays there."""
    check_pixels("frame", pixels)
    block, near, (step_x, step_y, x0, y0) = _sampling(pixels, box, size)
    source = torch.from_numpy(np.ascontiguousarray(pixels[near])).to(device, non_blocking=True)
    planes = source.permute(2, 0, 1)[None].float()
    if block > 1:
        h, w = (max(length // block, 1) for length in planes.shape[2:])
        planes = F.interpolate(planes[..., : h * block, : w * block], (h, w), mode="area")
    height, width = planes.shape[2:]
    wide, high = size * step_x / width, size * step_y / height  # of the box, in the source's sides
    theta = torch.tensor([[[wide, 0, wide + 2 * x0 / width - 1], [0, high, high + 2 * y0 / height - 1]]])
    grid = F.affine_grid(theta.to(device), [1, 3, size, size], align_corners=False)
    return F.grid_sample(planes, grid, padding_mode="border", align_corners=False).div_(255)


def cut_u8(pixels: PixelsU8, box: Box, size: int) -> PixelsU8:
    """uint8 [H, W, 3] -> the box's contents, uint8 [size, size, 3].

    Shrinking by more than 1.5 first averages whole blocks of pixels, so that fine texture does not flicker.
    """
    check_pixels("frame", pixels)
    block, near, (step_x, step_y, x0, y0) = _sampling(pixels, box, size)
    source = pixels[near]
    if block > 1:
        h, w = (max(length // block, 1) for length in source.shape[:2])
        source = cv2.resize(source[: h * block, : w * block], (w, h), interpolation=cv2.INTER_AREA)
    return _warp(source, _affine(step_x, step_y, x0, y0), (size, size), cv2.BORDER_REPLICATE)


def paste_region(box: Box, frame_size: tuple[int, int]) -> tuple[slice, slice]:
    """(rows, columns) of the frame's pixels that lie in the box; empty slices when it is outside the frame."""
    inside = box.within(*frame_size)
    return (
        slice(int(np.floor(inside.y0)), int(np.ceil(inside.y1))),
        slice(int(np.floor(inside.x0)), int(np.ceil(inside.x1))),
    )


def uncut(picture: NDArray[np.uint8], box: Box, region: tuple[slice, slice], border: int | None = None) -> PixelsU8:
    """The inverse of `cut`: a picture of the box's contents, uint8 [h, w] or [h, w, C] -> its pixels in a region of
    the frame.

    border: value outside the box; None continues the picture's edge.
    """
    rows, columns = region
    height, width = picture.shape[:2]
    step_x, step_y = width / box.width, height / box.height
    matrix = _affine(step_x, step_y, (columns.start - box.x0) * step_x, (rows.start - box.y0) * step_y)
    size = columns.stop - columns.start, rows.stop - rows.start
    if min(size) == 0:
        return np.empty((size[1], size[0], *picture.shape[2:]), np.uint8)
    return _warp(picture, matrix, size, cv2.BORDER_REPLICATE if border is None else cv2.BORDER_CONSTANT, border or 0)


def _lazy(prev: float, wanted: float, slack: float) -> float:
    excess = wanted - prev
    return prev + max(excess - slack, 0.0) + min(excess + slack, 0.0)


def _sampling(
    pixels: PixelsU8, box: Box, size: int
) -> tuple[int, tuple[slice, slice], tuple[float, float, float, float]]:
    """How to shrink the box to `size` px: side of the blocks that are averaged first; the rows and columns of the frame
    that are needed; step and start (x and y) of the output's pixels in those blocks."""
    step_x, step_y = box.width / size, box.height / size
    block = max(1, round(min(step_x, step_y)))
    near = _touched(box, pixels.shape[1], pixels.shape[0], block)
    x0, y0 = box.x0 - near[1].start, box.y0 - near[0].start
    return block, near, (step_x / block, step_y / block, x0 / block, y0 / block)


def _touched(box: Box, width: int, height: int, block: int) -> tuple[slice, slice]:
    """(rows, columns) of the frame's pixels that the box touches, with two blocks of air; never empty."""
    columns = _span(box.x0, box.x1, width, block)
    return _span(box.y0, box.y1, height, block), columns


def _span(low: float, high: float, length: int, block: int) -> slice:
    """Whole pixels of `low`..`high`, two blocks more on either side, within 0..length and at least one block long."""
    start = int(min(max(np.floor(low) - 2 * block, 0), max(length - block, 0)))
    stop = int(max(min(np.ceil(high) + 2 * block, length), min(start + block, length)))
    return slice(start, stop)


def _affine(step_x: float, step_y: float, x0: float, y0: float) -> NDArray[np.float64]:
    """Maps the centre of an output pixel to the source, whose first pixel's centre is 0.5: x * step + x0."""
    return np.array([[step_x, 0, x0 + 0.5 * step_x - 0.5], [0, step_y, y0 + 0.5 * step_y - 0.5]])


def _warp(
    source: NDArray[np.uint8], matrix: NDArray[np.float64], size: tuple[int, int], border: int, value: int = 0
) -> PixelsU8:
    if source.ndim == 3 and source.shape[2] == 3:  # OpenCV 5 warps four channels six times faster than three
        four = _warp(cv2.cvtColor(source, cv2.COLOR_RGB2RGBA), matrix, size, border, value)
        result: PixelsU8 = cv2.cvtColor(four, cv2.COLOR_RGBA2RGB)
        return result
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    result = cv2.warpAffine(source, matrix, size, flags=flags, borderMode=border, borderValue=(value,) * 4)
    return result
