"""The person's outline as a few corners: what a page shows to say where one stands, without the camera's picture."""

import cv2
import numpy as np
from torch import Tensor

from stylizer.stages.box import Box

EVERY_S = 0.25
STEP = 4  # every fourth pixel of the matte: 64 x 64 are enough for a hint
LEAST_SHARE = 0.02  # of the crop: smaller spots are the matte's noise, nobody stands there
SLACK = 0.012  # of the crop's side: how far the corners may cut the curve

Outline = tuple[tuple[float, float], ...]


def outline(matte: Tensor, box: Box, frame_size: tuple[int, int]) -> Outline:
    """Corners (x, y) of the largest part of the matte, 0..1 of the frame (beyond where the crop leaves it); empty when
    nobody is there.

    matte [1, 1, H, W] unit, of the crop that lies at `box` in a frame of `frame_size` (width, height).
    """
    small = (matte[0, 0, ::STEP, ::STEP] > 0.5).cpu().numpy().astype(np.uint8)
    contours, _ = cv2.findContours(small, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    largest = max(contours, key=cv2.contourArea, default=None)
    height, width = small.shape
    if largest is None or cv2.contourArea(largest) < LEAST_SHARE * height * width:
        return ()
    corners = cv2.approxPolyDP(largest, SLACK * width, True)[:, 0] + 0.5
    x = (box.x0 + corners[:, 0] / width * box.width) / frame_size[0]
    y = (box.y0 + corners[:, 1] / height * box.height) / frame_size[1]
    return tuple((round(float(a), 3), round(float(b), 3)) for a, b in zip(x, y, strict=True))
