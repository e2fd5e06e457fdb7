"""What all parts of the body are painted with: one figure, one sheet, one scale."""

from dataclasses import dataclass

import numpy as np
import skia

from stylizer.training.data.characters.figure import Colour, Figure
from stylizer.training.data.characters.shapes import Points, limb, polygon
from stylizer.training.data.characters.sheet import Label, Round, Shape, Sheet, toon
from stylizer.training.data.characters.skeleton import Skeleton, Vector

Print = list[tuple[skia.Path, Colour, Colour]]


@dataclass(frozen=True, slots=True)
class View:
    """Body heights -> pixels. unit: pixels per body height; origin: where the hips' middle lies."""

    unit: float
    origin: Points

    def at(self, joint: Vector) -> Points:
        return np.asarray(self.origin + joint[:2] * self.unit)


class Painter:
    """One figure on one sheet. Lengths are in body heights until multiplied by the unit."""

    def __init__(self, sheet: Sheet, figure: Figure, skeleton: Skeleton, view: View) -> None:
        self.sheet, self.figure, self.s, self.view, self.u = sheet, figure, skeleton, view, view.unit
        self.rng = np.random.default_rng(figure.seed)
        self.girth = figure.build.girth

    def shape(self, path: skia.Path, key: str, label: Label, form: Round | None, prints: Print | None = None) -> Shape:
        colour = self.figure.colours[key]
        return Shape(path, colour, toon(colour, "skin" if key == "skin" else "cloth"), label, form, prints or ())

    def bone(
        self,
        a: Points,
        b: Points,
        ra: float,
        rb: float,
        key: str,
        label: Label,
        *,
        bulge: float = 0.0,
        flat: bool = False,
    ) -> Shape:
        path = limb(a, b, ra * self.u, rb * self.u, bulge=bulge, flat=flat)
        return self.shape(path, key, label, Round(a, b, max(ra, rb) * self.u))

    def _along(self, a: Points, b: Points, c: Points, share: float) -> Points:
        """The point at that share of the way a-b-c, both halves counted alike."""
        return a + (b - a) * share * 2 if share <= 0.5 else b + (c - b) * (share - 0.5) * 2

    def _stripes(self, a: Points, b: Points, step: float) -> Print:
        """Bands across the way from a to b, far beyond both ends."""
        axis = (b - a) / (np.hypot(*(b - a)) + 1e-6)
        across = np.array([-axis[1], axis[0]]) * self.u
        colour = self.figure.colours["accent"]
        path = skia.Path()
        for k in range(-6, 14):
            at = a + axis * step * k * self.u
            wide = axis * step * 0.4 * self.u
            path.addPath(polygon([at - across, at + across, at + across + wide, at - across + wide]))
        return [(path, colour, toon(colour))]

    def _facing(self) -> float:
        """1: the chest looks at the viewer, -1: away."""
        return float(np.cos(np.radians(self.figure.angles.yaw)))

    def _half(self, front_half: float) -> float:
        """Half width of the trunk as seen: from the side it is two thirds as deep as it is wide."""
        depth = 0.66 * front_half
        c = abs(self._facing())
        return float(np.hypot(front_half * c, depth * np.sqrt(1 - c * c)))
