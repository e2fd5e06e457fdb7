"""What a drawing is carried out in: cel paint, halftone print, watercolour or manga, over what the network drew.

A network that learned from pairs is unsure where shade begins, so it shades softly, whatever its pictures showed. Each
medium makes that its own: cel paint evens it out between clear lines, print turns it into dots, water lets it flow.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum

import cv2

from stylizer.frame import PixelsU8
from stylizer.stages.medium.cel import cel
from stylizer.stages.medium.halftone import halftone
from stylizer.stages.medium.manga import manga
from stylizer.stages.medium.paint import Grey, Paint, Paper
from stylizer.stages.medium.watercolour import watercolour

STRIP = 32  # rows that are painted at once
LEAST_PX = 8  # in height and width; smaller drawings stay as they are


class Medium(StrEnum):
    CEL = "cel"
    HALFTONE = "halftone"
    WATERCOLOUR = "watercolour"
    MANGA = "manga"


WAYS: Mapping[Medium, Callable[[PixelsU8, Paper], tuple[Paint, Grey]]] = {
    Medium.CEL: cel,
    Medium.HALFTONE: halftone,
    Medium.WATERCOLOUR: watercolour,
    Medium.MANGA: manga,
}


def chosen_medium(control: str, own: Medium | None) -> Medium | None:
    """What the control `medium` asks for. own: the style's."""
    if control == "own":
        return own
    return None if control == "none" else Medium(control)


def carry_out(drawn: PixelsU8, paper: Paper, medium: Medium, amount: float) -> None:
    """A drawing RGBA [h, w, 4], straight, in place; amount 0..1, of which 0 changes nothing.

    What has to look around is found for all of it first; colours are laid on in strips, which stay in the cache.
    """
    if amount <= 0 or min(drawn.shape[:2]) < LEAST_PX:
        return
    paint, opacity = WAYS[medium](drawn, paper)
    for top in range(0, drawn.shape[0], STRIP):
        rows = slice(top, top + STRIP)
        part = drawn[rows]
        done = cv2.cvtColor(paint(cv2.cvtColor(part, cv2.COLOR_RGBA2RGB), rows), cv2.COLOR_RGB2RGBA)
        cv2.insertChannel(opacity[rows], done, 3)
        cv2.addWeighted(done, amount, part, 1 - amount, 0, dst=part)
