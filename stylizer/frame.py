"""A frame: pixels with their time. Conversions between the three ranges of pixel values live here and nowhere else.

`_u8` is 0..255, `_unit` 0..1, `_signed` -1..1. Pictures are RGB everywhere; OpenCV's BGR
stays inside the file that calls OpenCV.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stylizer.errors import BadInput

MAX_PIXELS = 8192 * 8192
VIDEO_CLOCK = Fraction(1, 90_000)  # RTP's clock for video

PixelsU8 = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a stream. A stage changes pixels, never the time.

    pixels: uint8 [H, W, 3], RGB. pts: ticks since the stream's start. time_base: seconds per tick.
    captured_at: monotonic seconds at which the frame entered this process, None for a film; only latency is
    measured by it.
    """

    pixels: PixelsU8
    pts: int
    time_base: Fraction = VIDEO_CLOCK
    captured_at: float | None = None

    def __post_init__(self) -> None:
        check_pixels("frame", self.pixels)

    @property
    def time_s(self) -> float:
        return float(self.pts * self.time_base)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]

    def with_pixels(self, pixels: PixelsU8) -> "Frame":
        """The same moment with other pixels, of any size."""
        return replace(self, pixels=pixels)


def check_pixels(name: str, pixels: PixelsU8) -> None:
    """Raises BadInput unless `pixels` is uint8 [H, W, 3] with 1..MAX_PIXELS pixels."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise BadInput(f"{name}: expected uint8 [H, W, 3] RGB, got {pixels.dtype} {list(pixels.shape)}")
    if pixels.size == 0:
        raise BadInput(f"{name}: the picture is empty ({pixels.shape[1]}x{pixels.shape[0]} pixels)")
    if pixels.shape[0] * pixels.shape[1] > MAX_PIXELS:
        raise BadInput(f"{name}: {pixels.shape[1]}x{pixels.shape[0]} pixels, at most {MAX_PIXELS} are allowed")


def fitted(pixels: PixelsU8, width: int, height: int) -> PixelsU8:
    """uint8 [H, W, 3], scaled: to a size that a film or a device keeps, whatever the pictures have."""
    if pixels.shape[:2] == (height, width):
        return pixels
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def inside(pixels: PixelsU8, width: int, height: int) -> PixelsU8:
    """All of a picture, uint8 [H, W, 3], before black: in the middle of a film a phone is turned, a framing chosen.

    One that differs by a pixel that encoders want even is cut off there.
    """
    h, w = pixels.shape[:2]
    if (w // 2 * 2, h // 2 * 2) == (width, height):
        return pixels[:height, :width]
    scale = min(width / w, height / h)
    picture = fitted(pixels, max(1, round(w * scale)), max(1, round(h * scale)))
    h, w = picture.shape[:2]
    left, top = (width - w) // 2, (height - h) // 2
    whole = np.zeros((height, width, 3), np.uint8)
    whole[top : top + h, left : left + w] = picture
    return whole


def unit_from_u8(pixels: PixelsU8) -> Tensor:
    """uint8 [H, W, C] 0..255 -> float32 [1, C, H, W] 0..1."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1).unsqueeze(0).float().div_(255)


def u8_from_unit(picture: Tensor) -> PixelsU8:
    """float [1, C, H, W] or [C, H, W] 0..1 (clamped) -> uint8 [H, W, C]."""
    if picture.ndim == 4:
        (picture,) = picture
    planes = picture.detach().float().mul(255).add_(0.5).clamp_(0, 255).to(torch.uint8).cpu().numpy()
    interleaved: PixelsU8 = cv2.merge(list(planes))  # a quarter of the time that NumPy takes
    return interleaved.reshape(*planes.shape[1:], len(planes))


def on_cpu(*planes: Tensor) -> tuple[Tensor, ...]:
    """Pictures [N, C, H, W] of one size; those on the card are brought in one piece, the others are not touched."""
    there = [t for t in planes if t.is_cuda]
    if not there:
        return planes
    brought = iter(torch.cat(there, 1).cpu().tensor_split(_borders(there), 1))
    return tuple(next(brought) if t.is_cuda else t for t in planes)


def _borders(planes: Sequence[Tensor]) -> list[int]:
    """Where each but the first begins once they lie one after the other."""
    return list(accumulate(t.shape[1] for t in planes))[:-1]


def signed_from_unit(picture: Tensor) -> Tensor:
    return picture * 2 - 1


def unit_from_signed(picture: Tensor) -> Tensor:
    return (picture + 1) / 2
