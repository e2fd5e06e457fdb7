"""Makes docs/gallery: drawn input above every embedded style, and one animated picture of them all.

    make gallery        (or: python docs/make_gallery.py)

Real people's pictures are not published: the input is what the project draws itself. Weights are searched as ever;
without YOLOv5 and RobustVideoMatting the lower rungs find the figure of the animated picture.
"""

import sys
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from encoders.losses import over
from stylizer.config import Settings
from stylizer.controls import defaults
from stylizer.convert import SIZE, Converter
from stylizer.frame import PixelsU8, u8_from_unit
from stylizer.ladder import open_parts
from stylizer.library import Library
from stylizer.media import Reader
from stylizer.pipeline import Pipeline
from stylizer.styles import CLIP
from stylizer.training.data.characters import draw_pair
from stylizer.training.export import UNSEEN
from stylizer.weights.registry import EMBEDDED

OUT = Path(__file__).resolve().parent / "gallery"
PEOPLE = (17, 8, 26, 29, 39, 44)  # of the pairs that no run has trained on
BACK = 0.92  # light grey behind the figures
BEGIN, FRAMES, EVERY = 24, 96, 2  # of the clip: first frame shown, how many, each how many-th
HEIGHT = 224  # px of the animated picture


def main() -> None:
    parts = open_parts(Settings.load())
    names = [name for name in parts.library.names if (EMBEDDED / name).is_dir()]
    OUT.mkdir(exist_ok=True)
    rows = stills(parts.library, names)
    size = SIZE * 3 // 4
    picture = Image.fromarray(u8_from_unit(torch.cat(rows, 1)))
    picture = picture.resize((size * len(PEOPLE), size * len(rows)), Image.Resampling.LANCZOS)
    save(picture, OUT / "styles.webp")
    film = animation(Pipeline(parts), names)
    first, *rest = film
    save(first, OUT / "moving.webp", save_all=True, append_images=rest, duration=round(1000 * EVERY / 24), loop=0)


def stills(library: Library, names: list[str]) -> list[Tensor]:
    """Rows [3, 256, 256 * people]: the input, then each style."""
    photos = np.stack([draw_pair(UNSEEN + i).photo for i in PEOPLE])
    photo = torch.from_numpy(photos).permute(0, 3, 1, 2).float() / 255
    given = photo[:, :3], photo[:, 3:]
    return [_row(*given), *(_row(*_drawn(library.get(name), name, *given)) for name in names)]


def _drawn(convert: Converter, name: str, foreground: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    controls = {**defaults(), "style": name}
    return convert(foreground, alpha, [controls] * len(foreground))


def _row(picture: Tensor, alpha: Tensor) -> Tensor:
    shown = over(picture.float(), alpha.float(), torch.full((1, 3, 1, 1), BACK))
    return torch.cat(list(shown), 2)


def animation(pipeline: Pipeline, names: list[str]) -> list[Image.Image]:
    """The drawn clip, input on the left, every style beside it; the frames before `BEGIN` settle the matte."""
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
    main()
