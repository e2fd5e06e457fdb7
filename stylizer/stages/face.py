"""Finds the head of a person: MTCNN, shown only the upper part of the person's box, so small that a face is some 50 px
wide.

On a whole 1280x720 frame MTCNN takes 0.5 to 1 s on two CPU cores; here it takes some 15 ms.
"""

import cv2
import numpy as np
import torch

from stylizer.frame import PixelsU8, check_pixels
from stylizer.stages.box import Box
from stylizer.stages.mtcnn import Mtcnn

REGION_PX = 192  # longest side of the picture that MTCNN gets
FRAME_PX = 480  # the same when there is no person's box to look into: faces from a twentieth of the frame on
MIN_FACE_PX = 28  # a smaller one costs more levels of MTCNN's pyramid
THRESHOLDS = [0.7, 0.7, 0.8]  # of its three networks; the first at 0.7 spares the second most of its work
MIN_SCORE = 0.9

# A person's box holds anything from the whole body (head = 1/8 of the height) to a face that fills it. The region is
# as high as the box is wide, within these shares of its height.
REGION_SHARES = (0.3, 1.0)

# MTCNN's box runs from the eyebrows' upper edge to the chin and from ear to ear, as shares of its own width and height:
HAIR, CHIN, EARS = 0.5, 0.08, 0.12

# A standing adult is 7.5 heads high (the canon of figure drawing) and, with the arms hanging, some 3 heads wide.
BODY_HEADS_HIGH, BODY_HEADS_WIDE = 7.5, 3.0


class HeadFinder:
    """Immutable; serves every visitor."""

    def __init__(self, device: torch.device) -> None:
        self._mtcnn = Mtcnn(MIN_FACE_PX, THRESHOLDS, device)

    def __call__(self, pixels: PixelsU8, body: Box) -> Box | None:
        """The head of the person in `body`, uint8 [H, W, 3] -> box in pixels of the frame, or None.

        Of several faces the one that fits a head's place best wins: high up and near the middle of the body's box.
        """
        check_pixels("frame", pixels)
        region = upper_part(body).within(pixels.shape[1], pixels.shape[0])
        faces = self._faces(pixels, region, REGION_PX)
        return min((head_of(f) for f in faces), key=lambda head: _misplaced(head, body), default=None)

    def largest(self, pixels: PixelsU8) -> Box | None:
        """The largest head in the whole frame; for when there is no person detector."""
        check_pixels("frame", pixels)
        faces = self._faces(pixels, Box(0, 0, pixels.shape[1], pixels.shape[0]), FRAME_PX)
        return max((head_of(f) for f in faces), key=lambda head: head.area, default=None)

    def _faces(self, pixels: PixelsU8, region: Box, longest_px: int) -> list[Box]:
        x0, y0, x1, y1 = (int(v) for v in region)
        if min(x1 - x0, y1 - y0) < MIN_FACE_PX // 2:
            return []
        scale = longest_px / max(x1 - x0, y1 - y0)
        size = max(round((x1 - x0) * scale), MIN_FACE_PX), max(round((y1 - y0) * scale), MIN_FACE_PX)
        small = cv2.resize(pixels[y0:y1, x0:x1], size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        boxes, scores = self._mtcnn(small)
        back = (x1 - x0) / size[0], (y1 - y0) / size[1]
        return [
            Box(*map(float, b)).scaled(*back).moved(x0, y0)
            for b, score in zip(boxes, scores, strict=True)
            if score > MIN_SCORE
        ]


def upper_part(body: Box) -> Box:
    """The part of a person's box in which the head must be, with a little air above."""
    low, high = REGION_SHARES
    height = min(max(body.width, low * body.height), high * body.height)
    return Box(body.x0, body.y0 - 0.05 * height, body.x1, body.y0 + height)


def head_of(face: Box) -> Box:
    """MTCNN's face box grown to hair, chin and ears."""
    return Box(
        face.x0 - EARS * face.width,
        face.y0 - HAIR * face.height,
        face.x1 + EARS * face.width,
        face.y1 + CHIN * face.height,
    )


def body_from_head(head: Box) -> Box:
    """The standing body under a head, by proportion; usually reaches below the frame."""
    middle, _ = head.centre
    half = BODY_HEADS_WIDE * head.width / 2
    return Box(middle - half, head.y0, middle + half, head.y0 + BODY_HEADS_HIGH * head.height)


def _misplaced(head: Box, body: Box) -> float:
    """How far the head's centre lies from the middle of the body's upper edge, in widths of the body, larger heads
    favoured."""
    x, y = head.centre
    middle, _ = body.centre
    return float(np.hypot(x - middle, y - body.y0) / max(head.width, 1.0))
