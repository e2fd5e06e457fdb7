"""Early warning: a training that collapses says so in its numbers long before a person looks at the pictures."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

WINDOW = 200  # steps looked back on
STUCK = 0.002  # spread of a loss over the window, as a share of its mean, below which it does not move any more
CERTAIN = 0.02  # loss of a discriminator that errs no more: its slope tells the generator nothing
LOOK = 100  # steps between two measures of the samples' variety
SEEN = 32  # pictures that it is measured on
LOSSES = ("critic", "generator", "loss", "made_loss", "photo_loss", "photo", "style")
ALIKE = 0.25  # variety of what is made over that of real pictures, below which the generator has few pictures left

Row = Mapping[str, float]


def troubles(rows: Sequence[Row]) -> dict[str, str]:
    """What looks wrong in the newest rows of a log, by kind; empty while all is well.

    A row may hold any numbers; of special meaning are those in LOSSES and `variety`, see below.
    """
    found: dict[str, str] = {}
    if not rows:
        return found
    for name in LOSSES:
        values = _last(rows, name)
        if len(values) == WINDOW and np.std(values) < STUCK * abs(float(np.mean(values))):
            found[f"stuck-{name}"] = f"{name} has been {values[-1]:.4g} for {WINDOW} steps: the training stands still"
    critic = _last(rows, "critic")
    if len(critic) == WINDOW and np.mean(critic) < CERTAIN:
        found["certain"] = (
            f"the discriminator tells every picture apart (loss {np.mean(critic):.3g}): raise r1, use adaptive "
            "augmentation or more pictures"
        )
    variety = _last(rows, "variety")
    if variety and variety[-1] < ALIKE:
        found["alike"] = f"the samples are nearly alike: their variety is {variety[-1]:.2f} of the real pictures'"
    return found


def first_not_finite(row: Row) -> str | None:
    """The name of a number that has become NaN or infinite, if any."""
    return next((name for name, value in row.items() if not math.isfinite(value)), None)


def variety(pictures: Tensor) -> float:
    """Mean difference between pairs of the pictures [N, C, H, W]; seen at 16 px, so that noise does not count."""
    small = torch.nn.functional.adaptive_avg_pool2d(pictures.float(), 16).flatten(1)
    return float(torch.pdist(small, p=1).mean() / small.shape[1])


def _last(rows: Sequence[Row], name: str) -> list[float]:
    """Of the last WINDOW rows that have it: not every step computes every loss."""
    return [row[name] for row in rows[-10 * WINDOW :] if name in row][-WINDOW:]
