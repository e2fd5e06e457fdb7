"""Glasses of our own making: two rims, a bridge and two temples bent from round wire, clear or dark."""

import numpy as np
from numpy.random import Generator

from stylizer.training.data.humans.assets import Floats, Ints

AROUND, TURNS = 28, 6  # corners along a rim, and around the wire


def make_glasses(face: dict[str, Floats], head: Floats, rng: Generator) -> tuple[Floats, Ints, int]:
    """face: landmarks; head: axes [3, 3], rows right, up, front -> vertices [V, 3], triangles [T, 3], and from which
    triangle on they are dark lenses (the number of triangles when the lenses are clear)."""
    right, up, front = head
    between = (face["inner_l"] + face["inner_r"]) / 2
    before = float((face["nose_root"] - between) @ front) + rng.uniform(0.09, 0.16)
    wide, tall = rng.uniform(0.23, 0.30), rng.uniform(0.15, 0.27)
    corner, wire = rng.uniform(2.0, 4.5), rng.uniform(0.016, 0.038)
    angle = np.linspace(0, 2 * np.pi, AROUND, endpoint=False)
    u, v = (np.sign(w) * np.abs(w) ** (2 / corner) for w in (np.cos(angle), np.sin(angle)))  # between oval and box
    curves, lenses = [], []
    for side in (1.0, -1.0):
        eye = face["outer_l" if side > 0 else "outer_r"] / 2 + face["inner_l" if side > 0 else "inner_r"] / 2
        middle = eye + front * (float((between - eye) @ front) + before) - up * 0.05
        rim = (
            middle
            + right * (u * wide)[:, None]
            + up * (v * tall)[:, None]
            - front * (0.08 * np.maximum(0, side * u))[:, None]
        )
        hinge = middle + right * side * wide - front * 0.08 + up * 0.06
        curves += [
            np.vstack([rim, rim[:1]]),
            np.stack([hinge, hinge + right * side * 0.12 - front * 1.1, hinge - front * 1.3 - up * 0.1]),
        ]
        lenses.append(np.vstack([middle[None], rim]))
    bridge = [
        (lenses[0][0] + right * -wide),
        (lenses[0][0] + lenses[1][0]) / 2 + up * 0.05 + front * 0.02,
        lenses[1][0] + right * wide,
    ]
    curves.append(np.stack(bridge))
    vertices, triangles = _joined([_tube(curve, wire) for curve in curves])
    first_lens = len(triangles)
    if rng.random() < 0.2:
        fan = np.array([[0, 1 + i, 1 + (i + 1) % AROUND] for i in range(AROUND)], np.int32)
        vertices, triangles = _joined([(vertices, triangles), *((lens.astype(np.float32), fan) for lens in lenses)])
    return vertices, triangles, first_lens


def _tube(curve: Floats, radius: float) -> tuple[Floats, Ints]:
    """Round wire along a curve [n, 3]."""
    along = np.gradient(curve, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    across = np.cross(along, np.array([0.21, 0.35, 0.91]))
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
    third = np.cross(along, across)
    angle = np.linspace(0, 2 * np.pi, TURNS, endpoint=False)
    ring = np.cos(angle)[:, None] * across[:, None] + np.sin(angle)[:, None] * third[:, None]
    i, j = np.meshgrid(np.arange(len(curve) - 1), np.arange(TURNS), indexing="ij")
    a, b = i * TURNS + j, i * TURNS + (j + 1) % TURNS
    faces = np.stack([a, b, a + TURNS, b, b + TURNS, a + TURNS], -1).reshape(-1, 3)
    return (curve[:, None] + ring * radius).reshape(-1, 3).astype(np.float32), faces.astype(np.int32)


def _joined(meshes: list[tuple[Floats, Ints]]) -> tuple[Floats, Ints]:
    first = np.cumsum([0, *(len(vertices) for vertices, _ in meshes)])
    faces = [triangles + int(offset) for (_, triangles), offset in zip(meshes, first, strict=False)]
    return np.concatenate([vertices for vertices, _ in meshes]), np.concatenate(faces)
