"""Finds the people in a frame: YOLOv5, person class only.

Two heads are understood. The anchor-free one of ultralytics (`yolov5nu`), from its `.pt` or an ONNX file, gives
[1, 4 + classes, n]: centre x, y, width, height in pixels of the network's picture, then a score for each class.
The classic one with anchors (`yolov5n`, ONNX) gives [1, n, 5 + classes], with an objectness before the classes. Its
files carry the grid of one picture size; for any other size the raw maps before that grid are read and decoded here.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from stylizer.engines import Engine
from stylizer.errors import ModelMissing, ModelRejected
from stylizer.frame import PixelsU8, check_pixels, unit_from_u8
from stylizer.stages.box import Box, distinct
from stylizer.stages.yolo_checkpoint import anchor_free

COCO_CLASSES = 80
PERSON = 0
PAD_GREY = 114  # colour of the letterbox in YOLOv5's training
MIN_SCORE = 0.4
NMS_IOU = 0.45  # ultralytics' default

# YOLOv5's own anchors (width, height in px), three for each stride: models/yolov5n.yaml of the project.
ANCHORS_PX = {
    8: ((10, 13), (16, 30), (33, 23)),
    16: ((30, 61), (62, 45), (59, 119)),
    32: ((116, 90), (156, 198), (373, 326)),
}
SIZE_PX = 320  # side of the network's picture
COARSEST_STRIDE_PX = 32  # sides of the network's picture are multiples of it
RAW_MAPS = tuple(
    f"model.24/m.{i}/Conv_output_0" for i in range(len(ANCHORS_PX))
)  # as every export of YOLOv5 names them

Net = Callable[[Tensor], Tensor]


class Detection(NamedTuple):
    """One person. box: pixels of the frame. score: 0..1."""

    box: Box
    score: float


class PersonDetector:
    """Immutable; serves every visitor."""

    def __init__(self, net: Net, size: int, min_score: float = MIN_SCORE) -> None:
        """net: [1, 3, size, size] unit -> rows [n, 5]: centre x, y, width, height in px of that picture, person's
        score."""
        self._net = net
        self.size = size
        self.min_score = min_score

    def __call__(self, pixels: PixelsU8) -> list[Detection]:
        """uint8 [H, W, 3] -> the persons, highest score first."""
        picture, scale, left, top = letterbox(pixels, self.size)
        boxes, scores = pick(self._net(unit_from_u8(picture)), self.min_score)
        return in_frame(pixels, [Box(*row) for row in boxes.tolist()], scores.tolist(), scale, left, top)


def letterbox(pixels: PixelsU8, size: int) -> tuple[PixelsU8, float, int, int]:
    """The whole frame in a grey square of `size` px -> (square, scale, left, top): x there = x here * scale + left."""
    check_pixels("frame", pixels)
    height, width = pixels.shape[:2]
    scale = size / max(height, width)
    w, h = max(round(width * scale), 1), max(round(height * scale), 1)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    square = np.full((size, size, 3), PAD_GREY, np.uint8)
    left, top = (size - w) // 2, (size - h) // 2
    square[top : top + h, left : left + w] = cv2.resize(pixels, (w, h), interpolation=method)
    return square, scale, left, top


def in_frame(
    pixels: PixelsU8, boxes: Sequence[Box], scores: Sequence[float], scale: float, left: int, top: int
) -> list[Detection]:
    """Boxes in pixels of the square that `letterbox` gave -> in those of the frame; none that lies beside it, in the
    grey."""
    height, width = pixels.shape[:2]
    inside = [box.moved(-left, -top).scaled(1 / scale, 1 / scale).within(width, height) for box in boxes]
    return [Detection(box, score) for box, score in zip(inside, scores, strict=True) if box.area > 0]


def pick(rows: Tensor, min_score: float) -> tuple[Tensor, Tensor]:
    """Rows [n, 5] (centre x, y, width, height, score) -> boxes [k, 4] (x0 y0 x1 y1) and scores [k] of distinct
    persons, best first."""
    likely = rows[rows[:, 4] > min_score]
    centre, half, scores = likely[:, :2], likely[:, 2:4] / 2, likely[:, 4]
    boxes = torch.cat([centre - half, centre + half], dim=1)
    keep = distinct(boxes.numpy(), scores.numpy(), NMS_IOU)
    return boxes[keep], scores[keep]


def persons(output: Tensor) -> Tensor:
    """Output of either head, [1, 84, n] or [1, n, 85] -> rows [n, 5] of the person class: centre x, y, width, height,
    score.

    Raises ModelRejected for any other shape.
    """
    if output.ndim == 3 and output.shape[1] == 4 + COCO_CLASSES:
        return output[0, : 4 + PERSON + 1].T
    if output.ndim == 3 and output.shape[2] == 5 + COCO_CLASSES:
        rows = output[0]
        return torch.cat([rows[:, :4], rows[:, 4:5] * rows[:, 5 + PERSON : 6 + PERSON]], dim=1)
    raise ModelRejected(f"detector: output {list(output.shape)}; COCO's 80 classes give [1, 84, n] or [1, n, 85]")


def persons_of_maps(maps: Sequence[Tensor]) -> Tensor:
    """Raw maps of the classic head, [1, 3 * 85, h, w] for strides 8, 16, 32 -> the same rows [n, 5]."""
    return torch.cat([_persons_of_map(m, stride) for m, stride in zip(maps, ANCHORS_PX, strict=True)])


def _persons_of_map(raw: Tensor, stride: int) -> Tensor:
    _, _, h, w = raw.shape
    anchors = torch.tensor(ANCHORS_PX[stride], dtype=torch.float32, device=raw.device)
    used = raw.view(len(anchors), 5 + COCO_CLASSES, h, w)[:, : 6 + PERSON].permute(0, 2, 3, 1).sigmoid()
    y, x = torch.meshgrid(*(torch.arange(n, device=raw.device) for n in (h, w)), indexing="ij")
    centre = (used[..., :2] * 2 - 0.5 + torch.stack([x, y], dim=-1)) * stride
    size = (used[..., 2:4] * 2) ** 2 * anchors[:, None, None, :]
    score = used[..., 4:5] * used[..., 5 + PERSON :]
    return torch.cat([centre, size, score], dim=-1).flatten(0, 2)


def load_detector(path: Path, engine: Engine, size: int = SIZE_PX) -> PersonDetector:
    """YOLOv5 from `.onnx` or ultralytics' `.pt`.

    size: side of the network's picture in px, a multiple of 32; 320 suffices for a visitor, 640 for small figures.
    Raises ModelMissing, Unreadable, ModelRejected (another kind of network, or a file fixed at another size).
    """
    if size < COARSEST_STRIDE_PX or size % COARSEST_STRIDE_PX:
        raise ValueError(f"size must be a positive multiple of {COARSEST_STRIDE_PX}, got {size}")
    if not path.is_file():
        raise ModelMissing(f"detector: there is no file {path}")
    example = torch.zeros(1, 3, size, size)
    net = _from_pt(path, engine, example) if path.suffix == ".pt" else _from_onnx(path, engine, example)
    net(example)  # warms up, and refuses another kind of network now rather than at the first frame
    return PersonDetector(net, size)


def _from_onnx(path: Path, engine: Engine, example: Tensor) -> Net:
    shapes = {"images": example.shape}
    try:
        maps = engine.read(path, shapes, outputs=RAW_MAPS)
    except ModelRejected:
        whole = engine.read(path, shapes)  # anchor-free, or an export that names its maps otherwise
        return lambda picture: persons(next(iter(whole(images=picture).values()))).cpu()
    return lambda picture: persons_of_maps(list(maps(images=picture).values())).cpu()


def _from_pt(path: Path, engine: Engine, example: Tensor) -> Net:
    compiled = engine.compile(anchor_free(path, example), (example,))
    return lambda picture: persons(compiled(picture)[0]).cpu()
