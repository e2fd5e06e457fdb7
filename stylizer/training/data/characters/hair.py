"""Hair behind and in front of the head, and what is worn on it."""

import numpy as np
import skia

from stylizer.training.data.characters.figure import Colour, Figure, mix
from stylizer.training.data.characters.shapes import bumpy, smooth_path
from stylizer.training.data.characters.sheet import Round, Shape, Sheet, fill, stroke, toon
from stylizer.training.data.characters.skull import Skull


def hair_shape(figure: Figure, path: skia.Path, f: Skull) -> Shape:
    colour = figure.colours["hair"]
    return Shape(path, colour, toon(colour, "hair"), "hair", Round(f.centre, f.centre, f.rx * 1.35))


def draw_hair_behind(sheet: Sheet, figure: Figure, f: Skull, rng: np.random.Generator) -> None:
    """What hangs behind head and shoulders; for a figure seen from behind it is painted last."""
    hair, reach = figure.hair, 0.0
    if hair.style == "long":
        reach = 1.6 + 2.4 * hair.length
    elif hair.style == "bob":
        reach = 0.75 + 0.5 * hair.length
    elif hair.style == "pony":
        _tail(sheet, figure, f)
        return
    if not reach:
        return
    w, back = 1.12 * hair.volume, -0.25 * f.side
    sway = rng.uniform(-0.15, 0.15)
    tips = [
        (back + sway + x * w * 1.1, reach * (1 + rng.uniform(-0.08, 0.05)))
        for x in (0.95, 0.5, 0.15, -0.2, -0.55, -0.95)
    ]
    outline = [(back - w, 0.3), (back - w, -0.4), (back * 0.5, -1.12), (back + w, -0.4), (back + w, 0.3), *tips]
    shape = hair_shape(figure, smooth_path(f.many(outline), tension=0.85), f)
    sheet.group([shape], cast=0.3)
    draw_strands(sheet, figure, f, shape.path, rng, (back - w, 0.0, back + w, reach))


def _tail(sheet: Sheet, figure: Figure, f: Skull) -> None:
    side = -f.side if abs(f.side) > 0.3 else (0.7 if figure.hair.parting > 0 else -0.7)
    length = 1.0 + 1.6 * figure.hair.length
    points = [
        (side * 0.8, -0.85),
        (side * 1.55, -0.55),
        (side * 1.6, length * 0.6),
        (side * 1.25, length),
        (side * 1.0, 0.2),
    ]
    sheet.group([hair_shape(figure, smooth_path(f.many(points)), f)])


def draw_strands(
    sheet: Sheet,
    figure: Figure,
    f: Skull,
    inside: skia.Path,
    rng: np.random.Generator,
    box: tuple[float, float, float, float],
) -> None:
    """Lighter and darker strands on the photo, a few lines in the drawing. `box` u0, v0, u1, v1."""
    base = figure.colours["hair"]
    for canvas in (sheet.photo, sheet.toon):
        canvas.save()
        canvas.clipPath(inside, True)
    for i in range(int(rng.integers(6, 16))):
        u = rng.uniform(box[0], box[2])
        bend = rng.normal(0, 0.12)
        strand = smooth_path(
            f.many([(u * 0.75, box[1]), (u + bend, (box[1] + box[3]) / 2), (u + bend / 2, box[3])]), closed=False
        )
        gain = rng.uniform(0.5, 1.9)
        colour = (min(1, base[0] * gain + 0.02), min(1, base[1] * gain + 0.02), min(1, base[2] * gain + 0.02))
        sheet.photo.drawPath(strand, stroke(colour, f.rx * rng.uniform(0.03, 0.14), 0.5))
        if i < 3:
            dark = toon(base, "hair")
            width = 0.7 * (sheet.ink or sheet.fold)
            sheet.toon.drawPath(strand, stroke((dark[0] * 0.62, dark[1] * 0.6, dark[2] * 0.68), width))
    for canvas in (sheet.photo, sheet.toon):
        canvas.restore()


def cap_path(figure: Figure, f: Skull, rng: np.random.Generator) -> skia.Path:
    style, volume = figure.hair.style, figure.hair.volume
    if style == "curly":
        r = 1.12 + 0.25 * figure.hair.length * volume
        return bumpy(
            f.at(-0.12 * f.side, -0.22),
            f.rx * r * 1.05,
            f.ry * r * 0.92,
            bumps=int(rng.integers(9, 16)),
            depth=0.07,
            rng=rng,
        )
    r = {"bald": 1.0, "crop": 1.04, "hat": 1.03, "beanie": 1.03}.get(style, 1.08 + 0.05 * volume)
    low = {"side": 0.35, "bob": 0.6, "long": 0.7, "messy": 0.3}.get(style, 0.12)
    back = -0.16 * f.side
    if f.front < -0.2:
        low = max(low, 0.55)
    points = [
        (back - 0.55 * r, low + 0.12),
        (back - 0.98 * r, low - 0.25),
        (back - 0.97 * r, -0.5),
        (back - 0.55 * r, -0.98 * r),
        (back, -1.08 * r),
        (back + 0.55 * r, -0.98 * r),
        (back + 0.97 * r, -0.5),
        (back + 0.98 * r, low - 0.25),
        (back + 0.55 * r, low + 0.12),
    ]
    if style in ("messy", "short"):
        wild = (0.16 if style == "messy" else 0.06) * volume
        spiky: list[tuple[float, float]] = []
        for a, b in zip(points, points[1:], strict=False):
            k = 1 + rng.uniform(0.2, 1.0) * wild
            spiky += [a, ((a[0] + b[0]) / 2 * k, (a[1] + b[1]) / 2 * k - 0.02)]
        points = [*spiky, points[-1]]
    return smooth_path(f.many(points), tension=0.7 if style == "messy" else 1.0)


def draw_fringe(sheet: Sheet, figure: Figure, f: Skull, rng: np.random.Generator) -> None:
    """Hair over the forehead, its light band in the drawing."""
    style, s, p = figure.hair.style, 0.2 * f.side, figure.hair.parting
    if style in ("bald", "hat", "beanie") or f.front < -0.35:
        return
    low = {"crop": -0.52, "curly": -0.42, "bun": -0.5, "pony": -0.42}.get(style, -0.36) + 0.5 * f.drop
    edge: list[tuple[float, float]]
    if style in ("crop", "bun", "curly"):
        edge = [
            (s + u, low - 0.12 * (1 - u * u) + 0.28 * u * u + rng.uniform(-0.03, 0.03))
            for u in (0.95, 0.6, 0.2, -0.2, -0.6, -0.95)
        ]
    else:
        edge = []
        for u in np.linspace(0.98, -0.98, 7):
            down = 0.45 * max(0.0, abs(u) - 0.55) + rng.uniform(0, 0.2)
            edge += [
                (s + float(u), low + down - 0.25 * float(np.exp(-((u - p) ** 2) / 0.03))),
                (s + float(u) - 0.14, low - 0.1 + down * 0.5),
            ]
    sides = 0.45 if style in ("long", "bob", "side") else -0.05
    outline = [
        (-1.05 - 0.1 * s, sides),
        (-1.06, -0.45),
        (-0.6, -1.0),
        (0, -1.13),
        (0.6, -1.0),
        (1.06, -0.45),
        (1.05 - 0.1 * s, sides),
        (0.9 + s * 0.3, sides * 0.5 - 0.1),
        *edge,
        (-0.9 + s * 0.3, sides * 0.5 - 0.1),
    ]
    path = smooth_path(f.many(outline), tension=0.55)
    shape = hair_shape(figure, path, f)
    sheet.group([shape], cast=0.3, ink=0.8)
    cap = smooth_path(f.many([(-1.0, -0.42), (-0.6, -0.95), (0, -1.1), (0.6, -0.95), (1.0, -0.42), (0, -0.5)]))
    fill_top = hair_shape(figure, cap, f)
    fill_top.path = cap
    sheet.group([fill_top], ink=0, cast=0)
    draw_strands(sheet, figure, f, path, rng, (-1.0, -1.0, 1.0, low + 0.3))
    _shine(sheet, figure, f, path)


def _shine(sheet: Sheet, figure: Figure, f: Skull, inside: skia.Path) -> None:
    light = toon(figure.colours["hair"], "hair")
    bright = mix(light, (1, 1, 1), 0.32)
    at = float(np.clip(sheet.light[0], -0.5, 0.5))
    band = [
        (at - 0.55, -0.62),
        (at - 0.3, -0.76),
        (at, -0.8),
        (at + 0.3, -0.76),
        (at + 0.55, -0.62),
        (at + 0.35, -0.64),
        (at + 0.2, -0.7),
        (at, -0.66),
        (at - 0.2, -0.71),
        (at - 0.35, -0.64),
    ]
    sheet.toon.save()
    sheet.toon.clipPath(inside, True)
    sheet.toon.drawPath(smooth_path(f.many(band), tension=0.4), fill(bright))
    sheet.toon.restore()


def draw_hat(sheet: Sheet, figure: Figure, f: Skull) -> None:
    colour = figure.colours["hat"]
    s, brim = 0.2 * f.side, -0.42 + 0.5 * f.drop
    dome = smooth_path(
        f.many(
            [
                (-1.08, brim),
                (-1.1, -0.75),
                (-0.6, -1.25),
                (0, -1.33),
                (0.6, -1.25),
                (1.1, -0.75),
                (1.08, brim),
                (0, brim + 0.1),
            ]
        )
    )
    shape = Shape(dome, colour, toon(colour), "hair", Round(f.centre, f.centre, f.rx * 1.35))
    shapes = [shape]
    if figure.hair.style == "hat" and f.front > -0.35:
        peak = smooth_path(
            f.many(
                [
                    (s * 2.5 - 0.85, brim),
                    (s * 3.5 - 0.6, brim + 0.2),
                    (s * 4.5, brim + 0.26),
                    (s * 3.5 + 0.6, brim + 0.2),
                    (s * 2.5 + 0.85, brim),
                ]
            )
        )
        darker: Colour = (colour[0] * 0.8, colour[1] * 0.8, colour[2] * 0.8)
        shapes.append(Shape(peak, darker, toon(darker), "hair", None))
    sheet.group(shapes, cast=0.45)
    if figure.hair.style == "beanie":
        fold = smooth_path(f.many([(-1.08, brim - 0.25), (0, brim - 0.14), (1.08, brim - 0.25)]), closed=False)
        sheet.line(fold, 0.8)
