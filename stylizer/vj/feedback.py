"""The loop of Ngx: a picture, dimmed or overdriven, disturbed by noise, goes through the network and comes back.

clamp(previous * rate + n1 + n2 + n3, -100, 100), then to 0..1, then the network, whose output is kept as half floats.
Source: keijiro/Ngx, Feedback.shader; read, not copied.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kernels.feedback import NGX_OCTAVES
from stylizer.vj.noise import picture_noise, simplex3_ref
from stylizer.vj.noise_openvino import PictureNoise

LIMIT = 100.0
Noise = Callable[[float, float], Tensor]  # frequency, time in lattice units -> [256, 256] in about -1..1
NOISE_SEEN = 1e-4  # an amplitude below it changes no pixel: the noise is not computed


def noise_of(device: torch.device, seed: int, threads: int) -> Noise:
    """The noise of a seed, the quick way for the device."""
    if device.type == "cpu":
        return partial(PictureNoise(threads), seed=seed)
    return partial(picture_noise, seed=seed, device=device)


def disturbed(previous: Tensor, rate: float, amplitudes: Sequence[float], time_s: float, noise: Noise) -> Tensor:
    """What the network is shown, in 0..1 once `saturated`: float32 [1, 3, 256, 256], not yet clamped to 0..1.

    previous: [1, 3, 256, 256] in 0..1, any float type. amplitudes: of the three noises of Ngx. time_s: of the show.
    """
    picture = previous.float() * rate
    for amplitude, (frequency, speed) in zip(amplitudes, NGX_OCTAVES, strict=True):
        if amplitude > NOISE_SEEN:
            picture += amplitude * noise(frequency, time_s * speed)
    return picture.clamp_(-LIMIT, LIMIT)


def saturated(picture: Tensor) -> Tensor:
    return picture.clamp(0, 1)


def kept(picture: Tensor) -> Tensor:
    """The buffer between two frames holds half floats, as Ngx's does."""
    return picture.half()


def disturbed_ref(
    previous: NDArray[np.float16], rate: float, amplitudes: Sequence[float], time_s: float
) -> NDArray[np.float32]:
    """The same for [256, 256, 3], point by point: minutes for a picture, what the tests believe (they shrink it).

    previous: [H, W, 3]; (u, v) run over 0..1 at the centres of its H x W pixels.
    """
    height, width, _ = previous.shape
    picture = np.zeros((height, width, 3), np.float32)
    for row in range(height):
        for column in range(width):
            u, v = (column + 0.5) / width, (row + 0.5) / height
            noise = sum(
                a * simplex3_ref(u * f, v * f, time_s * s) for a, (f, s) in zip(amplitudes, NGX_OCTAVES, strict=True)
            )
            value = previous[row, column].astype(np.float32) * np.float32(rate) + np.float32(noise)
            picture[row, column] = np.clip(np.clip(value, -LIMIT, LIMIT), 0, 1)
    return picture
