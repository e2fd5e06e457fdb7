"""Puts the drawing before a background: a plain colour, a picture, the blurred room, or the room itself.

The person behind the drawing is hidden first: what the matte covers, a little enlarged, is filled from its
surroundings. So no background shows the camera's picture of them, and with nobody in view the room is only shown
blurred.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from typing import NamedTuple, Self

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stylizer.controls import Value
from stylizer.frame import PixelsU8, check_pixels, u8_from_unit
from stylizer.stages.box import Box, around, shared
from stylizer.stages.closeup import Closeup, lay_over
from stylizer.stages.crisp import enlarged
from stylizer.stages.crop import cut_u8, paste_region, uncut
from stylizer.stages.eyes import Eyes, draw_eyes
from stylizer.stages.fill import continued
from stylizer.stages.medium import Medium, carry_out
from stylizer.stages.medium.paint import Paper

FIGURE_PX = 512
REDUCTION = 8  # the room is filled in and blurred at an eighth of its size
HIDE = 0.03  # the matte grows by this share of the crop before what it covers is replaced
SURROUNDINGS = 0.05  # as wide is the band around that from which the filling takes its colours
STRIP = 32  # rows that are blended at once
SEEN = 5  # opacity, of 255, from which on a pixel may show something of the person
HILLS = (  # height of the crest, its swing, waves, colour
    (0.6, 0.05, 9, (150, 150, 178)),
    (0.7, 0.06, 6, (104, 124, 150)),
    (0.83, 0.05, 4, (66, 92, 108)),
)
BLUR = 0.02  # standard deviation of the room's blur, share of the picture's longer side


@dataclass(frozen=True, eq=False, slots=True)
class Backdrop:
    """What stands behind the drawing. kind: plain | picture | blur | room. colour: RGB u8.

    picture: uint8 [H, W, 3], fitted so that it covers the frame; without one, "picture" is a painted landscape.
    """

    kind: str
    colour: tuple[int, int, int] = (232, 228, 220)
    picture: PixelsU8 | None = None

    @classmethod
    def of(cls, controls: Mapping[str, Value], picture: PixelsU8 | None = None) -> Self:
        return cls(str(controls["background"]), rgb(str(controls["background_colour"])), picture)


class _Canvas(NamedTuple):
    """What is shown, before anything is drawn. room: its camera picture. place: the crop's box in it, if any. frame:
    the camera's own pixels; nothing is drawn beyond them, where the crop went on with the frame's edge."""

    room: PixelsU8
    place: Box | None
    frame: Box


def compose(
    pixels: PixelsU8,
    box: Box | None,
    picture: Tensor | None,
    alpha: Tensor | None,
    backdrop: Backdrop,
    controls: Mapping[str, Value],
    matte: Tensor | None = None,
    closeup: Closeup | None = None,
    eyes: Eyes | None = None,
    medium: Medium | None = None,
) -> PixelsU8:
    """The finished picture: uint8, [512, 512, 3] for framing "figure" or as large as the frame for "scene".

    pixels: the frame, uint8 [H, W, 3]. box: the crop's box in it; None, like picture and alpha, with nobody in view.
    picture: the drawing [1, 3, h, w] unit, straight. alpha: its opacity [1, 1, h, w]. matte: the person's own opacity,
    where the drawing has another outline. closeup: the head's own drawing, laid over the first. eyes: to be
    drawn over that, in px of the frame. medium: what all of it is carried out in, as far as `style_strength` goes.
    """
    check_pixels("frame", pixels)
    canvas = _figure(pixels, box) if controls["framing"] == "figure" else _scene(pixels, box)
    if picture is None or alpha is None or canvas.place is None:
        return _background(backdrop, canvas._replace(place=None), None)
    rgba = u8_from_unit(torch.cat([picture, alpha], dim=1))
    person = rgba[..., 3] if matte is None else np.maximum(rgba[..., 3], u8_from_unit(matte)[..., 0])
    result = _background(backdrop, canvas, person)
    near = None
    if closeup is not None and box is not None:
        near = u8_from_unit(torch.cat([closeup.picture, closeup.alpha], dim=1)), closeup.in_canvas(box, canvas.place)
    if eyes is not None and box is not None:
        eyes = eyes.in_canvas(box, canvas.place)
    carry = None if medium is None else partial(carry_out, medium=medium, amount=float(controls["style_strength"]))
    _draw(result, rgba, canvas, near, eyes, carry)
    return result


def canvas_scale(controls: Mapping[str, Value], box: Box) -> float:
    """Pixels of the finished picture for one of the frame."""
    return FIGURE_PX / box.width if controls["framing"] == "figure" else 1.0


def neutral(frame_size: tuple[int, int], controls: Mapping[str, Value]) -> PixelsU8:
    """A plain card of the size that `compose` gives, for when there is nothing to show."""
    size = (FIGURE_PX, FIGURE_PX) if controls["framing"] == "figure" else frame_size
    return _plain(rgb(str(controls["background_colour"])), size)


def rgb(colour: str) -> tuple[int, int, int]:
    """'#rrggbb' -> (r, g, b), 0..255."""
    r, g, b = bytes.fromhex(colour.removeprefix("#"))
    return r, g, b


def lay(base: PixelsU8, rgba: PixelsU8) -> None:
    """A picture with its opacity [h, w, 4] over `base` [h, w, 3], in place; at most 1 level from the exact result.

    A strip at a time: intermediate results of a few dozen kB stay in the cache, where those of a whole picture are
    fetched anew from the system for each frame: 0.8 instead of 6.7 ms for 700x700 px.
    """
    for top in range(0, base.shape[0], STRIP):
        part, drawn = base[top : top + STRIP], rgba[top : top + STRIP]
        opacity = cv2.cvtColor(cv2.extractChannel(drawn, 3), cv2.COLOR_GRAY2RGB)
        colour = cv2.cvtColor(drawn, cv2.COLOR_RGBA2RGB)
        back = cv2.multiply(part, cv2.bitwise_not(opacity), scale=1 / 255)
        part[:] = cv2.add(cv2.multiply(colour, opacity, scale=1 / 255), back)


def lay_ref(base: PixelsU8, rgba: PixelsU8) -> NDArray[np.float64]:
    """The same, exactly: [h, w, 3] 0..255."""
    share = rgba[..., 3:] / 255
    return base * (1 - share) + rgba[..., :3] * share


def _figure(pixels: PixelsU8, box: Box | None) -> _Canvas:
    """The crop at FIGURE_PX; with nobody in view the middle of the frame."""
    if box is None:
        height, width = pixels.shape[:2]
        side = min(height, width)
        middle = Box((width - side) / 2, (height - side) / 2, (width + side) / 2, (height + side) / 2)
        return _Canvas(cut_u8(pixels, middle, FIGURE_PX), None, Box(0, 0, FIGURE_PX, FIGURE_PX))
    scale = FIGURE_PX / box.width
    frame = Box(0, 0, pixels.shape[1], pixels.shape[0]).moved(-box.x0, -box.y0).scaled(scale, scale)
    return _Canvas(cut_u8(pixels, box, FIGURE_PX), Box(0, 0, FIGURE_PX, FIGURE_PX), frame)


def _scene(pixels: PixelsU8, box: Box | None) -> _Canvas:
    return _Canvas(pixels, box, Box(0, 0, pixels.shape[1], pixels.shape[0]))


def _background(backdrop: Backdrop, canvas: _Canvas, person: NDArray[np.uint8] | None) -> PixelsU8:
    """A new array, as large as the room. person: opacity [h, w] 0..255 of the person in the crop."""
    size = canvas.room.shape[1], canvas.room.shape[0]
    if backdrop.kind == "plain":
        return _plain(backdrop.colour, size)
    if backdrop.kind == "picture":
        return (_landscape_for(size) if backdrop.picture is None else covering(backdrop.picture, size)).copy()
    hidden = None if person is None else _grown(person)
    if backdrop.kind == "room" and canvas.place is not None and hidden is not None:
        return _emptied(canvas.room, canvas.place, hidden)
    return _blurred(canvas, hidden)


def _draw(
    base: PixelsU8,
    rgba: PixelsU8,
    canvas: _Canvas,
    near: tuple[PixelsU8, Box] | None,
    eyes: Eyes | None,
    carry: Callable[[PixelsU8, Paper], None] | None,
) -> None:
    """The drawing [h, w, 4] into its place, in `base` itself; only the part that is not transparent costs time.

    near: the head's drawing [h, w, 4] and its box in `base`. eyes: in its pixels. carry: see medium.carry_out.
    """
    assert canvas.place is not None
    part, inner = _occupied(np.ascontiguousarray(rgba[..., 3]), canvas.place)
    reach = shared(inner if near is None else around(inner, near[1]), canvas.frame)
    region = paste_region(reach, (base.shape[1], base.shape[0]))
    if base[region].size:
        drawn = enlarged(np.ascontiguousarray(rgba[part]), inner, region)
        if near is not None:
            lay_over(drawn, near[0], near[1].moved(-region[1].start, -region[0].start))
        if eyes is not None:
            draw_eyes(drawn, eyes.moved(-region[1].start, -region[0].start))
        if carry is not None:
            carry(drawn, Paper(region, base.shape[:2]))
        lay(base[region], drawn)


def _occupied(opacity: NDArray[np.uint8], place: Box, air: int = 4) -> tuple[tuple[slice, slice], Box]:
    """(rows, columns) of `opacity` [h, w] that hold all of it that is not 0, `air` pixels around; and their box in the
    canvas where the whole lies at `place`. Specks, such as generators leave in corners, do not count."""
    height, width = opacity.shape
    x, y, w, h = cv2.boundingRect(cv2.erode(opacity, np.ones((3, 3), np.uint8)))
    x0, y0, x1, y1 = max(x - air, 0), max(y - air, 0), min(x + w + air, width), min(y + h + air, height)
    box = Box(x0, y0, x1, y1).scaled(place.width / width, place.height / height).moved(place.x0, place.y0)
    return (slice(y0, y1), slice(x0, x1)), box


def _grown(person: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """255 wherever anything of the person may show, and around it; 0 elsewhere."""
    reach = max(1, round(HIDE * person.shape[0]))
    seen = cv2.threshold(person, SEEN - 1, 255, cv2.THRESH_BINARY)[1]
    result: NDArray[np.uint8] = cv2.dilate(seen, np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    return result


def _filled(room: PixelsU8, place: Box, hidden: NDArray[np.uint8]) -> tuple[PixelsU8, NDArray[np.uint8]]:
    """The reduced room without the person, and where they were: uint8 [h, w, 3], [h, w] 0 or 255."""
    small = _reduced(room)
    height, width = small.shape[:2]
    scaled = place.scaled(width / room.shape[1], height / room.shape[0])
    mask = uncut(hidden, scaled, (slice(0, height), slice(0, width)), border=0)
    mask = cv2.threshold(mask, 0, 255, cv2.THRESH_BINARY)[1]
    return continued(small, mask == 0), mask


def _blurred(canvas: _Canvas, hidden: NDArray[np.uint8] | None) -> PixelsU8:
    room = canvas.room
    if canvas.place is None or hidden is None:
        small = _reduced(room)
    else:
        small, _ = _filled(room, canvas.place, hidden)
    return _enlarged(cv2.GaussianBlur(small, (0, 0), max(BLUR * max(small.shape), 0.5)), room)


def _emptied(room: PixelsU8, place: Box, hidden: NDArray[np.uint8]) -> PixelsU8:
    """The room with the person replaced by a continuation of what surrounds them."""
    result = room.copy()
    _, wide = _occupied(hidden, place, air=round(SURROUNDINGS * hidden.shape[0]))
    region = paste_region(wide, (room.shape[1], room.shape[0]))
    part = room[region]
    if part.size:
        small, mask = _filled(part, place.moved(-region[1].start, -region[0].start), hidden)
        lay(result[region], _enlarged(cv2.merge([small, mask]), part))
    return result


def _reduced(pixels: PixelsU8) -> PixelsU8:
    size = -(-pixels.shape[1] // REDUCTION), -(-pixels.shape[0] // REDUCTION)
    result: PixelsU8 = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return result


def _enlarged(small: PixelsU8, like: PixelsU8) -> PixelsU8:
    result: PixelsU8 = cv2.resize(small, (like.shape[1], like.shape[0]), interpolation=cv2.INTER_LINEAR)
    return result


def covering(picture: PixelsU8, size: tuple[int, int]) -> PixelsU8:
    """The middle of `picture`, scaled so that it just covers (width, height)."""
    check_pixels("background picture", picture)
    height, width = picture.shape[:2]
    scale = max(size[0] / width, size[1] / height)
    w, h = min(width, max(1, round(size[0] / scale))), min(height, max(1, round(size[1] / scale)))
    x, y = (width - w) // 2, (height - h) // 2
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    result: PixelsU8 = cv2.resize(picture[y : y + h, x : x + w], size, interpolation=method)
    return result


def _plain(colour: tuple[int, int, int], size: tuple[int, int]) -> PixelsU8:
    """A row repeated: half the time of np.full with a colour, and nothing to keep."""
    width, height = size
    row = np.tile(np.array(colour, np.uint8), width)
    return np.broadcast_to(row, (height, 3 * width)).copy().reshape(height, width, 3)


@lru_cache(maxsize=4)
def _landscape_for(size: tuple[int, int]) -> PixelsU8:
    return covering(_landscape(), size)


@cache
def _landscape() -> PixelsU8:
    """A painted evening, 1280x720: sky, sun, three rows of hills."""
    width, height = 1280, 720
    y, x = np.mgrid[:height, :width].astype(np.float32)
    scene = np.array([250, 196, 150]) + y[..., None] / height * np.array([-10, 20, 60])
    scene[(x - 0.72 * width) ** 2 + (y - 0.36 * height) ** 2 < (0.13 * height) ** 2] = (255, 240, 200)
    for crest, swing, waves, colour in HILLS:
        scene[y / height > crest + swing * np.sin(waves * (x / width + 1))] = colour
    painted: PixelsU8 = scene.clip(0, 255).astype(np.uint8)
    return painted
