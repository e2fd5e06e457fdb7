"""The U-Net-256 as an OpenVINO model, built from its weights directly: milliseconds, where tracing torch takes seconds.

A transposed convolution is written as a 3x3 convolution that yields the four pixels of each place, and a shuffle: the
CPU plugin runs transposed ones in fp32 only, so at 16 filters bf16 takes 4.8 ms instead of 6.8 on two cores. In int8
and at 64 filters the transposed form is as quick, and it multiplies 4 taps where the other multiplies 9.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as op

from kernels.weights import EPSILON, SIZE, Layer, filters_of, unet_layers

F32 = NDArray[np.float32]
Node = Any  # an OpenVINO operation: the library has no types of its own
WIDE = 48  # filters from which on the transposed form is as quick


def unet_model(weights: Mapping[str, F32], *, shuffled: bool = False) -> Any:
    """Input and output float32 [1, 3, 256, 256] in 0..1. weights: under their `.pict` names. Raises BadWeights.

    shuffled: decoders as convolution and shuffle.
    """
    layers = unet_layers(filters_of(weights))
    picture = op.parameter([1, 3, SIZE, SIZE], np.float32)
    x, skips = picture * _constant(2) - _constant(1), []
    for layer in layers[:8]:
        x = _layer(layer, x, weights, shuffled)
        skips.append(x)
    skips.pop()
    x = _layer(layers[8], x, weights, shuffled)
    for layer in layers[9:]:
        x = _layer(layer, op.concat([x, skips.pop()], 1), weights, shuffled)
    return ov.Model([(op.tanh(x) + _constant(1)) * _constant(0.5)], [picture])


def _layer(layer: Layer, x: Node, weights: Mapping[str, F32], shuffled: bool) -> Node:
    if layer.out_size == 1:  # the mean of one pixel is itself: whatever it was, the norm leaves beta
        return _per_channel(weights[layer.beta])
    if layer.slope != 1:
        x = op.prelu(x, op.constant(np.array([layer.slope], np.float32))) if layer.slope else op.relu(x)
    kernel = weights[layer.kernel].transpose(3, 2, 0, 1)
    if layer.kind == "conv":
        y = op.convolution(x, _array(kernel), [2, 2], [1, 1], [1, 1], [1, 1])
    elif shuffled:
        y = op.convolution(x, _array(four_kernels(weights[layer.kernel])), [1, 1], [1, 1], [1, 1], [1, 1])
        y = op.depth_to_space(y, "blocks_first", 2)
    else:
        y = op.convolution_backprop_data(
            x, _array(kernel), [2, 2], pads_begin=[1, 1], pads_end=[1, 1], dilations=[1, 1]
        )
    if not layer.norm:
        return y + _per_channel(weights[layer.bias])
    # The bias would be taken away by the norm again.
    y = op.mvn(y, op.constant(np.array([2, 3], np.int64)), True, EPSILON, "inside_sqrt")
    return y * _per_channel(weights[layer.gamma]) + _per_channel(weights[layer.beta])


def four_kernels(kernel: F32) -> F32:
    """A transposed convolution's [4, 4, out, in] -> [4 * out, in, 3, 3], a convolution's: one kernel for each pixel.

    y[2i + a] is the sum over d of kernel[a + 1 - 2d] x[i + d], so each pixel of the four has 2 x 2 taps of the 3 x 3.
    """
    _, _, cout, cin = kernel.shape
    four = np.zeros((2, 2, cout, cin, 3, 3), np.float32)
    taps = [(a, d, a + 1 - 2 * d) for a in (0, 1) for d in (-1, 0, 1) if 0 <= a + 1 - 2 * d < 4]
    for a, d, row in taps:
        for b, e, column in taps:
            four[a, b, :, :, d + 1, e + 1] = kernel[row, column]
    return four.reshape(4 * cout, cin, 3, 3)


def _per_channel(values: F32) -> Node:
    return _array(values.reshape(1, -1, 1, 1))


def _array(values: F32) -> Node:
    return op.constant(np.ascontiguousarray(values, np.float32))


def _constant(value: float) -> Node:
    return op.constant(np.float32(value))
