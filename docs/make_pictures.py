"""Makes the pictures of README and docs from the sample clip: no real person is shown.

    make pictures        (or: python docs/make_pictures.py)

Weights are searched as ever (STYLIZER_MODELS, the cache); without YOLOv5 and RobustVideoMatting the lower rungs draw.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from stylizer.config import Settings
from stylizer.frame import Frame, PixelsU8
from stylizer.media import Reader
from stylizer.pipeline import Pipeline
from stylizer.styles import CLIP

DOCS = Path(__file__).resolve().parent
EVERY = 2  # of the clip's 24 frames a second
BEGIN_S, END_S = 2.4, 6.4  # of the clip: arms up, then as near as a bust
STRENGTHS_S = 5.4  # the moment of the strengths
WIDTH = 400  # px of each half
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)


def main() -> None:
    pipeline = Pipeline.open(Settings.load())
    with Reader(CLIP) as reader:
        film = [frame for frame in reader if frame.time_s < END_S]
    animation(pipeline, film, DOCS / "demo.webp")
    strengths(pipeline, film, DOCS / "strength.webp")


def animation(pipeline: Pipeline, film: list[Frame], path: Path) -> None:
    """Input beside output; what comes before `BEGIN_S` only settles the matte."""
    drawn = run(pipeline, film, {"framing": "scene", "background": "room"})
    pairs = [
        beside(frame.pixels, picture) for frame, picture in zip(film, drawn, strict=True) if frame.time_s >= BEGIN_S
    ]
    first, *rest = [Image.fromarray(pair) for pair in pairs[::EVERY]]
    first.save(path, save_all=True, append_images=rest, duration=round(1000 * EVERY / 24), loop=0, quality=70, method=6)
    sys.stdout.write(f"{path}: {path.stat().st_size // 1024} kB\n")


def strengths(pipeline: Pipeline, film: list[Frame], path: Path) -> None:
    """One moment at several strengths, photo model on the left, style on the right."""
    shown = [frame for frame in film if STRENGTHS_S - 1 <= frame.time_s <= STRENGTHS_S]
    row = [run(pipeline, shown, {"style_strength": strength})[-1] for strength in STRENGTHS]
    picture = Image.fromarray(np.hstack(row))
    picture.resize((256 * len(row), 256), Image.Resampling.LANCZOS).save(path, quality=80, method=6)
    sys.stdout.write(f"{path}: {path.stat().st_size // 1024} kB\n")


def run(pipeline: Pipeline, film: list[Frame], controls: dict[str, object]) -> list[PixelsU8]:
    state = pipeline.new_state(controls)
    return [pipeline.step([frame], [state])[0].pixels for frame in film]


def beside(left: PixelsU8, right: PixelsU8) -> PixelsU8:
    both = Image.fromarray(np.hstack([left, right]))
    size = 2 * WIDTH, round(2 * WIDTH * both.height / both.width)
    return np.asarray(both.resize(size, Image.Resampling.LANCZOS))


if __name__ == "__main__":
    main()
