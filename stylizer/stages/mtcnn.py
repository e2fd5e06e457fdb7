"""MTCNN (arXiv:1604.02878): three small networks, each looking closer at what the one before it let through.

Weights are facenet-pytorch's files, read without importing that package: with torchvision, which it needs, that takes
4 s and 160 MB, more than all networks here together. Each network's names follow its file.
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from stylizer.errors import ModelMissing
from stylizer.frame import PixelsU8
from stylizer.stages.box import distinct

CELL_PX, STRIDE_PX = 12, 2  # what the first network sees of a face, and how far apart it looks
LEVEL = 0.709  # each level of the pyramid has half the area of the one before
Boxes = NDArray[np.float32]  # [n, 4] x0 y0 x1 y1, px


class _Proposal(nn.Module):
    """[1, 3, h, w] -> shifts [1, 4, h', w'] of each cell's box and its score [1, 2, h', w']."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 10, 3), nn.PReLU(10)
        self.conv2, self.prelu2 = nn.Conv2d(10, 16, 3), nn.PReLU(16)
        self.conv3, self.prelu3 = nn.Conv2d(16, 32, 3), nn.PReLU(32)
        self.conv4_1, self.conv4_2 = nn.Conv2d(32, 2, 1), nn.Conv2d(32, 4, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = F.max_pool2d(self.prelu1(self.conv1(x)), 2, 2, ceil_mode=True)
        x = self.prelu3(self.conv3(self.prelu2(self.conv2(x))))
        return self.conv4_2(x), self.conv4_1(x).softmax(1)


class _Refine(nn.Module):
    """[n, 3, 24, 24] -> shifts [n, 4], scores [n, 2]."""

    side = 24

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 28, 3), nn.PReLU(28)
        self.conv2, self.prelu2 = nn.Conv2d(28, 48, 3), nn.PReLU(48)
        self.conv3, self.prelu3 = nn.Conv2d(48, 64, 2), nn.PReLU(64)
        self.dense4, self.prelu4 = nn.Linear(576, 128), nn.PReLU(128)
        self.dense5_1, self.dense5_2 = nn.Linear(128, 2), nn.Linear(128, 4)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = F.max_pool2d(self.prelu1(self.conv1(x)), 3, 2, ceil_mode=True)
        x = F.max_pool2d(self.prelu2(self.conv2(x)), 3, 2, ceil_mode=True)
        x = self.prelu4(self.dense4(_columns_first(self.prelu3(self.conv3(x)))))
        return self.dense5_2(x), self.dense5_1(x).softmax(1)


class _Output(nn.Module):
    """[n, 3, 48, 48] -> shifts [n, 4], scores [n, 2]. `dense6_3`, the five landmarks, is in the file only."""

    side = 48

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 32, 3), nn.PReLU(32)
        self.conv2, self.prelu2 = nn.Conv2d(32, 64, 3), nn.PReLU(64)
        self.conv3, self.prelu3 = nn.Conv2d(64, 64, 3), nn.PReLU(64)
        self.conv4, self.prelu4 = nn.Conv2d(64, 128, 2), nn.PReLU(128)
        self.dense5, self.prelu5 = nn.Linear(1152, 256), nn.PReLU(256)
        self.dense6_1, self.dense6_2, self.dense6_3 = nn.Linear(256, 2), nn.Linear(256, 4), nn.Linear(256, 10)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = F.max_pool2d(self.prelu1(self.conv1(x)), 3, 2, ceil_mode=True)
        x = F.max_pool2d(self.prelu2(self.conv2(x)), 3, 2, ceil_mode=True)
        x = F.max_pool2d(self.prelu3(self.conv3(x)), 2, 2, ceil_mode=True)
        x = self.prelu5(self.dense5(_columns_first(self.prelu4(self.conv4(x)))))
        return self.dense6_2(x), self.dense6_1(x).softmax(1)


class Mtcnn:
    """Finds faces. Immutable. Raises ModelMissing when facenet-pytorch, whose weights these are, is not installed."""

    def __init__(self, min_face_px: int, thresholds: Sequence[float], device: torch.device) -> None:
        """thresholds: the score that lets a face through each of the three networks, 0..1."""
        self._first_scale = CELL_PX / min_face_px
        self._thresholds, self._device = tuple(thresholds), device
        self._proposal, self._refine, self._output = _Proposal(), _Refine(), _Output()
        for net, name in ((self._proposal, "pnet"), (self._refine, "rnet"), (self._output, "onet")):
            net.load_state_dict(torch.load(_folder() / f"{name}.pt", map_location="cpu", weights_only=True))
            net.eval().requires_grad_(False).to(device).to(memory_format=torch.channels_last)  # pools faster

    def __call__(self, pixels: PixelsU8) -> tuple[Boxes, NDArray[np.float32]]:
        """uint8 [H, W, 3] -> boxes and scores [n] of distinct faces. A box may reach over the picture's edge."""
        with torch.inference_mode():
            picture = torch.from_numpy(pixels).to(self._device).permute(2, 0, 1)[None].float().sub_(127.5).div_(128)
            boxes = _squares(self._proposed(picture))
            boxes, scores, shifts = self._judged(self._refine, picture, boxes, self._thresholds[1])
            keep = distinct(boxes, scores, 0.7)
            boxes = _squares(_shifted(boxes[keep], shifts[keep], 1))
            boxes, scores, shifts = self._judged(self._output, picture, boxes, self._thresholds[2])
            boxes = _shifted(boxes, shifts, 1)
        keep = distinct(boxes, scores, 0.7, of_smaller=True)
        return boxes[keep], scores[keep]

    def _proposed(self, picture: Tensor) -> Boxes:
        found = [np.zeros((0, 9), np.float32)]
        height, width = picture.shape[2:]
        scale = self._first_scale
        while min(height, width) * scale >= CELL_PX:
            small = F.interpolate(picture, (int(height * scale + 1), int(width * scale + 1)), mode="area")
            shifts, scores = self._proposal(small)
            level = _cells(shifts, scores, scale, self._thresholds[0])
            found.append(level[distinct(level[:, :4], level[:, 4], 0.5)])
            scale *= LEVEL
        rows = np.concatenate(found)
        rows = rows[distinct(rows[:, :4], rows[:, 4], 0.7)]
        return _shifted(rows[:, :4], rows[:, 5:], 0)

    def _judged(
        self, net: _Refine | _Output, picture: Tensor, boxes: Boxes, threshold: float
    ) -> tuple[Boxes, NDArray[np.float32], Boxes]:
        """Those of `boxes` [n, 4] that `net` takes for faces, with their scores and shifts."""
        patches, seen = _patches(picture, boxes, net.side)
        if patches is None:
            return boxes[:0], np.zeros(0, np.float32), boxes[:0]
        shifts, scores = (t.cpu().numpy() for t in net(patches))
        passed = scores[:, 1] > threshold
        return boxes[seen][passed], scores[passed, 1], shifts[passed]


def _folder() -> Path:
    """The weights' folder in the installed package, which is not imported."""
    spec = importlib.util.find_spec("facenet_pytorch")
    if spec is None or not spec.submodule_search_locations:
        raise ModelMissing("face: the package facenet-pytorch, which brings MTCNN's weights, is not installed")
    return Path(spec.submodule_search_locations[0]) / "data"


def _columns_first(x: Tensor) -> Tensor:
    """[n, C, h, w] -> [n, w * h * C]: the weights come from a framework that counted so."""
    return x.permute(0, 3, 2, 1).reshape(x.shape[0], -1)


def _cells(shifts: Tensor, scores: Tensor, scale: float, threshold: float) -> Boxes:
    """Likely cells of one level -> rows [n, 9]: box in px of the picture, score, four shifts."""
    score = scores[0, 1].cpu().numpy()
    y, x = np.nonzero(score >= threshold)
    corner = np.stack([x, y], 1).astype(np.float32) * STRIDE_PX
    box = np.floor(np.hstack([corner + 1, corner + CELL_PX]) / np.float32(scale))
    rows: Boxes = np.hstack([box, score[y, x, None], shifts[0].cpu().numpy()[:, y, x].T]).astype(np.float32)
    return rows


def _shifted(boxes: Boxes, shifts: Boxes, edge: int) -> Boxes:
    """Each side moved by a share of the box's length; `edge` 1 where that counts both outer pixels, as in training."""
    sides = boxes[:, 2:] - boxes[:, :2] + edge
    moved: Boxes = (boxes + shifts * np.hstack([sides, sides])).astype(np.float32)
    return moved


def _squares(boxes: Boxes) -> Boxes:
    """The same centres; both sides as long as the longer."""
    centre, side = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]).max(1, keepdims=True, initial=0)
    result: Boxes = np.hstack([centre - side / 2, centre + side / 2])
    return result


def _patches(picture: Tensor, boxes: Boxes, side: int) -> tuple[Tensor | None, list[int]]:
    """What the boxes show, [k, 3, side, side], and which of them lie in the picture at all; None when none does."""
    height, width = picture.shape[2:]
    x0, y0 = (np.maximum(boxes[:, i].astype(int), 1) - 1 for i in (0, 1))
    x1, y1 = np.minimum(boxes[:, 2].astype(int), width), np.minimum(boxes[:, 3].astype(int), height)
    seen = [i for i in range(len(boxes)) if x1[i] > x0[i] and y1[i] > y0[i]]
    parts = [F.interpolate(picture[:, :, y0[i] : y1[i], x0[i] : x1[i]], (side, side), mode="area") for i in seen]
    return (torch.cat(parts) if parts else None), seen
