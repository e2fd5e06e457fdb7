"""Outlines: smooth closed curves and tapered limbs as skia paths."""

from collections.abc import Sequence

import numpy as np
import skia
from numpy.typing import NDArray

Points = NDArray[np.float64]  # [n, 2] or one [2], in pixels
Outline = Points | Sequence[Points | Sequence[float]]


def smooth_path(points: Outline, *, closed: bool = True, tension: float = 1.0) -> skia.Path:
    """A curve through all points (Catmull-Rom). tension 1 is round, 0 straight."""
    p = np.asarray(points, float)
    before, after = np.roll(p, 1, 0), np.roll(p, -1, 0)
    if not closed:
        before[0], after[-1] = p[0], p[-1]
    slope = (after - before) * (tension / 6)
    path = skia.Path()
    path.moveTo(*p[0])
    n = len(p)
    for i in range(n if closed else n - 1):
        j = (i + 1) % n
        path.cubicTo(*(p[i] + slope[i]), *(p[j] - slope[j]), *p[j])
    if closed:
        path.close()
    return path


def polygon(points: Outline) -> skia.Path:
    path = skia.Path()
    path.addPoly([skia.Point(float(x), float(y)) for x, y in np.asarray(points)], True)
    return path


def limb(a: Points, b: Points, ra: float, rb: float, *, bulge: float = 0.0, flat: bool = False) -> skia.Path:
    """A tapered limb from a to b, radii ra and rb; `bulge` widens it at one third; `flat` cuts it straight at b."""
    axis = b - a
    length = float(np.hypot(*axis)) or 1e-6
    along, across = axis / length, np.array([-axis[1], axis[0]]) / length
    mid = a + axis * 0.36
    rm = (ra * 0.64 + rb * 0.36) * (1 + bulge)
    outline = [a + across * ra, mid + across * rm, b + across * rb]
    if not flat:
        outline += [
            b + along * rb * 0.72 + across * rb * 0.72,
            b + along * rb,
            b + along * rb * 0.72 - across * rb * 0.72,
        ]
    outline += [b - across * rb, mid - across * rm, a - across * ra]
    outline += [a - along * ra * 0.72 - across * ra * 0.72, a - along * ra, a - along * ra * 0.72 + across * ra * 0.72]
    if not flat:
        return smooth_path(np.array(outline))
    path = smooth_path(np.array(outline[3:] + outline[:3]), closed=False)  # begins and ends at the hem
    path.close()
    return path


def ellipse(centre: Points, rx: float, ry: float, degrees: float = 0.0) -> skia.Path:
    path = skia.Path()
    path.addOval(skia.Rect.MakeLTRB(-rx, -ry, rx, ry))
    path.transform(skia.Matrix().setRotate(degrees).postTranslate(float(centre[0]), float(centre[1])))
    return path


def bumpy(centre: Points, rx: float, ry: float, *, bumps: int, depth: float, rng: np.random.Generator) -> skia.Path:
    """A cloud-like outline: curls."""
    angle = np.linspace(0, 2 * np.pi, bumps * 2, endpoint=False) + rng.uniform(0, 1)
    r = 1 + depth * np.where(np.arange(bumps * 2) % 2, -1, 1) * rng.uniform(0.4, 1, bumps * 2)
    return smooth_path(np.stack([centre[0] + rx * r * np.cos(angle), centre[1] + ry * r * np.sin(angle)], 1))
