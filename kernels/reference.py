"""The U-Net-256 in NumPy: slow, obvious, and what every kernel is compared with.

Pictures and features are [H, W, C], float32, one picture at a time: norm is per picture, so a batch is a loop.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from kernels.weights import EPSILON, Layer, filters_of, unet_layers

F32 = NDArray[np.float32]


def conv4x4_s2_ref(x: F32, w: F32) -> F32:
    """4x4 convolution, stride 2, zero padding 1. x [H, W, C], w [4, 4, C, K] -> [H/2, W/2, K]; H, W even.

    y[i,j,k] = sum over u,v,c of x[2i-1+u, 2j-1+v, c] * w[u,v,c,k]
    """
    height, width, cin = x.shape
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (4, 4), axis=(0, 1))[::2, ::2]  # [H/2, W/2, C, 4, 4]
    columns = windows.transpose(0, 1, 3, 4, 2).reshape(height // 2 * (width // 2), 16 * cin)
    return (columns @ w.reshape(16 * cin, -1)).reshape(height // 2, width // 2, -1)


def deconv4x4_s2_ref(x: F32, w: F32) -> F32:
    """Transposed 4x4 convolution, stride 2, padding 1. x [H, W, C], w [4, 4, K, C] -> [2H, 2W, K].

    y[2i-1+u, 2j-1+v, k] += sum over c of x[i,j,c] * w[u,v,k,c], what falls outside is dropped.
    """
    height, width, cin = x.shape
    y = np.zeros((2 * height + 2, 2 * width + 2, w.shape[2]), np.float32)
    for u in range(4):
        for v in range(4):
            y[u : u + 2 * height : 2, v : v + 2 * width : 2] += (x.reshape(-1, cin) @ w[u, v].T).reshape(
                height, width, -1
            )
    return y[1:-1, 1:-1]


def instance_norm_ref(x: F32, gamma: F32, beta: F32) -> F32:
    """Each channel of [H, W, C] to mean beta and standard deviation gamma; population variance, epsilon 1e-5."""
    mean = x.mean((0, 1), dtype=np.float64)
    variance = x.var((0, 1), dtype=np.float64)
    y: F32 = ((x - mean) / np.sqrt(variance + EPSILON) * gamma + beta).astype(np.float32)
    return y


def activate_ref(x: F32, slope: float) -> F32:
    """x above zero, slope * x below: 1 is nothing, 0.2 LeakyReLU, 0 ReLU."""
    return np.where(x >= 0, x, np.float32(slope) * x)


def layer_ref(layer: Layer, x: F32, weights: Mapping[str, F32]) -> F32:
    """Activation, convolution, bias and norm of one layer."""
    convolve = conv4x4_s2_ref if layer.kind == "conv" else deconv4x4_s2_ref
    y = convolve(activate_ref(x, layer.slope), weights[layer.kernel]) + weights[layer.bias]
    return instance_norm_ref(y, weights[layer.gamma], weights[layer.beta]) if layer.norm else y


def unet_ref(picture_unit: F32, weights: Mapping[str, F32]) -> F32:
    """The whole network. picture_unit [256, 256, 3] in 0..1 -> [256, 256, 3] in 0..1."""
    layers = unet_layers(filters_of(weights))
    x = picture_unit * 2 - 1
    skips = []
    for layer in layers[:8]:
        x = layer_ref(layer, x, weights)
        skips.append(x)
    skips.pop()
    x = layer_ref(layers[8], x, weights)
    for layer in layers[9:]:
        x = layer_ref(layer, np.concatenate((x, skips.pop()), axis=2), weights)
    picture: F32 = ((np.tanh(x) + 1) / 2).astype(np.float32)
    return picture
