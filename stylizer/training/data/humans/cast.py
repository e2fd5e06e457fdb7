"""Rays through a scene: what a picture of it shows, and which of its points a lamp reaches."""

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from numpy.typing import NDArray

from stylizer.training.data.humans.assets import Floats, Ints
from stylizer.training.data.humans.buffer import OPAQUE, Buffer, Surface, Window, length

LAYERS = 16  # a ray goes through so many transparent surfaces at most


class Scene:
    """Rays through `surfaces`, those numbered in `without` left out."""

    def __init__(self, surfaces: list[Surface], without: frozenset[int] = frozenset()) -> None:
        self.surfaces = surfaces
        counts = [0 if i in without else len(s.triangles) for i, s in enumerate(surfaces)]
        self._owner = np.repeat(np.arange(len(surfaces)), counts)
        self._first = np.cumsum([0, *counts])
        kept = [s.vertices[s.triangles] for i, s in enumerate(surfaces) if i not in without]
        self._corners = np.concatenate(kept).astype(np.float32)
        self._embree = EmbreeScene()
        TriangleMesh(self._embree, self._corners)

    def _through(self, origins: Floats, ways: Floats) -> tuple[Ints, Floats, Floats]:
        """First opaque triangle along each ray (-1 none), where on it [N, 2], and how far."""
        n = len(ways)
        found, at, far = np.full(n, -1, np.int32), np.zeros((n, 2), np.float32), np.full(n, np.inf, np.float32)
        left, start = np.arange(n), np.zeros(n, np.float32)
        for _ in range(LAYERS):
            from_ = origins[left] + ways[left] * start[left, None]
            hit = self._embree.run(from_.astype(np.float32), ways[left], output=1)
            met = hit["primID"] >= 0
            left, prim = left[met], hit["primID"][met]
            if not len(left):
                break
            u, v, t = hit["u"][met], hit["v"][met], hit["tfar"][met] + start[left]
            solid = self._solid(prim, np.stack([u, v], 1))
            now = left[solid]
            found[now], far[now] = prim[solid], t[solid]
            at[now, 0], at[now, 1] = u[solid], v[solid]
            start[left], left = t + 1e-3, left[~solid]
        return found, at, far

    def _solid(self, prim: Ints, at: Floats) -> NDArray[np.bool_]:
        result = np.ones(len(prim), np.bool_)
        for i in np.unique(self._owner[prim]):
            mine = np.flatnonzero(self._owner[prim] == i)
            texel = self._texel(int(i), prim[mine] - self._first[i], at[mine])
            result[mine] = self.surfaces[i].colours[texel[:, 0], texel[:, 1], 3] > OPAQUE
        return result

    def _texel(self, i: int, triangle: Ints, at: Floats) -> Ints:
        surface = self.surfaces[i]
        uv = _mix(surface.uvs[triangle], at)
        height, width = surface.colours.shape[:2]
        column = np.floor(uv[:, 0] % 1 * width).astype(np.int32)
        row = np.floor((1 - uv[:, 1]) % 1 * height).astype(np.int32)
        return np.stack([row.clip(0, height - 1), column.clip(0, width - 1)], 1)

    def see(self, window: Window, size: int) -> Buffer:
        """What a picture of that size shows."""
        grid = (np.arange(size, dtype=np.float32) + 0.5) / size * window.side
        ways = np.empty((size, size, 3), np.float32)
        ways[..., 0], ways[..., 1], ways[..., 2] = grid + window.x, (grid + window.y)[:, None], 1
        surface, texel = np.full((size, size), -1, np.int16), np.zeros((size, size, 2), np.int32)
        label = np.zeros((size, size), np.uint8)
        normal, bent, position = (np.zeros((size, size, 3), np.float32) for _ in range(3))
        y0, y1, x0, x1 = self._extent(window, size)
        part = ways[y0:y1, x0:x1].reshape(-1, 3)
        found, at, far = self._through(np.zeros_like(part), part)
        hit = np.flatnonzero(found >= 0)
        rows, columns = hit // (x1 - x0) + y0, hit % (x1 - x0) + x0
        position[rows, columns] = part[hit] * far[hit, None]
        owner = self._owner[found[hit]]
        surface[rows, columns] = owner
        for i in np.unique(owner):
            mine = np.flatnonzero(owner == i)
            spot, triangle = (rows[mine], columns[mine]), found[hit[mine]] - self._first[i]
            label[spot] = self.surfaces[i].labels[triangle]
            texel[spot] = self._texel(int(i), triangle, at[hit[mine]])
            normal[spot], bent[spot] = self._normals(int(i), triangle, at[hit[mine]], texel[spot], part[hit[mine]])
        return Buffer(surface, label, texel, normal, bent, position)

    def _extent(self, window: Window, size: int) -> tuple[int, int, int, int]:
        seen = window.pixels(self._corners.reshape(-1, 3), size)
        low, high = np.floor(seen.min(0)).astype(int), np.ceil(seen.max(0)).astype(int)
        (x0, y0), (x1, y1) = low.clip(0, size - 1), high.clip(1, size)
        return int(y0), max(int(y1), int(y0) + 1), int(x0), max(int(x1), int(x0) + 1)

    def _normals(self, i: int, triangle: Ints, at: Floats, texel: Ints, ways: Floats) -> tuple[Floats, Floats]:
        surface = self.surfaces[i]
        normal = _unit(_mix(surface.normals[surface.triangles[triangle]], at))
        bent = normal
        if surface.relief is not None:
            corners, uv = surface.vertices[surface.triangles[triangle]], surface.uvs[triangle]
            e1, e2 = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
            d1, d2 = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
            area = d1[:, :1] * d2[:, 1:] - d2[:, :1] * d1[:, 1:]
            along = _unit((e1 * d2[:, 1:] - e2 * d1[:, 1:]) * np.sign(area))
            up = _unit((e2 * d1[:, :1] - e1 * d2[:, :1]) * np.sign(area))
            tilt = surface.relief[texel[:, 0], texel[:, 1]] * 2 - 1
            bent = _unit(along * tilt[:, :1] + up * tilt[:, 1:2] + normal * np.maximum(tilt[:, 2:], 0.2))
        away = np.einsum("ni,ni->n", normal, ways)[:, None] > 0
        return np.where(away, -normal, normal), np.where(away, -bent, bent)

    def shadowed(self, points: Floats, ways: Floats) -> NDArray[np.bool_]:
        """points, ways [N, 3] -> is something opaque between each point and the light that lies in that direction."""
        found, _, _ = self._through(np.ascontiguousarray(points, np.float32), np.ascontiguousarray(ways, np.float32))
        return np.asarray(found >= 0)


def _mix(corners: Floats, at: Floats) -> Floats:
    """Values at a triangle's corners [N, 3, n], and where on it [N, 2] -> [N, n]."""
    u, v = at[:, :1], at[:, 1:]
    return np.asarray(corners[:, 0] * (1 - u - v) + corners[:, 1] * u + corners[:, 2] * v, np.float32)


def _unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.maximum(length(vectors), 1e-9), np.float32)
