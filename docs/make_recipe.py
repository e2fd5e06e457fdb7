"""Makes docs/training/recipe.webp: what the four commands of docs/training.md have learnt, from what they left.

    python docs/make_recipe.py RUNS STYLE ASSETS

RUNS has the runs `photo` and `drawing`, STYLE is the folder that `train compose` made of them; ASSETS, MakeHuman's as
for `stylizer train data humans`, give persons that no run has seen.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from encoders.losses import over
from stylizer.convert.toonify import ToonifyNet, draw, load_style
from stylizer.stylegan2.generator import Generator
from stylizer.training.data.humans.pairs import draw_pair
from stylizer.training.data.pictures import shown
from stylizer.training.gan_runs import open_start
from stylizer.training.run import picture_grid

OUT = Path(__file__).resolve().parent / "training" / "recipe.webp"
ACROSS, SIDE = 10, 112  # pictures in a row; px of a picture
SEED = 9_000_000  # of the first unseen person
GREY = 0.5  # what both generators were shown


def main(runs: Path, style: Path, assets: Path) -> None:
    photo, drawing = (open_start(runs / name).generator for name in ("photo", "drawing"))
    z = torch.from_numpy(np.random.default_rng(0).standard_normal((ACROSS, photo.config.z_dim), np.float32))
    rows = [invented(photo, z), invented(drawing, z), *inverted(load_style(style / "weights.safetensors"), assets)]
    picture_grid(rows, OUT.with_suffix(".png"))
    with Image.open(OUT.with_suffix(".png")) as sheet:
        sheet.resize((ACROSS * SIDE, len(rows) * SIDE), Image.Resampling.LANCZOS).save(OUT, quality=82, method=6)
    OUT.with_suffix(".png").unlink()


@torch.inference_mode()
def invented(generator: Generator, z: Tensor) -> Tensor:
    return (shown(generator(z))[:, :3] + 1) / 2


@torch.inference_mode()
def inverted(net: ToonifyNet, assets: Path) -> list[Tensor]:
    """Unseen persons: the camera's picture, drawn by the photo generator, by half of each, by the other."""
    people = np.stack([draw_pair(assets, SEED + i).photo for i in range(ACROSS)])
    photo = torch.from_numpy(people).permute(0, 3, 1, 2).float() / 255
    seen = net.encode(photo[:, :3], photo[:, 3:])
    grey = torch.full((1, 3, 1, 1), GREY)
    drawn = [over(*draw(net.synthesis_at(strength), *seen), grey) for strength in (0.0, 0.5, 1.0)]
    return [over(photo[:, :3], photo[:, 3:], grey), *drawn]


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
