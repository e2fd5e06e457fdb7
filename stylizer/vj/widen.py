"""Makes a narrow U-Net-256 wide without changing what it computes, so that models of two widths can be mixed."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from kernels.pict import Weights
from kernels.weights import Layer, filters_of, unet_layers, unet_shapes
from stylizer.errors import BadInput


def widened(weights: Mapping[str, NDArray[np.float32]], filters: int) -> Weights:
    """The same network with `filters` filters in its first layer: the added channels are zero all the way.

    Their weights, biases, gammas and betas are zero, so norm and activation keep them at zero and nobody hears them.
    Raises BadInput when `filters` is fewer than there are.
    """
    own = filters_of(weights)
    if filters < own:
        raise BadInput(f"a network of {own} filters cannot be narrowed to {filters}")
    if filters == own:
        return dict(weights)
    wide = {name: np.zeros(shape, np.float32) for name, shape in unet_shapes(filters).items()}
    for narrow_layer, layer in zip(unet_layers(own), unet_layers(filters), strict=True):
        inputs, outputs = _places(narrow_layer, layer), np.arange(narrow_layer.cout)
        axes = (inputs, outputs) if layer.kind == "conv" else (outputs, inputs)
        wide[layer.kernel][np.ix_(np.arange(4), np.arange(4), *axes)] = weights[layer.kernel]
        wide[layer.bias][outputs] = weights[layer.bias]
        if layer.norm:
            wide[layer.gamma][outputs], wide[layer.beta][outputs] = weights[layer.gamma], weights[layer.beta]
    return wide


def _places(narrow: Layer, wide: Layer) -> NDArray[np.intp]:
    """Where the narrow layer's input channels lie in the wide one: a decoder joins its predecessor and a skip."""
    if wide.kind == "conv" or narrow.name == "decoder_8":
        return np.arange(narrow.cin)
    half = np.arange(narrow.cin // 2)
    return np.concatenate((half, wide.cin // 2 + half))
