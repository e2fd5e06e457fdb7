"""A reference: the picture of somebody whose look a visitor takes on. Cut out once, and encoded once by each style.

Only the cut-out squares are kept: in memory, and no longer than the visitor's state.
"""

import torch
from torch import Tensor

from stylizer.convert import SIZE, Converter, Look
from stylizer.frame import PixelsU8
from stylizer.stages.box import Box
from stylizer.stages.closeup import closeup_box, cut_closeup
from stylizer.stages.crop import cut

PASSES = 3  # the matte's recurrent memory has settled on a still after three
LEAST_SEEN = 0.01  # mean of a matte; with less nobody was cut out

Cutout = tuple[Tensor, Tensor]  # [1, 3, S, S] unit, straight, and opacity [1, 1, S, S]


class Reference:
    """figure: the person, SIZE px; of a picture without one, all of it. head: from nearer, if it was found."""

    def __init__(self, figure: Cutout, head: Cutout | None = None) -> None:
        self._figure, self._head = figure, head or figure
        self._looks: dict[Converter, Look | None] = {}

    @classmethod
    def of(cls, pixels: PixelsU8, person: Cutout | None, crop: Box | None, head: Box | None) -> "Reference":
        """pixels: the picture. person: who was cut out of `crop`; without one a painting, say, is taken as it is."""
        if person is None or crop is None or float(person[1].mean()) < LEAST_SEEN:
            height, width = pixels.shape[:2]
            return cls((cut(pixels, Box(0, 0, width, height), SIZE), torch.ones(1, 1, SIZE, SIZE)))
        near = closeup_box(head, crop, alone=True)
        return cls(person, None if near is None else cut_closeup(pixels, person[1], crop, near))

    def prepare(self, convert: Converter) -> None:
        """Encodes it for a style, so that no frame waits for that."""
        self.look(convert)
        self.closeup_look(convert)

    def look(self, convert: Converter) -> Look | None:
        """The figure as a style sees it; None for one that takes nobody's look."""
        return self._seen_by(convert, self._figure)

    def closeup_look(self, convert: Converter) -> Look | None:
        """The same for what draws the head from nearer. The style's own network takes the figure's look there, too:
        with the head's, faces took on the colour of the reference's collar."""
        near = convert.closeup
        if near is None or near is convert:
            return self.look(convert)
        return self._seen_by(near, self._head)

    def _seen_by(self, convert: Converter, person: Cutout) -> Look | None:
        if convert not in self._looks:
            self._looks[convert] = convert.look_of(*person)
        return self._looks[convert]
