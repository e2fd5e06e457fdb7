"""MediaPipe's pose networks, which come inside its package: person boxes and mattes when nothing has been pulled.

BlazePose (Bazarevsky et al., arXiv:2006.10204). Its detector finds a face and two points of the body; its second
network, made for the square around one person, also gives their silhouette. Both see one frame at a time.
"""

from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stylizer.engines import Engine, OnnxNet
from stylizer.errors import ModelRejected, first_line
from stylizer.frame import PixelsU8, unit_from_u8
from stylizer.stages.box import Box, distinct
from stylizer.stages.detect import Detection, in_frame, letterbox
from stylizer.stages.matte import SegmentationMatte

DETECTOR_PX = 224
# (cells in a row, anchors in each cell), the finest first: strides of 8, 16 and three times 32 px with two each.
GRID = ((28, 2), (14, 2), (7, 6))
HIP, REACH = 4, 6  # where in a row the middle of the hips stands, and the point on the circle around the whole body
MIN_SCORE, NMS_IOU = 0.5, 0.3
# In radii of the circle, against YOLOv5 on a standing man: half his height, hair and soles included, half his width.
TALL, WIDE = 1.04, 0.38


class PoseDetector:
    """Immutable; serves every visitor."""

    @classmethod
    def load(cls, path: Path, engine: Engine) -> Self:
        """From `pose_detection.tflite`. Raises Unreadable, ModelRejected."""
        net = engine.read(path, precision="fp32")
        _expect(path, net, (1, DETECTOR_PX, DETECTOR_PX, 3), {(1, len(_anchors()), 12), (1, len(_anchors()), 1)})
        return cls(net)

    def __init__(self, net: OnnxNet) -> None:
        """net: [1, 224, 224, 3] in -1..1 -> rows [1, 2254, 12] and logits [1, 2254, 1]."""
        self._net = net

    def __call__(self, pixels: PixelsU8) -> list[Detection]:
        """uint8 [H, W, 3] -> the persons, highest score first; their boxes reach from the circle's top to its foot."""
        square, scale, left, top = letterbox(pixels, DETECTOR_PX)
        picture = unit_from_u8(square).permute(0, 2, 3, 1) * 2 - 1
        outputs = {out.shape[-1]: out[0].numpy() for out in self._net(**{self._net.inputs[0]: picture}).values()}
        scores = 1 / (1 + np.exp(-outputs[1][:, 0].clip(-50, 50)))
        likely = scores > MIN_SCORE
        rows, scores = outputs[12][likely] + np.tile(_anchors()[likely] * DETECTOR_PX, (1, 6)) * _POINTS, scores[likely]
        boxes = _bodies(rows)
        keep = distinct(boxes, scores, NMS_IOU)
        return in_frame(pixels, [Box(*row) for row in boxes[keep].tolist()], scores[keep].tolist(), scale, left, top)


class PoseMatte(SegmentationMatte):
    """The silhouette that BlazePose's second network gives along with the joints; no memory.

    net: [1, 256, 256, 3] unit -> logits [1, 256, 256, 1].
    """

    name = "MediaPipe pose"
    OUTPUTS = ("Identity_2",)

    @classmethod
    def load(cls, path: Path, engine: Engine) -> Self:
        """From `pose_landmark_full.tflite`. Raises Unreadable, ModelRejected."""
        net = engine.read(path, outputs=cls.OUTPUTS)
        _expect(path, net, (1, cls.SIDE_PX, cls.SIDE_PX, 3), {(1, cls.SIDE_PX, cls.SIDE_PX, 1)})
        return cls(net)

    @staticmethod
    def _opacity(out: Tensor) -> Tensor:
        return out.sigmoid()


def _anchors() -> NDArray[np.float32]:
    """Centres of the detector's cells, [2254, 2] unit, each as often as it has anchors."""
    rows = []
    for cells, times in GRID:
        at = (np.arange(cells, dtype=np.float32) + 0.5) / cells
        x, y = np.meshgrid(at, at)
        rows.append(np.repeat(np.stack([x.ravel(), y.ravel()], 1), times, axis=0))
    return np.concatenate(rows)


_POINTS = np.array([1, 1, 0, 0, *[1] * 8], np.float32)  # of a row all are places but the face box's width and height


def _bodies(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows [n, 12] in px -> boxes [n, 4] around the standing body."""
    hip, reach = rows[:, HIP : HIP + 2], rows[:, REACH : REACH + 2]
    radius = np.hypot(*(reach - hip).T)[:, None]
    half = radius * np.array([[WIDE, TALL]], np.float32)
    return np.concatenate([hip - half, hip + half], 1)


def _expect(path: Path, net: OnnxNet, takes: tuple[int, ...], gives: set[tuple[int, ...]]) -> None:
    try:
        (name,) = net.inputs
        got = {tuple(out.shape) for out in net(**{name: torch.zeros(takes)}).values()}
    except (ValueError, RuntimeError) as error:
        raise ModelRejected(f"{path}: does not take one picture {list(takes)} ({first_line(error)})") from None
    if got != gives:
        raise ModelRejected(f"{path}: gives {sorted(got)}, expected {sorted(gives)}")
