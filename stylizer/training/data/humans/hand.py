"""The hands of `characters.hand` before 3D people: how wide their ink is, what they make of colours and of shadow."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from stylizer.errors import BadInput
from stylizer.training.data.humans.assets import Floats

GREY = np.array([0.3, 0.59, 0.11], np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Hand:
    """ink: width of the lines, 0 draws none. cloth, skin, hair: what a shadow leaves of red, green and blue.

    paint: flat colours [n, 3] unit, as anime has them -> its own.
    """

    ink: float
    cloth: Floats
    skin: Floats
    hair: Floats
    paint: Callable[[Floats], Floats]


def _shade(*rgb: float) -> Floats:
    return np.array(rgb, np.float32)


def _saturated(colours: Floats, amount: float) -> Floats:
    grey = (colours @ GREY)[..., None]
    return np.asarray(np.clip(grey + (colours - grey) * np.float32(amount), 0, 1), np.float32)


def as_they_are(colours: Floats) -> Floats:
    return colours


def strong(colours: Floats) -> Floats:
    return np.asarray(_saturated(colours, 1.35) ** np.float32(0.95), np.float32)


def pale(colours: Floats) -> Floats:
    return np.asarray(
        (np.float32(0.16) + np.float32(0.84) * _saturated(colours, 0.88)) * _shade(1.0, 0.985, 0.95), np.float32
    )


HANDS = {
    "anime": Hand(1.0, _shade(0.70, 0.66, 0.78), _shade(0.90, 0.70, 0.69), _shade(0.66, 0.60, 0.74), as_they_are),
    "comic": Hand(1.6, _shade(0.45, 0.42, 0.50), _shade(0.74, 0.58, 0.54), _shade(0.40, 0.36, 0.46), strong),
    "paper": Hand(0.0, _shade(0.80, 0.80, 0.81), _shade(0.86, 0.80, 0.79), _shade(0.80, 0.79, 0.81), pale),
}


def hand_named(name: str) -> Hand:
    """Raises BadInput naming the hands there are."""
    if name not in HANDS:
        raise BadInput(f"hand {name!r}: there are {', '.join(HANDS)}")
    return HANDS[name]
