"""VJ mode's feedback loop around the U-Net: its settings, its launches, and the weight-space crossfade."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernels.launch import Kernel, Launch, Ref, ceil_div
from kernels.weights import SIZE

SETTINGS = 32  # floats
CLAMP = 100.0
NGX_OCTAVES = ((0.72, 5.3), (33.3, 3.4), (62.5, 2.9))  # frequency across the picture, speed per second (keijiro/Ngx)
NOISE_PERIOD = 867.0  # of the noise's third coordinate: 3 * 289, the hash repeats after 289
BLENDS = ("mix", "add", "screen", "multiply", "difference")
# Of each channel's false colour: radians per unit of brightness, radians per second.
FALSE_FREQUENCY = (7.0, 8.4, 9.7)
FALSE_SPEED = (0.9, 1.13, 1.37)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the loop does to the last picture. Defaults leave it as it is, without noise.

    rate: gain of the fed-back picture, 0..2. zoom: above 1 the picture grows from frame to frame; rotate in turns,
    clockwise, move_x and move_y in widths, right and down, per frame. kaleidoscope: segments, below 2 none. focus: -1
    blurs with a 3x3 box, 1 sharpens as strongly. amplitudes: of the three noise octaves, `time_s` drives them; place
    0..288 moves to another part of the same noise. inject_gain 0..1: of the guest's picture, let in by a blend of
    BLENDS. hue in turns; invert, false_colour 0..1; shown_s drives the false colours. These four change only what is
    shown.
    """

    rate: float = 1.0
    zoom: float = 1.0
    rotate: float = 0.0
    move_x: float = 0.0
    move_y: float = 0.0
    kaleidoscope: int = 0
    mirror_x: bool = False
    mirror_y: bool = False
    focus: float = 0.0
    amplitudes: tuple[float, float, float] = (0.0, 0.0, 0.0)
    octaves: tuple[tuple[float, float], ...] = NGX_OCTAVES
    time_s: float = 0.0
    place: float = 0.0
    inject_gain: float = 0.0
    blend: str = BLENDS[0]
    hue: float = 0.0
    invert: float = 0.0
    false_colour: float = 0.0
    shown_s: float = 0.0

    def pack(self) -> NDArray[np.float32]:
        """The 32 floats that feedback.cu reads.

        Raises ValueError for a zoom that is not above 0, an octave count but three or an unknown blend.
        """
        if not self.zoom > 0:
            raise ValueError(f"zoom must be above 0, got {self.zoom}")
        if len(self.octaves) != 3:
            raise ValueError(f"octaves must be three (frequency, speed), got {len(self.octaves)}")
        if self.blend not in BLENDS:
            raise ValueError(f"blend must be one of {', '.join(BLENDS)}, got {self.blend!r}")
        # Where a pixel comes from, the inverse: moved back, then turned back and made smaller.
        cosine, sine = (f(2 * math.pi * self.rotate) / self.zoom for f in (math.cos, math.sin))
        x, y = -self.move_x, -self.move_y
        matrix = (cosine, sine, cosine * x + sine * y, -sine, cosine, cosine * y - sine * x)
        noise = [
            (a, f, s * self.time_s % NOISE_PERIOD) for a, (f, s) in zip(self.amplitudes, self.octaves, strict=True)
        ]
        packed = np.zeros(SETTINGS, np.float32)
        packed[0:2] = self.rate, self.focus
        packed[2:8] = matrix
        packed[8:11] = self.kaleidoscope, self.mirror_x, self.mirror_y
        packed[11:20] = np.ravel(noise)
        packed[20:23] = self.hue, self.invert, self.false_colour
        packed[23:26] = FALSE_FREQUENCY
        packed[26:29] = [self.shown_s * speed % (2 * math.pi) for speed in FALSE_SPEED]
        packed[29:32] = self.place, self.inject_gain, BLENDS.index(self.blend)
        return packed


def feedback(prev: Ref, guest: Ref, settings: Ref, picture: Ref, *, side: int = SIZE) -> Launch:
    """The last picture, transformed, multiplied, with noise and the guest, clamped -> the generator's next input.

    guest: [side, side, 4], colours and where they count, all 0..1.
    """
    return _per_pixel("feedback", side, (prev, guest, settings, picture))


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
        feedback(nowhere, nowhere, nowhere, nowhere),
        colour(nowhere, nowhere, nowhere),
        lerp(nowhere, nowhere, nowhere, nowhere, nbytes=1 << 20, half=True),
        lerp(nowhere, nowhere, nowhere, nowhere, nbytes=1 << 20, half=False),
    ):
        yield launch.kernel, launch.block[0]
