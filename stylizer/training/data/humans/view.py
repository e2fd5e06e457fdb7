"""Where the camera stands and which square of its picture is taken, as the live crop and the closeup take it."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from stylizer.stages.closeup import REACH
from stylizer.stages.crop import HEADROOM
from stylizer.stages.face import CHIN, HAIR
from stylizer.training.data.humans.assets import Floats
from stylizer.training.data.humans.buffer import Window
from stylizer.training.data.humans.person import Person
from stylizer.training.data.humans.rig import turn

NEAR, HALF = 0.45, 0.30  # shares of pictures: heads and shoulders, half bodies; the others show the whole figure
AIR = 1.25, 2.5  # side of a head's own picture in heads: the live square is REACH, a head that nods or looms has less


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """Takes points from the world into camera space: turned about `target`, `distance` before it."""

    turned: NDArray[np.float64]
    target: Floats
    distance: float

    def points(self, world: Floats) -> Floats:
        """[..., 3] -> [..., 3]."""
        moved = (world - self.target) @ self.turned.T.astype(np.float32) * np.array([1, -1, -1], np.float32)
        return np.asarray(moved + np.array([0, 0, self.distance], np.float32), np.float32)

    def ways(self, world: Floats) -> Floats:
        """Directions [..., 3]."""
        return np.asarray(world @ self.turned.T.astype(np.float32) * np.array([1, -1, -1], np.float32), np.float32)


def kind_of(rng: Generator) -> str:
    r = rng.random()
    return "near" if r < NEAR else ("half" if r < NEAR + HALF else "whole")


def camera_for(person: Person, kind: str, rng: Generator) -> Camera:
    """Mostly before the person's body, seldom beside or behind it; near the height of the head."""
    kind = "near" if kind == "head" else kind
    r = rng.random()
    yaw = rng.normal(0, 14) if r < 0.7 else (rng.uniform(-75, 75) if r < 0.95 else rng.uniform(-180, 180))
    pitch = float(np.clip(rng.normal(2, 8), -18, 28))
    low, high = {"near": (6.0, 16.0), "half": (11.0, 28.0), "whole": (24.0, 55.0)}[kind]
    target = person.face["nose_root"] if kind != "whole" else np.asarray(person.parts[0].vertices.mean(0), np.float32)
    return Camera(turn((1, 0, 0), pitch) @ turn((0, 1, 0), yaw), target, float(rng.uniform(low, high)))


def head_height(person: Person, camera: Camera) -> tuple[Floats, float]:
    """The head's box as the finder gives it: its middle [2] and height, in the plane z = 1."""
    brows, chin = (camera.points(person.face[name]) for name in ("brows", "chin"))
    top, low = brows[:2] / brows[2], chin[:2] / chin[2]
    face = max(float(np.linalg.norm(low - top)), 0.6 / camera.distance)
    y0, y1 = float(top[1]) - HAIR * face, float(low[1]) + CHIN * face
    return np.array([(top[0] + low[0]) / 2, (y0 + y1) / 2], np.float32), (1 + HAIR + CHIN) * face


def window_for(person: Person, camera: Camera, kind: str, rng: Generator) -> Window:
    centre, head = head_height(person, camera)
    points = camera.points(
        np.concatenate([part.vertices for part in person.parts if part.kind in ("body", "cloth", "shoes", "hair")])
    )
    if kind == "head":
        side = head * float(np.exp(rng.uniform(*np.log(AIR))))
        x, y = centre - side / 2 + rng.normal(0, 0.05, 2) * side
        return Window(float(x), float(y), float(side))
    flat = points[:, :2] / points[:, 2:]
    low, high = np.percentile(flat, 0.2, 0), np.percentile(flat, 99.8, 0)
    if kind == "near" and rng.random() < 0.45:  # the closeup's square, at twice its size: a part of 128 px is one
        side = 2 * REACH * head * rng.uniform(0.9, 1.1)
        x, y = centre - side / 2 + rng.normal(0, 0.06, 2) * side
        return Window(float(x), float(y + 0.14 * side), float(side))
    if kind == "near":
        side = head * float(np.exp(rng.uniform(np.log(1.25), np.log(3.0))))
        top = centre[1] - head / 2 - HEADROOM * head * rng.uniform(0.2, 1.1) * min(1.0, side / head / 2.5)
        return Window(float(centre[0] - side / 2 + rng.normal(0, 0.05) * side), float(top), float(side))
    top = min(float(centre[1] - head * (0.5 + HEADROOM)), float(low[1]) - 0.02 * float(high[1] - low[1]))
    if kind == "half":
        side = head * rng.uniform(3.4, 6.0)
        middle = float(centre[0]) + rng.normal(0, 0.05) * side
        return Window(middle - side / 2, top, float(side))
    extent = high - low
    side = max(float(high[1]) - top + 0.08 * float(extent[1]), float(extent[0]) * 1.08) * rng.uniform(1.0, 1.15)
    middle = float(low[0] + high[0]) / 2 + rng.normal(0, 0.02) * side
    return Window(middle - side / 2, top, float(side))
