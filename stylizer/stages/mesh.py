"""Where the features of a face are: MediaPipe's face mesh, 468 points, followed from frame to frame.

The network (Kartynnik et al., arXiv:1907.06724) sees the square around a face, turned upright. The first square comes
from the head that MTCNN found, each later one from the points before it.
"""

from pathlib import Path
from typing import NamedTuple, Self

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from stylizer.engines import Engine, OnnxNet
from stylizer.errors import ModelRejected
from stylizer.frame import PixelsU8
from stylizer.stages.box import Box, iou
from stylizer.stages.face import CHIN, EARS, HAIR

SIDE_PX, POINTS = 192, 468
AIR = 1.5  # side of the square, in the longer side of the face
LEAST_LOGIT = 0.0  # below, there is no face in the square
LEAST_IOU = 0.1  # of the face that is followed and the head that MTCNN sees; below, it has slipped off
LEFT_CORNERS, RIGHT_CORNERS = (33, 133), (263, 362)  # outer, inner corner of the eye on the picture's left and right

STEADY, MOVING = 0.3, 0.03  # weight of the new points at rest; a move by this share of the face takes them as they are

Points = NDArray[np.float32]  # [468, 3]: x, y in px, z (towards the camera: smaller) in the same unit


class Square(NamedTuple):
    """A turned square: centre and side in px of the frame, angle of its upper edge in radians."""

    x: float
    y: float
    side: float
    angle: float

    def matrix(self) -> NDArray[np.float64]:
        """Maps a pixel of the network's picture to the frame, [2, 3]."""
        k = self.side / SIDE_PX
        c, s = np.cos(self.angle) * k, np.sin(self.angle) * k
        half = (SIDE_PX - 1) / 2
        return np.array([[c, -s, self.x - c * half + s * half], [s, c, self.y - s * half - c * half]])


class FaceMesh:
    """Immutable; serves every visitor."""

    @classmethod
    def load(cls, path: Path, engine: Engine) -> Self:
        """From `face_landmark.tflite`. Raises Unreadable, ModelRejected."""
        net = engine.read(path, precision="fp32")
        got = sorted(out.numel() for out in net(**{net.inputs[0]: torch.zeros(1, SIDE_PX, SIDE_PX, 3)}).values())
        if got != [1, POINTS * 3]:
            raise ModelRejected(f"{path}: gives {got} numbers, expected 1 and {POINTS * 3}")
        return cls(net)

    def __init__(self, net: OnnxNet) -> None:
        """net: [1, 192, 192, 3] unit -> 468 points in px of that picture, and a logit that there is a face."""
        self._net = net

    def __call__(self, pixels: PixelsU8, head: Box | None, before: Points | None) -> Points | None:
        """uint8 [H, W, 3] -> the points in px of the frame; None where no face is seen.

        head: as MTCNN saw it; before: the points in the last frame, which show the place better.
        """
        square = _first(head) if before is None or _slipped(before, head) else around_face(before)
        if square is None or square.side < 8:
            return None
        matrix = square.matrix()
        picture = cv2.warpAffine(pixels, matrix, (SIDE_PX, SIDE_PX), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
        unit = torch.from_numpy(picture.astype(np.float32) / np.float32(255))[None]
        outputs = {out.numel(): out.numpy().ravel() for out in self._net(**{self._net.inputs[0]: unit}).values()}
        if outputs[1][0] < LEAST_LOGIT:
            return None
        points = outputs[POINTS * 3].reshape(POINTS, 3)
        k = square.side / SIDE_PX
        flat = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        return np.column_stack([flat, points[:, 2] * k]).astype(np.float32)


def steadied(before: Points | None, now: Points) -> Points:
    """The points without their tremble: the less they moved, the more the old ones count."""
    if before is None:
        return now
    size = float(np.ptp(now[:, 1])) or 1.0
    moved = float(np.hypot(*(now - before)[:, :2].T).mean()) / size
    return before + np.float32(min(1.0, STEADY + moved / MOVING)) * (now - before)


def around_face(points: Points) -> Square:
    """The upright square around a face."""
    flat = points[:, :2]
    left, right = flat[list(LEFT_CORNERS)].mean(0), flat[list(RIGHT_CORNERS)].mean(0)
    angle = float(np.arctan2(*(right - left)[::-1]))
    c, s = np.cos(angle), np.sin(angle)
    turned = flat @ np.array([[c, -s], [s, c]])
    low, high = turned.min(0), turned.max(0)
    middle = np.array([[c, -s], [s, c]]) @ ((low + high) / 2)
    return Square(float(middle[0]), float(middle[1]), AIR * float((high - low).max()), angle)


def _first(head: Box | None) -> Square | None:
    if head is None:
        return None
    height = head.height / (1 + HAIR + CHIN)
    middle = head.y0 + (HAIR + 0.5) * height
    return Square(head.centre[0], middle, AIR * max(height, head.width / (1 + 2 * EARS)), 0.0)


def _slipped(points: Points, head: Box | None) -> bool:
    if head is None:
        return False
    (x0, y0), (x1, y1) = points[:, :2].min(0), points[:, :2].max(0)
    return iou(Box(float(x0), float(y0), float(x1), float(y1)), head) < LEAST_IOU
