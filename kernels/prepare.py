"""Weights brought into the order in which the kernels read them; done once per set of weights."""

import numpy as np
from numpy.typing import NDArray

from kernels.pict import Weights
from kernels.weights import Layer, filters_of, unet_layers, unet_shapes

F32 = NDArray[np.float32]


def by_phase(layer: Layer, w: F32) -> F32:
    """[4, 4, C, K], or [4, 4, K, C] for the transpose -> [phases, taps, C, K] as taps.cuh reads it.

    Tap (a, b) of phase (p, q) is filter value (3-p-2a, 3-q-2b): output 2i+p takes input i+p-1+a through filter row
    3-p-2a.
    """
    if layer.kind == "conv":
        return np.ascontiguousarray(w.reshape(1, 16, layer.cin, layer.cout))
    w = w.transpose(0, 1, 3, 2)
    phases = [[w[3 - p - 2 * a, 3 - q - 2 * b] for a in (0, 1) for b in (0, 1)] for p in (0, 1) for q in (0, 1)]
    return np.array(phases, np.float32)


def fragments(w: F32) -> NDArray[np.float16]:
    """[phases, taps, C, K] -> halves in the order in which lanes of mma_16x8x16 hold them; C, K multiples of 16.

    [phase][K/16][C/16][tap][lane][8]: 512 bytes per tile of 16 filters x 16 channels. Lane 4g+t holds filters g and
    g+8, channels 2t, 2t+1 and 2t+8, 2t+9: one 16-byte load per lane and mma, and a warp's loads are neighbours all
    along K.
    """
    phases, taps, c, k = w.shape
    split = w.reshape(phases, taps, c // 16, 2, 4, 2, k // 16, 2, 8)  # phase tap c16 | high t pair | k16 | high g
    order = split.transpose(0, 6, 2, 1, 8, 4, 3, 7, 5)  # phase k16 c16 tap g t | channel high, filter high, pair
    return np.ascontiguousarray(order, np.float16).ravel()


def last_layer(w: F32) -> F32:
    """The phases [4, 4, C, 3] of decoder 1 as one convolution with 3x3 taps and 12 of 16 filters: [1, 9, C, 16].

    Filter 3 * phase + colour; a phase (p, q) uses the 2x2 taps from (p, q) on, the others are 0.
    """
    out = np.zeros((3, 3, w.shape[2], 16), np.float32)
    for p, q, a, b in np.ndindex(2, 2, 2, 2):
        phase = 2 * p + q
        out[p + a, q + b, :, 3 * phase : 3 * phase + 3] = w[phase, 2 * a + b]
    return out.reshape(1, 9, -1, 16)


def only_pixel(w: F32) -> F32:
    """[4, 4, C, K] -> [4, 1, C, K]: the only tap per phase that meets no padding when the input is one pixel."""
    live = [w[2 * p + q, 2 * (1 - p) + 1 - q] for p in (0, 1) for q in (0, 1)]
    return np.array(live, np.float32)[:, None]


def pad_filters(weights: Weights, multiple: int = 16) -> Weights:
    """The same network with its filters filled up to a multiple of 16 by channels that stay zero, as tensor cores want
    them.

    A padded channel has weights, bias, gamma and beta 0, so it is 0 everywhere and nothing reads it. 24 filters become
    32, with the arithmetic of 32. Other tensors are dropped. Raises BadWeights.
    """
    filters = filters_of(weights)
    padded = -(-filters // multiple) * multiple
    if padded == filters:
        return {n: weights[n] for n in unet_shapes(filters)}
    out: Weights = {n: np.zeros(s, np.float32) for n, s in unet_shapes(padded).items()}
    for old, new in zip(unet_layers(filters), unet_layers(padded), strict=True):
        rows = (
            _halves(old.cin, new.cin)
            if old.name.startswith("decoder") and old.name != "decoder_8"
            else [(old.cin, 0, 0)]
        )
        for count, source, target in rows:
            a, b = slice(source, source + count), slice(target, target + count)
            if old.kind == "conv":
                out[new.kernel][:, :, b, : old.cout] = weights[old.kernel][:, :, a]
            else:
                out[new.kernel][:, :, : old.cout, b] = weights[old.kernel][:, :, :, a]
        for name in (old.bias, *((old.gamma, old.beta) if old.norm else ())):
            out[name][: old.cout] = weights[name]
    return out


def _halves(old: int, new: int) -> list[tuple[int, int, int]]:
    """(channels, from, to) of the two halves of a concatenation: previous decoder, skip."""
    return [(old // 2, 0, 0), (old // 2, old // 2, new // 2)]
