"""Makes the booth's attract loop: a light goes over drawn dancers and turns camera's picture into drawing, style after
style. Nobody real is shown: dancers and room are the project's own, drawn by the pipeline that draws visitors.

    python -m docs.make_attract      (part of `make pictures`)

Weights are searched as ever (STYLIZER_MODELS, the cache); without YOLOv5 and RobustVideoMatting the lower rungs draw.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np

from stylizer.config import Settings
from stylizer.controls import Value
from stylizer.frame import Frame, PixelsU8
from stylizer.pipeline import Pipeline
from stylizer.training.data.characters.figure import Build, Clothes, Face, Figure, Hair
from stylizer.training.data.clip import DANCER, RATE, draw_frame, draw_room

ATTRACT = Path(__file__).resolve().parent.parent / "web" / "pages" / "booth" / "attract.mp4"
DANCE, SECONDS = 7 * RATE, 14  # frames of one dance; the film holds two, so that it ends where it begins
SIZE_PX = 720
SETTLE = RATE  # frames before a drawing is seen, for the matte
SWEEP = 0.45 * RATE  # frames that the light takes from edge to edge
LIGHT, GLOW_PX = (242, 179, 107), 26  # --accent of tokens.css

MAYA = replace(
    DANCER,
    build=Build(head=0.071, shoulder=0.088, hip=0.056, girth=0.92, waist=0.76),
    clothes=Clothes(sleeve=1.0, bottom="skirt", looseness=1.1, collar="v", socks=0.0),
    face=Face(smile=0.6, jaw=0.6, brow=0.2),
    hair=Hair(style="bob", parting=-0.4, volume=1.2),
    colours=DANCER.colours
    | {"skin": (0.76, 0.55, 0.41), "hair": (0.16, 0.10, 0.09), "top": (0.93, 0.72, 0.22), "bottom": (0.16, 0.42, 0.42)},
    seed=21,
)
TOMO = replace(
    DANCER,
    build=Build(head=0.069, shoulder=0.106, girth=1.12, waist=0.95),
    clothes=Clothes(sleeve=1.0, bottom="trousers", looseness=1.2, collar="shirt", pattern="buttons", belt=True),
    face=Face(smile=0.5, jaw=0.8, beard=0.35, glasses="thick"),
    hair=Hair(style="curly", volume=1.1),
    colours=DANCER.colours
    | {"skin": (0.93, 0.76, 0.64), "hair": (0.42, 0.22, 0.12), "top": (0.24, 0.50, 0.38), "bottom": (0.30, 0.27, 0.26)},
    seed=5,
)


CAST: Mapping[str, Figure] = {"juno": DANCER, "maya": MAYA, "tomo": TOMO}


@dataclass(frozen=True, slots=True)
class Part:
    """What is seen from one passing of the light to the next. controls: of the drawing; None: the camera's picture."""

    dancer: str
    controls: Mapping[str, Value] | None = None


def _drawn(dancer: str, style: str, ground: str | None) -> Part:
    """In front of a plain `ground`, or of the picture that comes along."""
    behind = {"background": "picture"} if ground is None else {"background": "plain", "background_colour": ground}
    return Part(dancer, {"style": style, "framing": "scene", **behind})


PARTS = (
    Part("juno"), _drawn("juno", "anime", "#e8e4dc"), _drawn("juno", "paper", "#7fa8b8"),
    Part("maya"), _drawn("maya", "comic", "#d98f7a"), _drawn("maya", "anime", None),
    Part("tomo"), _drawn("tomo", "paper", "#d9c27f"), _drawn("tomo", "comic", "#a9b98f"),
)  # fmt: skip
FRAMES = SECONDS * RATE
EACH = FRAMES / len(PARTS)


def main() -> None:
    pipeline = Pipeline.open(Settings.load())
    shown = [_pictures(pipeline, part, round(index * EACH)) for index, part in enumerate(PARTS)]
    film = [_moment(shown, index) for index in range(FRAMES)]
    start = round(EACH + SWEEP / 2)  # half photo, half drawing: what stands still where less motion is asked for
    _write(film[start:] + film[:start], ATTRACT)


def _pictures(pipeline: Pipeline, part: Part, first: int) -> list[PixelsU8]:
    """`part` from frame `first` of the film until the light has passed that ends it."""
    count = round(EACH + SWEEP) + 2
    if part.controls is None:
        return [_shot(part.dancer, index % DANCE) for index in range(first, first + count)]
    state = pipeline.new_state(part.controls)
    made = []
    for index in range(first - SETTLE, first + count):
        frame = Frame(_shot(part.dancer, index % DANCE), pts=index + SETTLE, time_base=Fraction(1, RATE))
        made.append(pipeline.step([frame], [state])[0].pixels)
    return made[SETTLE:]


@cache
def _shot(dancer: str, index: int) -> PixelsU8:
    return draw_frame(index / DANCE, _room(), CAST[dancer])


@cache
def _room() -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return draw_room()


def _moment(shown: list[list[PixelsU8]], index: int) -> PixelsU8:
    """One frame of the film: the part of this moment on the left of the light, the one before on its right."""
    now = int(index / EACH)
    begun = round(now * EACH)
    new = _fitted(shown[now][index - begun])
    if index - begun >= SWEEP:
        return new
    before = (now - 1) % len(PARTS)
    old = _fitted(shown[before][index - round(before * EACH) if now else index + FRAMES - round(before * EACH)])
    way = (index - begun) / SWEEP
    at = (3 - 2 * way) * way**2 * (SIZE_PX + 2 * GLOW_PX) - GLOW_PX
    columns = np.arange(SIZE_PX)
    glow = np.exp(-(((columns - at) / (GLOW_PX / 2.5)) ** 2))[None, :, None]
    both = np.where((columns < at)[None, :, None], new, old)
    return np.asarray(both * (1 - glow) + np.array(LIGHT) * glow, np.uint8)


def _fitted(pixels: PixelsU8) -> PixelsU8:
    """The square in the middle."""
    height, width = pixels.shape[:2]
    left = (width - height) // 2
    square: PixelsU8 = cv2.resize(pixels[:, left : left + height], (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_LANCZOS4)
    return square


def _write(film: list[PixelsU8], path: Path) -> None:
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(RATE), options={"crf": "27", "preset": "slow"})
        stream.width = stream.height = SIZE_PX
        stream.pix_fmt = "yuv420p"
        for packet in _packets(film, stream):
            container.mux(packet)
    sys.stdout.write(f"{path.name}: {path.stat().st_size // 1024} kB\n")


def _packets(film: list[PixelsU8], stream: av.VideoStream) -> Iterator[av.Packet]:
    for pixels in film:
        yield from stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24"))
    yield from stream.encode(None)


if __name__ == "__main__":
    main()
