"""A G-buffer: what each sample of a picture shows of a scene of textured triangles.

Space is the camera's: x right, y down, z away from it, decimetres. A picture is the square window of the plane z = 1
that begins at (x, y) and has that side.
"""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from stylizer.training.data.humans.assets import Floats, Ints

Mask = NDArray[np.bool_]
OPAQUE = 0.45  # a texel of less alpha is a hole


class Window(NamedTuple):
    x: float
    y: float
    side: float

    def pixels(self, points: Floats, size: int) -> Floats:
        """Points [..., 3] -> where they are seen, px of a picture of that size [..., 2]."""
        flat = points[..., :2] / points[..., 2:]
        return np.asarray((flat - (self.x, self.y)) * (size / self.side), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """One mesh in camera space. normals [V, 3]; colours [S, S, 4]: its alpha says where there are holes; labels [T]."""

    vertices: Floats
    triangles: Ints
    uvs: Floats
    normals: Floats
    colours: Floats
    relief: Floats | None
    labels: NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Buffer:
    """Per sample [S, S]: which surface (-1 none), its label; and [S, S, n]: texel (row, column), normal (towards the
    camera), position. bent: the normal with the surface's relief."""

    surface: NDArray[np.int16]
    label: NDArray[np.uint8]
    texel: Ints
    normal: Floats
    bent: Floats
    position: Floats


def vertex_normals(vertices: Floats, triangles: Ints) -> Floats:
    """[V, 3] of length 1, the faces' weighted by their areas."""
    a, b, c = (vertices[triangles[:, i]] for i in range(3))
    faces = np.cross(b - a, c - a)
    total = np.stack([np.bincount(triangles.ravel(), np.repeat(faces[:, k], 3), len(vertices)) for k in range(3)], 1)
    return np.asarray(total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-9), np.float32)


def length(vectors: Floats) -> Floats:
    """[..., n] -> [..., 1]; ten times as fast as numpy.linalg.norm."""
    return np.asarray(np.sqrt(np.einsum("...i,...i->...", vectors, vectors))[..., None], np.float32)


def blurred(values: Floats, inside: NDArray[np.bool_], sigma: float) -> Floats:
    """values [H, W] smoothed, taking no part of what lies outside."""
    weight = inside.astype(np.float32)
    total = cv2.GaussianBlur(weight, (0, 0), sigma)
    return np.asarray(cv2.GaussianBlur(values * weight, (0, 0), sigma) / np.maximum(total, 1e-3), np.float32)
