"""A drawn film for machines without a camera: a figure, painted as a camera would see it, waves and dances in a room.

Everything moves in whole periods, so the film loops without a seam. `python -m stylizer.training.data.clip OUT.mp4`
"""

import sys
from fractions import Fraction
from math import cos, pi, sin
from pathlib import Path

import av
import cv2
import numpy as np
import skia
from numpy.typing import NDArray

from stylizer.training.data.characters.camera import Picture, light_up
from stylizer.training.data.characters.figure import Angles, Build, Clothes, Face, Figure, Hair, Light
from stylizer.training.data.characters.painter import View
from stylizer.training.data.characters.pairs import continued, draw_sheet
from stylizer.training.data.characters.sheet import fill
from stylizer.training.data.characters.skeleton import pose

WIDTH, HEIGHT, RATE, SECONDS = 640, 480, 24, 7
FEET_PX, BODY_PX = 452, 392  # where the soles stand, and the figure's height

DANCER = Figure(
    build=Build(head=0.070, shoulder=0.098, girth=1.0, waist=0.85),
    angles=Angles(),
    clothes=Clothes(sleeve=0.42, bottom="jeans", looseness=1.16, collar="round", pattern="stripes", socks=0.0),
    face=Face(smile=0.7, jaw=0.66),
    hair=Hair(style="short", parting=0.3),
    light=Light(direction=(-0.45, -0.5, 0.74), ambient=0.55),
    colours={
        "skin": (0.86, 0.66, 0.53), "hair": (0.24, 0.14, 0.09), "top": (0.80, 0.25, 0.20), "bottom": (0.20, 0.30, 0.52),
        "coat": (0.3, 0.3, 0.3), "inner": (0.9, 0.9, 0.9), "hat": (0.2, 0.2, 0.2), "accent": (0.93, 0.90, 0.84),
        "object": (0.5, 0.5, 0.5), "socks": (0.9, 0.9, 0.9), "shoes": (0.92, 0.92, 0.90), "eyes": (0.3, 0.2, 0.1),
    },
    seed=8,
)  # fmt: skip


def _between(a: float, b: float, share: float) -> float:
    return a + (b - a) * share


def dance(t: float) -> Angles:
    """The pose at t of the loop, 0..1: a slow turn, steps from foot to foot, one arm waves, then both go up."""
    beat, turn = 2 * pi * 7 * t, 2 * pi * t
    wave = max(0.0, sin(turn)) ** 0.5  # first half of the loop
    up = max(0.0, -sin(turn)) ** 0.7  # second half
    step, swing = sin(beat / 2 * 2), sin(beat)
    left = (_between(12 + 6 * swing, 150 + 8 * swing, up), 8.0), (_between(20, 165 + 10 * swing, up), 20 * (1 - up))
    high = max(wave, up)
    right = (
        (_between(12 - 6 * swing, 105 * wave + 150 * up, high), 8.0),
        (_between(20, 150 * wave + 22 * swing * wave + 165 * up, high), 20 * (1 - high)),
    )
    lift = 16 * max(0.0, step), 16 * max(0.0, -step)
    return Angles(
        yaw=18 * sin(turn), roll=4 * step, head_yaw=-8 * sin(turn), head_roll=5 * step, lean=2,
        upper_arm=(left[0], right[0]), forearm=(left[1], right[1]),
        thigh=((7, lift[0] * 1.2), (7, lift[1] * 1.2)), shin=((4, -lift[0] * 1.6), (4, -lift[1] * 1.6)),
    )  # fmt: skip


def draw_room() -> Picture:
    """The room behind: wall, window, floor, a rug, a plant, a picture; softly lit. float32 [480, 640, 3] 0..1."""
    pixels = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    canvas = skia.Surface(pixels).getCanvas()
    boxes: list[tuple[tuple[float, float, float, float], tuple[float, float, float]]] = [
        ((0, 0, 640, 480), (0.80, 0.78, 0.72)),
        ((0, 380, 640, 480), (0.55, 0.42, 0.32)),
        ((0, 372, 640, 381), (0.92, 0.91, 0.88)),
        ((52, 60, 190, 240), (0.93, 0.92, 0.90)),
        ((62, 70, 117, 230), (0.70, 0.82, 0.90)),
        ((125, 70, 180, 230), (0.72, 0.83, 0.90)),
        ((470, 80, 590, 170), (0.35, 0.28, 0.24)),
        ((478, 88, 582, 162), (0.85, 0.80, 0.62)),
        ((505, 330, 585, 400), (0.62, 0.45, 0.33)),
    ]
    for (x0, y0, x1, y1), colour in boxes:
        canvas.drawRect(skia.Rect.MakeLTRB(x0, y0, x1, y1), fill(colour))
    canvas.drawOval(skia.Rect.MakeLTRB(150, 420, 500, 474), fill((0.50, 0.52, 0.58)))
    for i in range(9):
        angle = -pi / 2 + (i - 4) * 0.28
        tip = 545 + 75 * cos(angle), 335 + 105 * sin(angle)
        leaf = skia.Path().moveTo(540, 335)
        middle = (335 + tip[1]) / 2
        leaf.quadTo((540 + tip[0]) / 2 - 14, middle, *tip).quadTo((550 + tip[0]) / 2 + 14, middle, 552, 335)
        canvas.drawPath(leaf, fill((0.25 + 0.02 * i, 0.45, 0.27)))
    light = 0.86 + 0.22 * np.exp(-(((np.arange(WIDTH) - 180) / 320.0) ** 2))
    room = pixels[..., :3].astype(np.float32) / 255 * light[None, :, None].astype(np.float32)
    return np.asarray(cv2.GaussianBlur(room, (0, 0), 1.2), np.float32)


def draw_frame(t: float, room: Picture, figure: Figure = DANCER) -> NDArray[np.uint8]:
    """uint8 [480, 640, 3] RGB at t of the loop, danced by `figure` (its own pose is not used)."""
    skeleton = pose(figure.build, dance(t))
    soles = max(float(a[1]) for a in skeleton.ankles) + 0.045
    x = WIDTH / 2 + 14 * sin(4 * pi * t) - (WIDTH - HEIGHT) / 2
    view = View(float(BODY_PX), np.array([x, FEET_PX - soles * BODY_PX]))
    sheet = draw_sheet(figure, skeleton, view, HEIGHT)
    photo = sheet.pixels("photo")
    lit = cv2.GaussianBlur(sheet.pixels("lit")[..., 0].astype(np.float32) / 255, (0, 0), 2.0)
    labels = sheet.pixels("label")[..., 0] // 16
    rgb = light_up(continued(photo), lit, labels, figure.light.ambient, np.random.default_rng(3))
    alpha = cv2.GaussianBlur(photo[..., 3].astype(np.float32) / 255, (0, 0), 0.7)[..., None]
    frame, left = room.copy(), (WIDTH - HEIGHT) // 2
    shadow = np.zeros((HEIGHT, WIDTH), np.float32)
    cv2.ellipse(shadow, (int(x + left), FEET_PX + 4), (70, 12), 0, 0, 360, 0.45, -1)
    frame *= 1 - cv2.GaussianBlur(shadow, (0, 0), 8)[..., None]
    part = frame[:, left : left + HEIGHT]
    part[:] = part * (1 - alpha) + np.clip(cv2.GaussianBlur(rgb, (0, 0), 0.6), 0, 1) * alpha
    return np.asarray(np.clip(frame, 0, 1) * 255 + 0.5, np.uint8)


def write_clip(target: Path) -> None:
    """Writes the loop as H.264."""
    room = draw_room()
    with av.open(str(target), "w") as film:
        stream = film.add_stream("libx264", rate=Fraction(RATE), options={"crf": "25", "preset": "slow"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for i in range(RATE * SECONDS):
            frame = av.VideoFrame.from_ndarray(draw_frame(i / (RATE * SECONDS), room), format="rgb24")
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))


if __name__ == "__main__":
    write_clip(Path(sys.argv[1]))
