"""What each style's medium costs and does to a film: ms a picture, and how much more its pictures change.

python -m benchmarks.media FILM [--frames 60]

One frame after the other, each style without a medium and in its own, and the first as manga. `compose` is the median
of that stage, medium included; `change` the mean difference of one finished picture to the next, as a multiple of the
same style's without a medium.
"""

import argparse
import sys
from itertools import islice
from pathlib import Path

import numpy as np

from stylizer.config import Settings
from stylizer.frame import Frame
from stylizer.media import Reader
from stylizer.pipeline import Pipeline

SETTLE = 10  # pictures that are not counted: the matte's memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("film", type=Path)
    parser.add_argument("--frames", type=int, default=60)
    asked = parser.parse_args()
    pipeline = Pipeline.open(Settings.load())
    pipeline.warm_up()
    with Reader(asked.film) as film:
        frames = list(islice(film, asked.frames))
    ways = [(style, medium) for style in pipeline.styles for medium in ("none", "own")]
    plain = 1.0
    for style, medium in [*ways, (pipeline.styles[0], "none"), (pipeline.styles[0], "manga")]:
        compose_ms, change = play(pipeline, frames, style, medium)
        plain = change if medium == "none" else plain
        sys.stdout.write(f"{style:10} {medium:6} compose {compose_ms:5.1f} ms   change {change / plain:.2f}\n")


def play(pipeline: Pipeline, frames: list[Frame], style: str, medium: str) -> tuple[float, float]:
    """Median ms of composing, and the mean difference of neighbouring pictures in levels."""
    state = pipeline.new_state({"style": style, "medium": medium})
    shown, times = [], []
    for frame in frames:
        (result,) = pipeline.step([frame], [state])
        shown.append(result.pixels.astype(np.int16))
        times.append(state.stages_ms["compose"])
    changes = [np.abs(b - a).mean() for a, b in zip(shown[SETTLE:], shown[SETTLE + 1 :], strict=False)]
    return float(np.median(times[SETTLE:])), float(np.mean(changes))


if __name__ == "__main__":
    main()
