"""One pair: the same figure as a camera and a matting network give it, and as it is drawn."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from stylizer.training.data.characters.body import draw_figure
from stylizer.training.data.characters.camera import light_up, taken
from stylizer.training.data.characters.figure import Figure, random_figure
from stylizer.training.data.characters.hand import hand_named
from stylizer.training.data.characters.painter import View
from stylizer.training.data.characters.sheet import Sheet
from stylizer.training.data.characters.skeleton import Skeleton, pose

SIZE = 256
PixelsU8 = NDArray[np.uint8]  # not frame.py's: with torch, which it imports, each process that draws starts 1.5 s later


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """photo [S, S, 4]: straight RGB as a matting network returns it, and its matte. drawing [S, S, 4]: straight.

    labels [S, S]: which part (sheet.LABELS). All uint8.
    """

    photo: PixelsU8
    drawing: PixelsU8
    labels: PixelsU8


def _extent(s: Skeleton, head: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    joints = np.array([*s.wrists, *s.hands, *s.ankles, *s.toes, *s.elbows, *s.knees, s.head - (0, head, 0)])[:, :2]
    return joints.min(0), joints.max(0)


def frame_figure(figure: Figure, skeleton: Skeleton, rng: Generator, size: int = SIZE) -> View:
    """A square crop as the live one: mostly the whole figure, its head 8 % below the edge; else half, or a bust."""
    low, high = _extent(skeleton, figure.build.head)
    top = float(skeleton.head[1]) - figure.build.head * 1.15
    kind = rng.random()
    if kind < 0.6:
        tall = float(high[1]) + 0.03 - min(top, float(low[1]) if rng.random() < 0.5 else top)
        side = tall * rng.uniform(1.06, 1.35)
        centre = (float(low[0]) + float(high[0])) / 2 * rng.uniform(0, 1) + rng.normal(0, 0.03)
    elif kind < 0.78:
        side = rng.uniform(0.45, 0.8)
        centre = float(skeleton.chest[0]) + rng.normal(0, 0.03)
    else:
        side = rng.uniform(0.2, 0.42)
        centre = float(skeleton.head[0]) + rng.normal(0, 0.02)
    unit = size / side
    above = rng.uniform(0.04, 0.13)
    return View(unit, np.array([size / 2 - centre * unit, above * size - top * unit]))


def draw_sheet(figure: Figure, skeleton: Skeleton, view: View, size: int = SIZE, ink: float = 1.0) -> Sheet:
    line = float(np.clip(0.0036 * view.unit, 0.75, 1.5)) * size / SIZE
    sheet = Sheet(size, figure.light.direction, ink * line, line)
    draw_figure(sheet, figure, skeleton, view)
    return sheet


def continued(pixels: PixelsU8) -> NDArray[np.float32]:
    """Straight RGBA -> colours continued outwards a little, so that a soft matte finds no black."""
    alpha = pixels[..., 3:].astype(np.float32) / 255
    rgb = pixels[..., :3].astype(np.float32) / 255 * alpha
    spread_rgb, spread_a = cv2.GaussianBlur(rgb, (0, 0), 2.5), cv2.GaussianBlur(alpha, (0, 0), 2.5)[..., None]
    around = spread_rgb / np.maximum(spread_a, 1e-3)
    return np.asarray(rgb + around * (1 - alpha), np.float32)


def take_photo(figure: Figure, sheet: Sheet, labels: PixelsU8, rng: Generator) -> PixelsU8:
    photo = sheet.pixels("photo")
    alpha = np.asarray(photo[..., 3], np.float32) / np.float32(255)
    lit = cv2.GaussianBlur(sheet.pixels("lit")[..., 0].astype(np.float32) / 255, (0, 0), 0.004 * sheet.size)
    return taken(light_up(continued(photo), lit, labels, figure.light.ambient, rng), alpha, rng)


def draw_pair(seed: int, size: int = SIZE, hand: str = "anime") -> Pair:
    """The pair of that seed: the same one on every machine; each hand draws the same photo. See hand.HANDS."""
    drawn_by = hand_named(hand)
    rng = np.random.default_rng(seed)
    figure = random_figure(rng)
    skeleton = pose(figure.build, figure.angles)
    view = frame_figure(figure, skeleton, rng, size)
    sheet = draw_sheet(figure, skeleton, view, size, drawn_by.ink)
    labels = sheet.pixels("label")[..., 0] // 16
    drawing = drawn_by.finish(sheet.pixels("toon"), sheet.pixels("lit")[..., 0], labels)
    photo = take_photo(figure, sheet, labels, rng)
    if view.unit > 320 * size / SIZE and rng.random() < 0.35:  # the picture's lower edge cuts the figure
        cut = int(size * rng.uniform(0.6, 0.98))
        photo[cut:, :, 3], drawing[cut:], labels[cut:] = 0, 0, 0
    return Pair(photo, drawing, labels)
