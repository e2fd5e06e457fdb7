"""The end of a StyleGAN2 layer in one pass: blur, demodulation, noise, bias, activation (see bias_act.cu)."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from kernels.launch import MAX_ELEMENTS, Kernel, Launch, Ref, ceil_div

F32 = NDArray[np.float32]
THREADS = 256
CHANNELS = 8  # at a time: the channels of a layer must be a multiple of it
TAPS = np.array([1, 3, 3, 1], np.float32) / 4
# Side and channels of the layers of the embedded styles and of the published generator: what is compiled ahead.
USUAL = tuple(zip((32, 64, 128, 256, 32, 64, 128, 256), (128, 64, 32, 16, 512, 512, 256, 128), strict=True))


def rows_of(side: int) -> int:
    """Pixels one below another that a thread makes: four, or as many as divide the side."""
    return next(rows for rows in (4, 2, 1) if side % rows == 0)


def bias_act(
    x: Ref, scale: Ref, bias: Ref, noise: Ref | None, out: Ref, *, shape: tuple[int, int, int], blur: bool
) -> Launch:
    """x: halves [batch, S, S, channels], S = side, or side + 1 with blur -> out [batch, side, side, channels].

    shape: batch, side, channels. scale [batch, channels], bias [channels], noise [side, side] or none, halves too.
    Raises ValueError for channels that are no multiple of 8, an odd side with blur, and more values than an int can
    count.
    """
    batch, side, channels = shape
    if channels < 1 or channels % CHANNELS:
        raise ValueError(f"channels must be a multiple of {CHANNELS}, got {channels}")
    if side < 1 or batch < 1 or (blur and side % 2):
        raise ValueError(f"batch {batch} and side {side} must be at least 1, the side even with blur")
    if batch * (side + 1) ** 2 * channels > MAX_ELEMENTS:
        raise ValueError(f"{batch} pictures of {side} px and {channels} channels are more than {MAX_ELEMENTS} values")
    kernel = _kernel(side, channels, blur, noise is not None)
    grid = ceil_div(side * channels // CHANNELS, THREADS), side // rows_of(side), batch
    return Launch(kernel, grid, (THREADS, 1, 1), (x, scale, bias, noise or bias, out))


def bias_act_kernels() -> Iterator[tuple[Kernel, int]]:
    """(kernel, threads per block) for the usual layers, with and without blur."""
    for side, channels in USUAL:
        for blur in (False, True):
            yield _kernel(side, channels, blur, noise=True), THREADS


def bias_act_ref(x: F32, scale: F32, bias: F32, noise: F32 | None, *, blur: bool) -> F32:
    """The same in NumPy: x [N, S, S, C], float32 in and out."""
    if blur:
        x = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        side = x.shape[1] - 3
        x = sum(t * x[:, i : i + side] for i, t in enumerate(TAPS))
        x = sum(t * x[:, :, i : i + side] for i, t in enumerate(TAPS))
    shift = bias if noise is None else bias + noise[None, :, :, None]
    y: F32 = x * scale[:, None, None] + np.sqrt(np.float32(2)) * shift
    active: F32 = np.maximum(y, np.float32(0.2) * y)
    return active


def _kernel(side: int, channels: int, blur: bool, noise: bool) -> Kernel:
    constants = (
        ("SIDE", side),
        ("CHANNELS", channels),
        ("ROWS", rows_of(side)),
        ("BLUR", int(blur)),
        ("NOISE", int(noise)),
    )
    return Kernel("bias_act", "bias_act", constants)
