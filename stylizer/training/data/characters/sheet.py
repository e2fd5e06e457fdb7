"""Four pictures painted at once: the photo's plain colours, its light, the drawing, and each pixel's part."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import skia
from numpy.typing import NDArray

from stylizer.training.data.characters.figure import Colour
from stylizer.training.data.characters.shapes import Points

LABELS = ("none", "skin", "hair", "top", "bottom", "shoes", "object", "face")
Label = Literal["none", "skin", "hair", "top", "bottom", "shoes", "object", "face"]


@dataclass(frozen=True, slots=True)
class Round:
    """How a shape takes the light: as a cylinder from a to b, or, when they are one point, as a ball. In pixels."""

    a: Points
    b: Points
    radius: float


@dataclass(slots=True)
class Shape:
    path: skia.Path
    photo: Colour
    toon: Colour
    label: Label
    form: Round | None = None
    print: Sequence[tuple[skia.Path, Colour, Colour]] = ()  # patterns, clipped to the shape: path, photo, drawing


class Sheet:
    """size: side in pixels. light: unit vector. ink: width of drawn outlines, fold: of the photo's folds, in pixels."""

    def __init__(self, size: int, light: tuple[float, float, float], ink: float, fold: float) -> None:
        self.size, self.light, self.ink, self.fold = size, np.array(light), ink, fold
        self._pixels = {name: np.zeros((size, size, 4), np.uint8) for name in ("photo", "lit", "toon", "label")}
        surfaces = {name: skia.Surface(pixels) for name, pixels in self._pixels.items()}
        self._surfaces = surfaces  # a canvas does not keep its own alive
        self.photo, self.lit = surfaces["photo"].getCanvas(), surfaces["lit"].getCanvas()
        self.toon, self.label = surfaces["toon"].getCanvas(), surfaces["label"].getCanvas()

    def pixels(self, name: str) -> NDArray[np.uint8]:
        """uint8 [size, size, 4], straight RGBA."""
        return self._pixels[name]

    def group(
        self, shapes: Sequence[Shape], *, ink: float = 1.0, root: tuple[Points, float] | None = None, cast: float = 0.35
    ) -> None:
        """Shapes with one outline around them all, but for a gap at `root` (centre, radius): there it grows on."""
        if cast:
            for shape in shapes:
                self._cast(shape.path, cast)
        if ink * self.ink:  # skia draws a line of width 0 a pixel wide
            self.toon.save()
            if root is not None:
                hole = skia.Path().addCircle(float(root[0][0]), float(root[0][1]), float(root[1]))
                self.toon.clipPath(hole, skia.ClipOp.kDifference, True)
            for shape in shapes:
                self.toon.drawPath(shape.path, stroke(ink_of(shape.toon), 2 * ink * self.ink))
            self.toon.restore()
        for shape in shapes:
            self._fill(shape)

    def _fill(self, shape: Shape) -> None:
        self.photo.drawPath(shape.path, fill(shape.photo))
        self.toon.drawPath(shape.path, fill(shape.toon))
        self.lit.drawPath(shape.path, self._light_paint(shape.form))
        index = LABELS.index(shape.label) * 16
        self.label.drawPath(shape.path, skia.Paint(Color=skia.Color(index, index, index), AntiAlias=False))
        if shape.print:
            for canvas, which in ((self.photo, 1), (self.toon, 2)):
                canvas.save()
                canvas.clipPath(shape.path, True)
                for row in shape.print:
                    canvas.drawPath(row[0], fill(row[which]))
                canvas.restore()

    def _cast(self, path: skia.Path, strength: float) -> None:
        """The soft shadow that a shape throws on what is already painted, away from the light."""
        far = self.size * 0.012
        paint = skia.Paint(
            Color=skia.ColorSetARGB(int(255 * strength), 0, 0, 0),
            MaskFilter=skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, far * 0.8),
            BlendMode=skia.BlendMode.kSrcATop,
        )
        self.lit.save()
        self.lit.translate(float(-self.light[0] * far * 1.5), float(abs(self.light[1]) * far * 1.5))
        self.lit.drawPath(path, paint)
        self.lit.restore()

    def _light_paint(self, form: Round | None) -> skia.Paint:
        paint = skia.Paint(AntiAlias=True)
        if form is None:
            level = int(255 * max(0.0, float(self.light[2])))
            paint.setColor(skia.Color(level, level, level))
            return paint
        axis = form.b - form.a
        length = float(np.hypot(*axis))
        if length < 1e-3:
            paint.setShader(self._ball(form))
        else:
            paint.setShader(self._cylinder(form, axis / length))
        return paint

    def _cylinder(self, form: Round, along: Points) -> skia.Shader:
        across = np.array([-along[1], along[0]])
        t = np.linspace(-1, 1, 7)
        level = t * float(across @ self.light[:2]) + np.sqrt(1 - t * t) * float(self.light[2])
        middle = (form.a + form.b) / 2
        ends = [
            skia.Point(*(middle - across * form.radius).tolist()),
            skia.Point(*(middle + across * form.radius).tolist()),
        ]
        return skia.GradientShader.MakeLinear(points=ends, colors=_greys(level), positions=((t + 1) / 2).tolist())

    def _ball(self, form: Round) -> skia.Shader:
        flat = self.light[:2]
        reach = 1 + float(np.hypot(*flat))
        centre = form.a + flat * form.radius
        t = np.linspace(0, 1, 6)
        level = 1 - (t * reach) ** 2 / 2
        return skia.GradientShader.MakeRadial(
            center=skia.Point(*centre.tolist()), radius=reach * form.radius, colors=_greys(level), positions=t.tolist()
        )

    def line(
        self, path: skia.Path, width: float = 0.7, *, colour: Colour = (0.2, 0.15, 0.22), fold: float = 0.3
    ) -> None:
        """A line of ink; on the photo's side a soft dark fold of that strength."""
        if self.ink:
            self.toon.drawPath(path, stroke(colour, width * self.ink))
        if fold:
            soft = stroke((0, 0, 0), 2.2 * width * self.fold)
            soft.setAlphaf(fold)
            soft.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, self.fold))
            soft.setBlendMode(skia.BlendMode.kSrcATop)
            self.lit.drawPath(path, soft)

    def dim(self, path: skia.Path, strength: float, blur: float) -> None:
        """Less light within `path`, softly."""
        paint = skia.Paint(
            Color=skia.ColorSetARGB(int(255 * strength), 0, 0, 0), AntiAlias=True, BlendMode=skia.BlendMode.kSrcATop
        )
        paint.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, max(0.3, blur)))
        self.lit.drawPath(path, paint)


def _greys(levels: NDArray[np.float64]) -> list[int]:
    return [int(skia.Color(v, v, v)) for v in (np.clip(levels, 0, 1) * 255).astype(int).tolist()]


def _argb(colour: Colour, alpha: float = 1.0) -> int:
    r, g, b = (int(255 * min(1.0, max(0.0, c)) + 0.5) for c in colour)
    return int(skia.ColorSetARGB(int(255 * alpha), r, g, b))


def fill(colour: Colour, alpha: float = 1.0, *, blur: float = 0.0) -> skia.Paint:
    paint = skia.Paint(Color=_argb(colour, alpha), AntiAlias=True)
    if blur:
        paint.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, blur))
    return paint


def stroke(colour: Colour, width: float, alpha: float = 1.0) -> skia.Paint:
    return skia.Paint(
        Color=_argb(colour, alpha), AntiAlias=True, Style=skia.Paint.kStroke_Style, StrokeWidth=width,
        StrokeCap=skia.Paint.kRound_Cap, StrokeJoin=skia.Paint.kRound_Join,
    )  # fmt: skip


def ink_of(colour: Colour) -> Colour:
    """Ink is dark, with a breath of what it surrounds."""
    return 0.13 + 0.16 * colour[0], 0.09 + 0.13 * colour[1], 0.15 + 0.15 * colour[2]


def toon(colour: Colour, kind: str = "cloth") -> Colour:
    """A photo's colour as the drawing has it: cleaner, never as dark as the ink; a fixed rule."""
    r, g, b = colour
    v, low = max(colour), min(colour)
    s = (v - low) / v if v > 0 else 0.0
    if kind == "skin":
        lift, sat = 0.30 + 0.72 * v, 0.88
    elif kind == "hair":
        lift, sat = 0.16 + 0.86 * v, 1.1
    else:
        lift, sat = 0.22 + 0.78 * v**0.9, 1.12 + 0.15 * (s > 0.25)
    lift = min(1.0, lift)
    s2 = min(0.92, s * sat)
    scale = 0.0 if v == low else s2 * lift / (v - low)
    return tuple(lift - (v - c) * scale for c in (r, g, b))  # type: ignore[return-value]
