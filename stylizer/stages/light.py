"""Shows whom the camera sees too dark, in a dim room or before a window, as bright as others.

Of a dark picture matting networks lose parts, and generators draw a dark shape without a face.
"""

from typing import NamedTuple

import numpy as np
from torch import Tensor

from stylizer.stages.track import rescaled_alpha

LIT = 0.55  # of white: the brightest parts of a person, a face or a shirt, have at least that
BRIGHTEST = 95  # percent of a person that are darker than those. In daylight it is 0.6 and more
MOST = 4.0  # times as bright; beyond, noise is drawn
BRIGHTER, DARKER = 0.1, 0.5  # weight of a new picture at 16 frames a second; what is too bright has no face
SURE = 0.9  # opacity of what is the person's alone
STEP, LEAST = 4, 16  # every fourth pixel suffices; so many of them are somebody


class Light(NamedTuple):
    """How many times brighter a visitor is shown than the camera saw them, and when that was last measured."""

    gain: float = 1.0
    time_s: float | None = None

    def seen(self, foreground: Tensor, matte: Tensor, time_s: float) -> "Light":
        """After one picture of them. foreground [1, 3, H, W] unit, straight, made brighter by `gain`; matte
        [1, 1, H, W]; both on the CPU. The first is believed at once."""
        brightest = foreground[0, :, ::STEP, ::STEP].amax(0).numpy()[matte[0, 0, ::STEP, ::STEP].numpy() > SURE]
        if brightest.size < LEAST:
            return self
        level = float(np.percentile(brightest, BRIGHTEST)) / self.gain
        if not np.isfinite(level):
            return self
        wanted = max(LIT / max(level, LIT / MOST), 1.0)
        if self.time_s is None or time_s < self.time_s:
            return Light(wanted, time_s)
        share = rescaled_alpha(BRIGHTER if wanted > self.gain else DARKER, time_s - self.time_s)
        return Light(self.gain + share * (wanted - self.gain), time_s)


def lit(picture: Tensor, gain: float) -> Tensor:
    """A picture, unit, so many times brighter; the same one where `gain` is 1."""
    return picture if gain == 1 else (picture * gain).clamp_(0, 1)
