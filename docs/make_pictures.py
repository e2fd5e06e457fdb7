"""Makes the pictures of README and docs from the sample clip: no real person is shown.

    make pictures        (or: python docs/make_pictures.py)

Weights are searched as ever (STYLIZER_MODELS, the cache); without YOLOv5 and RobustVideoMatting the lower rungs draw.
"""

import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from stylizer.config import Settings
from stylizer.frame import Frame, PixelsU8
from stylizer.job import Job
from stylizer.media import Reader
from stylizer.pipeline import Pipeline
from stylizer.stages.crop import paste_region, uncut
from stylizer.styles import CLIP

DOCS = Path(__file__).resolve().parent
EVERY = 2  # of the clip's 24 frames a second
BEGIN_S, END_S = 2.4, 6.4  # of the clip: arms up, then as near as a bust
STRENGTHS_S = 5.4  # the moment of the strengths
WIDTH = 400  # px of each half
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
COMPANY_S = (1.4, 2.2, 3.0)  # moments with somebody else behind the dancer: herself, some time before, mirrored
BEFORE_S, ASIDE, SMALLER = 0.8, 0.24, 0.85  # and how far to her right, as a share of the picture, and how tall


def main() -> None:
    pipeline = Pipeline.open(Settings.load())
    with Reader(CLIP) as reader:
        film = [frame for frame in reader if frame.time_s < END_S]
    animation(pipeline, film, DOCS / "demo.webp")
    strengths(pipeline, film, DOCS / "strength.webp")
    company(pipeline, film, DOCS / "alone.webp")


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


def company(pipeline: Pipeline, film: list[Frame], path: Path) -> None:
    """Somebody behind the dancer, who is drawn alone: input above, output below."""
    shown = [frame for frame in film if frame.time_s <= COMPANY_S[-1]]
    mattes = [whole_matte(job) for job in seen(pipeline, shown)]
    late = round(24 * BEFORE_S)
    both = [
        frame.with_pixels(behind(frame.pixels, matte, shown[i - late].pixels, mattes[i - late]))
        for i, (frame, matte) in enumerate(zip(shown, mattes, strict=True))
        if i >= late
    ]
    drawn = run(pipeline, both, {"framing": "scene"})
    at = [round(24 * moment) - late for moment in COMPANY_S]
    picture = Image.fromarray(np.hstack([np.vstack([both[i].pixels, drawn[i]]) for i in at]))
    picture.resize((320 * len(at), 480), Image.Resampling.LANCZOS).save(path, quality=80, method=6)
    sys.stdout.write(f"{path}: {path.stat().st_size // 1024} kB\n")


def seen(pipeline: Pipeline, film: list[Frame]) -> list[Job]:
    state = pipeline.new_state()
    return [pipeline.see([frame], [state])[0] for frame in film]


def whole_matte(job: Job) -> PixelsU8:
    """Of the whole frame, [H, W]."""
    matte = np.zeros(job.pixels.shape[:2], np.uint8)
    if job.box is not None and job.matte is not None:
        region = paste_region(job.box, job.frame.size)
        matte[region] = uncut(np.uint8(255 * job.matte[0, 0].numpy()), job.box, region, border=0)
    return matte


def behind(pixels: PixelsU8, matte: PixelsU8, other: PixelsU8, other_matte: PixelsU8) -> PixelsU8:
    """`other` smaller, mirrored and aside, before the room and behind the one in front."""
    height, width = matte.shape
    shift = np.float64([[-SMALLER, 0, width * (0.5 + SMALLER / 2 + ASIDE)], [0, SMALLER, height * (1 - SMALLER)]])
    other, other_matte = (cv2.warpAffine(each, shift, (width, height)) for each in (other, other_matte))
    share = (other_matte / 255 * (1 - matte / 255))[..., None]
    return np.uint8(pixels * (1 - share) + other * share)


def run(pipeline: Pipeline, film: list[Frame], controls: dict[str, object]) -> list[PixelsU8]:
    state = pipeline.new_state(controls)
    return [pipeline.step([frame], [state])[0].pixels for frame in film]


def beside(left: PixelsU8, right: PixelsU8) -> PixelsU8:
    both = Image.fromarray(np.hstack([left, right]))
    size = 2 * WIDTH, round(2 * WIDTH * both.height / both.width)
    return np.asarray(both.resize(size, Image.Resampling.LANCZOS))


if __name__ == "__main__":
    main()
