"""Boxes in a picture, and their plain arithmetic."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Box(NamedTuple):
    """Box in pixels of the source frame; x1 and y1 lie just outside. May reach over the frame's edges."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def width(self) -> float:
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        return self.y1 - self.y0

    @property
    def area(self) -> float:
        return max(self.width, 0.0) * max(self.height, 0.0)

    @property
    def centre(self) -> tuple[float, float]:
        return (self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2

    def scaled(self, x: float, y: float) -> "Box":
        """Coordinates multiplied: the same box in a picture resized by these factors."""
        return Box(self.x0 * x, self.y0 * y, self.x1 * x, self.y1 * y)

    def moved(self, x: float, y: float) -> "Box":
        return Box(self.x0 + x, self.y0 + y, self.x1 + x, self.y1 + y)

    def within(self, width: float, height: float) -> "Box":
        """The part that lies in a picture of this size; empty (area 0) when none does."""
        x0, y0 = min(max(self.x0, 0.0), width), min(max(self.y0, 0.0), height)
        return Box(x0, y0, min(max(self.x1, x0), width), min(max(self.y1, y0), height))


def around(a: Box, b: Box) -> Box:
    """The least box that holds both."""
    return Box(min(a.x0, b.x0), min(a.y0, b.y0), max(a.x1, b.x1), max(a.y1, b.y1))


def shared(a: Box, b: Box) -> Box:
    """What lies in both; of negative width or height when nothing does."""
    return Box(max(a.x0, b.x0), max(a.y0, b.y0), min(a.x1, b.x1), min(a.y1, b.y1))


def iou(a: Box, b: Box) -> float:
    """Shared area over joint area, 0..1; 0 when both are empty."""
    inter = shared(a, b).area
    union = a.area + b.area - inter
    return inter / union if union > 0 else 0.0


def distinct(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], overlap: float, *, of_smaller: bool = False
) -> list[int]:
    """Greedy non-maximum suppression: indices of the boxes to keep, best score first.

    boxes [n, 4] x0 y0 x1 y1, scores [n]. A box goes when it shares more than `overlap` with a better one: of their
    joint area, or of the smaller one's (`of_smaller`). Written out because importing torchvision takes seconds.
    """
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    left = np.argsort(-scores, kind="stable")
    keep: list[int] = []
    while left.size:
        best, left = int(left[0]), left[1:]
        keep.append(best)
        low, high = np.maximum(boxes[best, :2], boxes[left, :2]), np.minimum(boxes[best, 2:], boxes[left, 2:])
        inter = np.maximum(high - low, 0).prod(1)
        whole = np.minimum(area[best], area[left]) if of_smaller else area[best] + area[left] - inter
        left = left[inter <= overlap * whole]
    return keep
