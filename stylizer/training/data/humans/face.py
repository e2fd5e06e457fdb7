"""A drawn face on a head in space: eyes by the project's own formula, brows, nose, mouth, blush, all foreshortened."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import skia
from numpy.typing import NDArray

from stylizer.stages.eyes import INK, IRISES, painted_eye
from stylizer.training.data.characters.figure import Colour, mix
from stylizer.training.data.characters.shapes import smooth_path
from stylizer.training.data.characters.sheet import fill, stroke
from stylizer.training.data.humans.assets import Floats
from stylizer.training.data.humans.buffer import Window
from stylizer.training.data.humans.person import Person
from stylizer.training.data.humans.view import Camera

LARGER, TALLER = 1.70, 1.22  # than the person's own eye; its height beside its width
DROP = 0.16  # half widths that the eye's middle lies below the person's own
FAIR = 0.56  # lightness of drawn hair from which its eyes are blue; brown below. Seen in any picture, however small


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """pixels [S, S, 4] uint8 that are drawn on; camera and window say where a point in space lies on it."""

    pixels: NDArray[np.uint8]
    camera: Camera
    window: Window

    def at(self, world: NDArray[np.floating[Any]]) -> Floats:
        """Points [..., 3] -> px."""
        return self.window.pixels(self.camera.points(np.asarray(world, np.float32)), self.pixels.shape[0])


def draw_face(canvas: Canvas, person: Person, skin: Colour, hair: Colour) -> None:
    """Everything but the skin itself. skin, hair: as they are drawn."""
    front = person.head[2]
    sight = canvas.camera.points(person.face["nose_root"])
    facing = float(-(canvas.camera.ways(front) @ sight) / np.linalg.norm(sight))
    if facing < -0.35:
        return
    surface = skia.Surface(canvas.pixels)
    paint = surface.getCanvas()
    scale = _length(canvas, person.face["brows"], person.face["chin"])
    _blush(paint, canvas, person, skin, scale)
    _mouth(paint, canvas, person, skin, scale)
    if facing > 0.25:
        _nose(paint, canvas, person, skin, scale)
    surface.flushAndSubmit()
    iris = 1 if 0.3 * hair[0] + 0.59 * hair[1] + 0.11 * hair[2] > FAIR else 0
    for side, sign in (("l", 1.0), ("r", -1.0)):
        _eye(canvas, person, side, sign, skin, iris)
    surface.notifyContentWillChange(skia.Surface.ContentChangeMode.kRetain_ContentChangeMode)
    for side, sign in (("l", 1.0), ("r", -1.0)):
        _brow(paint, canvas, person, side, sign, hair, scale)
    surface.flushAndSubmit()


def _length(canvas: Canvas, a: Floats, b: Floats) -> float:
    return float(np.linalg.norm(canvas.at(a) - canvas.at(b)))


def _axes(person: Person, side: str) -> tuple[Floats, Floats, Floats, float]:
    """Of an eye as it is drawn: its middle, from outer to inner corner (length 1), upwards, and half its width, dm."""
    outer, inner = person.face[f"outer_{side}"], person.face[f"inner_{side}"]
    along = inner - outer
    width = float(np.linalg.norm(along))
    along = along / width
    up = person.head[1] - along * float(person.head[1] @ along)
    up = up / np.linalg.norm(up)
    half = LARGER * width / 2
    middle = (outer + inner) / 2 - up * DROP * half - along * 0.08 * half
    return middle, along, up, half


def _shown(canvas: Canvas, person: Person, middle: Floats, sign: float) -> float:
    """Cosine between the way to the viewer and the way that this side of the face looks."""
    out = person.head[2] + 0.45 * sign * person.head[0]
    out = canvas.camera.ways(out / np.linalg.norm(out))
    sight = canvas.camera.points(middle)
    return float(-(out @ sight) / np.linalg.norm(sight))


def _eye(canvas: Canvas, person: Person, side: str, sign: float, skin: Colour, iris: int) -> None:
    middle, along, up, half = _axes(person, side)
    shown = _shown(canvas, person, middle, sign)
    if shown < 0.12:
        return
    centre = canvas.at(middle)
    right, down = canvas.at(middle + along * half) - centre, canvas.at(middle - up * half * TALLER) - centre
    size = canvas.pixels.shape[0]
    reach = 1.6 * max(float(np.linalg.norm(right)), float(np.linalg.norm(down)))
    low = np.maximum(np.floor(centre - reach), 0).astype(int)
    high = np.minimum(np.ceil(centre + reach), size).astype(int)
    if (high <= low).any():
        return
    part = canvas.pixels[low[1] : high[1], low[0] : high[0], :3]
    grid = np.stack(np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1])), -1) + 0.5 - centre
    determinant = float(right[0] * down[1] - right[1] * down[0])
    if abs(determinant) < 4:
        return
    x = (grid[..., 0] * down[1] - grid[..., 1] * down[0]) / determinant
    y = (grid[..., 1] * right[0] - grid[..., 0] * right[1]) / determinant
    edge = 1.4 / float(np.sqrt(abs(determinant)))
    shut = person.shut[0 if side == "l" else 1]
    before = part.astype(np.float32)
    if shut > 0.7:
        curve = 0.34 - 0.30 * np.clip(np.abs(x), 0, 1.2) ** 2
        lid = np.clip((0.085 - np.abs(y - curve)) / edge + 0.5, 0, 1) * np.clip((1.0 - np.abs(x)) / edge + 0.5, 0, 1)
        after = before + (INK - before) * lid[..., None]
    else:
        light, dark = IRISES[iris]
        look = (person.gaze[0] / 90 * -sign, person.gaze[1] / 120)
        tone = np.array(skin, np.float32) * 255
        shine = -1 if right[0] > 0 else 1
        x32, y32 = x.astype(np.float32), y.astype(np.float32)
        after = painted_eye(before, x32, y32, edge, 1 - shut, tone, light, dark, shine=shine, look=look)
    part[:] = np.clip(before + (after - before) * min(1.0, (shown - 0.12) / 0.1) + 0.5, 0, 255).astype(np.uint8)


def _brow(
    paint: skia.Canvas, canvas: Canvas, person: Person, side: str, sign: float, hair: Colour, scale: float
) -> None:
    middle, along, up, half = _axes(person, side)
    if _shown(canvas, person, middle, sign) < 0.15:
        return
    height = float((person.face[f"brow_{side}"] - middle) @ up) / half
    height = float(np.clip(height, 1.18, 1.75))
    curve = [(-1.02, height - 0.20), (-0.5, height + 0.05), (0.15, height + 0.08), (0.78, height + 0.0)]
    points = [
        canvas.at(middle + along * u * half + up * v * half - person.head[2] * 0.12 * u * u * (u < 0)) for u, v in curve
    ]
    ink = mix(hair, (0.16, 0.10, 0.12), 0.55)
    path = smooth_path(np.array(points, np.float64), closed=False)
    paint.drawPath(path, stroke(ink, max(1.0, 0.026 * scale)))
    tail = smooth_path(np.array(points[1:], np.float64), closed=False)
    paint.drawPath(tail, stroke(ink, max(1.2, 0.038 * scale)))


def _nose(paint: skia.Canvas, canvas: Canvas, person: Person, skin: Colour, scale: float) -> None:
    tip, out = person.face["nose"], person.head
    side = canvas.camera.ways(out[2])[0]
    s = 1.0 if side >= 0 else -1.0
    a, b, c = (
        canvas.at(tip + out[0] * s * x - out[1] * y - out[2] * 0.10)
        for x, y in ((0.03, -0.10), (0.09, 0.03), (-0.01, 0.10))
    )
    path = smooth_path(np.array([a, b, c], np.float64), closed=False)
    paint.drawPath(path, stroke(mix(skin, (0.42, 0.14, 0.14), 0.55), max(1.0, 0.020 * scale)))


def _blush(paint: skia.Canvas, canvas: Canvas, person: Person, skin: Colour, scale: float) -> None:
    pink = mix(skin, (0.96, 0.36, 0.36), 0.5)
    for side, sign in (("l", 1.0), ("r", -1.0)):
        at = person.face[f"cheek_{side}"] + person.head[1] * 0.06 - person.head[0] * sign * 0.04
        if _shown(canvas, person, at, sign) < 0.2:
            continue
        centre = canvas.at(at)
        wide, tall = (
            canvas.at(at + person.head[0] * 0.2 - person.head[2] * 0.1 * sign) - centre,
            canvas.at(at - person.head[1] * 0.10) - centre,
        )
        angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
        ring = centre + np.cos(angles)[:, None] * wide + np.sin(angles)[:, None] * tall
        paint.drawPath(smooth_path(ring.astype(np.float64)), fill(pink, 0.55, blur=max(0.8, 0.03 * scale)))


def _mouth(paint: skia.Canvas, canvas: Canvas, person: Person, skin: Colour, scale: float) -> None:
    f, out = person.face, person.head
    sight = canvas.camera.points(f["upper_lip"])
    if float(-(canvas.camera.ways(out[2]) @ sight) / np.linalg.norm(sight)) < -0.05:
        return
    line, lips = mix(skin, (0.25, 0.07, 0.09), 0.8), mix(skin, (0.80, 0.25, 0.28), 0.35)
    middle = (f["upper_lip"] + f["lower_lip"]) / 2
    left, right = (middle + (f[f"corner_{s}"] - middle) * 0.82 for s in "lr")
    lower = canvas.at(f["lip_bottom"] + out[1] * 0.03)
    tint = [canvas.at(f["lip_bottom"] + (p - middle) * 0.42 + out[1] * 0.06) for p in (left, right)]
    paint.drawPath(
        smooth_path(np.array([tint[0], lower, tint[1]], np.float64), closed=False),
        stroke(lips, max(1.2, 0.045 * scale), 0.7),
    )
    weight = max(1.3, 0.024 * scale)
    if person.gape < 0.09:
        path = smooth_path(np.array([canvas.at(p) for p in (left, middle, right)], np.float64), closed=False)
        paint.drawPath(path, stroke(line, weight))
        return
    corners = [canvas.at(p) for p in (left, f["upper_lip"], right, f["lower_lip"])]
    opening = smooth_path(np.array(corners, np.float64), tension=0.95)
    paint.drawPath(opening, fill((0.52, 0.15, 0.18)))
    paint.save()
    paint.clipPath(opening, True)
    if person.gape > 0.13:
        ends = [canvas.at(p + (f["upper_lip"] - middle) * 0.75) for p in (left, right)]
        band = [ends[0], canvas.at(f["upper_lip"] + out[1] * 0.1), ends[1], canvas.at(f["upper_lip"] - out[1] * 0.055)]
        paint.drawPath(smooth_path(np.array(band, np.float64)), fill((0.98, 0.97, 0.96)))
        tongue = canvas.at(f["lower_lip"] - out[1] * 0.02)
        r = 0.5 * float(np.linalg.norm(corners[0] - corners[2])) * 0.6
        paint.drawCircle(float(tongue[0]), float(tongue[1]) + 0.35 * r, r, fill((0.86, 0.42, 0.42)))
    paint.restore()
    paint.drawPath(opening, stroke(line, weight * 0.8))
