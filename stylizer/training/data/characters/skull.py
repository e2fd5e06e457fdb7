"""The head's own coordinates, and the skin on it."""

from dataclasses import dataclass

import numpy as np
import skia

from stylizer.training.data.characters.figure import Figure
from stylizer.training.data.characters.shapes import Points
from stylizer.training.data.characters.sheet import Label, Round, Shape, toon
from stylizer.training.data.characters.skeleton import Skeleton


@dataclass(frozen=True, slots=True)
class Skull:
    """The head's own coordinates: u to the right, v down, both -1..1 on the skull."""

    centre: Points
    rx: float
    ry: float
    roll: float  # degrees
    yaw: float
    pitch: float

    def at(self, u: float, v: float) -> Points:
        a = np.radians(self.roll)
        x, y = u * self.rx, v * self.ry
        return np.asarray(self.centre + np.array([x * np.cos(a) - y * np.sin(a), x * np.sin(a) + y * np.cos(a)]))

    def many(self, points: list[tuple[float, float]]) -> Points:
        return np.array([self.at(u, v) for u, v in points])

    def on_face(self, degrees: float, v: float) -> Points:
        """A point of the face's round front, `degrees` to the right of the nose."""
        return self.at(0.93 * float(np.sin(np.radians(self.yaw + degrees))), v + self.drop)

    @property
    def drop(self) -> float:
        """How far the features slide down as the head nods."""
        return 0.75 * float(np.sin(np.radians(self.pitch)))

    def seen(self, degrees: float) -> float:
        """Foreshortening 0..1 of something at that place of the face."""
        return float(np.cos(np.radians(self.yaw + degrees)))

    @property
    def side(self) -> float:
        """Where the face is: -1 left profile, 0 front, 1 right profile."""
        return float(np.sin(np.radians(self.yaw)))

    @property
    def front(self) -> float:
        return float(np.cos(np.radians(self.yaw)))


def make_skull(figure: Figure, skeleton: Skeleton, head: Points, unit: float) -> Skull:
    ry = figure.build.head * unit
    widen = 1 + 0.12 * abs(np.sin(np.radians(skeleton.head_yaw)))
    rx = ry * figure.build.head_width * float(widen)
    return Skull(head, rx, ry, skeleton.head_roll, skeleton.head_yaw, skeleton.head_pitch)


def skin_shape(figure: Figure, path: skia.Path, f: Skull, label: Label = "skin") -> Shape:
    skin = figure.colours["skin"]
    return Shape(path, skin, toon(skin, "skin"), label, Round(f.centre, f.centre, f.rx * 1.3))
