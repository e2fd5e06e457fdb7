"""Makes docs/gallery: people above every embedded style and a page of manga, and one animated picture of the sample
clip in all styles.

    make gallery ASSETS=…        (or: python docs/make_gallery.py [ASSETS])

Pictures of real people are not published. ASSETS, MakeHuman's as for `stylizer train data humans`, give people that a
camera might have seen; without them the stills stay as they are. Weights are searched as ever; without YOLOv5 and
RobustVideoMatting the lower rungs find the figures.
"""

import sys
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from stylizer.config import Settings
from stylizer.frame import Frame, PixelsU8
from stylizer.ladder import open_parts
from stylizer.media import Reader
from stylizer.pipeline import Pipeline
from stylizer.styles import CLIP
from stylizer.training.data.humans.pairs import draw_pair
from stylizer.weights.registry import EMBEDDED

OUT = Path(__file__).resolve().parent / "gallery"
PEOPLE = (42, 29, 26, 35, 46, 30)  # of the persons that no run has trained on
SEED = 9_000_000  # of the first of them
WALL = (228, 224, 216)  # RGB behind them
CAMERA_PX, STILL_PX = 512, 208
PASSES = 4  # of a still through the pipeline: the matte's memory settles
BEGIN, FRAMES, EVERY = 58, 96, 2  # of the clip: first frame shown, how many, each how many-th
HEIGHT = 224  # px of the animated picture


def main(assets: Path | None) -> None:
    parts = open_parts(Settings.load())
    names = [name for name in parts.library.names if (EMBEDDED / name).is_dir()]
    pipeline = Pipeline(parts)
    OUT.mkdir(exist_ok=True)
    if assets is not None:
        save(stills(pipeline, assets, names), OUT / "styles.webp")
    film = animation(pipeline, names)
    first, *rest = film
    save(first, OUT / "moving.webp", save_all=True, append_images=rest, duration=round(1000 * EVERY / 24), loop=0)


def stills(pipeline: Pipeline, assets: Path, names: list[str]) -> Image.Image:
    """A column for each person: the camera's picture, then each style, then the first as manga."""
    columns = []
    for person in PEOPLE:
        photo = photographed(assets, SEED + person)
        drawn = [stylized(pipeline, photo, name) for name in names] + [stylized(pipeline, photo, names[0], "manga")]
        columns.append(np.vstack([_still(each) for each in (photo, *drawn)]))
    return Image.fromarray(np.hstack(columns))


def photographed(assets: Path, seed: int) -> PixelsU8:
    """A person before a wall."""
    pair = draw_pair(assets, seed, CAMERA_PX)
    opacity = pair.drawing[..., 3:] / 255  # as sharp as a camera would see it; the photo's own is a poor matte's
    pixels: PixelsU8 = (pair.photo[..., :3] * opacity + np.array(WALL) * (1 - opacity) + 0.5).astype(np.uint8)
    return pixels


def stylized(pipeline: Pipeline, photo: PixelsU8, style: str, medium: str = "own") -> PixelsU8:
    state = pipeline.new_state(
        {"style": style, "medium": medium, "background_colour": "#{:02x}{:02x}{:02x}".format(*WALL), "framing": "scene"}
    )
    for tick in range(PASSES):
        (result,) = pipeline.step([Frame(photo, pts=tick)], [state])
    return result.pixels


def _still(pixels: PixelsU8) -> PixelsU8:
    return np.asarray(Image.fromarray(pixels).resize((STILL_PX, STILL_PX), Image.Resampling.LANCZOS))


def animation(pipeline: Pipeline, names: list[str]) -> list[Image.Image]:
    """The sample clip, input on the left, every style beside it; the frames before `BEGIN` settle the matte."""
    with Reader(CLIP) as reader:
        frames = list(islice(reader, BEGIN + FRAMES))
    columns: list[list[PixelsU8]] = [[frame.pixels for frame in frames]]
    for name in names:
        state = pipeline.new_state({"style": name, "framing": "scene", "background": "room"})
        columns.append([pipeline.step([frame], [state])[0].pixels for frame in frames])
    moments = list(zip(*columns, strict=True))[BEGIN::EVERY]
    return [_resized(Image.fromarray(np.hstack([_middle(p) for p in moment]))) for moment in moments]


def _middle(pixels: PixelsU8) -> PixelsU8:
    """Three quarters of the height wide, from the middle."""
    width = pixels.shape[0] * 3 // 4
    left = (pixels.shape[1] - width) // 2
    return pixels[:, left : left + width]


def _resized(picture: Image.Image) -> Image.Image:
    return picture.resize((picture.width * HEIGHT // picture.height, HEIGHT), Image.Resampling.LANCZOS)


def save(picture: Image.Image, path: Path, **options: object) -> None:
    picture.save(path, quality=75, method=6, **options)
    sys.stdout.write(f"{path}: {path.stat().st_size // 1024} kB\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
