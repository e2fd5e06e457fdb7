"""Paint on celluloid, as drawn films have it: even, light colours, shade in one tone, dark lines between."""

from functools import cache

import cv2
import numpy as np

from stylizer.frame import PixelsU8
from stylizer.stages.medium.paint import (
    ONE,
    Grey,
    Paint,
    Paper,
    Table,
    evened,
    evening,
    light_of,
    lighter,
    lines,
    mixed,
    share_of_surroundings,
    smooth,
    table,
    three,
    vivid,
)

LINE = (3.8, 16.0, 0.7)
INK = 0.25, 6.0  # what a line leaves of the colour, and levels that it adds
SHADE, LIT = 0.84, 1.04  # shares of the surroundings' light that shade, and what is lit, are drawn towards
BORDER, HARD = 0.915, 50.0  # share at which shade begins, and how suddenly
EVEN = 0.85  # how far it is drawn there
DARKER, LIGHTER = 0.6, 1.25  # shares beyond which it is not
BLUR_PX = 3.5
VIVID, GAMMA = 1.18, 0.82


def cel(drawn: PixelsU8, paper: Paper) -> tuple[Paint, Grey]:
    """How to paint a drawing RGBA [h, w, 4], and its opacity from then on."""
    light, opacity = light_of(drawn)
    gain = cv2.LUT(share_of_surroundings(light, opacity, BLUR_PX, paper.pen), _gain())
    line, change = lines(light, opacity, paper.pen, LINE), evening(drawn)

    def paint(colour: PixelsU8, rows: slice) -> PixelsU8:
        even = evened(colour, change[rows])
        toned = cv2.multiply(even, three(gain[rows]), scale=1 / ONE)
        painted = cv2.LUT(cv2.transform(toned, vivid(VIVID)), lighter(GAMMA))
        return mixed(painted, cv2.convertScaleAbs(even, alpha=INK[0], beta=INK[1]), line[rows])

    return paint, opacity


@cache
def _gain() -> Table:
    """Of the share of the surroundings' light; what is much darker or lighter is another colour, and stays."""
    share = np.maximum(np.arange(256) / ONE, 0.3)
    wanted = SHADE + (LIT - SHADE) / (1 + np.exp(-HARD * (share - BORDER)))
    same = smooth((share - DARKER) / 0.15) * smooth((LIGHTER - share) / 0.15)
    return table(ONE * (1 + (wanted / share - 1) * EVEN * same))
