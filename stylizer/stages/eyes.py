"""Eyes as a cartoonist draws them, over a drawn face, where the camera saw the person's own.

The generator keeps a near face's own features, in line and tone. So skin is laid over each eye and a larger one drawn
on it by formula, sharp at every size: white, iris, pupil, two lights, lashes. It narrows as the person's own does;
shut or turned away, the eye stays as the generator drew it. Units inside an eye: half its width; x from the outer to
the inner corner, y downwards.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stylizer.frame import PixelsU8
from stylizer.stages.box import Box
from stylizer.stages.mesh import Points

Grid = NDArray[np.float32]  # [h, w]
Colour = NDArray[np.float32]  # RGB, 0..255

# Points of the mesh (its own numbering), the picture's left eye first: outer and inner corner, upper and lower lid.
EYES = ((33, 133, 159, 145), (263, 362, 386, 374))
BELOW = ((111, 117, 118, 119, 50), (340, 346, 347, 348, 280))  # where each eye takes the skin's colour from
FACE_TOP, CHIN = 10, 152
LARGER = 1.3  # than the person's own
AS_DRAWN = 1.4  # the same over a face that a network for heads has drawn: what it drew is covered
SHUT, OPEN = 0.2, 0.38  # height of the lids' gap, share of the eye's width
TURNED_AWAY = 0.1  # an eye narrower than this share of the face's height is seen from the side: the drawing keeps it
LEAST_PX, CLEAR_PX = 8.0, 12.0  # half width up to which the drawing's own eye is better, and from which ours is
LEAST_HEAD_PX = 110  # a smaller head has hardly an eye of LEAST_PX
BLURRED_PX = (230, 300)  # a head between: up to the first a network for heads draws clearer eyes, from the second we do
INK: Colour = np.array([38, 26, 36], np.float32)
WHITE: Colour = np.array([250, 250, 252], np.float32)
IRISES = np.array(  # light and dark of each; a look takes one
    [
        [[176, 112, 58], [72, 36, 22]],
        [[104, 168, 226], [24, 54, 120]],
        [[116, 186, 120], [22, 78, 58]],
        [[176, 136, 220], [66, 34, 112]],
        [[232, 178, 82], [120, 62, 20]],
    ],
    np.float32,
)


class _Eye(NamedTuple):
    """centre: px. along: unit vector from the outer to the inner corner. half: half width, px. open: 0 shut .. 1.
    shown: 0..1, none of an eye that is shut or seen from the side. below: where its skin is, [n, 2] px."""

    centre: NDArray[np.float32]
    along: NDArray[np.float32]
    half: float
    open: float
    shown: float
    below: NDArray[np.float32]


class Eyes(NamedTuple):
    """What is to be drawn: the face's points in px of the frame, how far (0..1), the look, how much larger than one's
    own."""

    points: Points
    amount: float
    seed: int
    larger: float = LARGER

    def in_canvas(self, crop: Box, place: Box) -> "Eyes":
        """The same where the crop lies at `place`."""
        scale = place.width / crop.width
        moved = (self.points - np.array([crop.x0, crop.y0, 0])) * scale + np.array([place.x0, place.y0, 0])
        return self._replace(points=moved.astype(np.float32))

    def moved(self, x: float, y: float) -> "Eyes":
        return self._replace(points=self.points + np.array([x, y, 0], np.float32))


def needed(head_px: float, alone: bool) -> float:
    """0..1: how far eyes are to be drawn on a head of so many px in the picture. alone: a network for heads drew it."""
    if not alone:
        return float(head_px >= LEAST_HEAD_PX)
    least, most = BLURRED_PX
    return min(max((head_px - least) / (most - least), 0.0), 1.0)


def draw_eyes(drawn: PixelsU8, eyes: Eyes) -> None:
    """Into `drawn`, RGBA [h, w, 4], in place; eyes: in its pixels."""
    light, dark = IRISES[eyes.seed % len(IRISES)]
    for eye in _eyes(eyes.points, eyes.larger):
        reach = 1.7 * eye.half
        low = np.maximum(np.floor(eye.centre - reach), 0).astype(int)
        high = np.minimum(np.ceil(eye.centre + reach), (drawn.shape[1], drawn.shape[0])).astype(int)
        skin = _skin(drawn, eye.below)
        if skin is not None and (high > low).all():
            part = drawn[low[1] : high[1], low[0] : high[0], :3]
            part[:] = _painted(part, eye, low, eyes.amount * eye.shown, skin, light, dark)


def _eyes(points: Points, larger: float) -> list[_Eye]:
    flat = points[:, :2]
    face = float(np.hypot(*(flat[CHIN] - flat[FACE_TOP])))
    opened = [
        float(np.hypot(*(flat[up] - flat[low])) / max(np.hypot(*(flat[o] - flat[i])), 1)) for o, i, up, low in EYES
    ]
    open_ = float(np.clip((min(opened) - SHUT) / (OPEN - SHUT), 0, 1))  # seen from above, one of them seems open wide
    eyes = []
    for (outer, inner, *_), below in zip(EYES, BELOW, strict=True):
        span = flat[inner] - flat[outer]
        width = float(np.hypot(*span))
        half = larger * width / 2
        near = np.clip((half - LEAST_PX) / (CLEAR_PX - LEAST_PX), 0, 1)
        shown = float(near * np.clip((width / face - TURNED_AWAY) / 0.04, 0, 1) * np.clip(3 * open_, 0, 1))
        if shown:
            eyes.append(_Eye((flat[outer] + flat[inner]) / 2, span / width, half, open_, shown, flat[list(below)]))
    return eyes


def _skin(drawn: PixelsU8, at: NDArray[np.float32]) -> Colour | None:
    """The middle colour of the drawn skin at [n, 2] px; None when nothing of it is in the picture."""
    x, y = np.round(at).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < drawn.shape[1]) & (y < drawn.shape[0])
    seen = drawn[y[inside], x[inside]]
    seen = seen[seen[:, 3] > 127]
    if not len(seen):
        return None
    colour: Colour = np.median(seen[:, :3], axis=0).astype(np.float32)
    return colour


def _painted(
    part: PixelsU8, eye: _Eye, origin: NDArray[np.int_], amount: float, skin: Colour, light: Colour, dark: Colour
) -> PixelsU8:
    rows, columns = np.mgrid[: part.shape[0], : part.shape[1]].astype(np.float32)
    dx, dy = columns + origin[0] + 0.5 - eye.centre[0], rows + origin[1] + 0.5 - eye.centre[1]
    right = eye.along[0] >= 0  # the inner corner lies to the right: y then grows to the right hand of `along`
    x = (dx * eye.along[0] + dy * eye.along[1]) / eye.half
    y = (dy * eye.along[0] - dx * eye.along[1]) / eye.half * (1 if right else -1)
    before = part.astype(np.float32)
    paint = painted_eye(before, x, y, 1 / eye.half, eye.open, skin, light, dark, shine=-1 if right else 1)
    result: PixelsU8 = np.clip(before + (paint - before) * amount + 0.5, 0, 255).astype(np.uint8)
    return result


def painted_eye(
    before: Grid,
    x: Grid,
    y: Grid,
    edge: float,
    open_: float,
    skin: Colour,
    light: Colour,
    dark: Colour,
    *,
    shine: int,
    look: tuple[float, float] = (0.0, 0.0),
) -> Grid:
    """before [h, w, 3] 0..255 with an eye over it. x, y [h, w]: where each pixel lies in the eye; edge: a pixel's size
    there. open_ 0 shut .. 1. shine -1 or 1: towards which side of x the light comes. look: where the iris is moved."""

    def within(distance: NDArray[Any]) -> Grid:
        """1 inside (positive distance), 0 outside, a pixel's ramp between."""
        return np.asarray(np.clip(distance / edge + 0.5, 0, 1), np.float32)

    k = 0.55 + 0.45 * open_
    arch = 1 - np.minimum(np.abs(x), 1) ** 2.2
    upper = -k * 0.64 * arch + 0.1 * x
    lower = k * 0.48 * (1 - np.minimum(np.abs(x), 1) ** 2.6) + 0.04 * x
    white = within(np.minimum(y - upper, lower - y)) * within(0.94 - np.abs(x))
    u, v = x - look[0], y - look[1]  # from the iris's middle
    iris = np.hypot(u / 0.56, (v + 0.06) / 0.66)
    lights = np.maximum(
        within(0.16 - np.hypot(u - shine * 0.22, (v + 0.24) / 1.2)),
        within(0.08 - np.hypot(u + shine * 0.22, v - 0.2)) * 0.8,
    )
    fall = np.clip((v + 0.55) / 0.9, 0, 1)[..., None]
    rim = np.clip((iris - 0.72) / 0.2, 0, 1)[..., None]
    iris_colour = (dark * (1 - fall) + light * fall) * (1 - 0.55 * rim)
    thick = np.clip(0.16 - 0.11 * x, 0.04, 0.3) * np.clip((1.1 - np.abs(x)) / 0.35, 0, 1) ** 0.7
    lash = within(thick - np.abs(y - upper + 0.4 * thick)) * (thick > 0)
    under = within(0.045 - np.abs(y - lower)) * np.clip(-x * 1.6 + 0.35, 0, 1) * within(0.9 - np.abs(x))
    crease = within(0.03 - np.abs(y - upper + 0.34)) * np.clip(2.2 - 3 * np.abs(x), 0, 1) * 0.55
    cover = np.clip((1.0 - np.hypot(x / 1.35, (y - 0.05) / 1.12)) / 0.25, 0, 1)
    shade = (0.8 + 0.2 * np.clip((y - upper) / 0.35, 0, 1))[..., None]
    layers: Sequence[tuple[Grid, Colour | NDArray[np.float32]]] = (
        (cover, skin),
        (crease, INK),
        (white, (0.82 * WHITE + 0.18 * skin) * shade),
        (within((1 - iris) * 0.5) * white, iris_colour),
        (within((1 - np.hypot(u / 0.27, (v + 0.06) / 0.36)) * 0.27) * white, dark * 0.4),
        (lights * white, WHITE),
        (np.maximum(lash, under), INK),
    )
    paint = before
    for mask, colour in layers:
        paint = paint + (colour - paint) * mask[..., None]
    return paint
