"""The face: as a camera sees it, small, soft and dark; and as it is drawn, with large eyes and clean lines."""

import numpy as np
import skia

from stylizer.training.data.characters.figure import Colour, Figure, mix
from stylizer.training.data.characters.shapes import ellipse, smooth_path
from stylizer.training.data.characters.sheet import Sheet, fill, stroke, toon
from stylizer.training.data.characters.skull import Skull, skin_shape


def _face_outline(figure: Figure, f: Skull) -> list[tuple[float, float]]:
    """The face with its jaw, moved to the side that the head looks to."""
    jaw, s, drop = figure.face.jaw, f.side, 0.35 * f.drop
    w = 0.94 - 0.16 * abs(s)
    shift = 0.20 * s
    left, right = w * (1 - 0.1 * max(0.0, s)), w * (1 + 0.1 * min(0.0, s))
    chin = 0.30 * s + shift
    return [
        (shift - left * 0.93, -0.35 + drop),
        (shift - left * 0.97, 0.1 + drop),
        (shift - left * (0.35 + 0.55 * jaw) + 0.12 * s, 0.58 + drop),
        (chin - 0.26 - 0.08 * jaw, 0.93 + drop * 0.5),
        (chin, 1.03 + drop * 0.5),
        (chin + 0.26 + 0.08 * jaw, 0.93 + drop * 0.5),
        (shift + right * (0.35 + 0.55 * jaw) + 0.12 * s, 0.58 + drop),
        (shift + right * 0.97, 0.1 + drop),
        (shift + right * 0.93, -0.35 + drop),
        (shift + right * 0.55, -0.82),
        (shift, -0.93),
        (shift - left * 0.55, -0.82),
    ]


def draw_face(sheet: Sheet, figure: Figure, f: Skull, rng: np.random.Generator) -> None:
    shapes = []
    for ear in (-1, 1):
        u = ear * 0.97 - 0.55 * f.side
        if f.front > -0.2 and abs(u) < 1.3 and figure.hair.style not in ("long", "bob"):
            shapes.append(
                skin_shape(
                    figure, ellipse(f.at(float(np.clip(u, -1.02, 1.02)), 0.08), f.rx * 0.14, f.ry * 0.2, f.roll), f
                )
            )
    face = skin_shape(figure, smooth_path(f.many(_face_outline(figure, f))), f, "face")
    shapes.append(face)
    if abs(f.side) > 0.5 and f.front > -0.3:  # the nose stands out of the profile
        s = np.sign(f.side)
        edge = 0.20 * f.side + s * 0.72
        tip = [
            (edge, -0.15 + f.drop),
            (edge + s * 0.34 * abs(f.side), 0.26 + f.drop),
            (edge, 0.38 + f.drop),
            (edge - s * 0.2, 0.1 + f.drop),
        ]
        shapes.append(skin_shape(figure, smooth_path(f.many(tip), tension=0.6), f, "face"))
    sheet.group(shapes, cast=0.25)
    for canvas in (sheet.photo, sheet.toon, sheet.lit):
        canvas.save()
        canvas.clipPath(face.path, True)
    _photo_face(sheet, figure, f, rng)
    _toon_face(sheet, figure, f)
    for canvas in (sheet.photo, sheet.toon, sheet.lit):
        canvas.restore()
    _glasses(sheet, figure, f)


def _beard_path(f: Skull) -> skia.Path:
    s = 0.2 * f.side
    points = [
        (s - 0.95, 0.12),
        (s - 0.62, 0.3),
        (s - 0.36, 0.42),
        (s, 0.36),
        (s + 0.36, 0.42),
        (s + 0.62, 0.3),
        (s + 0.95, 0.12),
        (s + 0.9, 0.8),
        (s * 2 + 0.3, 1.12),
        (s * 2 - 0.3, 1.12),
        (s - 0.9, 0.8),
    ]
    return smooth_path(f.many([(u, v + f.drop * 0.8) for u, v in points]))


EYE, EYE_AT, BROW_AT, NOSE_AT, MOUTH_AT = 25.0, 0.02, -0.24, 0.34, 0.60


def _photo_face(sheet: Sheet, figure: Figure, f: Skull, rng: np.random.Generator) -> None:
    """Sockets, eyes, brows, nose, lips, cheeks, beard, as a camera sees them: small, soft, dark."""
    c, skin, face = sheet.photo, figure.colours["skin"], figure.face
    dark, red = mix(skin, (0.1, 0.03, 0.03), 0.6), mix(skin, (0.65, 0.15, 0.15), rng.uniform(0.25, 0.6))
    r = f.ry
    if face.beard:
        c.drawPath(
            _beard_path(f), fill(mix(figure.colours["hair"], skin, 0.25), 0.25 + 0.6 * face.beard, blur=r * 0.05)
        )
    for eye in (-EYE, EYE):
        k = f.seen(eye)
        if k < 0.15:
            continue
        at = f.on_face(eye, EYE_AT)
        sheet.dim(ellipse(at, r * 0.22 * k, r * 0.12, f.roll), rng.uniform(0.15, 0.5), r * 0.07)
        tall = r * 0.062 * face.eye_open
        c.drawPath(ellipse(at, r * 0.135 * k, tall, f.roll), fill((0.82, 0.78, 0.76)))
        look = at + np.array([face.gaze[0] * r * 0.1 * k, face.gaze[1] * tall])
        c.drawPath(
            ellipse(look, r * 0.062 * k, min(r * 0.062, tall * 1.05)),
            fill(mix(figure.colours["eyes"], (0, 0, 0), 0.55)),
        )
        lid = smooth_path(
            [at + (-r * 0.15 * k, r * 0.01), at + (0, -tall), at + (r * 0.15 * k, r * 0.01)], closed=False
        )
        c.drawPath(lid, stroke(dark, r * 0.03))
        brow = f.on_face(eye, BROW_AT - 0.06 * face.brow)
        arc = smooth_path(
            [brow + (-r * 0.19 * k, r * 0.03), brow + (0, -r * 0.03), brow + (r * 0.19 * k, r * 0.03)], closed=False
        )
        c.drawPath(arc, stroke(mix(figure.colours["hair"], skin, 0.2), r * rng.uniform(0.045, 0.085), 0.8))
    nose = f.on_face(0, NOSE_AT)
    sheet.dim(
        ellipse(nose + (-sheet.light[0] * r * 0.1, 0), r * 0.09, r * 0.2, f.roll), rng.uniform(0.15, 0.4), r * 0.05
    )
    sheet.dim(ellipse(nose + (0, r * 0.06), r * 0.13, r * 0.035, f.roll), rng.uniform(0.3, 0.6), r * 0.025)
    for cheek in (-38, 38):
        c.drawPath(ellipse(f.on_face(cheek, 0.4), r * 0.2, r * 0.15), fill(red, rng.uniform(0.05, 0.3), blur=r * 0.08))
    _mouth(c, f, figure, lips=red, inside=(0.2, 0.05, 0.06), line=dark, width=0.24, weight=0.035 * r, photo=True)
    sheet.dim(ellipse(f.on_face(0, MOUTH_AT + 0.15), r * 0.16, r * 0.05), rng.uniform(0.1, 0.35), r * 0.04)


def _mouth(
    c: skia.Canvas,
    f: Skull,
    figure: Figure,
    *,
    lips: Colour,
    inside: Colour,
    line: Colour,
    width: float,
    weight: float,
    photo: bool,
) -> None:
    face, r = figure.face, f.ry
    at, w, gape = f.on_face(0, MOUTH_AT), width * f.ry * max(0.25, f.seen(0)), face.mouth_open * 0.16 * f.ry
    up = face.smile * 0.09 * r
    left, right = at + (-w, -up), at + (w, -up)
    if photo:
        c.drawPath(smooth_path([left, at + (0, -r * 0.05), right, at + (0, r * 0.07 + gape)]), fill(lips))
    if gape > 0.01 * r:
        opening = smooth_path(
            [left * 0.8 + at * 0.2, at + (0, -0.01 * r), right * 0.8 + at * 0.2, at + (0, gape + 0.03 * r)]
        )
        c.drawPath(opening, fill(inside))
        if gape > 0.05 * r:
            c.drawPath(ellipse(at + (0, 0.025 * r), w * 0.55, r * 0.022, f.roll), fill((0.95, 0.93, 0.9)))
        if not photo:
            c.drawPath(opening, stroke(line, weight))
    else:
        c.drawPath(smooth_path([left, at + (0, up * 0.4), right], closed=False), stroke(line, weight))


def _toon_face(sheet: Sheet, figure: Figure, f: Skull) -> None:
    """Large eyes with a heavy upper lid, iris in two tones and a light in it; little nose, clean mouth, a blush."""
    c, skin, face, r = sheet.toon, toon(figure.colours["skin"], "skin"), figure.face, f.ry
    ink: Colour = (0.17, 0.11, 0.16)
    if face.beard > 0.45:
        c.drawPath(_beard_path(f), fill(toon(figure.colours["hair"], "hair")))
    elif face.beard:
        c.drawPath(_beard_path(f), fill(mix(skin, toon(figure.colours["hair"], "hair"), 0.35)))
    for cheek in (-36, 36):
        if f.seen(cheek) > 0.3:
            blush = ellipse(f.on_face(cheek, 0.36), r * 0.15 * f.seen(cheek), r * 0.075, f.roll)
            c.drawPath(blush, fill(mix(skin, (0.95, 0.35, 0.35), 0.45)))
    for eye in (-EYE, EYE):
        if f.seen(eye) > 0.12:
            _toon_eye(sheet, figure, f, eye)
    nose = f.on_face(0, NOSE_AT)
    s = np.sign(f.side) if abs(f.side) > 0.15 else -np.sign(sheet.light[0]) or 1.0
    tick = smooth_path(
        [nose + (s * 0.015 * r, -0.05 * r), nose + (s * 0.06 * r, 0.02 * r), nose + (-s * 0.02 * r, 0.045 * r)],
        closed=False,
    )
    c.drawPath(tick, stroke(mix(skin, ink, 0.65), max(0.6, 0.03 * r)))
    _mouth(
        c, f, figure, lips=skin, inside=(0.62, 0.2, 0.24), line=ink, width=0.2, weight=max(0.8, 0.04 * r), photo=False
    )


def _toon_eye(sheet: Sheet, figure: Figure, f: Skull, eye: float) -> None:
    c, face, r, k = sheet.toon, figure.face, f.ry, f.seen(eye) ** 0.8
    ink: Colour = (0.13, 0.09, 0.14)
    at = f.on_face(eye, EYE_AT + 0.06)
    wide, tall = r * 0.215 * k, r * 0.235 * min(1.0, 0.25 + 0.75 * face.eye_open)
    sign = 1 if eye > 0 else -1
    if face.eye_open < 0.35:  # closed: one arc
        arc = smooth_path([at + (-wide, 0), at + (0, tall * 0.8), at + (wide, 0)], closed=False)
        c.drawPath(arc, stroke(ink, max(1.0, 0.075 * r)))
    else:
        white = smooth_path(
            [
                at + (-wide, -tall * 0.25),
                at + (-wide * 0.3, -tall),
                at + (wide * 0.55, -tall * 0.9),
                at + (wide, -tall * 0.1),
                at + (wide * 0.5, tall * 0.85),
                at + (-wide * 0.6, tall * 0.85),
            ]
        )
        c.drawPath(white, fill((0.99, 0.98, 0.98)))
        c.save()
        c.clipPath(white, True)
        look = at + np.array([face.gaze[0] * wide * 0.5, face.gaze[1] * tall * 0.4])
        iris = _vivid(figure.colours["eyes"])
        c.drawPath(ellipse(look, wide * 0.66, tall * 0.92), fill(mix(iris, (0.05, 0.03, 0.1), 0.55)))
        c.drawPath(ellipse(look + (0, tall * 0.3), wide * 0.56, tall * 0.6), fill(iris))
        c.drawPath(ellipse(look, wide * 0.3, tall * 0.45), fill((0.06, 0.04, 0.08)))
        c.drawPath(ellipse(look + (-wide * 0.22, -tall * 0.36), wide * 0.24, tall * 0.26), fill((1, 1, 1)))
        c.restore()
        lid = smooth_path(
            [
                at + (-wide * 1.05, -tall * 0.15),
                at + (-wide * 0.35, -tall),
                at + (wide * 0.5, -tall * 0.95),
                at + (wide * 1.08, -tall * 0.1 - sign * 0.05 * tall),
            ],
            closed=False,
        )
        c.drawPath(lid, stroke(ink, max(1.0, 0.085 * r)))
    brow = f.on_face(eye, BROW_AT - 0.05 - 0.06 * face.brow)
    arc = smooth_path([brow + (-wide, 0.03 * r), brow + (0, -0.03 * r), brow + (wide, 0.03 * r)], closed=False)
    c.drawPath(arc, stroke(mix(toon(figure.colours["hair"], "hair"), ink, 0.6), max(0.8, 0.05 * r)))


def _vivid(colour: Colour) -> Colour:
    return min(1.0, colour[0] * 1.25 + 0.1), min(1.0, colour[1] * 1.25 + 0.1), min(1.0, colour[2] * 1.25 + 0.12)


def _glasses(sheet: Sheet, figure: Figure, f: Skull) -> None:
    kind, r = figure.face.glasses, f.ry
    if kind == "none" or f.front < 0.1:
        return
    frame: Colour = (0.1, 0.09, 0.1)
    width = {"thin": 0.035, "thick": 0.07, "dark": 0.06}[kind] * r
    for eye in (-EYE, EYE):
        if f.seen(eye) < 0.15:
            continue
        at = f.on_face(eye, EYE_AT + 0.03)
        lens = ellipse(at, r * 0.25 * f.seen(eye), r * 0.2, f.roll)
        for canvas in (sheet.photo, sheet.toon):
            if kind == "dark":
                canvas.drawPath(lens, fill((0.08, 0.07, 0.1)))
            canvas.drawPath(lens, stroke(frame, max(width, 0.7)))
    bridge = smooth_path([f.on_face(-9, EYE_AT), f.on_face(9, EYE_AT)], closed=False)
    for canvas in (sheet.photo, sheet.toon):
        canvas.drawPath(bridge, stroke(frame, max(width, 0.7)))
