"""A person's shape and posture: targets mixed, joints turned, the skin carried along."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from stylizer.training.data.humans.assets import Assets, Floats, Mesh, Rig

Turn = NDArray[np.float64]  # [3, 3]


def shaped(assets: Assets, amounts: Mapping[str, float], body: Floats | None = None) -> Floats:
    """The body [V, 3], the undeformed one by default, with so much of each target."""
    vertices = (assets.body.vertices if body is None else body).copy()
    for name, amount in amounts.items():
        if amount:
            vertices += assets.target(name) * np.float32(amount)
    return vertices


def turn(axis: Floats | tuple[float, float, float], degrees: float) -> Turn:
    """Rotation about an axis of any length, right-handed (Rodrigues)."""
    x, y, z = np.asarray(axis, np.float64) / max(float(np.linalg.norm(axis)), 1e-9)
    a = np.radians(degrees)
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(a) * k + (1 - np.cos(a)) * k @ k)


def from_quaternion(x: float, y: float, z: float, w: float) -> Turn:
    vector = np.array([x, y, z])
    length = float(np.linalg.norm(vector))
    return turn((x, y, z), float(np.degrees(2 * np.arctan2(length, w)))) if length > 1e-9 else np.eye(3)


class Posture:
    """Where the joints of a body are when they are turned. turns: joint -> its rotation in its parent's frame; in the
    rest posture all frames are the world's."""

    def __init__(self, rig: Rig, body: Floats, turns: Mapping[str, Turn]) -> None:
        self.rest = np.stack([body[list(ids)].mean(0) for ids in rig.heads]).astype(np.float64)
        self.turns = np.empty((len(rig.names), 3, 3))
        self.joints = np.empty_like(self.rest)
        for i, (name, parent) in enumerate(zip(rig.names, rig.parents, strict=True)):
            own = turns.get(name, np.eye(3))
            if parent < 0:
                self.turns[i], self.joints[i] = own, self.rest[i]
            else:
                self.turns[i] = self.turns[parent] @ own
                self.joints[i] = self.joints[parent] + self.turns[parent] @ (self.rest[i] - self.rest[parent])

    def carried(self, mesh: Mesh, vertices: Floats) -> Floats:
        """Those vertices of that mesh, [V, 3], in this posture: linear blend skinning."""
        shift = self.joints - np.einsum("jab,jb->ja", self.turns, self.rest)
        turns = np.einsum("vk,vkab->vab", mesh.shares, self.turns[mesh.joints].astype(np.float32), optimize=True)
        moved = np.einsum("vab,vb->va", turns, vertices) + np.einsum(
            "vk,vka->va", mesh.shares, shift[mesh.joints].astype(np.float32)
        )
        return np.asarray(moved, np.float32)
