"""VJ mode's feedback loop around the U-Net: its settings, its launches, and the weight-space crossfade."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernels.launch import Kernel, Launch, Ref, ceil_div
from kernels.weights import SIZE

SETTINGS = 32  # floats, some of them spare
CLAMP = 100.0
NGX_OCTAVES = ((0.72, 5.3), (33.3, 3.4), (62.5, 2.9))  # frequency across the picture, speed per second (keijiro/Ngx)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the loop does to the last picture. Defaults leave it as it is, without noise.

    rate: gain of the fed-back picture, 0..2. zoom: above 1 the picture grows from frame to frame; rotate in turns,
    move_x and move_y in widths, per frame. kaleidoscope: segments, below 2 none. amplitudes: of the three noise
    octaves, `time_s` drives them. hue in turns; invert, false_colour 0..1; palette turns the false colours, in turns.
    These four change only what is shown.
    """

    rate: float = 1.0
    zoom: float = 1.0
    rotate: float = 0.0
    move_x: float = 0.0
    move_y: float = 0.0
    kaleidoscope: int = 0
    mirror_x: bool = False
    mirror_y: bool = False
    amplitudes: tuple[float, float, float] = (0.0, 0.0, 0.0)
    octaves: tuple[tuple[float, float], ...] = NGX_OCTAVES
    time_s: float = 0.0
    hue: float = 0.0
    invert: float = 0.0
    false_colour: float = 0.0
    palette: float = 0.0

    def pack(self) -> NDArray[np.float32]:
        """The 32 floats that feedback.cu reads.

        Raises ValueError for a zoom that is not above 0 or an octave count but three.
        """
        if not self.zoom > 0:
            raise ValueError(f"zoom must be above 0, got {self.zoom}")
        if len(self.octaves) != 3:
            raise ValueError(f"octaves must be three (frequency, speed), got {len(self.octaves)}")
        cosine, sine = (f(2 * math.pi * self.rotate) / self.zoom for f in (math.cos, math.sin))
        matrix = (cosine, sine, -self.move_x, -sine, cosine, -self.move_y)  # where a pixel comes from: the inverse
        noise = [(a, f, s * self.time_s) for a, (f, s) in zip(self.amplitudes, self.octaves, strict=True)]
        packed = np.zeros(SETTINGS, np.float32)
        packed[0] = self.rate
        packed[2:8] = matrix
        packed[8:11] = self.kaleidoscope, self.mirror_x, self.mirror_y
        packed[11:20] = np.ravel(noise)
        packed[20:24] = self.hue, self.invert, self.false_colour, self.palette
        return packed


def feedback(prev: Ref, settings: Ref, picture: Ref, *, side: int = SIZE) -> Launch:
    """The last picture, transformed, multiplied, with noise, clamped -> the generator's next input."""
    return _per_pixel("feedback", side, (prev, settings, picture))


def colour(picture: Ref, settings: Ref, out: Ref, *, side: int = SIZE) -> Launch:
    """Hue, inversion and false colours for the screen."""
    return _per_pixel("colour", side, (picture, settings, out))


def _per_pixel(function: str, side: int, args: tuple[Ref, ...]) -> Launch:
    kernel = Kernel("feedback", function, (("SIDE", side),))
    return Launch(kernel, (ceil_div(side * side, 256), 1, 1), (256, 1, 1), args, function)


def lerp(a: Ref, b: Ref, mix: Ref, out: Ref, *, nbytes: int, half: bool) -> Launch:
    """out = a + mix * (b - a) over `nbytes` bytes, a multiple of 16. Raises ValueError for other sizes."""
    if nbytes % 16 or nbytes <= 0:
        raise ValueError(f"lerp works on multiples of 16 bytes, got {nbytes}")
    kernel = Kernel("feedback", "lerp_halves" if half else "lerp_floats", (("COUNT16", nbytes // 16),))
    return Launch(kernel, (ceil_div(nbytes // 16, 256), 1, 1), (256, 1, 1), (a, b, mix, out), "crossfade")


def feedback_kernels() -> Iterator[tuple[Kernel, int]]:
    """(kernel, threads per block) of everything in feedback.cu, for the compiler's report."""
    nowhere = Ref("")
    for launch in (
        feedback(nowhere, nowhere, nowhere),
        colour(nowhere, nowhere, nowhere),
        lerp(nowhere, nowhere, nowhere, nowhere, nbytes=1 << 20, half=True),
        lerp(nowhere, nowhere, nowhere, nowhere, nbytes=1 << 20, half=False),
    ):
        yield launch.kernel, launch.block[0]
