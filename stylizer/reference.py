"""A reference: the picture of somebody whose look a visitor takes on. Cut out once, and encoded once by each style.

Only the cut-out squares are kept: in memory, and no longer than the visitor's state.
"""

import torch
from torch import Tensor

from stylizer.convert import SIZE, Converter, Look
from stylizer.frame import PixelsU8
from stylizer.stages.box import Box
from stylizer.stages.crop import cut

PASSES = 3  # the matte's recurrent memory has settled on a still after three
LEAST_SEEN = 0.01  # mean of a matte; with less nobody was cut out

Cutout = tuple[Tensor, Tensor]  # [1, 3, S, S] unit, straight, and opacity [1, 1, S, S]


class Reference:
    """figure: the person, SIZE px; of a picture without one, all of it."""

    def __init__(self, figure: Cutout) -> None:
        self._figure = figure
        self._looks: dict[Converter, Look | None] = {}

    @classmethod
    def of(cls, pixels: PixelsU8, person: Cutout | None) -> "Reference":
        """pixels: the picture. person: who was cut out of it; without one a painting, say, is taken as it is."""
        if person is not None and float(person[1].mean()) >= LEAST_SEEN:
            return cls(person)
        height, width = pixels.shape[:2]
        return cls((cut(pixels, Box(0, 0, width, height), SIZE), torch.ones(1, 1, SIZE, SIZE)))

    def prepare(self, convert: Converter) -> None:
        """Encodes it for a style, so that no frame waits for that."""
        self.look(convert)
        self.closeup_look(convert)

    def look(self, convert: Converter) -> Look | None:
        """The figure as a style sees it; None for one that takes nobody's look."""
        if convert not in self._looks:
            self._looks[convert] = convert.look_of(*self._figure)
        return self._looks[convert]

    def closeup_look(self, convert: Converter) -> Look | None:
        """The same for what draws the head from nearer. The whole figure's there, too: with the reference's head
        alone faces took on the colour of its collar."""
        return None if convert.closeup is None else self.look(convert.closeup)
